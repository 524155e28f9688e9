/** The log as it comes to an extension: checkpoints, entries and views, changed on their way or made by an HSM identity that means ill. */
import { openCheckpoint, originOf, readCheckpoint, signCheckpoint } from "../../../protocol/checkpoint.ts";
import { entryText, parseEntry } from "../../../protocol/log-entry.ts";
import { isConsistent } from "../../../protocol/merkle.ts";
import { type PublicJwk, thumbprint } from "../../../protocol/primitive.ts";
import { HSM } from "../../../protocol/vectors/keys.ts";
import { VectorTree } from "../../../protocol/vectors/tree.ts";
import { encodeView, openView, type View } from "../../../protocol/view.ts";
import { readVectors } from "../corpus.ts";
import { encode64, respell64 } from "../mutate-bytes.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, acceptLater, given, require, type Target } from "../target.ts";
import { mutated } from "./frame.ts";

const VECTORS = readVectors("log") as {
  lines: string[];
  notEntries: { text: string }[];
  origin: string;
  key: PublicJwk;
  checkpoints: { note: string }[];
  refused: { note: string }[];
};
const LINES = VECTORS.lines;
const CORPUS = [...LINES, ...VECTORS.notEntries.map(({ text }) => text)];
const GOOD = VECTORS.checkpoints.map(({ note }) => note);
const NOTES = [...GOOD, ...VECTORS.refused.map(({ note }) => note)];
const expected = { origin: VECTORS.origin, keys: [VECTORS.key] };

/** What the signature is over: lines of others may stand beside it, and an ECDSA signature has a second form. */
const bodyOf = (note: string) => note.slice(0, note.indexOf("\n\n") + 1);
const SIGNED = new Set(GOOD.map(bodyOf));

/** Nobody has a checkpoint accepted whose text the HSM did not sign. */
export function checkpoints(): Target {
  return {
    attempt: async (random) => {
      const note = given(mutateNote(random, random.pick(GOOD)));
      const read = accept(() => readCheckpoint(note, VECTORS.origin));
      if (read !== undefined) require(note.startsWith(`${read.text}\n`), "a text that does not stand in the note");
      const opened = await acceptLater(() => openCheckpoint(note, expected));
      if (opened === undefined) return "refused";
      require(SIGNED.has(bodyOf(note)), "a checkpoint that nobody signed");
      require(opened.by === thumbprint(VECTORS.key), "another key");
      return "accepted";
    },
  };
}

function mutateNote(random: Random, note: string): string {
  if (random.once(30)) return random.text(random.length());
  if (random.once(8)) return note;
  if (!random.once(2)) return mutateText(random, note, NOTES);
  const lines = note.split("\n");
  const at = random.int(lines.length);
  const line = lines[at] ?? "";
  const words = line.split(" ");
  const other = random.pick(random.pick(NOTES).split("\n"));
  const made = random.pick([
    other,
    "",
    `${line}\n${line}`,
    [...words.slice(0, -1), respell64(random, words.at(-1) ?? "")].join(" "),
    line.replace(/^0*/, "0"),
    `${line}\r`,
  ]);
  return lines.with(at, made).join("\n");
}

/** What is understood of an entry is all of it, and in one spelling: the tree hashes its bytes. */
export function entries(): Target {
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(LINES), CORPUS));
      const entry = parseEntry(text);
      if (entry === undefined) return "refused";
      require(entryText(entry) === text, "an entry in another spelling");
      return "accepted";
    },
  };
}

/** A view changed on its way, or put together anew by whoever holds the HSM: every entry in it is in the tree that the HSM signed. */
export async function views(): Promise<Target> {
  const tree = new VectorTree();
  for (const line of LINES) tree.add(line);
  const size = LINES.length;
  const origin = originOf(HSM.signer.kid);
  const checkpoint = await signCheckpoint(origin, tree.head(), HSM.signer, HSM.jwk);
  const good: View[] = [0, 3, 8, size].map((from) => ({
    v: 1,
    checkpoint,
    from,
    consistency: tree.consistency(from),
    entries: [from % size, size - 1].map((index) => tree.prove(index)),
    witnesses: [{ jws: "a.b.c", consistency: tree.consistency(from) }],
  }));
  const encoded = good.map(encodeView);
  const texts = good.map((view) => JSON.stringify(view));
  return {
    attempt: async (random) => {
      const at = random.int(good.length);
      const message = given(mutateView(random, encoded[at] ?? "", texts[at] ?? "", texts));
      const opened = await acceptLater(() => openView(message, { origin, keys: [HSM.jwk] }));
      if (opened === undefined) return "refused";
      const { view, head } = opened;
      require(encodeView(view) === message, "a view in another spelling");
      require(head.size === size && head.root === tree.head().root, "a head that nobody signed");
      for (const { index, text } of view.entries) require(text === LINES[index], "an entry that is not in the log");
      const { from, consistency } = view;
      if (from <= size && isConsistent(from, tree.head(from).root, size, head.root, consistency))
        require(consistency.join() === tree.consistency(from).join(), "another proof of the same");
      return "accepted";
    },
  };
}

function mutateView(random: Random, message: string, text: string, texts: readonly string[]): string {
  if (random.once(10)) return mutateText(random, message, [message]);
  const [prefix = ""] = /^oc-view\.1\./.exec(message) ?? [];
  if (random.once(10)) return prefix + respell64(random, message.slice(prefix.length));
  return prefix + encode64(random.once(12) ? text : mutated(random, text, texts));
}
