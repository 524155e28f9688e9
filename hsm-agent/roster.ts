/** The roster: who may use the bridge. Keys only, no names. README.md of protocol/, "Roster". */
import { ROSTER } from "../protocol/message.ts";
import { type Desk, issue } from "./desk.ts";

/** Signs the roster of today under the next number. The link sends it. */
export async function signRoster(desk: Desk): Promise<{ n: number; jws: string }> {
  const { journal } = desk;
  const now = desk.now();
  // By the time as well, so that a restored record does not number below what the bridge has seen.
  const n = Math.max(Number(journal.meta("roster") ?? "0") + 1, now);
  const members = [
    ...(desk.charter.current?.people.members ?? []).flatMap((member) => member.extensions),
    // They may say who they are and which device they have; they decide nothing until an act names them.
    ...journal.pairings().map(({ key }) => key),
  ];
  const invites = journal
    .invites()
    .filter(({ exp }) => exp > now)
    .map(({ key, exp }) => ({ key, exp }));
  journal.setMeta("roster", String(n));
  const { jws } = await issue(desk, ROSTER, [desk.bridgeUrl], { n, members, invites });
  return { n, jws };
}

/** A roster is signed again after this, well before it expires. Seconds. */
const RENEW = 10 * 86_400;

/** Which roster the bridge has, and whether it is to have another. */
export class RosterKeeper {
  readonly #desk: Desk;
  #roster: { n: number; jws: string; renew: number; state: "signed" | "sent" | "accepted" } | undefined;
  #wanted = true;
  /** What was owed when the roster was wanted is said first; what came later does not hold it up. */
  #after = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** People or invites changed. */
  want(): void {
    this.#wanted = true;
    this.#after = this.#desk.journal.lastOwed();
  }

  get isWanted(): boolean {
    return this.#wanted;
  }

  /** The bridge goes by the newest: somebody whom it does not know is gone. */
  get isInForce(): boolean {
    return this.#roster?.state === "accepted" && !this.#wanted;
  }

  /** A new connection is told again. */
  connected(): void {
    if (this.#roster === undefined) return;
    if (this.#desk.now() >= this.#roster.renew) this.#wanted = true;
    this.#roster = { ...this.#roster, state: "signed" };
  }

  accepted(n: number): void {
    if (this.#roster?.n === n) this.#roster = { ...this.#roster, state: "accepted" };
  }

  /** The roster's JWS, where the bridge is to be told one now. Signs a new one where it is time; where the HSM is away, later. */
  async toSend(): Promise<string | undefined> {
    const [next] = this.#desk.journal.owed();
    // What is owed to somebody is said before a roster shuts them out.
    if (this.#wanted && (next === undefined || next.n > this.#after)) await this.#renew();
    if (this.#roster?.state !== "signed") return undefined;
    this.#roster = { ...this.#roster, state: "sent" };
    return this.#roster.jws;
  }

  async #renew(): Promise<void> {
    this.#wanted = false;
    try {
      const signed = await signRoster(this.#desk);
      this.#roster = { ...signed, renew: this.#desk.now() + RENEW, state: "signed" };
    } catch (error) {
      this.#wanted = true;
      this.#desk.log.warn({ err: error }, "no new roster yet");
    }
  }
}
