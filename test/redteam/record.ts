/**
 * The agent's record and token as somebody with the host's disk has them: stopped, edited with SQLite, and started again. What was there
 * is put back after each try, what people's browsers remember of the log as well, so that the next one meets an honest agent.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { requestDigest } from "../../protocol/request.ts";
import { until } from "../harness/retry.ts";
import type { World } from "../harness/world.ts";
import type { Tally } from "./attack.ts";
import type { Company } from "./company.ts";

/** What is done to the record, or to the token, while no agent runs. */
type Edit = (db: DatabaseSync) => unknown;

/** Runs `work` on the record while no agent has it. */
export function onRecord<T>(world: Pick<World, "folder">, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(world.folder, "agent", "agent.db"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** A copy of record, configuration and token, taken while no agent runs. */
export interface Copy {
  readonly folder: string;
}

export function copyOf(world: World): Copy {
  const folder = mkdtempSync(join(world.folder, "copy-"));
  cpSync(join(world.folder, "agent"), join(folder, "agent"), { recursive: true, filter: isKept });
  cpSync(tokens(world), join(folder, "tokens"), { recursive: true });
  cpSync(world.configFile, join(folder, "config"));
  return { folder };
}

/** Puts back the record with its configuration, the token, or both. */
export function putBack(world: World, { folder }: Copy, what: readonly ("record" | "token")[]): void {
  if (what.includes("record")) {
    rmSync(join(world.folder, "agent"), { recursive: true });
    cpSync(join(folder, "agent"), join(world.folder, "agent"), { recursive: true });
    cpSync(join(folder, "config"), world.configFile);
  }
  if (what.includes("token")) {
    rmSync(tokens(world), { recursive: true });
    cpSync(join(folder, "tokens"), tokens(world), { recursive: true });
  }
}

function tokens(world: World): string {
  return join(world.token.pinFile, "..", "tokens");
}

function isKept(path: string): boolean {
  return !path.endsWith(".sock");
}

/** Starts the agent, and waits until everybody has its new card: what is sealed to one of a record that is gone would open nowhere. */
export async function start(company: Company): Promise<void> {
  const before = await cards(company);
  await company.world.startAgent();
  for (const [name, member] of company.members) {
    const hasNew = async () => (await member.mail.card()).n > (before.get(name) ?? 0);
    await until(async () => await hasNew().catch(() => false));
  }
}

/** The number of the card that each member has. */
async function cards({ members }: Company): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (const [name, member] of members) seen.set(name, (await member.mail.card()).n);
  return seen;
}

/** An edit, and what is done on the record that it made: the agent is started there, or is found not to start. */
export type Edited = readonly [edit: Edit, work: () => Promise<unknown>];

/** Stops the agent, edits its record, does `work`, and puts all back. Nothing may have been signed or enacted meanwhile. */
export async function whileEdited(
  company: Company,
  tally: Tally,
  edit: Edit,
  work: () => Promise<unknown>,
): Promise<void> {
  await eachEdited(company, tally, [[edit, work]]);
}

/** The same for several edits, each of the record as it was before the first: the honest agent starts after the last. */
export async function eachEdited(company: Company, tally: Tally, tries: readonly Edited[]): Promise<void> {
  const { world } = company;
  const remembered = [...company.members.values()].map(({ mail }) => ({ mail, known: mail.log.known }));
  await world.agent().stop();
  const copy = copyOf(world);
  const used = [numbers(world)];
  try {
    for (const [edit, work] of tries) {
      try {
        await onRecordAsync(world, edit);
        const before = effects(world);
        await work();
        await world.agent().stop();
        if (effects(world) !== before) tally.through("something was signed or came into force on an edited record");
      } finally {
        await world.agent().stop();
        used.push(numbers(world));
        putBack(world, copy, ["record", "token"]);
        // The bridge takes no number twice: who starts next goes on after those that the edited one used.
        onRecord(world, (db) => goOnFrom(db, ...used));
        for (const { mail, known } of remembered) {
          // What the edited agent has shown is on its way no more.
          if (mail.isOpen) await mail.drained();
          mail.isQuiet = false;
          mail.log.known = known;
        }
      }
    }
  } finally {
    rmSync(copy.folder, { recursive: true });
    await start(company);
  }
}

async function onRecordAsync(world: World, edit: Edit): Promise<void> {
  const db = new DatabaseSync(join(world.folder, "agent", "agent.db"));
  try {
    await edit(db);
  } finally {
    db.close();
  }
}

/** The agent must not start on the record that any of these edits makes. */
export async function mustNotStart(company: Company, tally: Tally, ...edits: readonly Edit[]): Promise<void> {
  const refuses = async () => await tally.mustThrow(async () => await company.world.startAgent());
  await eachEdited(
    company,
    tally,
    edits.map((edit) => [edit, refuses] as const),
  );
}

/** The code with which the agent gave up a request for now. */
export async function waits(world: World, id: string): Promise<string> {
  for (;;) {
    const line = world.agent().lines.find((one) => one.includes(`"request":"${id}"`) && one.includes("request waits"));
    const code = line === undefined ? undefined : /"code":"(\w+)"/.exec(line)?.[1];
    if (code !== undefined) return code;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const NOTHING = JSON.stringify({ signed: [], acts: { n: 0 } });

/** What was signed, and how many acts there are. */
function effects(world: World): string {
  return onRecord(world, (db) => {
    // A record that init has not made yet.
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'acts'").get() === undefined) return NOTHING;
    const signed = db.prepare("SELECT id, signed FROM requests WHERE signed IS NOT NULL ORDER BY id").all();
    const acts = db.prepare("SELECT count(*) AS n FROM acts").get();
    return JSON.stringify({ signed, acts });
  });
}

/** Cards and rosters are numbered after all that the bridge has seen. */
export function goOnFrom(db: DatabaseSync, ...used: readonly Record<string, number>[]): void {
  for (const key of ["card", "roster"]) {
    const next = Math.max(...used.map((numbers) => numbers[key] ?? 0)) + 1;
    db.prepare("UPDATE meta SET value = ? WHERE key = ?").run(String(next), key);
  }
}

export function numbers(world: Pick<World, "folder">): Record<string, number> {
  return onRecord(world, (db) => {
    const rows = db.prepare("SELECT key, value FROM meta WHERE key IN ('card', 'roster')").all();
    return Object.fromEntries(rows.map((row) => [String(row["key"]), Number(row["value"])]));
  });
}

/** Changes the text of a payload, and with `withDigest` the digest to fit. */
export function editPayload(db: DatabaseSync, id: string, change: (text: string) => string, withDigest: boolean): void {
  const row = db.prepare("SELECT payload, digest FROM requests JOIN request_texts USING (id) WHERE id = ?").get(id);
  const before = String(row?.["payload"]);
  const payload = change(before);
  if (payload === before) throw new Error("the edit changes nothing");
  const digest = withDigest ? requestDigest(new TextEncoder().encode(payload)) : String(row?.["digest"]);
  db.prepare("UPDATE request_texts SET payload = ? WHERE id = ?").run(payload, id);
  db.prepare("UPDATE requests SET digest = ? WHERE id = ?").run(digest, id);
}

/** The agent's configuration names another token. */
export function nameToken(world: World, from: string, to: string): void {
  const text = readFileSync(world.configFile, "utf8");
  writeFileSync(world.configFile, text.replace(`"label":"${from}"`, `"label":"${to}"`));
}
