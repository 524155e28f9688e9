/**
 * For the tests of this folder only: an agent founded by the road that everybody takes (draft, invites, pairings, devices, words, the
 * founding's signatures), and what its people do. No part of the program imports it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Claims } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import type { Motion } from "../protocol/governance.ts";
import {
  APPROVAL,
  ENROLMENT,
  FREEZE,
  INVITATION,
  MOTION,
  type MotionMessage,
  PAIR,
  PROPOSAL,
  REJECTION,
  SYNC,
  type Sync,
  VOUCH,
  WITHDRAWAL,
} from "../protocol/message.ts";
import { type Role, sortRoles } from "../protocol/people.ts";
import { type PolicyText, parsePolicy } from "../protocol/policy.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import { recordedClock } from "./clock.ts";
import { confirmFounder } from "./founding.ts";
import { initialiseOn } from "./init.ts";
import { Journal } from "./journal.ts";
import { move } from "./motions.ts";
import { invite, vouch } from "./pairing.ts";
import { propose } from "./proposals.ts";
import { LOG, Running } from "./testing-agent.ts";
import type { MemoryHsm } from "./testing-hsm.ts";
import {
  BRIDGE,
  deviceOf,
  type Key,
  keyOfInvite,
  makeKey,
  makePerson,
  NETWORK,
  type Person,
  policyOf,
  START,
  TO,
  VAULT,
} from "./testing-people.ts";
import { readBack } from "./verify.ts";

/** What is founded beside Olga and the approvers, who are admins too. */
export interface Setting {
  readonly policy?: Partial<Omit<PolicyText, "vaults">>;
  /** Further people, or other roles of the same. Whoever is an initiator has a key file. */
  readonly roles?: readonly (readonly [Person, readonly Role[]])[];
  readonly vaults?: readonly string[];
  /** Another HSM than one in memory. */
  readonly hsm?: MemoryHsm;
}

/** What a founding left: every test of a file founds the same, and it takes its time. */
interface Founded {
  readonly record: Uint8Array;
  readonly hsm: MemoryHsm;
}
const FOUNDED = new Map<string, Founded>();

export class Office extends Running {
  /** Vault with next nonce 7, Olga who proposes, and `approvers` with enrolled devices of whom `threshold` must approve. */
  static async open(
    approvers: readonly Person[],
    threshold = 2,
    olga?: Person,
    setting: Setting = {},
  ): Promise<Office> {
    const text = JSON.stringify([approvers, threshold, olga, setting]);
    const known = FOUNDED.get(text);
    if (known !== undefined) return await Office.again(known, setting);
    const { office, invites } = await Office.draft(approvers, threshold, olga, setting);
    await office.found(invites);
    await office.settle();
    office.forget();
    await office.reopen((path) => FOUNDED.set(text, { record: readFileSync(path), hsm: office.hsm.copy() }));
    return office;
  }

  /** Another office that is where that one was. */
  private static async again({ record, hsm }: Founded, { policy }: Setting): Promise<Office> {
    const office = new Office(policy?.bridge ?? BRIDGE);
    writeFileSync(office.path, record);
    office.hsm = hsm.copy();
    await office.start();
    return office;
  }

  /** Everybody pairs, enrols a device, reads words aloud, and signs. Returns the founding's request. */
  async found(invites: ReadonlyMap<Person, Key>): Promise<string> {
    for (const [person, key] of invites) await this.join(person, key);
    let request: string | null = null;
    for (const person of invites.keys())
      ({ request } = await confirmFounder(this.desk, person.name, this.words(person)));
    return await this.carry(request ?? "", [...invites.keys()]);
  }

  /** The same, initialised and not founded yet. `invites`: each founder's key to pair with. */
  static async draft(
    approvers: readonly Person[],
    threshold = 2,
    olga = makePerson("Olga"),
    { policy, roles = [], vaults = [VAULT], hsm }: Setting = {},
  ): Promise<{ office: Office; invites: Map<Person, Key> }> {
    const staff = new Map<Person, readonly Role[]>([[olga, ["initiator"]]]);
    for (const person of approvers) staff.set(person, ["approver", "admin"]);
    for (const [person, theirs] of roles) staff.set(person, sortRoles(theirs));
    const names = approvers.map(({ name }) => name);
    const whole = { ...policyOf(names, threshold), ...policy };
    const office = new Office(whole.bridge);
    if (hsm !== undefined) office.hsm = hsm;
    const people = [...staff].map(([{ name, file }, theirs]) => ({
      name,
      roles: [...theirs],
      key: theirs.includes("initiator") ? file.jwk : null,
    }));
    const nonces = [{ network: NETWORK, nonce: 7 }];
    const founding = {
      people,
      policy: whole,
      vaults: vaults.map((name) => ({ name, backup: "none" as const, nonces })),
    };
    const journal = new Journal(office.path);
    const made = await initialiseOn(
      journal,
      office.hsm,
      founding,
      LOG,
      recordedClock(journal, () => START),
    );
    journal.close();
    await office.start();
    const invites = new Map<Person, Key>();
    for (const { name, code } of made.invites) {
      const person = [...staff.keys()].find((one) => one.name === name);
      if (person !== undefined) invites.set(person, keyOfInvite(code));
    }
    return { office, invites };
  }

