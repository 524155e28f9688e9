/** What a governance request says of documents and quorum, against the charter. Each planted request is wrong in one thing. */
import { expect, test, vi } from "vitest";
import { type Signer, signPayload } from "../protocol/envelope.ts";
import type { Motion } from "../protocol/governance.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { type MotionRequest, REQUEST } from "../protocol/request.ts";
import { ADDRESS, charter, faultOf, founding, foundingMotion, hsm, town, trust, unfounded } from "./charter-double.ts";
import { checkRequest, inspectRequest, readRequest } from "./check.ts";
import { makeHsm, minutes } from "./hsm-double.ts";
import { makePersonDouble } from "./town-double.ts";
import type { Trust } from "./trust.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

const stranger = await makeHsm();
const eve = await makePersonDouble("Eve");
const enroll: Motion = {
  verb: "ENROLL",
  change: {
    name: "Eve",
    roles: ["admin"],
    extension: eve.jwk,
    file: null,
    device: { address: eve.address, vendor: "Trezor", model: "trezor-one" },
  },
};
const drill: Motion = { verb: "DRILL", change: { vault: "Treasury-1" } };

test("a motion is read with the documents before and after, and its statement comes from the change", async () => {
  const checked = await checkRequest(await town.ask(enroll), trust);
  if (checked.kind !== "motion") throw new Error("no motion");
  const { before, after, statement, byNextIdentity } = checked;
  expect([before?.people.n, after.people.n, after.policy, byNextIdentity]).toEqual([1, 2, charter.policy, false]);
  expect(after.people.members.at(-1)).toMatchObject({ name: "Eve" });
  expect(statement).toContain(`ENROLL Eve DEVICE ${eve.address} AS admin`);
});

test("a drill changes nothing", async () => {
  const checked = await checkRequest(await town.ask(drill), trust);
  expect(checked).toMatchObject({
    kind: "motion",
    before: { people: charter.people },
    after: { people: charter.people },
  });
});

const motions: [string, Motion, Partial<MotionRequest>, string][] = [
  [
    "a lower threshold",
    enroll,
    { quorum: { threshold: 1, people: ["Ada", "Bob", "Dan"], vendors: [] } },
    "ERR_REQUEST_DIFFERS",
  ],
  ["fewer people", enroll, { quorum: { threshold: 2, people: ["Ada", "Bob"], vendors: [] } }, "ERR_REQUEST_DIFFERS"],
  [
    "people in another order",
    enroll,
    { quorum: { threshold: 2, people: ["Bob", "Ada", "Dan"], vendors: [] } },
    "ERR_REQUEST_DIFFERS",
  ],
  [
    "its initiator counted",
    enroll,
    { initiator: "Ada", quorum: { threshold: 2, people: ["Bob", "Dan"], vendors: [] } },
    "ERR_APPROVAL_INITIATOR",
  ],
  [
    "an initiator who has no key file",
    enroll,
    { initiator: "Bob", quorum: { threshold: 2, people: ["Ada", "Dan"], vendors: [] } },
    "ERR_MEMBER_ROLE",
  ],
  ["an auditor as its initiator", enroll, { initiator: "Fay" }, "ERR_MEMBER_ROLE"],
  ["an initiator whom nobody knows", enroll, { initiator: "Zoe" }, "ERR_MEMBER_ROLE"],
  ["a later policy", enroll, { policy: { n: 2, digest: "00".repeat(32) } }, "ERR_CHARTER"],
  [
    "the recovery people without their delay",
    enroll,
    { notBefore: minutes(10), exp: minutes(60) },
    "ERR_REQUEST_DIFFERS",
  ],
  [
    "recovery people and one day less",
    enroll,
    { notBefore: minutes(23 * 60), exp: minutes(48 * 60) },
    "ERR_REQUEST_DIFFERS",
  ],
  ["a name taken twice", { ...enroll, change: { ...enroll.change, name: "B0b" } }, {}, "ERR_NAME"],
  [
    "a device of another person",
    { ...enroll, change: { ...enroll.change, device: { address: ADDRESS, vendor: "Ledger", model: "flex" } } },
    {},
    "ERR_DEVICE_TAKEN",
  ],
  [
    "nobody of that name",
    { verb: "REMOVE", change: { name: "Eve", removal: { what: "person" } } },
    {},
    "ERR_MEMBER_UNKNOWN",
  ],
  [
    "a policy that names strangers",
    { verb: "POLICY", change: { policy: { ...town.policy, groups: [{ name: "desk", members: ["Ada", "Mallory"] }] } } },
    {},
    "ERR_MEMBER_UNKNOWN",
  ],
  [
    "too few admins left",
    { verb: "POLICY", change: { policy: { ...town.policy, governance: { ...town.policy.governance, threshold: 4 } } } },
    {},
    "ERR_POLICY_QUORUM",
  ],
  ["a rotation to the identity in force", { verb: "ROTATE", change: { to: hsm.jwk } }, {}, "ERR_REQUEST_DIFFERS"],
  ["a second founding", foundingMotion, {}, "ERR_CHARTER"],
];
test.each(motions)("a motion with %s", async (_what, motion, change, expected) => {
  const { jws } = await town.ask(motion, change);
  expect(await faultOf(checkRequest({ jws }, trust))).toMatchObject({ code: expected });
});

