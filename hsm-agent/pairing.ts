/**
 * From an invite to a member: invitation, pairing, device, six words, and then a request that the admins decide. README.md of protocol/,
 * "Pairing". Nothing here gives anybody a right: an ENROLL or the founding does.
 */
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import type { Motion } from "../protocol/governance.ts";
import { type Enrolment, INVITATION, type Pair, VOUCH } from "../protocol/message.ts";
import { findLookAlikes } from "../protocol/name.ts";
import { findOwner, ownerOfAddress } from "../protocol/people.ts";
import { statementNames } from "../protocol/policy.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import type { Desk } from "./desk.ts";
import { fileKeyOf, findOpenMotion, proposerOf, randomsOf, storeMotion } from "./motions.ts";
import type { PairingRow } from "./rows.ts";
import { findPairing } from "./welcome.ts";

/** As many as fit a roster, invites and pairings together; and those of one inviter. */
const OPEN_MAX = 50;
const OPEN_OF_ONE_MAX = 10;
/** A pairing that nobody finished is forgotten after so long, and one that was vouched for after the longest decision. Seconds. */
const PAIRING_LIFE = 14 * 86_400;
const VOUCHED_LIFE = 40 * 86_400;
const WAITING_LIFE = 30 * 86_400;
/** Seconds. */
const INVITE_LIFE_MAX = 168 * 3600;
/** After so many wrong words a pairing is over: somebody is guessing, or the wrong browser paired. */
const TRIES_MAX = 3;
/** Devices of one person that may wait for an ENROLL. */
const WAITING_MAX = 4;

