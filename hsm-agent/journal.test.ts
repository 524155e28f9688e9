import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RequestState } from "../protocol/message.ts";
import { Journal } from "./journal.ts";
import { integer, optionalText, text } from "./rows.ts";
import { fault, type Key, makeKey, newJti } from "./testing-people.ts";

let folder: string;
let path: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-journal-"));
  path = join(folder, "agent.db");
  journal = new Journal(path);
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

const V = ["Treasury-1", "eip155:1"] as const;

function add(id: string, nonce: number, state: RequestState = "pending"): void {
  journal.addRequest({
    id,
    proposal: newJti(),
    proposalJws: null,
    verb: "SEND",
    state,
    vault: V[0],
    network: V[1],
    nonce,
    initiator: "Olga",
    expires: 100,
    notBefore: null,
    at: 1,
    payload: '{"aud":["x"],"jti":"j"}',
    digest: "ab".repeat(32),
    policy: 1,
    people: 1,
  });
}

test("a transaction is done whole or not at all, nested ones with it", () => {
  expect(() =>
    journal.transaction(() => {
      journal.setMeta("outer", "1");
      journal.transaction(() => journal.setMeta("inner", "1"));
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect([journal.meta("outer"), journal.meta("inner")]).toEqual([undefined, undefined]);
  journal.transaction(() => journal.transaction(() => journal.setMeta("inner", "2")));
  expect(journal.meta("inner")).toBe("2");
});

test("what was committed is there after a kill: the file of a process that never closed it", () => {
  journal.setMeta("key", "value");
  // A second reader would be refused by the lock; SQLite recovers from the log of the first.
  journal.close();
  journal = new Journal(path);
  expect(journal.meta("key")).toBe("value");
});

test("nonces: in order, freed ones first and the lowest of them first, each once", () => {
  journal.setNextNonce(...V, 7);
  expect([journal.takeNonce(...V), journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([7, 8, 9]);
  for (const nonce of [9, 7, 7]) journal.freeNonce(...V, nonce);
  expect([journal.takeNonce(...V), journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([7, 9, 10]);
  expect(journal.nextNonce(...V)).toBe(11);
});

test("nonces of vaults and networks are their own, and there is none before the first was set", () => {
  journal.setNextNonce(...V, 7);
  expect(() => journal.takeNonce("Treasury-1", "eip155:10")).toThrow(expect.objectContaining(fault("ERR_STATE")));
  expect(() => journal.takeNonce("Treasury-2", "eip155:1")).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

test("a nonce that a rolled back transaction took is not lost", () => {
  journal.setNextNonce(...V, 7);
  const take = () =>
    journal.transaction(() => {
      journal.takeNonce(...V);
      throw new Error("fee cap");
    });
  expect(take).toThrow("fee cap");
  journal.freeNonce(...V, 3);
  expect(take).toThrow("fee cap");
  expect([journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([3, 7]);
});

const LIVE: RequestState[] = ["proposed", "pending", "approved", "signed"];
test.each(LIVE)("two live requests never have one nonce: one is %s", (state) => {
  add("AAAAAAAAAAAAAAAA", 7, state);
  expect(() => add("BBBBBBBBBBBBBBBB", 7)).toThrow("UNIQUE");
  add("CCCCCCCCCCCCCCCC", 8);
});

const ENDED: RequestState[] = ["rejected", "cancelled", "expired", "void", "failed"];
test.each(ENDED)("the nonce of one that is %s may be used again", (state) => {
  add("AAAAAAAAAAAAAAAA", 7, state);
  add("BBBBBBBBBBBBBBBB", 7);
  expect(() => journal.changeRequest("AAAAAAAAAAAAAAAA", { state: "pending" })).toThrow("UNIQUE");
});

test("one approval of a person for a request, one use of a jti, one request of a proposal", () => {
  add("AAAAAAAAAAAAAAAA", 7);
  const record = {
    kind: "approval",
    person: "Alice",
    at: 1,
    vendor: null,
    address: null,
    reason: null,
    jws: "",
  } as const;
  journal.addRecord("AAAAAAAAAAAAAAAA", { ...record, of: "1" });
  expect(() => journal.addRecord("AAAAAAAAAAAAAAAA", { ...record, of: "2" })).toThrow("UNIQUE");
  expect(() => journal.addRecord("AAAAAAAAAAAAAAAA", { ...record, person: "Bob", of: "1" })).toThrow("UNIQUE");
  journal.addRecord("AAAAAAAAAAAAAAAA", { ...record, kind: "withdrawal", of: "3" });
  expect(journal.records("AAAAAAAAAAAAAAAA").map(({ of }) => of)).toEqual(["1", "3"]);
  expect(journal.recordOf("1")).toEqual({ request: "AAAAAAAAAAAAAAAA", person: "Alice" });
});

test("the outbox holds a message once for each receiver, in order, until it is removed", () => {
  journal.post("1", ["a", "b"], "x");
  journal.post("1", ["b", "c"], "x");
  journal.post("2", ["a"], "y");
  expect(journal.outbox().map(({ id, receiver }) => id + receiver)).toEqual(["1a", "1b", "1c", "2a"]);
  expect(journal.outbox(2).map(({ id, receiver }) => id + receiver)).toEqual(["1a", "1b"]);
  expect(journal.outbox(9, ["a", "c"]).map(({ id, receiver }) => id + receiver)).toEqual(["1b"]);
  expect(journal.waitingFor("a")).toBe(2);
  journal.removeFromOutbox(journal.outbox()[0]?.n ?? 0);
  expect(journal.outbox().map(({ id, receiver }) => id + receiver)).toEqual(["1b", "1c", "2a"]);
});

test("a change is in the log when its transaction ends, and owed to whom it was sent to", () => {
  add("0000000000000001", 7);
  const row = { id: "0000000000000001", digest: "ab".repeat(32) };
  journal.transaction(() => journal.issueRequest(row, "pending", "jws"));
  expect(journal.owedViews(9)).toEqual([]);
  const size = journal.logSize();
  journal.transaction(() => {
    journal.changeRequest(row.id, { state: "rejected", problem: null });
    journal.changeRequest(row.id, {});
  });
  expect(journal.logSize()).toBe(size + 1);
  expect(journal.request(row.id)).toMatchObject({ revision: 2, logged: 2, entry: size });
  expect(JSON.parse(journal.logLines(size, 9)[0] ?? "")).toMatchObject({ kind: "state", n: 2, state: "rejected" });
});

test("a change that is taken back leaves no entry, then or later", () => {
  add("0000000000000001", 7);
  const size = journal.logSize();
  expect(() =>
    journal.transaction(() => {
      journal.changeRequest("0000000000000001", { state: "rejected" });
      throw new Error("no");
    }),
  ).toThrow("no");
  journal.transaction(() => journal.setMeta("other", "1"));
  expect(journal.logSize()).toBe(size);
  expect(journal.request("0000000000000001")?.state).toBe("pending");
});

test("only what is due is found by its expiry", () => {
  add("AAAAAAAAAAAAAAAA", 7);
  add("BBBBBBBBBBBBBBBB", 8, "signed");
  expect(journal.requests(["pending"], 99)).toEqual([]);
  expect(journal.requests(["pending"], 100).map(({ id }) => id)).toEqual(["AAAAAAAAAAAAAAAA"]);
});

test("a value that cannot be is said to be damage, not used", () => {
  for (const [convert, value] of [
    [text, null],
    [text, 1],
    [optionalText, 1],
    [integer, "x"],
    [integer, null],
  ] as const)
    expect(() => convert(value)).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

test("no identity before init", () => {
  expect(() => journal.requireMeta("identity")).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

const act = (n: number) => ({ n, verb: "POLICY" as const, request: "0000000000000001", head: "ab".repeat(32) });
test("acts are read in their order, after the one that is known, each number once", () => {
  journal.addAct(act(2), "b");
  journal.addAct(act(1), "a");
  expect([journal.acts(), journal.acts(1), journal.acts(2)]).toEqual([["a", "b"], ["b"], []]);
  expect(() => journal.addAct(act(2), "c")).toThrow("UNIQUE");
});

const invite = (name: string, key: Key = makeKey()) =>
  ({ kid: key.kid, name, roles: ["approver"], inviter: null, key: key.jwk, exp: 10 }) as const;
const pairing = (name: string, key: Key = makeKey()) => {
  const { kid, jwk } = key;
  return { kid, jti: newJti(), name, roles: ["approver"], inviter: "Olga", key: jwk, seal: makeKey().jwk } as const;
};

test("a new invite takes the place of the old one and of what paired with it, and of nobody else's", () => {
  journal.addInvite(invite("Eve"));
  journal.addInvite(invite("Dan"));
  journal.addPairing(pairing("Eve"), 1);
  journal.addPairing(pairing("Dan"), 1);
  const newer = invite("Eve");
  journal.addInvite(newer);
  expect(journal.invites().map(({ name }) => name)).toEqual(expect.arrayContaining(["Dan", "Eve"]));
  expect(journal.invites()).toHaveLength(2);
  expect(journal.invites()).toContainEqual(newer);
  expect(journal.pairings().map(({ name }) => name)).toEqual(["Dan"]);
});

test("a pairing comes back as it was changed", () => {
  const row = pairing("Eve");
  journal.addPairing(row, 1);
  expect(journal.pairings()).toEqual([{ ...row, device: null, vouched: false, tries: 0 }]);
  const device = { address: "0x", vendor: "Ledger", model: "flex" } as const;
  journal.changePairing(row.kid, { device, vouched: true, tries: 2 });
  expect(journal.pairings()).toEqual([{ ...row, device, vouched: true, tries: 2 }]);
  expect(() => journal.addPairing(pairing("Eve"), 1)).toThrow("UNIQUE");
});

test("freezes: everybody who froze is named, with their last message, and what they froze is lifted by its name or all at once", () => {
  const [first, again] = [newJti(), newJti()];
  const freezeOf = (vault: string | null, by: string | null, of = first) => ({ vault, by, at: 1, of });
  for (const each of [
    freezeOf("V", "Alice"),
    freezeOf(null, null),
    freezeOf("V", "Bob"),
    freezeOf("V", "Alice", again),
  ])
    journal.addFreeze(each);
  expect(journal.freezes()).toEqual([freezeOf(null, null), freezeOf("V", "Alice", again), freezeOf("V", "Bob")]);
  journal.removeFreezes("V");
  expect(journal.freezes()).toEqual([freezeOf(null, null)]);
  journal.addFreeze(freezeOf("V", "Bob"));
  journal.removeFreezes(null);
  expect(journal.freezes()).toEqual([]);
});

test("an extension's receiving key is the one of the highest number that it told", () => {
  const [one, two, three] = [makeKey().jwk, makeKey().jwk, makeKey().jwk];
  journal.setMemberSeal("k", 2, two);
  journal.setMemberSeal("k", 1, one);
  journal.setMemberSeal("k", 2, one);
  expect(journal.memberSeal("k")).toEqual(two);
  journal.setMemberSeal("k", 3, three);
  expect(journal.memberSeal("k")).toEqual(three);
  expect(journal.memberSeal("l")).toBeUndefined();
});

test("the agent's receiving keys are kept until their time", () => {
  journal.addSeal("a", { d: "a" }, 10);
  journal.addSeal("b", { d: "b" }, 11);
  journal.removeSealsUntil(9);
  expect(journal.seals()).toHaveLength(2);
  journal.removeSealsUntil(10);
  expect(journal.seals()).toEqual([{ kid: "b", key: { d: "b" } }]);
});

test("the same answer to the same receiver is owed once, in order, until it is removed", () => {
  const owe = (what: "welcome" | "refusal", receiver: string, body = "{}") =>
    journal.owe({ what, receiver, body, seal: null });
  owe("welcome", "a");
  owe("refusal", "a", "1");
  owe("welcome", "a");
  owe("refusal", "a", "2");
  owe("welcome", "b");
  const seen = () => journal.owed().map(({ what, receiver, body }) => what + receiver + body);
  expect(seen()).toEqual(["welcomea{}", "refusala1", "refusala2", "welcomeb{}"]);
  expect(journal.waitingFor("a")).toBe(3);
  journal.removeOwed(journal.owed()[0]?.n ?? 0);
  owe("welcome", "a");
  expect(seen()).toEqual(["refusala1", "refusala2", "welcomeb{}", "welcomea{}"]);
  journal.post("1", ["a", "b"], "x");
  journal.removeMailOf("a");
  expect(seen()).toEqual(["welcomeb{}"]);
  expect(journal.outbox().map(({ receiver }) => receiver)).toEqual(["b"]);
});
