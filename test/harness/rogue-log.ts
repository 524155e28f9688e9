/** The log of a lying agent: a tree of its own, whose checkpoints its HSM identity signs; a second one may part from it at any size. */
import { originOf, signCheckpoint, type TreeHead } from "../../protocol/checkpoint.ts";
import type { Entry } from "../../protocol/log-entry.ts";
import { VectorTree } from "../../protocol/vectors/tree.ts";
import { encodeView, type View } from "../../protocol/view.ts";
import { type Key, now } from "./bridge-client.ts";

export class RogueLog {
  readonly tree = new VectorTree();
  readonly #hsm: Key;

  constructor(hsm: Key) {
    this.#hsm = hsm;
  }

  /** Another log that begins with the first `size` entries of this one. */
  fork(size: number): RogueLog {
    const other = new RogueLog(this.#hsm);
    for (const leaf of this.tree.leaves.slice(0, size)) other.tree.add(leaf);
    return other;
  }

  /** Something that is decided all the time. */
  freeze(by: string): void {
    this.tree.append({ v: 1, kind: "freeze", at: now(), vault: null, by, of: null });
  }

  append(entry: Entry): number {
    return this.tree.append(entry);
  }

  async checkpoint(
    head: TreeHead = this.tree.head(),
    origin = originOf(this.#hsm.signer.kid),
    by = this.#hsm,
  ): Promise<string> {
    return await signCheckpoint(origin, head, by.signer, by.jwk);
  }

  /** A view of it from a size on, as an honest agent would make it, but for `change`. */
  async view(from: number, entries: readonly number[] = [], change: Partial<View> = {}): Promise<string> {
    return encodeView({
      v: 1,
      checkpoint: await this.checkpoint(),
      from,
      consistency: this.tree.consistency(from),
      entries: entries.map((index) => this.tree.prove(index)),
      witnesses: [],
      ...change,
    });
  }
}
