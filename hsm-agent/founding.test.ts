/** Before the founding nothing works, and what is founded is what everybody signed. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Charter } from "../protocol/charter.ts";
import { parseInvite } from "../protocol/invite.ts";
import { expireRequests } from "./advance.ts";
import { run } from "./commands.ts";
import type { Command } from "./control.ts";
import type { Consequence } from "./desk.ts";
import { askFounding, confirmFounder, draftFounding, missingFounders } from "./founding.ts";
import { Office } from "./testing.ts";
import {
  BRIDGE,
  fault,
  type Key,
  keyOfInvite,
  makeDevice,
  makeKey,
  makePerson,
  type Person,
  policyOf,
} from "./testing-people.ts";
import { readBack } from "./verify.ts";

const [ALICE, BOB, AUDREY] = [makePerson("Alice"), makePerson("Bob"), makePerson("Audrey")];
const OLGA = makePerson("Olga");
const FOUNDERS = [ALICE, BOB, AUDREY];
const WRONG = "abacus abacus abacus abacus abacus abacus";
let office: Office;
let invites: Map<Person, Key>;
beforeEach(async () => {
  ({ office, invites } = await Office.draft([ALICE, BOB], 2, OLGA, { roles: [[AUDREY, ["auditor"]]] }));
});
afterEach(() => office.dispose());

const command = async (each: Command): Promise<unknown> => {
  const followed: Consequence[] = [];
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: (one) => followed.push(one) }, each);
};

async function joinAll(): Promise<void> {
  for (const [person, key] of invites) await office.join(person, key);
}

/** Everybody's words were heard; the FOUND is asked for. */
async function asked(): Promise<string> {
  await joinAll();
  let request: string | null = null;
  for (const person of FOUNDERS) ({ request } = await confirmFounder(office.desk, person.name, office.words(person)));
  await office.drive(request ?? "");
  return request ?? "";
}

function edit(path: string, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path);
  change(database);
  database.close();
}

/** The draft, as somebody with the record in their hands would have it. */
async function editDraft(change: (draft: { people: { name: string; roles: string[] }[]; policy: object }) => object) {
  await office.reopen((path) =>
    edit(path, (d) => {
      const row = d.prepare("SELECT value FROM meta WHERE key = 'founding'").get();
      const text = JSON.stringify(change(JSON.parse(String(row?.["value"])) as never));
      d.prepare("UPDATE meta SET value = ? WHERE key = 'founding'").run(text);
    }),
  );
}

test("everybody but who only proposes gets an invite, for this HSM and this bridge", async () => {
  expect([...invites.keys()].map(({ name }) => name).toSorted()).toEqual(["Alice", "Audrey", "Bob"]);
  const draft = {
    people: [{ name: "Alice", roles: ["admin" as const], key: null }],
    policy: { ...policyOf([], 1), vaults: [] },
  };
  const hsm = office.desk.identity.signer.kid;
  const [made] = await draftFounding(
    office.desk.journal,
    { ...draft, policy: { ...draft.policy, rules: [], groups: [] } },
    hsm,
    office.now,
  );
  expect(parseInvite(made?.code ?? "")).toMatchObject({ bridge: BRIDGE, hsm });
  expect(made?.exp).toBe(office.now + 168 * 3600);
});

