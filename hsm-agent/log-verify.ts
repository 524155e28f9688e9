/**
 * Verifies a whole log: every entry, every stored hash, the root against the newest checkpoint that the HSM signed, what must hold
 * between entries (log-rules.ts), and that what it tells of as frozen is (log-freezes.ts). README.md of protocol/, "Log". Any source that
 * gives pages will do: a running agent, or a copy. Memory does not grow with the log: hashes of whole subtrees, one a level, the requests
 * that are open, and what is frozen.
 */
import * as v from "valibot";
import { type Applied, applyAct } from "../protocol/charter.ts";
import { openCheckpoint, originOf } from "../protocol/checkpoint.ts";
import { Fault } from "../protocol/error.ts";
import { parseEntry } from "../protocol/log-entry.ts";
import { completed, EMPTY_ROOT, leafHash, nodeHash } from "../protocol/merkle.ts";
import { fingerprint, hexOf, type PublicJwk, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import type { Journal } from "./journal.ts";
import { LogFreezes } from "./log-freezes.ts";
import { LogRules } from "./log-rules.ts";
import { lastCheckpoint } from "./showing.ts";

/** Entries of a page: with their hashes, some hundred KiB as they are. */
export const PAGE = 500;

/** What a log is verified by. `checkpoint` is null before the first was signed. */
export const LogHeadSchema = v.strictObject({
  founder: PublicJwkSchema,
  acts: v.array(v.string()),
  checkpoint: v.nullable(v.string()),
  /** What is frozen. */
  freezes: v.array(v.strictObject({ vault: v.nullable(v.string()) })),
  /** Entries at that moment: what comes later is not looked at, since the acts and freezes are of then. */
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type LogHead = v.InferOutput<typeof LogHeadSchema>;

/** Entries from an index on; of each the hashes that are stored with it: its leaf, and the subtrees that it completes, upwards. */
export const LogPageSchema = v.array(v.strictObject({ line: v.string(), nodes: v.array(hexOf(32)) }));
export type LogPage = v.InferOutput<typeof LogPageSchema>;

export interface LogSource {
  head(): Promise<LogHead>;
  /** Some entries from an index on; none past the end. */
  page(from: number): Promise<LogPage>;
}

export interface VerifiedLog {
  /** Fingerprints of who signed the founding, and the checkpoint. */
  readonly founder: string;
  readonly by: string;
  readonly acts: number;
  /** Entries that the checkpoint covers, and their root. */
  readonly signed: number;
  readonly root: string;
  /** All entries: the last ones may not be signed yet. */
  readonly entries: number;
}

/** The record as a source. @throws Fault ERR_STATE where a hash is missing */
export function sourceOf(journal: Journal): LogSource {
  return {
    head: async () => readHead(journal),
    page: async (from) => readPage(journal, from),
  };
}

export function readHead(journal: Journal): LogHead {
  const founder = v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder")));
  const checkpoint = lastCheckpoint(journal)?.note ?? null;
  const freezes = journal.freezes().map(({ vault }) => ({ vault }));
  return { founder, acts: journal.acts(), checkpoint, freezes, size: journal.logSize() };
}

export function readPage(journal: Journal, from: number): LogPage {
  return journal.logLines(from, PAGE).map((line, place) => {
    const index = from + place;
    return {
      line,
      nodes: [journal.node(0, index), ...[...completed(index)].map(({ level, at }) => journal.node(level, at))],
    };
  });
}

/**
 * Verifies all of a log. `pinned`: the fingerprint that somebody has compared, null where nobody did. `progress` is told how many entries
 * are done.
 * @throws Fault ERR_LOG naming the first entry that does not hold; ERR_CHARTER and others of an act
 */
export async function verifyLog(
  source: LogSource,
  pinned: string | null,
  progress: (done: number) => void = () => {},
): Promise<VerifiedLog> {
  const { founder, acts: jwss, checkpoint, freezes, size } = await source.head();
  const acts: Applied[] = [];
  for (const jws of jwss) acts.push(await applyAct(acts.at(-1)?.charter ?? null, jws, founder));
  if (checkpoint === null) throw broken("the HSM has signed no checkpoint of it yet");
  const keys = [founder, ...acts.map(({ charter }) => charter.hsm)];
  const { head, by } = await openCheckpoint(checkpoint, { origin: originOf(thumbprint(founder)), keys });
  requirePinned(pinned, founder, by);
  const rules = new LogRules(acts);
  const frozen = new LogFreezes(acts);
  const tree = new Frontier();
  let signedRoot = EMPTY_ROOT;
  while (tree.size < size) {
    const page = await source.page(tree.size);
    if (page.length === 0) throw broken(`it is said to have ${size} entries, and ${tree.size} are there`);
    for (const { line, nodes } of page.slice(0, size - tree.size)) {
      const index = tree.size;
      const entry = parseEntry(line);
      if (entry === undefined) throw broken(`entry ${index} is malformed`);
      const why = rules.take(entry);
      if (why !== undefined) throw broken(`entry ${index} does not follow: ${why}`);
      frozen.take(entry);
      if (tree.add(line).join() !== nodes.join())
        throw broken(`a hash that is stored with entry ${index} is another one`);
      if (tree.size === head.size) signedRoot = tree.root();
    }
    progress(tree.size);
  }
  if (tree.size < head.size) throw broken(`the HSM has signed ${head.size} entries, and ${tree.size} are there`);
  if (signedRoot !== head.root) throw broken(`its first ${head.size} entries are not those that the HSM signed`);
  if (rules.acts !== acts.length) throw broken(`act ${rules.acts + 1} is not in it`);
  const missing = frozen.missing(freezes);
  if (missing !== undefined)
    throw broken(`it tells of a freeze of ${missing ?? "everything"} that nobody lifted, and the record has none`);
  return {
    founder: fingerprint(thumbprint(founder)),
    by: fingerprint(by),
    acts: acts.length,
    signed: head.size,
    root: head.root,
    entries: tree.size,
  };
}

/** The founder's key names the log; the checkpoint's signer signs for that name. */
function requirePinned(pinned: string | null, founder: PublicJwk, by: string): void {
  if (pinned === null || pinned === fingerprint(thumbprint(founder)) || pinned === fingerprint(by)) return;
  throw broken("it is another HSM's: neither its founder nor who signs it has that fingerprint");
}

/** The hashes of the whole subtrees from the left, as a growing tree has them. */
class Frontier {
  size = 0;
  readonly #subtrees: { readonly level: number; readonly hash: string }[] = [];

  /** Adds a leaf; the hashes that it makes, from itself upwards. */
  add(line: string): string[] {
    let hash = leafHash(new TextEncoder().encode(line));
    const made = [hash];
    let level = 0;
    for (let left = this.#subtrees.at(-1); left?.level === level; left = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      hash = nodeHash(left.hash, hash);
      level += 1;
      made.push(hash);
    }
    this.#subtrees.push({ level, hash });
    this.size += 1;
    return made;
  }

  root(): string {
    const [last, ...rest] = this.#subtrees.map(({ hash }) => hash).toReversed();
    return last === undefined ? EMPTY_ROOT : rest.reduce((right, left) => nodeHash(left, right), last);
  }
}

function broken(why: string): Fault {
  return new Fault(
    "ERR_LOG",
    `The log does not hold: ${why}. Stop the agent, keep its record, and find out who changed it.`,
  );
}
