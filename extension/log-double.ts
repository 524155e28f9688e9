/** For tests only: a real small log with its signed checkpoints and views, which can also be made to lie. Not part of the extension. */
import { signCheckpoint, type TreeHead } from "../protocol/checkpoint.ts";
import { type Signer, signEnvelope } from "../protocol/envelope.ts";
import { type Entry, entryText } from "../protocol/log-entry.ts";
import { consistencyPath, inclusionPath, leafHash, type NodeAt, nodeHash, rootAt } from "../protocol/merkle.ts";
import { WITNESS, type Witness } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { encodeView, type ProvedEntry, type View } from "../protocol/view.ts";
import { claimsFor, clock } from "./compose.ts";

/** What somebody's browser says that it has seen. */
export async function witness(
  { signer }: { readonly signer: Signer },
  hsm: string,
  checkpoint: string,
  change?: Partial<Witness>,
): Promise<string> {
  return await signEnvelope(WITNESS, { ...claimsFor(signer, hsm, clock(), 3600), checkpoint, ...change }, signer);
}

/** Who signs its checkpoints. */
export interface Keeper {
  readonly signer: Signer;
  readonly jwk: PublicJwk;
}

export class LogDouble {
  readonly origin: string;
  readonly texts: string[] = [];
  /** What each receiver was shown last. */
  readonly shown = new Map<string, number>();

  constructor(origin: string, texts: readonly string[] = []) {
    this.origin = origin;
    this.texts.push(...texts);
  }

  get size(): number {
    return this.texts.length;
  }

  /** Returns the entry's place. */
  append(entry: Entry): number {
    return this.texts.push(entryText(entry)) - 1;
  }

  /** Entries that say nothing to anybody here; of another `by` they are others. Returns the log. */
  grow(entries: number, by: string | null = null): this {
    for (let times = 0; times < entries; times += 1) {
      this.append({ v: 1, kind: "freeze", at: 1_795_338_000 + this.size, vault: null, by, of: null });
    }
    return this;
  }

  /** Another log that begins with the first `size` entries of this one: the other half of a split, or this one set back. */
  fork(size: number): LogDouble {
    const fork = new LogDouble(this.origin, this.texts.slice(0, size));
    for (const [receiver, shown] of this.shown) fork.shown.set(receiver, Math.min(shown, size));
    return fork;
  }

  head(size = this.size): TreeHead {
    return { size, root: rootAt(size, this.#node) };
  }

  async checkpoint({ signer, jwk }: Keeper, head: TreeHead = this.head(), origin = this.origin): Promise<string> {
    return await signCheckpoint(origin, head, signer, jwk);
  }

  /** The way from the first `from` entries to all of them, or to the first `size`. */
  consistency(from: number, size = this.size): string[] {
    return consistencyPath(from, size, this.#node);
  }

  prove(index: number, size = this.size): ProvedEntry {
    return { index, text: this.texts[index] ?? "", path: inclusionPath(index, size, this.#node) };
  }

  /** A view of the whole log for `receiver`, from what it was shown last, with the entries at `indexes`. */
  async view(keeper: Keeper, receiver: string, indexes: readonly number[] = [], change: Partial<View> = {}) {
    const from = change.from ?? this.shown.get(receiver) ?? 0;
    this.shown.set(receiver, this.size);
    return encodeView({
      v: 1,
      checkpoint: await this.checkpoint(keeper),
      from,
      consistency: this.consistency(from),
      entries: indexes.map((index) => this.prove(index)),
      witnesses: [],
      ...change,
    });
  }

  /** Slow, and plain to see that it is right: the tree is small. */
  readonly #node: NodeAt = (level, at) =>
    level === 0
      ? leafHash(new TextEncoder().encode(this.texts[at] ?? ""))
      : nodeHash(this.#node(level - 1, 2 * at), this.#node(level - 1, 2 * at + 1));
}