  /** Proposes a transfer; the request is not issued yet. */
  async propose(by: Person, amount = "1.5", vault = VAULT): Promise<string> {
    const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
    const body = { vault, network: NETWORK, asset: "ETH", amount, to: TO, gas };
    return (await propose(this.desk, await this.message(PROPOSAL, by.file, body))).request;
  }

  /** Proposes a change, and has the HSM sign its request. */
  async motion(by: Person, motion: Motion, recovery = false): Promise<string> {
    const body = { motion, recovery } as Omit<MotionMessage, keyof Claims>;
    const { request } = await move(this.desk, await this.message(MOTION, by.file, body));
    await this.drive(request);
    return request;
  }

  /** Proposes a change and has these people approve it. */
  async enact(by: Person, motion: Motion, approvers: readonly Person[], recovery = false): Promise<string> {
    return await this.carry(await this.motion(by, motion, recovery), approvers);
  }

  /** Has a request issued, approved by these people, and carried out. */
  async carry(id: string, approvers: readonly Person[]): Promise<string> {
    await this.drive(id);
    for (const person of approvers) {
      const code = await this.approve(person, id);
      if (code !== undefined) throw new Error(`${person.name}'s approval was refused: ${code}`);
    }
    await this.drive(id);
    return id;
  }

  /** A new policy that differs in these members, by all of `approvers`. */
  async govern(by: Person, change: Partial<PolicyText>, approvers: readonly Person[]): Promise<string> {
    const policy = parsePolicy({ ...this.policy, ...change });
    return await this.enact(by, { verb: "POLICY", change: { policy } }, approvers);
  }

  async approval(by: Person, id: string, claims: Partial<Claims> = {}): Promise<string> {
    const row = this.row(id);
    const signature = by.sign(readBack(row).statement);
    const body = { request: id, digest: row.digest, address: by.address, signature, log: null };
    const exp = Math.max(row.expires, this.now + 60);
    return await this.message(APPROVAL, by.key, body, { exp, ...claims });
  }

  /** The message is received; returns the code of its refusal, or undefined where it was accepted. So do the next four. */
  async approve(by: Person, id: string): Promise<string | undefined> {
    return await this.receive(by.key, await this.approval(by, id));
  }

  async reject(by: Person, id: string): Promise<string | undefined> {
    const body = { request: id, digest: this.row(id).digest, reason: "suspicious" } as const;
    return await this.receive(by.key, await this.message(REJECTION, by.key, body));
  }

  async withdraw(by: Person, id: string): Promise<string | undefined> {
    const body = { request: id, digest: this.row(id).digest };
    return await this.receive(by.key, await this.message(WITHDRAWAL, by.key, body));
  }

  async freeze(by: Person, vault: string | null = null): Promise<string | undefined> {
    return await this.receive(by.key, await this.message(FREEZE, by.key, { vault }));
  }

  async sync(by: Person, known: readonly string[] = [], charter = 0, n = 1): Promise<string | undefined> {
    return await this.receive(by.key, await this.syncOf(by, known, charter, n));
  }

  async syncOf(
    by: Person,
    known: readonly string[] = [],
    charter = 0,
    n = 1,
    shown: Pick<Sync, "log" | "witness"> = { log: null, witness: null },
  ): Promise<string> {
    return await this.message(SYNC, by.key, {
      known: [...known],
      charter,
      seal: { n, key: by.seal.jwk },
      card: this.sealedTo,
      ...shown,
    });
  }

  /** A browser pairs with an invite's key, and enrols its device. */
  async join(person: Person, key: Key): Promise<void> {
    const refusals = [
      await this.receive(key, await this.message(PAIR, key, { key: person.key.jwk, seal: person.seal.jwk })),
      await this.enrol(person),
    ];
    const [code] = refusals.filter((one) => one !== undefined);
    if (code !== undefined) throw new Fault("ERR_PAIRING", code);
  }

  async enrol(person: Person): Promise<string | undefined> {
    const body = { ...deviceOf(person), path: "m/44'/60'/7'/0/0" };
    return await this.receive(person.key, await this.message(ENROLMENT, person.key, body));
  }

  /** The six words that a pairing browser shows: of what it knows itself. */
  words(person: Person): string {
    const roles = this.desk.journal.pairings().find(({ name }) => name === person.name)?.roles ?? [];
    const { name, address, key, seal: receiving } = person;
    return wordsOfPairing({
      hsm: this.desk.identity.signer.kid,
      key: key.jwk,
      seal: receiving.jwk,
      name,
      roles,
      address,
    });
  }

  /** Invites somebody; the key to pair with. */
  async invite(by: Person, name: string, roles: readonly Role[] = ["approver"], hours = 1): Promise<Key> {
    const key = makeKey();
    const body = { name, roles: [...roles], key: key.jwk, until: this.now + hours * 3600 };
    await invite(this.desk, await this.message(INVITATION, by.file, body));
    return key;
  }

  /** Whoever invited types the words. Returns the ENROLL's request. */
  async vouch(by: Person, name: string, words: string, recovery = false): Promise<string> {
    return (await vouch(this.desk, await this.message(VOUCH, by.file, { name, words, recovery }))).request;
  }

  /** From invite to member. */
  async hire(by: Person, person: Person, roles: readonly Role[], approvers: readonly Person[]): Promise<string> {
    await this.join(person, await this.invite(by, person.name, roles));
    return await this.carry(await this.vouch(by, person.name, this.words(person)), approvers);
  }
}
