/**
 * Changes of people, invites, vaults and policy: each a new numbered document, durable before anybody hears of it.
 * A change of policy or people makes every open request void. README.md of protocol/, "People" and "Roster".
 */
import { isDeepStrictEqual } from "node:util";
import { hexToBytes } from "@noble/hashes/utils.js";
import { exportJWK, generateKeyPair } from "jose";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { encodeInvite } from "../protocol/invite.ts";
import { ROSTER, type Role } from "../protocol/message.ts";
import { findLookAlikes, NameSchema } from "../protocol/name.ts";
import { type PublicJwk, PublicJwkSchema, sha256Hex, thumbprint } from "../protocol/primitive.ts";
import { stopRequest } from "./advance.ts";
import { ethereum } from "./chains/ethereum.ts";
import { currentPeople, currentPolicy, type Desk, issue } from "./desk.ts";
import type { BackupMode } from "./hsm/wire.ts";
import type { Journal } from "./journal.ts";
import { addKey, confirmDevice, findMember, NOBODY, type Pending, type People, splitPending } from "./people.ts";
import { type Policy, type PolicyText, parsePolicy } from "./policy.ts";
import { OPEN_STATES } from "./requests.ts";
import { type DocumentKind, type VaultRow } from "./rows.ts";

const EMPTY_POLICY: PolicyText = { v: 1, networks: [], tokens: [], groups: [], rules: [] };

/** As many as fit a roster. */
const INVITES_MAX = 50;

/** The first documents: nobody, and a policy that permits nothing. */
export function found(journal: Journal, now: number): void {
  storeDocument(journal, "people", NOBODY, now);
  storeDocument(journal, "pending", { n: 1, devices: [] } satisfies Pending, now);
  storeDocument(journal, "policy", { n: 1, ...EMPTY_POLICY }, now);
}

/**
 * Puts changed people in force. Returns the requests that became void: none where only a device began to wait, because that
 * changes nobody's rights and one person could else stop everybody's requests.
 */
export function changePeople(desk: Desk, change: (people: People) => People): string[] {
  return desk.journal.transaction(() => {
    const before = currentPeople(desk.journal);
    const after = change(before);
    if (after.n === before.n) return [];
    const [was, is] = [splitPending(before), splitPending(after)];
    if (!isDeepStrictEqual(was.devices, is.devices)) {
      const { n } = desk.journal.document("pending");
      storeDocument(desk.journal, "pending", { n: n + 1, devices: is.devices } satisfies Pending, desk.now());
    }
    if (isDeepStrictEqual(was.people.members, is.people.members)) return [];
    storeDocument(desk.journal, "people", is.people, desk.now());
    return supersede(desk);
  });
}

/** Puts a new policy in force. @throws Fault ERR_POLICY_DOCUMENT, ERR_MEMBER_UNKNOWN, ERR_VAULT_UNKNOWN */
export function setPolicy(desk: Desk, value: unknown): { n: number; digest: string; voided: string[] } {
  const policy = parsePolicy(value);
  const { journal } = desk;
  return journal.transaction(() => {
    const people = currentPeople(journal);
    for (const name of policy.groups.flatMap((group) => group.members)) findMember(people, name);
    const vaults = journal.vaults().map(({ name }) => name);
    for (const { vault } of policy.rules) {
      if (!vaults.includes(vault))
        throw new Fault(
          "ERR_VAULT_UNKNOWN",
          `A rule names vault ${vault}, which does not exist; see "opencustody vault list".`,
        );
    }
    requireDistinct([...policy.networks.map(({ name }) => name), ...vaults, ...people.members.map(({ name }) => name)]);
    const n = currentPolicy(journal).n + 1;
    const digest = storeDocument(journal, "policy", { n, ...policy }, desk.now());
    return { n, digest, voided: supersede(desk) };
  });
}

