/** The CLI's commands for the day when a disk is dead: backups, their way back, and the RESTORE that has to follow. */
import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { pino } from "pino";
import * as v from "valibot";
import { Fault, isFault } from "../protocol/error.ts";
import { CHANGES } from "../protocol/governance.ts";
import { journalPath } from "./agent.ts";
import { backUp } from "./backup.ts";
import { type MotionOptions, parseCount, proposeMotion, type Shell, signed } from "./cli-shell.ts";
import { type Config, socketPath } from "./config.ts";
import { readPin } from "./hsm/pin.ts";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";
import { show } from "./print.ts";
import { minute } from "./print-status.ts";
import { restore } from "./restore.ts";

type Change = v.InferOutput<typeof CHANGES.RESTORE>;

/** Adds `backup` and `restore`. */
export function addBackupCommands(program: Command, shell: Shell, config: () => Config): void {
  addBackup(program, shell, config);
  addRestore(program, shell, config);
}

function addBackup(program: Command, { ask, out, command }: Shell, config: () => Config): void {
  command(
    program,
    "backup <file>",
    "copy the agent's record to a new file, whether or not the agent runs",
    "opencustody backup /media/backup/record.db",
  ).action(async (file: string) => {
    const path = resolve(file);
    out(await backedUp(ask, config, path), lines.backup);
  });
}

async function backedUp(ask: Shell["ask"], config: () => Config, path: string): Promise<unknown> {
  try {
    return await ask({ command: "backup", path });
  } catch (error) {
    if (!isFault(error, "ERR_AGENT_UNREACHABLE")) throw error;
  }
  const settings = config();
  const record = journalPath(settings);
  await claimSocket(socketPath(settings));
  const journal = new Journal(record);
  try {
    journal.requireMeta("identity");
    return await backUp(journal, dirname(record), path, Math.floor(Date.now() / 1000));
  } finally {
    journal.close();
  }
}

function addRestore(program: Command, { ask, out, command }: Shell, config: () => Config): void {
  const restoring = command(
    program,
    "restore",
    "where the record is lost: put a backup in its place; then have the admins decide to go on from it",
    "opencustody restore /media/backup/record.db",
  );
  restoring.argument("[file]", "a backup").action(async (file: string | undefined) => {
    if (file === undefined) throw new Fault("ERR_USAGE", 'Name a backup, or see "opencustody restore --help".');
    const settings = config();
    const pin = await readPin(settings.hsm.pin);
    out(await restore(settings, pin, pino({ level: "silent" }), resolve(file)), lines.restored);
  });
  command(
    restoring,
    "show",
    "what a RESTORE would name: what is missing, and the next nonces",
    "opencustody restore show",
  ).action(async () => {
    out(await ask({ command: "restore.show" }), lines.gap);
  });
  signed(
    command(
      restoring,
      "propose",
      "ask the admins to go on from this record, with the next nonces as the networks know them",
      "opencustody restore propose --nonce Treasury-1 eip155:1 42 --key olga.jwk --wait",
    ).option(
      "--nonce <words...>",
      "the next nonce of an account: vault, network and number; once for each account",
      collectWords,
      [],
    ),
  ).action(async (options: MotionOptions & { nonce: string[] }) => {
    const { change } = v.parse(GapSchema, await ask({ command: "restore.show" }));
    const asked = withNonces(change, options.nonce);
    out(await proposeMotion(ask, options, { verb: "RESTORE", change: asked }), show.request);
  });
}

function collectWords(word: string, before: string[]): string[] {
  return [...before, word];
}

/** The change with what the operator found at the networks. `words`: vault, network, nonce, and so on. @throws Fault ERR_USAGE */
export function withNonces(change: Change, words: readonly string[]): Change {
  if (words.length % 3 !== 0) throw new Fault("ERR_USAGE", "--nonce takes three words: vault, network and nonce.");
  const named = new Map<string, number>();
  for (let at = 0; at < words.length; at += 3) {
    const account = `${words[at] ?? ""} ${words[at + 1] ?? ""}`;
    if (!change.nonces.some(({ vault, network }) => account === `${vault} ${network}`))
      throw new Fault("ERR_USAGE", `This record has no account ${account}; see "opencustody restore show".`);
    if (named.has(account)) throw new Fault("ERR_USAGE", `--nonce names ${account} twice.`);
    named.set(account, count(words[at + 2] ?? ""));
  }
  const nonces = change.nonces.map((row) => ({ ...row, nonce: named.get(`${row.vault} ${row.network}`) ?? row.nonce }));
  const unnamed = change.nonces.find(({ vault, network }) => !named.has(`${vault} ${network}`));
  if (change.seen !== null && unnamed !== undefined)
    throw new Fault(
      "ERR_USAGE",
      `Entries are missing, so name the next nonce of each account as its network knows it: --nonce ${unnamed.vault} ${unnamed.network} NUMBER.`,
    );
  return { ...change, nonces };
}

function count(text: string): number {
  try {
    return parseCount(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new Fault("ERR_USAGE", "A nonce is a whole number.");
    throw error;
  }
}

const GapSchema = v.object({
  restoredAt: v.nullable(v.number()),
  by: v.nullable(v.object({ person: v.nullable(v.string()), at: v.number() })),
  missing: v.number(),
  heard: v.number(),
  needed: v.number(),
  change: CHANGES.RESTORE,
});
const RestoredSchema = v.object({
  act: v.number(),
  entries: v.number(),
  known: v.nullable(v.number()),
  frozen: v.boolean(),
  succeed: v.boolean(),
});

/** The human form of each result. */
const lines = {
  backup: (value: unknown) => {
    const { file, entries } = v.parse(v.object({ file: v.string(), entries: v.number() }), value);
    return [`backup ${file}, log of ${entries} entries`, "Keep it as you keep the record: it holds every request."];
  },
  restored: (value: unknown) => {
    const { act, entries, known, frozen, succeed } = v.parse(RestoredSchema, value);
    return [
      `restored up to act ${act}, log of ${entries} entries`,
      ...(known === null ? [] : [`The token knew ${known} entries: what came after the backup is lost.`]),
      ...(frozen ? ["A freeze is missing in the backup, so everything is frozen."] : []),
      ...(succeed
        ? ['The token is empty: run "opencustody succeed", then "opencustody agent" and "opencustody rotate".']
        : []),
      'The agent signs nothing on it until the admins have approved a RESTORE: start it, then see "opencustody restore show".',
    ];
  },
  gap: (value: unknown) => {
    const { restoredAt, by, missing, heard, needed, change } = v.parse(GapSchema, value);
    const { log, seen, nonces } = change;
    const who = by?.person === null ? "the token" : `${by?.person ?? ""}'s browser`;
    return [
      restoredAt === null ? "not restored from a backup" : `restored from a backup at ${minute(restoredAt)}`,
      `RESTORE would go on from ${log.size} entries, root ${log.root}`,
      seen === null
        ? "nobody is known to have seen more"
        : `${who} knew ${seen.size} entries: up to ${missing} are missing, and signed transactions may be among them`,
      `people whose browsers were heard since the start: ${heard} of ${needed} that it takes`,
      "Everything that is open, or signed and not handed out, ends. Compare each next nonce with the network:",
      ...nonces.map(({ vault, network, nonce }) => `  --nonce ${vault} ${network} ${nonce}`),
    ];
  },
};
