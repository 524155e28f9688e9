/**
 * For decision.property.test.ts only: what happens, done to a real desk and told to the model. Decides nothing about what ought to be.
 */
import { isFault } from "../protocol/error.ts";
import type { Motion } from "../protocol/governance.ts";
import { APPROVAL, CANCELLATION, FREEZE, REJECTION, WITHDRAWAL } from "../protocol/message.ts";
import { parsePolicy } from "../protocol/policy.ts";
import { expireRequests } from "./advance.ts";
import { hold, type Model, type Said, type Wish } from "./decision.model.ts";
import { freeze } from "./freeze.ts";
import { cancel } from "./proposals.ts";
import type { Office } from "./testing.ts";
import { deviceOf, makeDevice, makePerson, type Person } from "./testing-people.ts";
import { readBack } from "./verify.ts";
import { showRequest } from "./views.ts";

export const STAFF: readonly Person[] = [
  makePerson("Alice"),
  makePerson("Bob"),
  makePerson("Carol", "Trezor"),
  makePerson("Dave", "Trezor"),
];
export const [ALICE = makePerson("Alice")] = STAFF;
export const OLGA = makePerson("Olga");
/** A second device of each, of the other vendor. */
export const SPARE = STAFF.map((person): Person => {
  return { ...person, ...makeDevice(), vendor: person.vendor === "Ledger" ? "Trezor" : "Ledger" };
});

/** Something that happens; `who` and `target` are places in the staff and among the requests, the newest first. */
export type Event =
  | { do: "wish"; wish: Wish; byAlice: boolean; recovery: boolean }
  | { do: "approve"; who: number; target: number; spare: number }
  | { do: "replay"; at: number; as: number; same: boolean }
  | { do: "reject" | "withdraw" | "forge"; who: number; target: number }
  | { do: "cancel" | "release"; target: number }
  | { do: "freeze"; who: number | null; vault: string | null }
  | { do: "wait" | "pass"; seconds: number }
  | { do: "restart" };

export class Run {
  readonly office: Office;
  readonly model: Model;
  readonly requests: string[] = [];
  /** Every message that anybody ever sent. */
  readonly #sent: { jws: string; from: Person; said: Said }[] = [];

  constructor(office: Office, model: Model) {
    this.office = office;
    this.model = model;
  }

