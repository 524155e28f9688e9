/** What a transfer says of documents, quorum and names, against the charter. Each planted request is wrong in one thing. */
import { serializeTransaction } from "viem/utils";
import { expect, test, vi } from "vitest";
import type { Charter } from "../protocol/charter.ts";
import { signEnvelope } from "../protocol/envelope.ts";
import { referencesOf } from "../protocol/governance.ts";
import type { PolicyText, Rule } from "../protocol/policy.ts";
import { REQUEST, type TransferRequest, withStatement } from "../protocol/request.ts";
import { charter, faultOf, hsm, kid, trust, unfounded } from "./charter-double.ts";
import { inspectRequest, readRequest } from "./check.ts";
import { claimsFor, clock } from "./compose.ts";
import { DESTINATION, minutes, SEND } from "./hsm-double.ts";
import { USDC } from "./town-double.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

/** The same charter with another policy text. */
function charterWith(change: Partial<PolicyText>): Charter {
  return { ...charter, policy: { ...charter.policy, ...change } };
}
const [rule] = charter.policy.rules;
const ruleWith = (change: Partial<Rule>): Charter => {
  if (rule === undefined) throw new Error("no rule");
  return charterWith({ rules: [{ ...rule, ...change }] });
};
async function transfer(change: Partial<TransferRequest> = {}, under: Charter = charter): Promise<string> {
  const claims = { ...claimsFor(hsm.signer, kid, clock(), 60), exp: minutes(60) };
  return await signEnvelope(
    REQUEST,
    withStatement({ ...claims, ...SEND, ...referencesOf(under), ...change }),
    hsm.signer,
  );
}
const book = [{ name: "Acme", network: SEND.network.id, address: DESTINATION }];
const transfers: [string, Partial<TransferRequest>, Charter, string, string][] = [
  [
    "another vault's key",
    { vault: { ...SEND.vault, publicKey: `04${"cd".repeat(64)}` } },
    charter,
    "ERR_REQUEST_DIFFERS",
    "vault",
  ],
  ["another vault's id", { vault: { ...SEND.vault, id: "cd".repeat(16) } }, charter, "ERR_REQUEST_DIFFERS", "vault"],
  [
    "a vault that is not in the policy",
    { vault: { ...SEND.vault, name: "Treasury-2" } },
    charter,
    "ERR_REQUEST_DIFFERS",
    "vault",
  ],
  [
    "another name of the network",
    { network: { ...SEND.network, name: "Sepolia" } },
    charter,
    "ERR_REQUEST_DIFFERS",
    "network",
  ],
  ["a payee who is not in the book", { payee: "Acme" }, charter, "ERR_REQUEST_DIFFERS", "payee"],
  ["a payee left out", {}, charterWith({ addressBook: book }), "ERR_REQUEST_DIFFERS", "payee"],
  [
    "a destination that is not in the book",
    {},
    ruleWith({ destinations: "book" }),
    "ERR_POLICY_DENIED",
    "address book",
  ],
  ["no rule", {}, charterWith({ rules: [] }), "ERR_POLICY_DENIED", "no rule"],
  ["too high a fee", {}, ruleWith({ maxFee: "0.0006299" }), "ERR_POLICY_DENIED", "fee"],
  ["a lower threshold", { quorum: { ...SEND.quorum, threshold: 1 } }, charter, "ERR_REQUEST_DIFFERS", "quorum"],
  ["a higher threshold", { quorum: { ...SEND.quorum, threshold: 3 } }, charter, "ERR_REQUEST_DIFFERS", "quorum"],
  ["a vendor left out", {}, ruleWith({ vendors: [{ vendor: "Trezor", atLeast: 1 }] }), "ERR_REQUEST_DIFFERS", "quorum"],
  [
    "somebody who is not in the group",
    { quorum: { ...SEND.quorum, people: ["Ada", "Fay"] } },
    charter,
    "ERR_REQUEST_DIFFERS",
    "quorum",
  ],
  ["an initiator who may not propose", { initiator: "Fay" }, charter, "ERR_POLICY_DENIED", "Fay"],
  ["an initiator whom nobody knows", { initiator: "Mallory" }, charter, "ERR_POLICY_DENIED", "Mallory"],
  ["a later policy", { policy: { n: 2, digest: "00".repeat(32) } }, charter, "ERR_CHARTER", "not yet seen"],
  ["later people", { people: { n: 2, digest: "00".repeat(32) } }, charter, "ERR_CHARTER", "not yet seen"],
  [
    "another policy of the same number",
    { policy: { n: 1, digest: "00".repeat(32) } },
    charter,
    "ERR_CHARTER",
    "another policy",
  ],
];
test.each(transfers)("a transfer with %s", async (_what, change, under, expected, word) => {
  const jws = await transfer(change, under);
  const fault = await faultOf(readRequest({ jws }, { ...trust, charter: under }));
  expect(fault).toMatchObject({ code: expected, message: expect.stringContaining(word) as unknown });
  // In itself nothing is wrong with it: it is asked when it is opened, not when it arrives.
  await expect(inspectRequest({ jws }, trust)).resolves.toMatchObject({ kind: "transfer" });
});

test("an earlier policy, or none at all", async () => {
  const later = { ...charter, policy: { ...charter.policy, n: 2 } };
  const jws = await transfer();
  expect(await faultOf(readRequest({ jws }, { ...trust, charter: later }))).toMatchObject({
    code: "ERR_CHARTER",
    message: expect.stringContaining("have changed") as unknown,
  });
  expect(await faultOf(readRequest({ jws }, unfounded))).toMatchObject({ code: "ERR_CHARTER" });
});

test("a payee of the book is named, a fee may be the highest, and fewer people than the group may be asked", async () => {
  const under = { ...ruleWith({ destinations: "book", maxFee: "0.00063" }) };
  const whole = { ...under, policy: { ...under.policy, addressBook: book } };
  const quorum = { ...SEND.quorum, people: ["Dan", "Bob"] };
  const jws = await transfer({ payee: "Acme", quorum }, whole);
  expect(await readRequest({ jws }, { ...trust, charter: whole })).toMatchObject({ payload: { payee: "Acme" } });
});

test("a token is the policy's", async () => {
  const word = (hex: string) => hex.toLowerCase().padStart(64, "0");
  const bytes = serializeTransaction({
    type: "eip1559",
    chainId: 1,
    nonce: 7,
    gas: 65_000n,
    maxFeePerGas: 30_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
    to: USDC.contract as `0x${string}`,
    data: `0xa9059cbb${word(DESTINATION.slice(2))}${word("1")}`,
  });
  const sign = [bytes.slice(2)];
  const effect = { amount: "0.000001", asset: "USDC", to: DESTINATION, maxFee: "0.00195 ETH", nonce: 7 };
  const jws = await transfer({ token: USDC, sign, effect });
  expect(await readRequest({ jws }, trust)).toMatchObject({ payload: { token: USDC } });
  const other = { ...trust, charter: charterWith({ tokens: [{ network: SEND.network.id, ...USDC, symbol: "USDT" }] }) };
  const under = await transfer({ token: USDC, sign, effect }, other.charter);
  expect(await faultOf(readRequest({ jws: under }, other))).toMatchObject({
    message: expect.stringContaining("token") as unknown,
  });
});