/** Somebody with a key file invites. Their CLI made the key pair; the private half never came here. @throws Fault ERR_INVITE, ERR_NAME, ERR_MEMBER_ROLE */
export async function invite(desk: Desk, jws: string): Promise<{ name: string; exp: number }> {
  const audience = desk.identity.signer.kid;
  const { payload } = await openEnvelope(jws, { type: INVITATION, keyOf: fileKeyOf(desk), audience, now: desk.now() });
  const inviter = proposerOf(desk, payload.iss);
  const { name, roles, key, until } = payload;
  const { journal } = desk;
  journal.transaction(() => {
    const { people, policy } = desk.charter.require();
    if (roles.length === 0 && !people.members.some((member) => member.name === name))
      throw new Fault("ERR_MEMBER_ROLE", `${name} is nobody yet and needs a role; name one with --role.`);
    const others = people.members.map((member) => member.name).filter((other) => other !== name);
    const alike = findLookAlikes([...others, ...statementNames(policy), name]);
    if (alike !== undefined) throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}; choose another name.`);
    if (until <= desk.now() || until > desk.now() + INVITE_LIFE_MAX)
      throw new Fault("ERR_INVITE", "An invite is valid for 1 to 168 hours.");
    forgetUnfinished(desk);
    const pairings = journal.pairings().filter((row) => row.name !== name);
    const open = [...journal.invites().filter((row) => row.exp > desk.now() && row.name !== name), ...pairings];
    if (open.filter((row) => row.inviter === inviter).length >= OPEN_OF_ONE_MAX)
      throw new Fault("ERR_INVITE", `${OPEN_OF_ONE_MAX} of your invites and pairings are open; finish one first.`);
    if (open.length >= OPEN_MAX)
      throw new Fault(
        "ERR_INVITE",
        `${OPEN_MAX} invites and pairings are open, and a roster holds no more; finish one first.`,
      );
    journal.addInvite({ kid: thumbprint(key), name, roles, inviter, key, exp: until });
  });
  return { name, exp: until };
}

/** A browser uses its invite. @throws Fault ERR_INVITE, ERR_MEMBER_EXISTS */
export function pair(desk: Desk, kid: string, { jti, key, seal }: Pair): void {
  const { journal } = desk;
  const found = journal.invites().find((row) => row.kid === kid);
  if (found === undefined || found.exp <= desk.now())
    throw new Fault("ERR_INVITE", "This invite was used or has expired; ask for a new one.");
  const own = thumbprint(key);
  const people = desk.charter.current?.people;
  const isTaken =
    (people !== undefined && findOwner(people, own) !== undefined) ||
    findPairing(desk, own) !== undefined ||
    journal.invites().some((row) => row.kid === own);
  if (isTaken) throw new Fault("ERR_MEMBER_EXISTS", "This key belongs to somebody already; make a new one.");
  const { name, roles, inviter } = found;
  journal.removeInvite(kid);
  journal.removePairing(name);
  journal.addPairing({ kid: own, jti, name, roles, inviter, key, seal }, desk.now());
  journal.setMemberSeal(own, 1, seal);
}

/** A device that somebody wants to approve with: it waits for an ENROLL. @throws Fault ERR_DEVICE_TAKEN, ERR_DEVICE_LIMIT, ERR_PAIRING */
export function enrolDevice(desk: Desk, kid: string, { address, vendor, model }: Enrolment): void {
  const { journal } = desk;
  const device = { address, vendor, model };
  const people = desk.charter.current?.people;
  const owner = people === undefined ? undefined : findOwner(people, kid);
  const pairing = findPairing(desk, kid);
  const name = owner?.member.name ?? pairing?.name;
  if (name === undefined)
    throw new Fault("ERR_MEMBER_UNKNOWN", "This browser is nobody's any more; pair it with a new invite.");
  const holder = people === undefined ? undefined : ownerOfAddress(people, address);
  if (holder !== undefined && holder !== name)
    throw new Fault("ERR_DEVICE_TAKEN", "This device is or was another person's; use one of your own.");
  if (pairing !== undefined) {
    if (pairing.vouched)
      throw new Fault("ERR_PAIRING", "Your words were read aloud for another device; that one is decided on first.");
    const twice = journal.pairings().some((other) => other.kid !== kid && other.device?.address === address);
    if (twice)
      throw new Fault("ERR_DEVICE_TAKEN", "Somebody else who is pairing has this device; use one of your own.");
    return journal.changePairing(kid, { ...pairing, device });
  }
  if (owner?.member.devices.some((known) => known.address === address) === true) return;
  forgetUnfinished(desk);
  const waiting = journal.waitingDevices().filter((row) => row.name === name);
  if (waiting.some((row) => row.device.address === address)) return;
  if (waiting.length >= WAITING_MAX)
    throw new Fault(
      "ERR_DEVICE_LIMIT",
      `${WAITING_MAX} of your devices wait already; have the right one proposed first.`,
    );
  journal.addWaitingDevice(name, device, desk.now());
}

/**
 * Whoever invited heard these words: the ENROLL is proposed, with them as its initiator. Returns its request.
 * @throws Fault ERR_WORDS, ERR_PAIRING, ERR_MEMBER_ROLE
 */
export async function vouch(desk: Desk, jws: string): Promise<{ name: string; request: string }> {
  const audience = desk.identity.signer.kid;
  const { payload } = await openEnvelope(jws, { type: VOUCH, keyOf: fileKeyOf(desk), audience, now: desk.now() });
  const person = proposerOf(desk, payload.iss);
  const { name } = payload;
  const fresh = await randomsOf(desk);
  const pairing = compareWords(desk, name, payload.words, person);
  return desk.journal.transaction(() => {
    // Asked again: people may have changed while the HSM gave its random bytes.
    proposerOf(desk, payload.iss);
    const { roles, key: extension, device } = pairing;
    const motion: Motion = { verb: "ENROLL", change: { name, roles: [...roles], extension, file: null, device } };
    const open = findOpenMotion(desk, motion);
    if (open !== undefined) return { name, request: open };
    const earlier = desk.journal.requestOfProposal(payload.jti);
    if (earlier !== undefined && earlier.initiator !== person)
      throw new Fault("ERR_ENVELOPE_REPLAYED", "The message has the name of another person's; enter the words again.");
    if (earlier !== undefined) return { name, request: earlier.id };
    const request = storeMotion(desk, motion, {
      initiator: person,
      recovery: payload.recovery,
      proposal: payload.jti,
      jws,
      ...fresh,
    });
    desk.journal.changePairing(pairing.kid, { ...pairing, vouched: true });
    return { name, request };
  });
}

/**
 * The pairing of that name, if these are its words. A wrong try is counted, durably, before anybody hears of it.
 * `inviter` is null at the founding. @throws Fault ERR_PAIRING, ERR_WORDS, ERR_MEMBER_ROLE
 */
export function compareWords(desk: Desk, name: string, words: string, inviter: string | null): PairingRow {
  const { journal } = desk;
  const pairing = journal.pairings().find((row) => row.name === name);
  if (pairing === undefined) throw new Fault("ERR_PAIRING", `Nobody is pairing as ${name}; see "opencustody members".`);
  if (pairing.inviter !== inviter)
    throw new Fault(
      "ERR_MEMBER_ROLE",
      `Only ${pairing.inviter ?? "the operator"}, who invited ${name}, can enter the words.`,
    );
  if (pairing.device === null)
    throw new Fault("ERR_PAIRING", `${name} has not enrolled a device yet; the words come after that.`);
  const { key, seal, roles, device } = pairing;
  const hsm = desk.identity.signer.kid;
  if (words === wordsOfPairing({ hsm, key, seal, name, roles, address: device.address })) return pairing;
  const tries = pairing.tries + 1;
  journal.transaction(() => {
    if (tries >= TRIES_MAX) endPairing(desk, pairing);
    else journal.changePairing(pairing.kid, { ...pairing, tries });
  });
  throw new Fault(
    "ERR_WORDS",
    tries >= TRIES_MAX
      ? `These are not the words of ${name}'s pairing, for the third time: it is over. Find out who used the invite, then invite anew.`
      : `These are not the words of ${name}'s pairing. Have them read aloud once more; if they differ again, somebody else used the invite.`,
  );
}

/** The browser is told before the next roster shuts it out. */
function endPairing({ journal }: Desk, { kid, jti, name, seal }: PairingRow): void {
  journal.removePairing(name);
  const message = "Three times other words than this page's were entered. This pairing is over; ask for a new invite.";
  journal.owe({
    what: "refusal",
    receiver: kid,
    body: JSON.stringify({ of: jti, request: null, code: "ERR_WORDS", message }),
    seal,
  });
}

/** What was begun and never finished takes nobody's place for ever. */
function forgetUnfinished({ journal, now }: Pick<Desk, "journal" | "now">): void {
  journal.removePairingsBefore(now() - PAIRING_LIFE, now() - VOUCHED_LIFE);
  journal.removeWaitingDevicesBefore(now() - WAITING_LIFE);
}
