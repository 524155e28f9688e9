/**
 * The founding: the operator writes who and what, everybody with a device signs it on that device, and from then on only quorums change
 * it. README.md of protocol/, "Founding". Before that nothing else works.
 */
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import type { Motion } from "../protocol/governance.ts";
import { encodeInvite } from "../protocol/invite.ts";
import { NameSchema } from "../protocol/name.ts";
import { RolesSchema, sortRoles } from "../protocol/people.ts";
import { PolicyTextSchema } from "../protocol/policy.ts";
import { PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import { isFounder } from "./founding-file.ts";
import type { Journal } from "./journal.ts";
import { makePrivateJwk } from "./key-file.ts";
import { findOpenMotion, randomsOf, storeMotion } from "./motions.ts";
import { compareWords } from "./pairing.ts";
import type { InviteRow } from "./rows.ts";
import { supersede } from "./stops.ts";

/** What `opencustody init` leaves in the record until everybody has signed: no right follows from it. */
const DraftSchema = v.strictObject({
  people: v.array(v.strictObject({ name: NameSchema, roles: RolesSchema, key: v.nullable(PublicJwkSchema) })),
  policy: PolicyTextSchema,
});
export type Draft = v.InferOutput<typeof DraftSchema>;

const KEY = "founding";
/** Seconds. */
const INVITE_LIFE = 168 * 3600;

/** Stores the draft and an invite for each founder; the codes are returned and kept nowhere. */
export async function draftFounding(
  journal: Journal,
  draft: Draft,
  hsm: string,
  now: number,
): Promise<{ name: string; code: string; exp: number }[]> {
  const founders = draft.people.filter(isFounder);
  const made = await Promise.all(
    founders.map((person) => makeInvite(person, draft.policy.bridge, hsm, now + INVITE_LIFE)),
  );
  journal.transaction(() => {
    journal.setMeta(KEY, JSON.stringify(v.parse(DraftSchema, draft)));
    for (const { row } of made) journal.addInvite(row);
  });
  return made.map(({ row, code }) => ({ name: row.name, code, exp: row.exp }));
}

/** An invite's key pair is made for this one invite; its private half is in the code and nowhere else. */
async function makeInvite(
  { name, roles }: Draft["people"][number],
  bridge: string,
  hsm: string,
  exp: number,
): Promise<{ row: InviteRow; code: string }> {
  const { d, ...key } = await makePrivateJwk();
  const code = encodeInvite({ v: 1, bridge, hsm, key, d });
  return { row: { kid: thumbprint(key), name, roles, inviter: null, key, exp }, code };
}

/**
 * Another invite for a founder, whose first was lost, stolen or spoilt by wrong words; what came of that one is forgotten. Ends a founding
 * that is being asked for, since it names the browser of before. @throws Fault ERR_STATE, ERR_MEMBER_UNKNOWN
 */
export async function inviteFounder(desk: Desk, name: string): Promise<{ name: string; code: string; exp: number }> {
  const draft = readDraft(desk);
  const person = draft.people.find((one) => one.name === name && isFounder(one));
  if (person === undefined) throw new Fault("ERR_MEMBER_UNKNOWN", `${name} is no founder; see "opencustody status".`);
  const { row, code } = await makeInvite(
    person,
    draft.policy.bridge,
    desk.identity.signer.kid,
    desk.now() + INVITE_LIFE,
  );
  desk.journal.transaction(() => {
    readDraft(desk);
    supersede(desk, ({ verb }) => verb === "FOUND");
    desk.journal.addInvite(row);
  });
  return { name, code, exp: row.exp };
}

/** @throws Fault ERR_STATE once it is founded */
function readDraft(desk: Desk): Draft {
  const text = desk.journal.meta(KEY);
  if (desk.charter.current !== null || text === undefined)
    throw new Fault("ERR_STATE", "This is founded already; from now on people and policy change by requests.");
  return v.parse(DraftSchema, JSON.parse(text));
}

/**
 * The operator heard a founder's words. Once all are heard, the founding is asked for: returns its request, or null until then.
 * @throws Fault ERR_WORDS, ERR_PAIRING, ERR_STATE
 */
export async function confirmFounder(
  desk: Desk,
  name: string,
  words: string,
): Promise<{ name: string; request: string | null }> {
  readDraft(desk);
  const pairing = compareWords(desk, name, words, null);
  desk.journal.changePairing(pairing.kid, { ...pairing, vouched: true });
  return { name, request: missingFounders(desk).length > 0 ? null : await askFounding(desk) };
}

/** Founders who have not paired, enrolled a device and had their words heard. */
export function missingFounders(desk: Desk): string[] {
  const ready = desk.journal.pairings().filter(({ vouched, device }) => vouched && device !== null);
  const names = new Set(ready.map(({ name }) => name));
  return readDraft(desk)
    .people.filter(isFounder)
    .map(({ name }) => name)
    .filter((name) => !names.has(name));
}

/** Asks everybody to sign the founding; the same request while it is open. @throws Fault ERR_FOUNDING, ERR_STATE */
export async function askFounding(desk: Desk): Promise<string> {
  const missing = missingFounders(desk);
  if (missing.length > 0)
    throw new Fault(
      "ERR_FOUNDING",
      `The founding waits for ${missing.join(", ")}: to pair, enrol a device, and read six words aloud.`,
    );
  const motion = composeFounding(desk);
  const fresh = await randomsOf(desk);
  return desk.journal.transaction(() => {
    const open = findOpenMotion(desk, motion);
    if (open !== undefined) return open;
    return storeMotion(desk, motion, { initiator: null, recovery: false, proposal: fresh.jti, jws: null, ...fresh });
  });
}

function composeFounding(desk: Desk): Motion {
  const { people, policy } = readDraft(desk);
  const pairings = desk.journal.pairings();
  const members = people.map(({ name, roles, key }) => {
    const pairing = pairings.find((row) => row.name === name);
    const device = pairing?.device ?? null;
    return {
      name,
      roles: sortRoles(roles),
      extensions: pairing === undefined ? [] : [pairing.key],
      files: key === null ? [] : [key],
      devices: device === null ? [] : [device],
    };
  });
  return { verb: "FOUND", change: { people: { v: 1, n: 1, members, former: [] }, policy } };
}
