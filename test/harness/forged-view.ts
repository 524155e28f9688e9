/** Views of the log that somebody without the HSM's key can make: each says what the HSM never signed. protocol/README.md, "View". */
import { base64url } from "jose";
import { signCheckpoint } from "../../protocol/checkpoint.ts";
import { entryText, type Receipt } from "../../protocol/log-entry.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { VectorTree } from "../../protocol/vectors/tree.ts";
import { isView, type View } from "../../protocol/view.ts";
import type { Key } from "./bridge-client.ts";
import { typOf } from "./message.ts";

/** What stands where a message has its type. */
export const VIEW = { typ: typOf("oc-view.1.e30") };

/** What a view says, unverified. */
export function viewOf(message: string): View {
  return JSON.parse(new TextDecoder().decode(base64url.decode(message.split(".")[2] ?? ""))) as View;
}

/** Any value as a view. */
export function asView(value: object): string {
  return `oc-view.1.${base64url.encode(new TextEncoder().encode(JSON.stringify(value)))}`;
}

/** The receipts in a message, unverified; none where it is no view. */
export function receiptsIn(message: string): Receipt[] {
  if (!isView(message)) return [];
  const entries = viewOf(message).entries.map(({ text }) => JSON.parse(text) as Receipt);
  return entries.filter(({ kind }) => kind === "state");
}

export type ViewForgery = readonly [what: string, forge: (genuine: string) => string | Promise<string>];

/** Forgeries of a view that has a receipt. `lie` replaces members of that. `stranger` is a key that nobody here knows. */
export function viewForgeries(stranger: Key, hsm: PublicJwk, hsmKid: string, lie: Partial<Receipt>): ViewForgery[] {
  const lying = (view: View) => entryText({ ...(receiptsIn(asView(view))[0] as Receipt), ...lie });
  const withNote = (change: (note: string) => string) => (genuine: string) => {
    const view = viewOf(genuine);
    return asView({ ...view, checkpoint: change(view.checkpoint) });
  };
  const withEntry = (change: (entry: View["entries"][number]) => object) => (genuine: string) => {
    const view = viewOf(genuine);
    return asView({ ...view, entries: view.entries.map(change) });
  };
  /** A tree that has the lie alone, under a checkpoint of the stranger's. */
  const ofStranger =
    (origin: ((mine: string) => string) | null, kid: string, key: PublicJwk) => async (genuine: string) => {
      const view = viewOf(genuine);
      const tree = new VectorTree();
      tree.add(lying(view));
      const mine = view.checkpoint.slice(0, view.checkpoint.indexOf("\n"));
      const signer = { ...stranger.signer, kid };
      const checkpoint = await signCheckpoint(origin?.(mine) ?? mine, tree.head(), signer, key);
      return asView({ ...view, checkpoint, from: 0, consistency: [], entries: [tree.prove(0)] });
    };
  return [
    [
      "an entry that says something else",
      (genuine) => withEntry((one) => ({ ...one, text: lying(viewOf(genuine)) }))(genuine),
    ],
    ["a stranger's checkpoint of a tree that has the lie", ofStranger(null, stranger.signer.kid, stranger.jwk)],
    ["the same in the name of the HSM", ofStranger(null, hsmKid, hsm)],
    [
      "the same of the stranger's own log",
      ofStranger(() => `opencustody/log/${stranger.signer.kid}`, stranger.signer.kid, stranger.jwk),
    ],
    ["another size", withNote((note) => note.replace(/\n([0-9]+)\n/, (_, size: string) => `\n${Number(size) + 1}\n`))],
    [
      "a bit of the root altered",
      withNote((note) => flipped(note, note.split("\n").slice(0, 2).join("\n").length + 5)),
    ],
    ["a bit of the HSM's signature altered", withNote((note) => flipped(note, note.length - 12))],
    ["no signature", withNote((note) => note.slice(0, note.indexOf("\n\n") + 2))],
    ["another place in the tree", withEntry((one) => ({ ...one, index: one.index + 1 }))],
    ["a hash less in its path", withEntry((one) => ({ ...one, path: one.path.slice(1) }))],
    ["a member that nobody knows", (genuine) => asView({ ...viewOf(genuine), more: 1 })],
  ];
}

/** Another character of base 64 at this place. */
function flipped(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}
