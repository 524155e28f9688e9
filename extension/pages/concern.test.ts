import { expect, test } from "vitest";
import type { TransferRequest } from "../../protocol/request.ts";
import { appraise } from "./concern.ts";
import { DESTINATION, NOW, OTHER, samplePayload, sampleRecord, sampleTransfer } from "./sample-request.ts";

const VAULT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";
const USDC = { contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", symbol: "USDC", decimals: 6 };

function earlier(changes: Partial<TransferRequest["effect"]> = {}) {
  const effect = { ...samplePayload().effect, amount: "1.00", ...changes };
  return sampleTransfer({ state: "signed", payload: { request: "01JDA7Q9T2M4XYZ1", effect } });
}

function textsOf(subject = sampleTransfer(), others = [earlier()], now = NOW) {
  return appraise(subject, VAULT, others, now).concerns.map(({ level, text }) => `${level}: ${text}`);
}

test("a usual payment to a known destination raises nothing, and says what was checked", () => {
  const { concerns, checked } = appraise(sampleTransfer(), VAULT, [earlier()], NOW);
  expect(concerns).toEqual([]);
  expect(checked.length).toBeGreaterThan(2);
});

test("a browser without a history notes what it cannot compare", () => {
  const texts = textsOf(sampleTransfer(), []);
  expect(texts).toHaveLength(2);
  expect(texts.every((text) => text.startsWith("note: "))).toBe(true);
});

test("a new destination of a known vault is a warning; an unsigned request does not make it known", () => {
  const pending = sampleTransfer({ payload: { request: "01JDA7Q9T2M4XYZ2", effect: { ...earlier().payload.effect } } });
  const texts = textsOf(sampleTransfer(), [earlier({ to: OTHER }), pending]);
  expect(texts[0]).toMatch(/^warning: This browser has not seen a signed payment to this destination/);
});

test("the amount is compared exactly, beyond what a float can hold", () => {
  const effect = { ...samplePayload().effect, amount: "3.000000000000000001" };
  expect(textsOf(sampleTransfer({ payload: { effect } }))).toEqual([
    "warning: The amount is more than three times the largest that this browser saw from Treasury-1 (1.00 ETH).",
  ]);
  expect(textsOf(sampleTransfer({ payload: { effect: { ...effect, amount: "3.00" } } }))).toEqual([]);
});

test("tokens are compared with the same token only", () => {
  const effect = { ...samplePayload().effect, amount: "250000.00", asset: "USDC" };
  expect(textsOf(sampleTransfer({ payload: { token: USDC, effect } }))).toEqual([
    "note: No USDC from Treasury-1 was signed in this browser before: no earlier amount to compare with.",
  ]);
});

test("a fee above one percent of the amount, or as large as it", () => {
  const effect = { ...samplePayload().effect, maxFee: "0.016 ETH" };
  expect(textsOf(sampleTransfer({ payload: { effect } }))).toEqual([
    "warning: The fee may reach 0.016 ETH: more than 1% of the amount.",
  ]);
  expect(textsOf(sampleTransfer({ payload: { effect: { ...effect, maxFee: "1.50 ETH" } } }))).toEqual([
    "warning: The fee may reach 1.50 ETH: as much as the amount itself.",
  ]);
});

test("a fee far above the earlier ones", () => {
  expect(textsOf(sampleTransfer(), [earlier({ maxFee: "0.001 ETH" })])).toEqual([
    "warning: The fee may reach 0.012 ETH, more than three times the highest before (0.001 ETH).",
  ]);
});

test("the token's contract and the vault itself as destination", () => {
  const effect = { ...samplePayload().effect, to: USDC.contract, asset: "USDC" };
  expect(textsOf(sampleTransfer({ payload: { token: USDC, effect } }))[0]).toContain("is the contract of USDC itself");
  expect(textsOf(sampleTransfer({ payload: { effect: { ...effect, to: VAULT } } }))[0]).toContain("the vault itself");
});

test("a duplicate, a withdrawal, an earlier rejection and a near end", () => {
  const subject = sampleTransfer({
    payload: { exp: NOW + 300 },
    state: "pending",
    records: [sampleRecord("withdrawal", "dave")],
  });
  const rejected = sampleTransfer({
    payload: { request: "01JDA7Q9T2M4XYZ3" },
    state: "rejected",
    records: [sampleRecord("rejection", "bob", { reason: "suspicious" })],
  });
  const texts = textsOf(subject, [earlier({ amount: "1.50" }), rejected]);
  expect(texts.map((text) => text.slice(9, 40))).toEqual([
    "dave withdrew while approving t",
    "A request to this destination w",
    "The same amount to the same des",
    "It expires in less than ten min",
  ]);
  // Who withdrew is not asked why by their own page.
  const own = appraise(subject, VAULT, [], NOW, "dave").concerns.map(({ text }) => text);
  expect(own.filter((text) => text.includes("withdrew"))).toEqual([]);
});

test("what ended when the agent went back to an older record may have been sent", () => {
  const same = { payload: { request: "01JDA7Q9T2M4XYZ3" } };
  const ended = { ...sampleTransfer({ ...same, state: "void" }), restored: { was: "pending" } as const };
  const asks = (other: ReturnType<typeof sampleTransfer>) =>
    textsOf(sampleTransfer(), [earlier(), other]).filter((text) => /older record/.test(text));
  expect(asks(ended)).toEqual([
    "warning: The same was requested before the agent went back to an older record (request 01JDA7Q9T2M4XYZ3). It may have been sent: ask your operator.",
  ]);
  // The agent says since that it stands.
  const stands = { ...sampleTransfer({ ...same, state: "signed" }), restored: { was: "signed" } as const };
  expect([
    asks(stands),
    textsOf(sampleTransfer(), [stands]).some((text) => text.includes("was already signed")),
  ]).toEqual([[], true]);
  const gone = sampleTransfer({ ...same, state: "void" });
  expect(textsOf(sampleTransfer(), [earlier(), gone])).toEqual([]);
});

test("another vault and another network teach nothing", () => {
  const network = { ...samplePayload().network, id: "eip155:10" };
  const elsewhere = sampleTransfer({ state: "signed", payload: { request: "01JDA7Q9T2M4XYZ4", network } });
  expect(textsOf(sampleTransfer(), [elsewhere])).toHaveLength(2);
  expect(elsewhere.payload.effect.to).toBe(DESTINATION);
});
