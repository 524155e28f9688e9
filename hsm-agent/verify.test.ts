import { afterEach, beforeEach, expect, test } from "vitest";
import { type Approver, checkApproval } from "../protocol/approving.ts";
import { checksumAddress } from "../protocol/device-signature.ts";
import { openEnvelope } from "../protocol/envelope.ts";
import { APPROVAL, type Approval } from "../protocol/message.ts";
import { addTo, type People } from "../protocol/people.ts";
import { sha256Hex } from "../protocol/primitive.ts";
import { advance } from "./advance.ts";
import { CharterBook } from "./desk.ts";
import type { RecordRow } from "./rows.ts";
import { Office } from "./testing.ts";
import { fault, makeKey, makePerson, NETWORK, newJti } from "./testing-people.ts";
import { countQuorum, openApprovals, peopleFor, type Readback, readBack, requireQuorum } from "./verify.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
const ALICES: Approver = { name: "Alice", vendor: "Ledger", address: ALICE.address };
const STRANGER = makePerson("Stranger");
let office: Office;
let id: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  id = await office.propose(OLGA);
  await advance(office.desk, id);
});
afterEach(() => office.dispose());

const request = () => ({ ...readBack(office.row(id)), digest: office.row(id).digest });
const people = () => office.desk.charter.require().people;
const approvalOf = async (person = ALICE): Promise<Approval> => await opened(await office.approval(person, id));

async function opened(jws: string): Promise<Approval> {
  const key = (kid: string) => [ALICE, BOB, CAROL].find((p) => p.key.kid === kid)?.key.jwk;
  const audience = office.desk.identity.signer.kid;
  return (await openEnvelope(jws, { type: APPROVAL, keyOf: key, audience, now: office.now })).payload;
}

test("a whole approval counts for its person", async () => {
  expect(checkApproval(await approvalOf(), request(), people())).toEqual(ALICES);
});

type Attack = (parts: { approval: Approval; request: Readback & { digest: string }; people: People }) => {
  approval?: Approval;
  request?: Readback & { digest: string };
  people?: People;
};
const STEPS: [string, Attack, string][] = [
  [
    "1: another request",
    ({ approval }) => ({ approval: { ...approval, request: "0000000000000000" } }),
    "ERR_APPROVAL_DIGEST",
  ],
  ["1: other bytes", ({ approval }) => ({ approval: { ...approval, digest: "0".repeat(64) } }), "ERR_APPROVAL_DIGEST"],
  [
    "2: a key of nobody's",
    ({ approval }) => ({ approval: { ...approval, iss: makeKey().kid } }),
    "ERR_APPROVAL_NOT_ELIGIBLE",
  ],
  [
    "2: a key in a file",
    ({ approval }) => ({ approval: { ...approval, iss: OLGA.file.kid } }),
    "ERR_APPROVAL_NOT_ELIGIBLE",
  ],
  [
    "3: the initiator",
    (r) => ({ request: { ...r.request, payload: { ...r.request.payload, initiator: "Alice" } } }),
    "ERR_APPROVAL_INITIATOR",
  ],
  [
    "4: not in the quorum",
    ({ request: r }) => ({
      request: { ...r, payload: { ...r.payload, quorum: { threshold: 2, people: ["Bob", "Carol"], vendors: [] } } },
    }),
    "ERR_APPROVAL_NOT_ELIGIBLE",
  ],
  [
    "4: a browser that the request was not sent to",
    ({ request: r }) => ({ request: { ...r, payload: { ...r.payload, aud: [BOB.key.kid] } } }),
    "ERR_APPROVAL_NOT_ELIGIBLE",
  ],
  [
    "5: another's device",
    ({ approval }) => ({ approval: { ...approval, address: BOB.address } }),
    "ERR_APPROVAL_DEVICE",
  ],
  [
    "5: a device that nobody enrolled",
    ({ approval, request: r }) => ({
      approval: { ...approval, address: STRANGER.address, signature: STRANGER.sign(r.statement) },
    }),
    "ERR_APPROVAL_DEVICE",
  ],
  [
    "5: a device that was removed",
    ({ people: p }) => ({ people: { ...p, members: p.members.map((m) => ({ ...m, devices: [] })) } }),
    "ERR_APPROVAL_DEVICE",
  ],
  [
    "5: another device's signature",
    ({ approval, request: r }) => ({ approval: { ...approval, signature: BOB.sign(r.statement) } }),
    "ERR_APPROVAL_SIGNATURE",
  ],
  [
    "5: another statement",
    ({ approval, request: r }) => ({ approval: { ...approval, signature: ALICE.sign(`${r.statement} `) } }),
    "ERR_APPROVAL_SIGNATURE",
  ],
  [
    "5: no signature",
    ({ approval }) => ({ approval: { ...approval, signature: `0x${"0".repeat(128)}1b` } }),
    "ERR_APPROVAL_SIGNATURE",
  ],
  [
    "5: the other recovery bit",
    ({ approval: a }) => ({
      approval: { ...a, signature: a.signature.slice(0, -1) + (a.signature.endsWith("b") ? "c" : "b") },
    }),
    "ERR_APPROVAL_SIGNATURE",
  ],
];
test.each(STEPS)("step %s", async (_what, attack, code) => {
  const parts = { approval: await approvalOf(), request: request(), people: people() };
  const attacked = { ...parts, ...attack(parts) };
  expect(() => checkApproval(attacked.approval, attacked.request, attacked.people)).toThrow(
    expect.objectContaining(fault(code)),
  );
});