test("the founding: pairing, devices, words, everybody's signature, and then act 1 is in force", async () => {
  const id = await asked();
  const { payload, statement } = readBack(office.row(id));
  expect(payload).toMatchObject({
    verb: "FOUND",
    initiator: null,
    quorum: { threshold: 3, people: ["Alice", "Bob", "Audrey"] },
  });
  expect(statement).toMatch(/^FOUND [0-9a-f]{32} BY Alice Bob Audrey; needs 3 of 3; policy 1;/);
  expect(
    office
      .sent("oc-request+jws")
      .map(({ receiver }) => receiver)
      .toSorted(),
  ).toEqual(FOUNDERS.map(({ key }) => key.kid).toSorted());
  for (const person of [ALICE, BOB]) expect(await office.approve(person, id)).toBeUndefined();
  await office.drive(id);
  expect(office.desk.charter.current).toBeNull();
  expect(await office.approve(AUDREY, id)).toBeUndefined();
  await office.drive(id);
  const { people, policy, n, hsm }: Charter = office.desk.charter.require();
  expect([n, hsm, policy.n, people.n]).toEqual([1, office.desk.identity.jwk, 1, 1]);
  expect(people.members.map(({ name, roles, devices }) => [name, roles.join(), devices[0]?.address])).toEqual([
    ["Olga", "initiator", undefined],
    ["Alice", "approver,admin", ALICE.address],
    ["Bob", "approver,admin", BOB.address],
    ["Audrey", "auditor", AUDREY.address],
  ]);
  await office.settle();
  expect(office.desk.journal.pairings()).toEqual([]);
  expect(office.sent("oc-welcome+jws").filter(({ standing }) => standing === "member")).toHaveLength(3);
  await office.reopen();
  expect(office.desk.charter.current).toMatchObject({ n: 1 });
  // Once is enough.
  await expect(askFounding(office.desk)).rejects.toMatchObject(fault("ERR_STATE"));
  await expect(confirmFounder(office.desk, "Alice", WRONG)).rejects.toMatchObject(fault("ERR_STATE"));
});

test("a founder's rejection ends it, and the operator asks anew; so does its expiry", async () => {
  const id = await asked();
  expect(await askFounding(office.desk)).toBe(id);
  await office.approve(ALICE, id);
  expect(await office.reject(BOB, id)).toBeUndefined();
  const second = await askFounding(office.desk);
  await office.drive(second);
  expect(second).not.toBe(id);
  office.now += 7 * 86_400 + 60;
  expect(await office.approve(ALICE, second)).toBe("ERR_REQUEST_EXPIRED");
  expect(expireRequests(office.desk)).toEqual([second]);
  await office.carry(await askFounding(office.desk), FOUNDERS);
  expect(office.desk.charter.current).not.toBeNull();
});

test("approvals of one founding are none of the next", async () => {
  const id = await asked();
  const approval = await office.approval(ALICE, id);
  await office.reject(BOB, id);
  const second = await askFounding(office.desk);
  await office.drive(second);
  const { digest } = office.row(second);
  expect(digest).not.toBe(office.row(id).digest);
  expect(await office.receive(ALICE.key, approval)).toBe("ERR_REQUEST_STATE");
  for (const person of [BOB, AUDREY]) await office.approve(person, second);
  await office.drive(second);
  expect(office.desk.charter.current).toBeNull();
});

test("it waits for everybody: to pair, to enrol a device, to be heard", async () => {
  const missing = async () => {
    await expect(askFounding(office.desk)).rejects.toMatchObject(fault("ERR_FOUNDING"));
    return missingFounders(office.desk).join();
  };
  expect(await missing()).toBe("Alice,Bob,Audrey");
  await joinAll();
  expect(await missing()).toBe("Alice,Bob,Audrey");
  expect(await confirmFounder(office.desk, "Alice", office.words(ALICE))).toEqual({ name: "Alice", request: null });
  expect(await missing()).toBe("Bob,Audrey");
  await confirmFounder(office.desk, "Bob", office.words(BOB));
  expect(await missing()).toBe("Audrey");
  await expect(confirmFounder(office.desk, "Audrey", office.words(ALICE))).rejects.toMatchObject(fault("ERR_WORDS"));
  expect(await missing()).toBe("Audrey");
});

test("wrong words three times end a founder's pairing too", async () => {
  await joinAll();
  for (let n = 0; n < 3; n += 1)
    await expect(confirmFounder(office.desk, "Bob", WRONG)).rejects.toMatchObject(fault("ERR_WORDS"));
  await expect(confirmFounder(office.desk, "Bob", office.words(BOB))).rejects.toMatchObject(fault("ERR_PAIRING"));
});

