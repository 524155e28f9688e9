/**
 * A view of the log: how the agent shows it to an extension, receipts included. README.md, "View". It is no envelope: what it shows is
 * proved by the HSM-signed checkpoint in it, whoever sent it. Form and proofs are checked here; what an extension knew before, and
 * whether the new checkpoint goes on from there, is the extension's own business.
 */
import { base64url } from "jose";
import * as v from "valibot";
import { CHECKPOINT_MAX, openCheckpoint, type TreeHead } from "./checkpoint.ts";
import { Fault } from "./error.ts";
import { ENTRY_MAX, type Entry, parseEntry } from "./log-entry.ts";
import { isIncluded, leafHash, SIZE_MAX } from "./merkle.ts";
import { WITNESS_MAX } from "./message.ts";
import { hexOf, type PublicJwk } from "./primitive.ts";

/** Hashes of a proof: no tree has more levels, and a consistency proof one more than that. */
const PathSchema = v.pipe(v.array(hexOf(32)), v.maxLength(42));
const IndexSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(SIZE_MAX));

/** Entries and other people's witnesses that one view shows at most. */
export const VIEW_ENTRIES_MAX = 32;
export const VIEW_WITNESSES_MAX = 16;

export const ProvedEntrySchema = v.strictObject({
  index: IndexSchema,
  /** The entry's line (log-entry.ts). */
  text: v.pipe(v.string(), v.maxLength(ENTRY_MAX)),
  path: PathSchema,
});
export type ProvedEntry = v.InferOutput<typeof ProvedEntrySchema>;

const ViewSchema = v.strictObject({
  v: v.literal(1),
  checkpoint: v.pipe(v.string(), v.maxLength(CHECKPOINT_MAX)),
  /** The size from which `consistency` leads to the checkpoint's. */
  from: IndexSchema,
  consistency: PathSchema,
  entries: v.pipe(v.array(ProvedEntrySchema), v.maxLength(VIEW_ENTRIES_MAX)),
  /** What others said that they know, each with the proof from there to the checkpoint. */
  witnesses: v.pipe(
    v.array(v.strictObject({ jws: v.pipe(v.string(), v.maxLength(WITNESS_MAX)), consistency: PathSchema })),
    v.maxLength(VIEW_WITNESSES_MAX),
  ),
});
export type View = v.InferOutput<typeof ViewSchema>;

const PREFIX = "oc-view.1.";

/** Whether an unsealed message says that it is a view. */
export function isView(message: string): boolean {
  return message.startsWith("oc-view.");
}

/** A view as it is sealed. Three parts, as a compact JWS has, so that a seal holds either. */
export function encodeView(view: View): string {
  return `${PREFIX}${base64url.encode(new TextEncoder().encode(JSON.stringify(v.parse(ViewSchema, view))))}`;
}

export interface OpenedView {
  readonly view: View;
  readonly head: TreeHead;
  /** Thumbprint of the identity that signed the checkpoint. */
  readonly by: string;
  readonly entries: readonly Entry[];
}

/**
 * Opens a view of the log `origin`. The numbers are those of README.md, "Verifying a view"; the steps after these are the extension's.
 * @throws Fault ERR_LOG
 */
export async function openView(
  message: string,
  expected: { readonly origin: string; readonly keys: readonly PublicJwk[] },
): Promise<OpenedView> {
  // 1. The form, in its one spelling.
  const view = parseView(message);
  // 2. The HSM identity signed the checkpoint of this log.
  const { head, by } = await openCheckpoint(view.checkpoint, expected);
  // 3. Every entry is in the tree of that checkpoint, at the place that it says.
  const entries = view.entries.map(({ index, text, path }) => {
    const entry = parseEntry(text);
    if (entry === undefined) throw refused("one of its entries is malformed");
    if (!isIncluded(leafHash(new TextEncoder().encode(text)), index, head.size, path, head.root))
      throw refused("one of its entries is not in the log");
    return entry;
  });
  return { view, head, by, entries };
}

function parseView(message: string): View {
  try {
    const part = message.slice(PREFIX.length);
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(base64url.decode(part));
    const view = v.parse(ViewSchema, JSON.parse(text));
    if (encodeView(view) === message) return view;
  } catch {
    // The one refusal below.
  }
  throw refused("it is malformed");
}

function refused(why: string): Fault {
  return new Fault("ERR_LOG", `A view of the agent's log was refused: ${why}. Tell your operator.`);
}