test("two approvals of one person, from two browsers, count once", async () => {
  const second = makeKey();
  const both = addTo(people(), { name: "Alice", roles: [], extension: second.jwk, file: null, device: null });
  const row = office.row(id);
  const one = await approvalOf();
  const two: Approval = { ...one, iss: second.kid, jti: newJti() };
  const wide = JSON.parse(row.payload) as { aud: string[] };
  const payload = JSON.stringify({ ...wide, aud: [...wide.aud, second.kid] });
  const digest = sha256Hex(new TextEncoder().encode(payload));
  const widened = { ...row, payload, digest };
  const { statement } = readBack(widened);
  const approvals = [one, two].map((a) => ({ ...a, digest, signature: ALICE.sign(statement) }));
  const records = approvals.map(({ jti }) => recordOf("approval", "Alice", jti));
  expect(countQuorum(widened, records, approvals, both)).toEqual([ALICES]);
  expect(() => requireQuorum(widened, records, approvals, both)).toThrow(expect.objectContaining(fault("ERR_QUORUM")));
});

test("who withdrew or rejected is not counted, whatever came first", async () => {
  const [alice, bob] = [await approvalOf(ALICE), await approvalOf(BOB)];
  const records = [recordOf("approval", "Alice", alice.jti), recordOf("approval", "Bob", bob.jti)];
  const count = (more: RecordRow[]) => countQuorum(office.row(id), more, [alice, bob], people());
  expect(count(records).map(({ name }) => name)).toEqual(["Alice", "Bob"]);
  expect(count([...records, recordOf("withdrawal", "Bob")])).toEqual([ALICES]);
  expect(count([recordOf("withdrawal", "Bob"), ...records])).toEqual([ALICES]);
  expect(count([...records, recordOf("rejection", "Alice")])).toMatchObject([{ name: "Bob" }]);
});

test("approvals that are not those of the records are not counted", async () => {
  const [alice, bob] = [await approvalOf(ALICE), await approvalOf(BOB)];
  const record = recordOf("approval", "Alice", alice.jti);
  for (const [records, approvals] of [
    [[record], []],
    [[record], [bob]],
    [[record], [alice, bob]],
    [[], [alice]],
  ] as const)
    expect(() => countQuorum(office.row(id), records, approvals, people())).toThrow(
      expect.objectContaining(fault("ERR_QUORUM")),
    );
});

