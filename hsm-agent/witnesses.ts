/**
 * Is this record the newest one? What the agent cannot know of itself is known by its people's browsers: after every start nothing is
 * signed until enough of them have shown what they last saw of the log, and it is there. README.md of protocol/, "Rollback".
 */
import * as v from "valibot";
import { openCheckpoint, originOf, type TreeHead, TreeHeadSchema } from "../protocol/checkpoint.ts";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { WITNESS } from "../protocol/message.ts";
import { findOwner } from "../protocol/people.ts";
import { PublicJwkSchema, SecondsSchema, thumbprint } from "../protocol/primitive.ts";
import type { Sender } from "./answers.ts";
import type { CharterBook, Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";

/** What a browser, or with `person` null the token, knows and this record does not hold: kept until the admins have decided (RESTORE). */
const BehindSchema = v.strictObject({ person: v.nullable(v.string()), ...TreeHeadSchema.entries, at: SecondsSchema });
export type Behind = v.InferOutput<typeof BehindSchema>;
const BEHIND = "behind";
/** Set by `opencustody restore`: when, in seconds. */
const RESTORED = "restored";
/** The log's head when it was restored, or was first found not to be the newest. */
const BASE = "restore-base";

/** What was so at a start of the agent, and who has shown what they know since: also over a rotation, which is no start. */
export interface Start {
  /** Before the founding there is no log that could be newer than this one. */
  readonly isFirst: boolean;
  readonly seen: Set<string>;
  /** Whoever has said what they know, be it in this record or not. */
  readonly heard: Set<string>;
  /** Who knows a head that may belong to what the admins gave up, and knows that they did. */
  readonly disputed: Map<string, TreeHead>;
}

export function startOf(journal: Journal): Start {
  const isFirst = journal.logSize() === 0 && journal.acts().length === 0;
  return { isFirst, seen: new Set(), heard: new Set(), disputed: new Map() };
}

export class Witnesses {
  readonly #journal: Journal;
  readonly #charter: CharterBook;
  readonly #start: Start;

  constructor(journal: Journal, charter: CharterBook, start: Start) {
    this.#journal = journal;
    this.#charter = charter;
    this.#start = start;
  }

  /** How many people have to show what they know: as many as decide on the governance, where so many have a browser. */
  get needed(): number {
    const charter = this.#charter.current;
    if (this.#start.isFirst || charter === null) return 0;
    return Math.min(charter.policy.governance.threshold, this.#able());
  }

  /** How many have, since this start. */
  get seen(): number {
    return this.#count(this.#start.seen);
  }

  #count(names: { has(name: string): boolean }): number {
    const members = this.#charter.current?.people.members ?? [];
    return members.filter(({ name }) => names.has(name)).length;
  }

  get isEnough(): boolean {
    return this.seen >= this.needed;
  }

  /** Whether this is the newest record, as far as anybody knows: what `require` asks for. */
  get isCurrent(): boolean {
    return this.isEnough && this.restoredAt === null && this.behind === null;
  }

  /** Somebody's browser knows nothing that the log does not hold. Returns whether this was the last one that was missing. */
  show(name: string): boolean {
    const before = this.isEnough;
    this.#start.seen.add(name);
    this.#start.heard.add(name);
    return !before && this.isEnough;
  }

  /** Somebody's browser knows what this record does not hold, which is noted (`setBehind`). */
  hear(name: string): void {
    this.#start.heard.add(name);
  }

  /**
   * Whether enough people's browsers have said since this start what they know, so that a RESTORE that names the gap of now names what
   * they know today: an old disk with an approved one on it goes nowhere.
   */
  get isHeard(): boolean {
    return this.heard >= this.needed;
  }

  get heard(): number {
    return this.#count(this.#start.heard);
  }

  get behind(): Behind | null {
    const kept = this.#journal.meta(BEHIND);
    return kept === undefined ? null : v.parse(BehindSchema, JSON.parse(kept));
  }

  /**
   * Somebody's browser, or with null the token, has a head of the HSM's that this record does not lead to. The one that is furthest ahead
   * is kept. Returns whether the gap is another one now. Within a transaction.
   */
  setBehind(person: string | null, head: TreeHead): boolean {
    const kept = this.behind;
    if (kept !== null && kept.size >= head.size) return false;
    if (this.base === null) this.#journal.setMeta(BASE, JSON.stringify(this.#journal.logHead()));
    this.#journal.setMeta(BEHIND, JSON.stringify({ person, ...head, at: this.#journal.now() } satisfies Behind));
    return true;
  }

  /**
   * Whether a head that is not in this record may belong to what the admins gave up; of a browser that knows the acts up to `act` only it
   * does.
   */
  isGivenUp({ size }: TreeHead, act = 0): boolean {
    return this.#charter.givenUp.some((one) => one.act > act && size <= one.size);
  }

  /**
   * Somebody's browser knows of the RESTORE and has a head all the same that may belong to what it gave up, or to what came after it and
   * is missing here. One alone makes nothing behind: they could hold an old head against every RESTORE, and nobody could remove them. As
   * many as decide on the governance, and at least two, do. Returns what they know once they are so many.
   */
  dispute(name: string, head: TreeHead): ReadonlyMap<string, TreeHead> | undefined {
    this.#start.disputed.set(name, head);
    const able = this.#able();
    return this.#count(this.#start.disputed) >= Math.min(Math.max(2, this.needed), able)
      ? this.#start.disputed
      : undefined;
  }

  /** Members who have a browser. */
  #able(): number {
    return (this.#charter.current?.people.members ?? []).filter(({ extensions }) => extensions.length > 0).length;
  }

  /** From where a RESTORE would go on. */
  get base(): TreeHead | null {
    const kept = this.#journal.meta(BASE);
    return kept === undefined ? null : v.parse(TreeHeadSchema, JSON.parse(kept));
  }

  get restoredAt(): number | null {
    const at = this.#journal.meta(RESTORED);
    return at === undefined ? null : Number(at);
  }

  /**
   * The admins have decided to go on from this record (RESTORE). Whoever was heard since this start knows nothing beyond what it names.
   * Within the act's transaction.
   */
  accept(): void {
    for (const key of [BEHIND, RESTORED, BASE]) this.#journal.removeMeta(key);
    this.#start.disputed.clear();
    for (const name of this.#start.heard) this.#start.seen.add(name);
  }

  /** Whether only a RESTORE leads on: it was restored, or somebody knows more. */
  get isReadOnly(): boolean {
    return this.restoredAt !== null || this.behind !== null;
  }

  /** @throws Fault ERR_LOG while only a RESTORE leads on */
  requireWritable(): void {
    const { behind } = this;
    if (this.restoredAt !== null)
      throw new Fault(
        "ERR_LOG",
        'This record was restored from a backup. Nothing is proposed or signed until the admins have approved a RESTORE; see "opencustody restore show".',
      );
    if (behind === null) return;
    const who = behind.person === null ? "The token" : `${behind.person}'s browser`;
    throw new Fault(
      "ERR_LOG",
      `${who} knows the log at ${behind.size} entries, and this record does not lead there: it is an older one. Nothing is proposed or signed; stop the agent and put the newest record in place, or see "opencustody restore show".`,
    );
  }

  /** @throws Fault ERR_LOG while this record may not be the newest */
  require(): void {
    this.requireWritable();
    if (!this.isEnough)
      throw new Fault(
        "ERR_LOG",
        `After its start the agent waits for ${this.needed} people's browsers to show what they know of the log; ${this.seen} have. Nothing is signed before.`,
      );
  }
}

/** Whether `opencustody restore` put this record in place, and no RESTORE has followed. */
export function isMarkedRestored(journal: Pick<Journal, "meta">): boolean {
  return journal.meta(RESTORED) !== undefined;
}

/** Marks a record as restored. `at` in seconds. Within a transaction. */
export function markRestored(journal: Journal, at: number): void {
  journal.setMeta(RESTORED, String(at));
  journal.setMeta(BASE, JSON.stringify(journal.logHead()));
}

/** What an extension says that it knows, opened: its JWS, the head, and when it was said. */
export interface Shown {
  readonly jws: string;
  readonly head: TreeHead;
  readonly at: number;
}

/**
 * Opens the WITNESS of the extension `kid`. The checkpoint in it must be the HSM's own: nobody can claim a log that there never was.
 * @throws Fault ERR_ENVELOPE_*, ERR_LOG
 */
export async function openWitness(desk: Desk, kid: string, jws: string, now: number): Promise<Shown> {
  const { people } = desk.charter.require();
  const owner = findOwner(people, kid);
  const keyOf = (of: string) => (of === kid && owner?.kind === "extensions" ? owner.key : undefined);
  const expected = { type: WITNESS, keyOf, audience: desk.identity.signer.kid, now };
  const { payload } = await openEnvelope(jws, expected);
  const keys = [desk.identity.jwk, ...desk.charter.identities];
  const { head } = await openCheckpoint(payload.checkpoint, { origin: logOrigin(desk.journal), keys });
  return { jws, head, at: payload.iat };
}

/** The name of this agent's log. */
export function logOrigin(journal: Journal): string {
  return originOf(thumbprint(v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder")))));
}

/** One more person has shown what they know. Returns what can go on where nobody else is waited for. */
export function witnessed(
  { journal, witnesses }: Desk,
  { name, isMember }: Pick<Sender, "name" | "isMember">,
): string[] {
  return isMember && witnesses.show(name) ? journal.requests(["approved"]).map(({ id }) => id) : [];
}

export function notThere(size: number): Fault {
  return new Fault(
    "ERR_LOG",
    `The agent's log does not hold what your browser knows of it (${size} entries): it may have been set back. Tell your operator.`,
  );
}
