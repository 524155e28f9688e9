/** Logs for the vectors: lines are appended, and every path and checkpoint of them can be had. */
import { originOf, signCheckpoint, type TreeHead } from "../checkpoint.ts";
import { type Entry, entryText } from "../log-entry.ts";
import { completed, consistencyPath, inclusionPath, leafHash, type NodeAt, nodeHash, rootAt } from "../merkle.ts";
import type { ProvedEntry } from "../view.ts";
import { HSM, type VectorKey } from "./keys.ts";

export class VectorTree {
  readonly leaves: string[] = [];
  readonly #nodes = new Map<string, string>();

  readonly node: NodeAt = (level, at) => {
    const hash = this.#nodes.get(`${level} ${at}`);
    if (hash === undefined) throw new RangeError("no such subtree");
    return hash;
  };

  /** Returns its index. */
  add(leaf: string): number {
    const index = this.leaves.push(leaf) - 1;
    this.#nodes.set(`0 ${index}`, leafHash(new TextEncoder().encode(leaf)));
    for (const { level, at } of completed(index))
      this.#nodes.set(`${level} ${at}`, nodeHash(this.node(level - 1, 2 * at), this.node(level - 1, 2 * at + 1)));
    return index;
  }

  append(entry: Entry): number {
    return this.add(entryText(entry));
  }

  head(size = this.leaves.length): TreeHead {
    return { size, root: rootAt(size, this.node) };
  }

  prove(index: number, size = this.leaves.length): ProvedEntry {
    return { index, text: this.leaves[index] ?? "", path: inclusionPath(index, size, this.node) };
  }

  consistency(from: number, size = this.leaves.length): string[] {
    return consistencyPath(from, size, this.node);
  }

  async checkpoint(by: VectorKey = HSM, founder: VectorKey = HSM): Promise<string> {
    return await signCheckpoint(originOf(founder.signer.kid), this.head(), by.signer, by.jwk);
  }
}
