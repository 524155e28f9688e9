/**
 * For decision.property.test.ts only: what ought to be so. Knows people, devices, numbers and time, and nothing of how the agent works; it
 * imports nothing of it but the people of the tests.
 */
import { isDeepStrictEqual } from "node:util";
import type { Person } from "./testing-people.ts";

/** What somebody proposes. */
export type Wish =
  | { do: "transfer" }
  | { do: "policy"; threshold: number; trezors: number }
  | { do: "remove" | "unpair" | "unequip" | "equip"; who: number }
  | { do: "thaw"; vault: string | null };

/** What a message says, and until when it may be said (seconds). `device`: the address in it that its device signed for. */
export type Said =
  | { does: "approve"; who: string; request: string; device: string; until: number }
  | { does: "reject" | "withdraw"; who: string; request: string; until: number }
  | { does: "freeze"; who: string; vault: string | null; until: number };

interface Somebody {
  browser: boolean;
  /** Vendors by address. */
  readonly devices: Map<string, string>;
}

interface Request {
  readonly wish: Wish;
  readonly by: string;
  readonly recovery: boolean;
  readonly eligible: ReadonlySet<string>;
  readonly threshold: number;
  readonly trezors: number;
  readonly from: number;
  readonly expires: number;
  readonly version: string;
  /** Vendors by name. */
  readonly approved: Map<string, string>;
  readonly withdrawn: Set<string>;
  issued: boolean;
  stopped: boolean;
  done: boolean;
  released: boolean;
}

const HOUR = 3_600;
const minute = (seconds: number): number => Math.ceil(seconds / 60) * 60;

/** @throws Error where what is so is not what ought to be so */
export function hold(is: unknown, ought: unknown): void {
  if (!isDeepStrictEqual(is, ought))
    throw new Error(`it is ${JSON.stringify(is)} and ought to be ${JSON.stringify(ought)}`);
}

export class Model {
  readonly #people = new Map<string, Somebody>();
  readonly #staff: readonly Person[];
  readonly #spare: readonly Person[];
  #rule: { threshold: number; trezors: number };
  readonly #admins: number;
  #policyNumber = 1;
  #peopleNumber = 1;
  readonly #requests = new Map<string, Request>();
  /** Who froze, by vault; `*` for everything, and null for the operator. */
  readonly #frozen = new Map<string, Set<string | null>>();
  /** Freezes that took effect once do not do so again. */
  readonly #spent = new Set<Said>();

  constructor(
    rule: { threshold: number; trezors: number; admins: number },
    staff: readonly Person[],
    spare: readonly Person[],
  ) {
    this.#rule = rule;
    this.#admins = rule.admins;
    this.#staff = staff;
    this.#spare = spare;
    for (const { name, address, vendor } of staff)
      this.#people.set(name, { browser: true, devices: new Map([[address, vendor]]) });
  }

