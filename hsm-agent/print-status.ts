/** What `opencustody status` prints: the agent's condition, and what a person has to do about it. README.md, "Health and metrics". */
import * as v from "valibot";
import { formatMinute } from "../protocol/statement.ts";

export const FreezeViewSchema = v.object({ vault: v.nullable(v.string()), by: v.nullable(v.string()), at: v.number() });

export const StatusViewSchema = v.object({
  hsm: v.object({
    fingerprint: v.string(),
    thumbprint: v.string(),
    state: v.string(),
    /** Seconds since 1970. */
    since: v.number(),
    problem: v.nullable(v.string()),
  }),
  bridge: v.object({ url: v.string(), state: v.string() }),
  record: v.object({ problem: v.nullable(v.string()) }),
  log: v.object({ size: v.number(), checkpoint: v.number() }),
  witnesses: v.object({ needed: v.number(), seen: v.number() }),
  /** Somebody's browser, or with null the token, knows more of the log than the `from` entries that this record went on from. */
  behind: v.nullable(v.object({ person: v.nullable(v.string()), size: v.number(), at: v.number(), from: v.number() })),
  restoredAt: v.nullable(v.number()),
  founded: v.boolean(),
  /** Number of the last act; 0 before the founding. */
  act: v.number(),
  policy: v.nullable(v.number()),
  people: v.nullable(v.number()),
  /** Open requests. */
  open: v.number(),
  clock: v.object({ inDoubtSince: v.nullable(v.number()) }),
  frozen: v.array(FreezeViewSchema),
  /** Before the founding: who still has to pair or to sign it. */
  waitingFor: v.array(v.string()),
  /** The agent's own backups; null where the configuration names no folder for them. */
  backup: v.nullable(
    v.object({
      folder: v.string(),
      last: v.nullable(v.object({ at: v.number(), act: v.number() })),
      problem: v.nullable(v.string()),
    }),
  ),
});
export type StatusView = v.InferOutput<typeof StatusViewSchema>;

/** How the agent is, and what waits for whom. */
export function statusLines(status: StatusView): string[] {
  const { hsm, bridge, record, log, witnesses, behind, restoredAt, clock } = status;
  const founded = `policy ${status.policy ?? "none"}, people ${status.people ?? "none"}, act ${status.act}, open requests ${status.open}`;
  return [
    `HSM ${hsm.state}${hsm.state === "up" ? "" : ` since ${minute(hsm.since)}`}, fingerprint ${hsm.fingerprint}`,
    ...(hsm.problem === null ? [] : [`HSM problem: ${hsm.problem} Requests wait, and go on by themselves.`]),
    `bridge ${bridge.url} ${bridge.state}`,
    ...(record.problem === null ? [] : [`record: ${record.problem}`]),
    status.founded
      ? founded
      : `not founded yet; waiting for ${status.waitingFor.length === 0 ? "nobody" : status.waitingFor.join(", ")}`,
    `log ${log.size} entries, signed up to ${log.checkpoint}`,
    ...(behind === null
      ? []
      : [
          `NOT THE NEWEST RECORD: ${behind.person === null ? "the token" : `${behind.person}'s browser`} knew ${behind.size} entries at ${minute(behind.at)}, and this one went on from ${behind.from}: up to ${Math.max(1, behind.size - behind.from)} are missing. Nothing is signed. Put the newest record in place, or see "opencustody restore show".`,
        ]),
    ...(restoredAt === null
      ? []
      : [
          `restored from a backup at ${minute(restoredAt)}: nothing is signed before a RESTORE ("opencustody restore show")`,
        ]),
    ...(witnesses.seen >= witnesses.needed
      ? []
      : [
          `nothing is signed yet: ${witnesses.needed} people's browsers have to show what they know of the log, ${witnesses.seen} have since the start`,
        ]),
    ...(clock.inDoubtSince === null
      ? []
      : [`the clock jumped at ${minute(clock.inDoubtSince)}: recoveries wait for "opencustody clock confirm"`]),
    ...backupLines(status.backup),
    ...status.frozen.map(frozenLine),
  ];
}

function backupLines(backup: StatusView["backup"]): string[] {
  if (backup === null) return [];
  const { last, problem, folder } = backup;
  const when = last === null ? "none yet" : `the last one at ${minute(last.at)}, with act ${last.act}`;
  return [`backups in ${folder}: ${when}`, ...(problem === null ? [] : [`NO BACKUP WAS WRITTEN: ${problem}`])];
}

export function frozenLine({ vault, by, at }: v.InferOutput<typeof FreezeViewSchema>): string {
  return `frozen: ${vault ?? "everything"}, by ${by ?? "the operator"} at ${minute(at)}`;
}

export const minute = (seconds: number) => formatMinute(seconds - (seconds % 60));