  #target(at: number): string | undefined {
    return this.requests.at(-1 - (at % Math.max(this.requests.length, 1)));
  }

  /** One event, in the world and in the model. */
  async happen(one: Event): Promise<void> {
    const { office, model } = this;
    this.observe();
    switch (one.do) {
      case "wish":
        return await this.#propose(one.wish, one.byAlice ? ALICE : OLGA, one.recovery);
      case "approve": {
        const id = this.#target(one.target);
        const person = (one.spare === 0 ? SPARE : STAFF)[one.who];
        if (id !== undefined && person !== undefined) await this.#approve(person, id, person.address);
        return;
      }
      case "forge": {
        // The device of one inside the message of the next.
        const [person, next] = [STAFF[one.who], STAFF[(one.who + 1) % STAFF.length]];
        const id = this.#target(one.target);
        if (id === undefined || person === undefined || next === undefined) return;
        await this.#approve({ ...next, sign: person.sign, address: person.address }, id, person.address);
        await this.#approve({ ...next, sign: person.sign }, id, "none");
        return;
      }
      case "replay": {
        const message = this.#sent[one.at % Math.max(this.#sent.length, 1)];
        const as = one.same ? message?.from : STAFF[one.as];
        if (message === undefined || as === undefined) return;
        if (as.key.kid === message.from.key.kid) model.hear(message.said, office.now);
        await office.deliver(as.key.kid, message.jws);
        return;
      }
      case "reject":
      case "withdraw": {
        const id = this.#target(one.target);
        const person = STAFF[one.who];
        if (id === undefined || person === undefined) return;
        const about = { request: id, digest: office.row(id).digest };
        const jws =
          one.do === "reject"
            ? await office.message(REJECTION, person.key, { ...about, reason: "other" })
            : await office.message(WITHDRAWAL, person.key, about);
        return await this.#say(jws, person, {
          does: one.do,
          who: person.name,
          request: id,
          until: office.now + 86_400,
        });
      }
      case "cancel": {
        const id = this.#target(one.target);
        if (id === undefined) return;
        model.cancel(id, "Olga", office.now);
        const jws = await office.message(CANCELLATION, OLGA.file, { request: id });
        await cancel(office.desk, jws).catch(ignoreFault);
        return;
      }
      case "freeze": {
        const person = one.who === null ? undefined : STAFF[one.who];
        if (person === undefined) {
          model.freeze(one.vault, null);
          try {
            freeze(office.desk, { vault: one.vault, by: null, of: null });
          } catch (error) {
            ignoreFault(error);
          }
          return;
        }
        const jws = await office.message(FREEZE, person.key, { vault: one.vault });
        return await this.#say(jws, person, {
          does: "freeze",
          who: person.name,
          vault: one.vault,
          until: office.now + 86_400,
        });
      }
      case "release": {
        const id = this.#target(one.target);
        if (id === undefined) return;
        const shown = (await showRequest(office.desk, id)) as { signed?: string | null };
        model.release(id, typeof shown.signed === "string", office.now);
        return;
      }
      case "wait":
        office.now += one.seconds;
        expireRequests(office.desk);
        return;
      case "pass":
        // Time goes by, and nobody looked at the clock.
        office.now += one.seconds;
        return;
      case "restart":
        await office.reopen();
        return;
    }
  }

  async #say(jws: string, from: Person, said: Said): Promise<void> {
    this.#sent.push({ jws, from, said });
    this.model.hear(said, this.office.now);
    await this.office.deliver(from.key.kid, jws);
  }

  async #approve(person: Person, id: string, device: string): Promise<void> {
    const { office } = this;
    const { digest, expires } = office.row(id);
    const exp = Math.max(expires, office.now + 60);
    const signature = person.sign(readBack(office.row(id)).statement);
    const body = { request: id, digest, address: person.address, signature, log: null };
    const jws = await office.message(APPROVAL, person.key, body, { exp });
    await this.#say(jws, person, { does: "approve", who: person.name, request: id, device, until: exp });
  }

  async #propose(what: Wish, by: Person, recovery: boolean): Promise<void> {
    const { office, model } = this;
    const at = office.now;
    let id: string | false;
    if (what.do === "transfer") id = await office.propose(by).catch(ignoreFault);
    else {
      if (what.do === "equip") await office.enrol(SPARE[what.who] ?? by).catch(ignoreFault);
      id = await office.motion(by, this.#motionOf(what), recovery).catch(ignoreFault);
    }
    // Refusing is always safe; what was taken must be decided by those whom the model names.
    if (id === false) return;
    const row = JSON.parse(office.row(id).payload) as Parameters<Model["propose"]>[0]["named"];
    model.propose({ id, wish: what, by: by.name, recovery: recovery && what.do !== "transfer", at, named: row });
    this.requests.push(id);
  }

  #motionOf(what: Exclude<Wish, { do: "transfer" }>): Motion {
    const { office } = this;
    if (what.do === "policy") {
      const vendors = what.trezors === 0 ? [] : [{ vendor: "Trezor" as const, atLeast: what.trezors }];
      const rules = office.policy.rules.map((rule) => ({ ...rule, threshold: what.threshold, vendors }));
      return { verb: "POLICY", change: { policy: parsePolicy({ ...office.policy, rules }) } };
    }
    if (what.do === "thaw") return { verb: "UNFREEZE", change: { vault: what.vault } };
    const person = STAFF[what.who] ?? ALICE;
    const { name } = person;
    switch (what.do) {
      case "equip":
        return {
          verb: "ENROLL",
          change: { name, roles: [], extension: null, file: null, device: deviceOf(SPARE[what.who] ?? person) },
        };
      case "remove":
        return { verb: "REMOVE", change: { name, removal: { what: "person" } } };
      case "unpair":
        return { verb: "REMOVE", change: { name, removal: { what: "browser", key: person.key.kid } } };
      case "unequip":
        return { verb: "REMOVE", change: { name, removal: { what: "device", address: person.address } } };
    }
  }

  /** Drives all that is open until it rests, one after the other, and holds each against the model. */
  async drive(): Promise<void> {
    for (const id of this.requests) {
      await this.office.drive(id);
      this.observe();
    }
  }

  /** What the agent did since the last look. An act comes before what it set going. */
  observe(): void {
    const rows = this.requests.map((id) => this.office.row(id));
    for (const { id } of rows.filter(({ state }) => state === "enacted")) this.model.enacted(id, this.office.now);
    for (const { id, state, signed } of rows) {
      if (state !== "proposed") this.model.issued(id);
      hold(signed !== null, state === "signed");
      if (signed !== null) this.model.signed(id, this.office.now);
    }
  }
}

function ignoreFault(error: unknown): false {
  if (isFault(error)) return false;
  throw error instanceof Error ? error : new Error("not an error");
}