test("another invite for a founder whose first was spoilt: what came of that one is forgotten, and it is all signed anew", async () => {
  const id = await asked();
  await office.approve(ALICE, id);
  const { code } = (await command({ command: "found.invite", name: "Bob" })) as { code: string };
  expect(office.row(id).state).toBe("void");
  expect(missingFounders(office.desk)).toEqual(["Bob"]);
  expect(await office.sync(BOB)).toBeUndefined();
  const again = { ...BOB, ...makeDevice(), key: makeKey() };
  await office.join(again, keyOfInvite(code));
  await expect(confirmFounder(office.desk, "Bob", office.words(BOB))).rejects.toMatchObject(fault("ERR_WORDS"));
  const { request } = await confirmFounder(office.desk, "Bob", office.words(again));
  await office.carry(request ?? "", [ALICE, again, AUDREY]);
  expect(office.desk.charter.current).toMatchObject({ n: 1 });
  await expect(command({ command: "found.invite", name: "Bob" })).rejects.toMatchObject(fault("ERR_STATE"));
});

/** What is edited before the founding is in what everybody signs, and in its digest: nobody is taken by surprise. */
const EDITS: [string, Parameters<typeof editDraft>[0], RegExp][] = [
  [
    "a person",
    (draft) => ({ ...draft, people: [...draft.people, { name: "Mallory", roles: ["initiator"], key: makeKey().jwk }] }),
    /"name":"Mallory"/,
  ],
  [
    "a role",
    (draft) => ({
      ...draft,
      people: draft.people.map((one) => (one.name === "Audrey" ? { ...one, roles: ["approver", "auditor"] } : one)),
    }),
    /"name":"Audrey","roles":\["approver","auditor"\]/,
  ],
  ["the contact", (draft) => ({ ...draft, policy: { ...draft.policy, contact: "Mallory" } }), /"contact":"Mallory"/],
];
test.each(EDITS)(
  "%s edited into the draft stands in the request, and changes the digest on the device",
  async (_what, change, seen) => {
    const before = readBack(office.row(await asked())).statement;
    await office.reject(ALICE, office.desk.journal.requests(["pending"])[0]?.id ?? "");
    await editDraft(change);
    const row = office.row(await askFounding(office.desk));
    const short = (statement: string) => /FOUND ([0-9a-f]{32})/.exec(statement)?.[1];
    expect(row.payload).toMatch(seen);
    expect(short(readBack(row).statement)).not.toBe(short(before));
  },
);

test("a browser put into the record as a founder's is what that founder finds in place of their own", async () => {
  await joinAll();
  const mallory = { ...makePerson("Alice"), ...makeDevice() };
  await office.reopen((path) =>
    edit(path, (d) =>
      d
        .prepare("UPDATE pairings SET kid = ?, key = ?, device = ?, vouched = 1 WHERE name = 'Alice'")
        .run(
          mallory.key.kid,
          JSON.stringify(mallory.key.jwk),
          JSON.stringify({ address: mallory.address, vendor: "Ledger", model: "x" }),
        ),
    ),
  );
  for (const person of [BOB, AUDREY]) await confirmFounder(office.desk, person.name, office.words(person));
  const id = await askFounding(office.desk);
  await office.drive(id);
  // Alice is not even asked, and what the others sign names another device than she read to them.
  expect(office.sent("oc-request+jws").map(({ receiver }) => receiver)).not.toContain(ALICE.key.kid);
  expect(office.row(id).payload).toContain(mallory.address);
  expect(office.row(id).payload).not.toContain(ALICE.address);
  for (const person of [BOB, AUDREY]) await office.approve(person, id);
  await office.drive(id);
  expect(office.desk.charter.current).toBeNull();
});

/** A founding that was put into the record, or changed there after some had signed. */
test("a founding's request that was edited after it was asked for stops the start", async () => {
  const id = await asked();
  await office.approve(ALICE, id);
  const start = office.reopen((path) =>
    edit(path, (d) => d.exec(`UPDATE request_texts SET payload = replace(payload, 'Treasury desk', 'Mallorys desk')`)),
  );
  await expect(start).rejects.toMatchObject(fault("ERR_STATE"));
});

test("a founding by fewer than all is none, whatever the record says", async () => {
  const id = await asked();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.reopen((path) => edit(path, (d) => d.exec("UPDATE requests SET state = 'approved'")));
  await office.drive(id);
  expect(office.row(id).state).toBe("pending");
  expect(office.desk.charter.current).toBeNull();
  await office.reopen((path) => edit(path, (d) => d.exec("UPDATE requests SET state = 'enacted'")));
  expect(office.desk.charter.current).toBeNull();
});