  get #version(): string {
    return `${this.#policyNumber} ${this.#peopleNumber}`;
  }

  #canDecide(name: string): boolean {
    const somebody = this.#people.get(name);
    return somebody !== undefined && somebody.browser && somebody.devices.size > 0;
  }

  #isOpen(request: Request, now: number): boolean {
    return !request.stopped && !request.done && now < request.expires && request.version === this.#version;
  }

  #isFrozen(vault: string): boolean {
    return this.#frozen.has("*") || this.#frozen.has(vault);
  }

  #quorum({ approved, withdrawn, threshold, trezors }: Request): boolean {
    const counted = [...approved].filter(([name]) => !withdrawn.has(name));
    return counted.length >= threshold && counted.filter(([, vendor]) => vendor === "Trezor").length >= trezors;
  }

  /** The agent took it: whom it asks must be those who may decide, under the documents in force. */
  propose(made: {
    id: string;
    wish: Wish;
    by: string;
    recovery: boolean;
    at: number;
    named: {
      policy: { n: number };
      people: { n: number };
      exp: number;
      quorum: { threshold: number; people: string[] };
    };
  }): void {
    const { wish, by, recovery, at, named } = made;
    const isTransfer = wish.do === "transfer";
    const asked = recovery ? ["Carol", "Dave"] : this.#staff.map(({ name }) => name);
    const eligible = new Set(asked.filter((name) => name !== by && this.#canDecide(name)));
    const threshold = isTransfer ? this.#rule.threshold : this.#admins;
    const from = recovery ? minute(at + 24 * HOUR) : at;
    const expires = minute(from + HOUR);
    hold([named.policy.n, named.people.n, named.exp], [this.#policyNumber, this.#peopleNumber, expires]);
    hold(new Set(named.quorum.people), eligible);
    hold(named.quorum.threshold, threshold);
    hold(eligible.size >= threshold, true);
    if (isTransfer) hold(this.#isFrozen("Treasury-1"), false);
    this.#requests.set(made.id, {
      wish,
      by,
      recovery,
      eligible,
      threshold,
      trezors: isTransfer ? this.#rule.trezors : 0,
      from,
      expires,
      version: this.#version,
      approved: new Map(),
      withdrawn: new Set(),
      issued: false,
      stopped: false,
      done: false,
      released: false,
    });
  }

  /** A message arrives from whoever signed it. */
  hear(said: Said, now: number): void {
    const somebody = this.#people.get(said.who);
    if (somebody === undefined || !somebody.browser || said.until <= now) return;
    if (said.does === "freeze") {
      if (this.#spent.has(said)) return;
      this.#spent.add(said);
      this.freeze(said.vault, said.who);
      return;
    }
    const request = this.#requests.get(said.request);
    // Of what is not issued yet nobody can know.
    if (request === undefined || !request.issued || !this.#isOpen(request, now)) return;
    const decides = request.eligible.has(said.who);
    switch (said.does) {
      case "approve": {
        const vendor = somebody.devices.get(said.device);
        const isBlocked = request.wish.do === "transfer" && this.#isFrozen("Treasury-1");
        if (!decides || vendor === undefined || isBlocked || request.withdrawn.has(said.who)) return;
        if (!request.approved.has(said.who)) request.approved.set(said.who, vendor);
        return;
      }
      case "reject":
        // Nobody stops what is about themselves. All of the staff are admins, who may stop a recovery.
        if (this.#isAbout(request.wish, said.who)) return;
        if (decides || (request.recovery && said.who !== request.by)) request.stopped = true;
        return;
      case "withdraw":
        if (decides) request.withdrawn.add(said.who);
        return;
    }
  }

  #isAbout(wish: Wish, name: string): boolean {
    const isRemoval = wish.do === "remove" || wish.do === "unpair" || wish.do === "unequip";
    return isRemoval && this.#staff[wish.who]?.name === name;
  }

  cancel(id: string, who: string, now: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined && request.by === who && this.#isOpen(request, now)) request.stopped = true;
  }

  /** A stop ends what would lift it. The same by the same is none. */
  freeze(vault: string | null, who: string | null): void {
    const name = vault ?? "*";
    const by = this.#frozen.get(name) ?? new Set();
    if (by.has(who)) return;
    this.#frozen.set(name, by.add(who));
    for (const request of this.#requests.values()) {
      const { wish } = request;
      if (wish.do === "thaw" && !request.done && (wish.vault === null || vault === null || wish.vault === vault))
        request.stopped = true;
    }
  }

  #require(id: string): Request {
    const request = this.#requests.get(id);
    if (request === undefined) throw new Error("the model does not know this request");
    return request;
  }

  /** Everybody may see it. */
  issued(id: string): void {
    this.#require(id).issued = true;
  }

  /** The vault's signature is there. */
  signed(id: string, now: number): void {
    const request = this.#require(id);
    if (request.done) return;
    hold(request.wish.do, "transfer");
    hold(this.#quorum(request), true);
    hold(this.#isOpen(request, now), true);
    hold(this.#isFrozen("Treasury-1"), false);
    request.done = true;
  }

  /** The signed form was asked for, and given or not: for the first time only while all is so under which it was signed. */
  release(id: string, given: boolean, now: number): void {
    const request = this.#require(id);
    const holds = !this.#isFrozen("Treasury-1") && now < request.expires && request.version === this.#version;
    hold(given, request.wish.do === "transfer" && request.done && (request.released || holds));
    if (given) request.released = true;
  }

  /** A change took effect: it had its quorum under the documents before it, and from now on it is so. */
  enacted(id: string, now: number): void {
    const request = this.#require(id);
    if (request.done) return;
    const { wish } = request;
    hold(this.#quorum(request), true);
    hold(this.#isOpen(request, now), true);
    hold(now >= request.from, true);
    request.done = true;
    if (wish.do === "transfer") throw new Error("a transfer changes nothing");
    if (wish.do === "thaw") {
      hold(request.recovery, false);
      if (wish.vault === null) this.#frozen.clear();
      else this.#frozen.delete(wish.vault);
      return;
    }
    if (wish.do === "policy") {
      this.#rule = wish;
      this.#policyNumber += 1;
      return;
    }
    this.#peopleNumber += 1;
    const [person, spare] = [this.#staff[wish.who], this.#spare[wish.who]];
    const somebody = this.#people.get(person?.name ?? "");
    if (person === undefined || spare === undefined || somebody === undefined) throw new Error("nobody is called so");
    if (wish.do === "remove") this.#people.delete(person.name);
    if (wish.do === "unpair") somebody.browser = false;
    if (wish.do === "unequip") hold(somebody.devices.delete(person.address), true);
    if (wish.do === "equip") somebody.devices.set(spare.address, spare.vendor);
  }

  /** Nothing more happens: what had its quorum in time, and no stop, was done. */
  settled(id: string, now: number): void {
    const request = this.#require(id);
    const isBlocked = request.wish.do === "transfer" && this.#isFrozen("Treasury-1");
    if (this.#quorum(request) && this.#isOpen(request, now) && !isBlocked && now >= request.from)
      hold(request.done, true);
  }

  count(what: "signed" | "enacted" | "released"): number {
    const all = [...this.#requests.values()];
    if (what === "released") return all.filter(({ released }) => released).length;
    return all.filter(({ done, wish }) => done && (wish.do === "transfer") === (what === "signed")).length;
  }
}
