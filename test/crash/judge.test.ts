import { privateKeyToAccount } from "viem/accounts";
import { expect, test } from "vitest";
import { Judge, PAGE } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import type { AgentRecord, RecordedRequest } from "./record.ts";

const ONE = privateKeyToAccount(`0x${"11".repeat(32)}`);
const OTHER = privateKeyToAccount(`0x${"22".repeat(32)}`);
const sign = async (by: typeof ONE, value: bigint) =>
  await by.signTransaction({
    type: "eip1559",
    chainId: 1,
    nonce: 7,
    gas: 21_000n,
    maxFeePerGas: 1n,
    to: `0x${"33".repeat(20)}`,
    value,
  });

function row(change: Partial<RecordedRequest> = {}): RecordedRequest {
  const same = { id: "A", proposal: "p", state: "signed", vault: "Treasury-1", network: "eip155:1", nonce: 7 };
  return { ...same, signed: null, ...change };
}

function record(rows: RecordedRequest[], change: Partial<AgentRecord> = {}): AgentRecord {
  const requests = new Map(rows.map((one) => [one.id, one]));
  return { requests, decisions: new Map(), freezes: new Set(), acts: 1, ...change };
}

test("what was acknowledged and is there is not lost", async () => {
  const ledger = new Ledger();
  const judge = new Judge(ledger);
  const signed = await sign(ONE, 1n);
  ledger.proposed("p", "A");
  ledger.told("A", "signed");
  ledger.read("A", signed);
  ledger.decided("j", { kind: "approval", request: "A", person: "Ada" });
  ledger.decided(`${PAGE}A`, { kind: "approval", request: "A", person: "Bea" });
  ledger.decided("f", { kind: "freeze", request: null, person: "Ada" });
  const decisions = new Map([
    ["j", { request: "A", kind: "approval", person: "Ada" }],
    ["k", { request: "A", kind: "approval", person: "Bea" }],
  ]);
  judge.examine(record([row({ signed })], { decisions, freezes: new Set(["f"]) }), "now");
  expect(judge.lost()).toEqual([]);
  expect(judge.signedTwice()).toEqual([]);
  expect(ledger.acknowledged).toBe(5);
});

const LOST: [string, (ledger: Ledger) => void, AgentRecord][] = [
  ["a request", (ledger) => ledger.proposed("p", "A"), record([])],
  ["a request that is another proposal's", (ledger) => ledger.proposed("p", "A"), record([row({ proposal: "q" })])],
  ["an end", (ledger) => ledger.told("A", "signed"), record([row({ state: "approved" })])],
  ["a signed transaction", (ledger) => ledger.read("A", "0x02"), record([row()])],
  [
    "an approval",
    (ledger) => ledger.decided("j", { kind: "approval", request: "A", person: "Ada" }),
    record([row()], { decisions: new Map([["k", { request: "A", kind: "approval", person: "Ada" }]]) }),
  ],
  [
    "an approval that a page told",
    (ledger) => ledger.decided(`${PAGE}A`, { kind: "approval", request: "A", person: "Ada" }),
    record([row()], { decisions: new Map([["k", { request: "A", kind: "approval", person: "Ben" }]]) }),
  ],
  ["a freeze", (ledger) => ledger.decided("f", { kind: "freeze", request: null, person: "Ada" }), record([])],
];
test.each(LOST)("lost: %s", (_what, happen, found) => {
  const ledger = new Ledger();
  const judge = new Judge(ledger);
  happen(ledger);
  judge.examine(found, "now");
  expect(judge.lost()).toHaveLength(1);
});

test("an act that is gone, one proposal that is two requests and an end that changes are lost too", () => {
  const ledger = new Ledger();
  const judge = new Judge(ledger);
  judge.examine(record([], { acts: 2 }), "before");
  judge.examine(record([], { acts: 1 }), "after");
  expect(judge.lost()).toEqual(["act 2, where 1 are (after)"]);
  ledger.proposed("p", "A");
  ledger.proposed("p", "B");
  ledger.told("A", "rejected");
  ledger.told("A", "signed");
  expect(judge.lost()).toHaveLength(3);
});

test("two signed forms of one request are signed twice, also where the first one is gone", async () => {
  const judge = new Judge(new Ledger());
  judge.examine(record([row({ signed: await sign(ONE, 1n) })]), "before");
  expect(judge.signedTwice()).toEqual([]);
  judge.examine(record([row({ signed: await sign(OTHER, 1n) })]), "after");
  expect(judge.signedTwice()).toEqual(["request A"]);
});

test("two transactions with one nonce are signed twice", async () => {
  const judge = new Judge(new Ledger());
  const rows = [row({ signed: await sign(ONE, 1n) }), row({ id: "B", signed: await sign(ONE, 2n) })];
  judge.examine(record(rows), "now");
  expect(judge.signedTwice()).toEqual(["Treasury-1 eip155:1 nonce 7"]);
});
