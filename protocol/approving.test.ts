import { base64url } from "jose";
import * as v from "valibot";
import { expect, test } from "vitest";
import { type Approver, checkApproval, missingOf } from "./approving.ts";
import { SIZE_MAX } from "./merkle.ts";
import { APPROVAL, type Approval } from "./message.ts";
import type { People } from "./people.ts";
import { ADA, ADAS_DEVICE, BOBS_DEVICE, CAROL, DANS_DEVICE, EVE, OLGA } from "./vectors/keys.ts";
import { approve, motionRequest, written } from "./vectors/motion.ts";
import { ada, bob, dan, FOUNDED, type Person, STRICTER } from "./vectors/world.ts";

const coded = (code: string): unknown => expect.objectContaining({ name: "Fault", code });
const request = motionRequest({ name: "a policy", motion: { verb: "POLICY", change: { policy: STRICTER } } }, FOUNDED);
const judged = written(request);
const payload = { ...judged, payload: request };
const { people } = FOUNDED;

async function approvalBy(person: Person, change: Partial<Approval> = {}): Promise<Approval> {
  const jws = await approve(request, person);
  const text = new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? ""));
  return { ...v.parse(APPROVAL.schema, JSON.parse(text)), ...change };
}
const good = await approvalBy(ada);

test("an approval that counts: whose, and with what", () => {
  const { vendor, address } = ada.enrolled;
  expect(checkApproval(good, payload, people)).toEqual({ name: "Ada", vendor, address });
  expect(checkApproval({ ...good, exp: request.exp + 60 }, payload, people).name).toBe("Ada");
});

const changed = (name: string, change: object): People => {
  return {
    ...people,
    members: people.members.map((member) => (member.name === name ? { ...member, ...change } : member)),
  };
};
const asked = (change: object) => ({ ...payload, payload: { ...request, ...change } });
const REFUSED: [
  step: number,
  what: string,
  approval: Approval,
  judged: typeof payload,
  people: People,
  code: string,
][] = [
  [1, "of another request", { ...good, request: "0000000000000000" }, payload, people, "ERR_APPROVAL_DIGEST"],
  [1, "of other bytes", { ...good, digest: "0".repeat(64) }, payload, people, "ERR_APPROVAL_DIGEST"],
  [
    1,
    "that ends a second before its request",
    { ...good, exp: request.exp - 1 },
    payload,
    people,
    "ERR_ENVELOPE_EXPIRED",
  ],
  [2, "by a stranger", { ...good, iss: CAROL.signer.kid }, payload, people, "ERR_APPROVAL_NOT_ELIGIBLE"],
  [2, "with a key file", { ...good, iss: OLGA.signer.kid }, payload, people, "ERR_APPROVAL_NOT_ELIGIBLE"],
  [2, "by somebody removed", good, payload, changed("Ada", { extensions: [] }), "ERR_APPROVAL_NOT_ELIGIBLE"],
  [3, "by the initiator", good, asked({ initiator: "Ada" }), people, "ERR_APPROVAL_INITIATOR"],
  [4, "by somebody who was not asked", { ...good, iss: EVE.signer.kid }, payload, people, "ERR_APPROVAL_NOT_ELIGIBLE"],
  [4, "by a browser that was not asked", good, asked({ aud: [EVE.signer.kid] }), people, "ERR_APPROVAL_NOT_ELIGIBLE"],
  [5, "with another's device", { ...good, address: BOBS_DEVICE.address }, payload, people, "ERR_APPROVAL_DEVICE"],
  [5, "with a device that was removed", good, payload, changed("Ada", { devices: [] }), "ERR_APPROVAL_DEVICE"],
  [5, "over something else", { ...good, signature: ADAS_DEVICE.sign("x") }, payload, people, "ERR_APPROVAL_SIGNATURE"],
  [
    5,
    "by another device",
    { ...good, signature: DANS_DEVICE.sign(judged.statement) },
    payload,
    people,
    "ERR_APPROVAL_SIGNATURE",
  ],
  [
    5,
    "over another statement",
    good,
    { ...payload, statement: `${judged.statement}.` },
    people,
    "ERR_APPROVAL_SIGNATURE",
  ],
];

test.each(REFUSED)("step %d: %s", (_step, _what, approval, judge, members, code) => {
  expect(() => checkApproval(approval, judge, members)).toThrow(coded(code));
});

test("an approval names one HSM, and only the length of the log makes one longer than another", async () => {
  expect(v.is(APPROVAL.schema, { ...good, aud: [...good.aud, ADA.signer.kid] })).toBe(false);
  expect(v.is(APPROVAL.schema, { ...good, aud: ["wss://bridge.example/"] })).toBe(false);
  const lengths = async (log: object | null) =>
    new Set(await Promise.all([ada, bob, dan].map(async (one) => (await approve(request, one, { log })).length)));
  const root = "0".repeat(64);
  expect(await lengths(null)).toEqual(new Set([872]));
  expect(await lengths({ size: 0, root })).toEqual(new Set([978]));
  expect(await lengths({ size: SIZE_MAX, root })).toEqual(new Set([994]));
});

const approver = ({ name, enrolled }: Person): Approver => ({
  name,
  vendor: enrolled.vendor,
  address: enrolled.address,
});

test("what a quorum still lacks: people first, then devices; a person counts once", () => {
  const needs = (threshold: number, trezors: number) => {
    const vendors = trezors === 0 ? [] : [{ vendor: "Trezor" as const, atLeast: trezors }];
    return { quorum: { ...request.quorum, threshold, vendors } };
  };
  expect(missingOf(needs(2, 0), [])).toBe("2 people must approve and 0 did");
  expect(missingOf(needs(2, 0), [approver(ada), approver(ada)])).toBe("2 people must approve and 1 did");
  expect(missingOf(needs(2, 0), [approver(ada), approver(dan)])).toBeUndefined();
  expect(missingOf(needs(2, 1), [approver(ada), approver(dan)])).toBe("1 more must approve on a Trezor");
  expect(missingOf(needs(2, 1), [approver(ada), approver(bob)])).toBeUndefined();
});