test("a stored payload that was edited is refused, with its digest and without", () => {
  const row = office.row(id);
  const payload = row.payload.replace('"threshold":2', '"threshold":1');
  expect(payload).not.toBe(row.payload);
  expect(() => readBack({ ...row, payload })).toThrow(expect.objectContaining(fault("ERR_STATE")));
  const digest = sha256Hex(new TextEncoder().encode(payload));
  // The statement names the quorum.
  expect(() => readBack({ payload, digest })).toThrow(expect.objectContaining(fault("ERR_STATEMENT_DIFFERS")));
});

test("with a digest and a statement that fit, no approval fits any more", async () => {
  const row = office.row(id);
  const payload = row.payload.replace('"threshold":2', '"threshold":1').replace("needs 2 of 3", "needs 1 of 3");
  const edited = { ...row, payload, digest: sha256Hex(new TextEncoder().encode(payload)) };
  const approval = await approvalOf();
  expect(() => countQuorum(edited, [recordOf("approval", "Alice", approval.jti)], [approval], people())).toThrow(
    expect.objectContaining(fault("ERR_APPROVAL_DIGEST")),
  );
});

const EDITS: [string, (jws: string) => string][] = [
  ["the signature", (jws) => `${jws.slice(0, -4)}AAAA`],
  ["the payload", (jws) => jws.replace(/\.[^.]+\./, `.${Buffer.from('{"v":1}').toString("base64url")}.`)],
  ["all of it", () => "x"],
];
test.each(EDITS)("a stored approval of which somebody edited %s is refused", async (_what, edit) => {
  const jws = await office.approval(ALICE, id);
  const record = { ...recordOf("approval", "Alice"), jws: edit(jws) };
  await expect(openApprovals([record], people(), office.desk.identity.signer.kid)).rejects.toMatchObject({
    name: "Fault",
  });
});

test("a stored approval under another's name or another id is refused", async () => {
  const jws = await office.approval(ALICE, id);
  const { jti } = await opened(jws);
  const open = async (record: RecordRow) => await openApprovals([record], people(), office.desk.identity.signer.kid);
  expect(await open({ ...recordOf("approval", "Alice", jti), jws })).toMatchObject([{ jti }]);
  for (const record of [recordOf("approval", "Bob", jti), recordOf("approval", "Alice")])
    await expect(open({ ...record, jws })).rejects.toMatchObject(fault("ERR_STATE"));
});

test("a short request is read once; a long one is read each time, and not kept", async () => {
  expect(readBack(office.row(id))).toBe(readBack(office.row(id)));
  const addressBook = Array.from({ length: 150 }, (_, n) => ({
    name: `Payee-${n}`,
    network: NETWORK,
    address: checksumAddress(`0x${`${n}`.padStart(40, "a")}`),
  }));
  const long = await office.motion(OLGA, { verb: "POLICY", change: { policy: { ...office.policy, addressBook } } });
  expect(office.row(long).payload.length).toBeGreaterThan(8_192);
  expect(readBack(office.row(long))).toEqual(readBack(office.row(long)));
  expect(readBack(office.row(long))).not.toBe(readBack(office.row(long)));
});

test("the people who count are those in force, and of a founding its own: before it, nobody else's", async () => {
  const book = new CharterBook();
  const transfer = readBack(office.row(id)).payload;
  expect(() => peopleFor(transfer, book)).toThrow(expect.objectContaining(fault("ERR_FOUNDING")));
  book.current = office.desk.charter.current;
  expect(peopleFor(transfer, book)).toEqual(people());
  const founding = office.desk.journal.requests(["enacted"])[0];
  if (founding === undefined) throw new Error("no founding");
  expect(peopleFor(readBack(founding).payload, new CharterBook())).toEqual(people());
});

function recordOf(kind: RecordRow["kind"], person: string, of = newJti()): RecordRow {
  return { kind, person, of, at: office.now, vendor: null, address: null, reason: null, jws: "" };
}