/** Makes a vault key in the HSM and stores the vault. @throws Fault ERR_VAULT_EXISTS, ERR_NAME, ERR_HSM_* */
export async function createVault(
  desk: Desk,
  name: string,
  backup: BackupMode,
  nonces: readonly { network: string; nonce: number }[],
): Promise<VaultRow & { address: string }> {
  const { journal } = desk;
  const check = () => {
    if (journal.vaults().some((vault) => vault.name === name))
      throw new Fault("ERR_VAULT_EXISTS", `There is a vault ${name} already; choose another name.`);
    const { networks } = currentPolicy(journal);
    const members = currentPeople(journal).members;
    requireDistinct([
      ...networks.map((n) => n.name),
      ...members.map((m) => m.name),
      ...journal.vaults().map((row) => row.name),
      v.parse(NameSchema, name),
    ]);
  };
  // Before, so that no key is made in vain; and again with the row, because making a key takes its time.
  check();
  const key = await desk.hsm.generateKey({ curve: "secp256k1", label: `OpenCustody vault ${name}`, backup });
  const vault: VaultRow = { name, id: key.id, publicKey: Buffer.from(key.publicKey).toString("hex"), backup };
  journal.transaction(() => {
    check();
    journal.addVault(vault, desk.now());
    for (const { network, nonce } of nonces) journal.setNextNonce(name, network, nonce);
  });
  return { ...vault, address: addressOf(vault) };
}

export function addressOf(vault: VaultRow): string {
  return ethereum.addressOf(hexToBytes(vault.publicKey));
}

/** Registers the key of a file, with which its owner proposes. */
export function addFileKey(desk: Desk, name: string, roles: readonly Role[], key: PublicJwk): string[] {
  return changePeople(desk, (people) => {
    requireDistinct([...namesBesides(desk, people, name), name]);
    return addKey(people, name, roles, "files", key);
  });
}

/** Every name that a person's could be taken for: other people, vaults, networks. */
function namesBesides(desk: Desk, people: People, name: string): string[] {
  return [
    ...people.members.map((member) => member.name).filter((other) => other !== name),
    ...desk.journal.vaults().map((vault) => vault.name),
    ...currentPolicy(desk.journal).networks.map((network) => network.name),
  ];
}

/** Counts a device from now on, once the operator has compared the whole address over another channel. */
export function confirm(desk: Desk, name: string, address: string): string[] {
  return changePeople(desk, (people) => confirmDevice(people, name, address));
}

/** A one-time key pair; its private half is in the returned code and nowhere else. @throws Fault ERR_NAME, ERR_INVITE */
export async function invite(
  desk: Desk,
  name: string,
  roles: readonly Role[],
  hours: number,
): Promise<{ code: string; exp: number }> {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const { d, ...rest } = await exportJWK(pair.privateKey);
  const key = v.parse(PublicJwkSchema, { kty: rest.kty, crv: rest.crv, x: rest.x, y: rest.y });
  const exp = desk.now() + hours * 3600;
  desk.journal.transaction(() => {
    const people = currentPeople(desk.journal);
    requireDistinct([...namesBesides(desk, people, name), v.parse(NameSchema, name)]);
    if (desk.journal.invites().filter((open) => open.exp > desk.now()).length >= INVITES_MAX)
      throw new Fault(
        "ERR_INVITE",
        `${INVITES_MAX} invites are open, and a roster holds no more; wait until one is used.`,
      );
    desk.journal.addInvite({ kid: thumbprint(key), name, roles, key, exp });
  });
  return { code: encodeInvite({ v: 1, bridge: desk.bridgeUrl, hsm: desk.identity.signer.kid, key, d: d ?? "" }), exp };
}

/** Signs the roster of today under the next number. The link sends it. */
export async function signRoster(desk: Desk): Promise<{ n: number; jws: string }> {
  const { journal } = desk;
  const n = Number(journal.meta("roster") ?? "0") + 1;
  const now = desk.now();
  const members = currentPeople(journal).members.flatMap((member) => member.extensions);
  const invites = journal.invites().filter(({ exp }) => exp > now);
  const body = { n, members, invites: invites.map(({ key, exp }) => ({ key, exp })) };
  const { jws } = await issue(desk, ROSTER, [desk.bridgeUrl], body);
  journal.setMeta("roster", String(n));
  return { n, jws };
}

function supersede(desk: Desk): string[] {
  const open = desk.journal.requests(OPEN_STATES);
  for (const row of open) stopRequest(desk, row, "superseded");
  return open.map(({ id }) => id);
}

function storeDocument(journal: Journal, kind: DocumentKind, document: People | Policy | Pending, now: number): string {
  const text = JSON.stringify(document);
  const digest = sha256Hex(new TextEncoder().encode(text));
  journal.addDocument(kind, { n: document.n, digest, text }, now);
  return digest;
}

function requireDistinct(names: readonly string[]): void {
  const alike = findLookAlikes(names);
  if (alike !== undefined) throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}; choose another name.`);
}