test("a recovery with its delay is read, and its people are asked", async () => {
  const { jws } = await town.ask(enroll, { notBefore: minutes(24 * 60 + 1), exp: minutes(48 * 60) });
  expect(await checkRequest({ jws }, trust)).toMatchObject({ payload: { quorum: { people: ["Ada", "Bob"] } } });
});

test("what was carried out already", async () => {
  const lift: Motion = { verb: "UNFREEZE", change: { vault: null } };
  const { jws, payload } = await town.ask(lift);
  expect(await readRequest({ jws }, trust)).toMatchObject({ kind: "motion" });
  const after = { ...trust, charter: { ...charter, spent: [payload.request] } };
  expect(await faultOf(readRequest({ jws }, after))).toMatchObject({ code: "ERR_CHARTER" });
});

test("the founding is read before anything else is, and says of us what we know", async () => {
  expect(await checkRequest(founding, unfounded)).toMatchObject({ before: null, after: { people: { n: 1 } } });
  expect(await faultOf(checkRequest(await town.ask(enroll), unfounded))).toMatchObject({ code: "ERR_CHARTER" });
});

const lies: [string, Partial<Trust>][] = [
  ["another bridge", { bridge: "wss://bridge.example/" }],
  ["another browser as ours", { kid: thumbprint(town.bob.jwk) }],
  ["a device that we did not enrol here", { devices: [] }],
  ["other roles than we were told", { roles: ["approver", "admin"] }],
  ["us under another name", { name: "Zoe" }],
];
test.each(lies)("a founding with %s", async (_what, ourselves) => {
  expect(await faultOf(readRequest(founding, { ...unfounded, ...ourselves }))).toMatchObject({
    code: "ERR_REQUEST_DIFFERS",
  });
});

test("a founding under other documents than its own", async () => {
  const { jws } = await town.ask(foundingMotion, { policy: { n: 1, digest: "00".repeat(32) } });
  expect(await faultOf(readRequest({ jws }, unfounded))).toMatchObject({ code: "ERR_REQUEST_DIFFERS" });
});

test("a rotation may be asked for by the next identity alone, and nothing else may", async () => {
  const rotate: Motion = { verb: "ROTATE", change: { to: stranger.jwk } };
  const ask = async (motion: Motion, by: Signer) => (await town.ask(motion, {}, by)).jws;
  expect(await checkRequest({ jws: await ask(rotate, hsm.signer) }, trust)).toMatchObject({ byNextIdentity: false });
  expect(await checkRequest({ jws: await ask(rotate, stranger.signer) }, trust)).toMatchObject({
    byNextIdentity: true,
  });
  const other: Motion = { verb: "ROTATE", change: { to: eve.jwk } };
  for (const jws of [
    await ask(other, stranger.signer),
    await ask(drill, stranger.signer),
    await ask(enroll, stranger.signer),
  ]) {
    expect(await faultOf(checkRequest({ jws }, trust))).toMatchObject({ code: "ERR_ENVELOPE_KEY" });
  }
});

test("a statement that says something else than the change", async () => {
  const { payload } = await town.ask(enroll);
  const lie = { ...payload, statement: payload.statement.replace("AS admin", "AS auditor") };
  const jws = await signPayload(REQUEST, JSON.stringify(lie), hsm.signer);
  expect(await faultOf(inspectRequest({ jws }, trust))).toMatchObject({ code: "ERR_STATEMENT_DIFFERS" });
});
