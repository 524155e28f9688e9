import type { TransactionSerializableEIP1559 } from "viem";
import { serializeTransaction } from "viem/utils";
import { expect, test, vi } from "vitest";
import { type Signer, signEnvelope } from "../protocol/envelope.ts";
import { referencesOf } from "../protocol/governance.ts";
import { REQUEST, requestDigest, type TransferRequest, withStatement } from "../protocol/request.ts";
import { hsm as agent, charter, kid, trust } from "./charter-double.ts";
import { type CheckedTransfer, checkRequest, inspectRequest, openRequest, readRequest } from "./check.ts";
import { claimsFor } from "./compose.ts";
import { SEND } from "./hsm-double.ts";
import { makeKey, signerOf } from "./keys.ts";
import { USDC } from "./town-double.ts";
import type { Trust } from "./trust.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

const NOW = 1_795_338_000;
const TO = "0x52908400098527886E0F7030069857D2E4169EE7";
const OTHER = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
const ETH = SEND.network;

const hsm = agent.signer;
const stranger = await signerOf(await makeKey());
const TRUST: Trust = { ...trust, now: NOW };

const COIN: TransactionSerializableEIP1559 = {
  type: "eip1559",
  chainId: 1,
  nonce: 7,
  gas: 21_000n,
  maxFeePerGas: 30_000_000_000n,
  maxPriorityFeePerGas: 1_000_000_000n,
  to: TO,
  value: 1_500_000_000_000_000_000n,
};
const word = (hex: string) => hex.toLowerCase().padStart(64, "0");
const call = (to: string, units: bigint): `0x${string}` => `0xa9059cbb${word(to.slice(2))}${word(units.toString(16))}`;
const TOKEN: TransactionSerializableEIP1559 = {
  ...COIN,
  gas: 65_000n,
  to: USDC.contract as `0x${string}`,
  value: 0n,
  data: call(TO, 250_000_000_000n),
};
const bytesOf = (transaction: TransactionSerializableEIP1559) => serializeTransaction(transaction).slice(2);

type Draft = Omit<TransferRequest, "statement">;
const BASE: Draft = {
  ...claimsFor({ ...hsm }, kid, NOW, 3600),
  ...SEND,
  exp: NOW - (NOW % 60) + 3600,
  sign: [bytesOf(COIN)],
  ...referencesOf(charter),
};
const TOKEN_BASE: Draft = {
  ...BASE,
  token: USDC,
  sign: [bytesOf(TOKEN)],
  effect: { ...BASE.effect, amount: "250000.00", asset: "USDC", maxFee: "0.00195 ETH" },
};

const signed = async (draft: Draft, by: Signer = hsm) =>
  await signEnvelope(REQUEST, { ...withStatement(draft), iss: by.kid }, by);

async function transfer(jws: string): Promise<CheckedTransfer> {
  const checked = await checkRequest({ jws }, TRUST);
  if (checked.kind !== "transfer") throw new Error("no transfer");
  return checked;
}

test("a coin transfer checks, and its statement is rendered from the bytes", async () => {
  const jws = await signed(BASE);
  const { payload, digest, decoded, statement } = await transfer(jws);
  const { bytes } = await openRequest(jws, TRUST);
  expect(digest).toBe(requestDigest(bytes));
  expect(decoded).toEqual({
    kind: "native",
    amount: "1.50",
    asset: "ETH",
    to: TO,
    maxFee: "0.00063 ETH",
    nonce: 7,
    chainId: 1,
    gas: 21_000n,
    maxFeePerGas: 30_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
  });
  expect(statement).toContain(`SEND 1.50 ETH TO ${TO} ON Ethereum FROM Treasury-1; max fee 0.00063 ETH`);
  expect(statement).toBe(payload.statement.replace("{digest}", digest));
});

test("a token transfer checks", async () => {
  const { decoded } = await transfer(await signed(TOKEN_BASE));
  expect(decoded).toMatchObject({ kind: "erc20", amount: "250000.00", asset: "USDC", to: TO, maxFee: "0.00195 ETH" });
});

const AMOUNTS: [bigint, number, string][] = [
  [1_500_000_000_000_000_000n, 18, "1.50"],
  [1n, 18, "0.000000000000000001"],
  [1n, 6, "0.000001"],
  [7n, 0, "7"],
  [15n, 1, "1.5"],
  [100n, 1, "10.0"],
  [10n ** 30n, 18, "1000000000000.00"],
];
test.each(AMOUNTS)("%i units with %i decimals are %s", async (units, decimals, amount) => {
  const draft = {
    ...TOKEN_BASE,
    token: { ...USDC, decimals },
    sign: [bytesOf({ ...TOKEN, data: call(TO, units) })],
    effect: { ...TOKEN_BASE.effect, amount },
  };
  expect(await inspectRequest({ jws: await signed(draft) }, TRUST)).toMatchObject({ decoded: { amount } });
});

const effect = (change: Partial<Draft["effect"]>): Draft => ({ ...BASE, effect: { ...BASE.effect, ...change } });
const coin = (change: Partial<TransactionSerializableEIP1559>): Draft => ({
  ...BASE,
  sign: [bytesOf({ ...COIN, ...change })],
});
const token = (change: Partial<TransactionSerializableEIP1559>): Draft => ({
  ...TOKEN_BASE,
  sign: [bytesOf({ ...TOKEN, ...change })],
});
const raw = (hex: string): Draft => ({ ...BASE, sign: [hex] });
const legacy = serializeTransaction({
  type: "legacy",
  chainId: 1,
  nonce: 7,
  gas: 21_000n,
  gasPrice: 1n,
  to: TO,
  value: 1n,
});
const signature = { r: `0x${"11".repeat(32)}`, s: `0x${"22".repeat(32)}`, yParity: 1 } as const;
const signedBytes = serializeTransaction(COIN, signature).slice(2);
/** The coin transfer with its nonce, 07, spelled as two bytes: another encoding of the same. */
const LONG_NONCE = bytesOf(COIN).replace(/^02(..)0107/, (_, size: string) => {
  return `02${(Number.parseInt(size, 16) + 2).toString(16)}01820007`;
});

/** What is wrong, the request that is wrong in that one thing, the code, and what the sentence names. */
const PLANTED: [string, Draft, string, string[]][] = [
  ["amount in the request", effect({ amount: "1.5" }), "ERR_REQUEST_DIFFERS", ["amount", "1.5,", "1.50"]],
  ["amount in the bytes", coin({ value: 15_000_000_000_000_000_000n }), "ERR_REQUEST_DIFFERS", ["amount", "15.00"]],
  ["one unit of amount", coin({ value: 1_500_000_000_000_000_001n }), "ERR_REQUEST_DIFFERS", ["1.500000000000000001"]],
  ["destination in the request", effect({ to: OTHER }), "ERR_REQUEST_DIFFERS", ["destination", TO, OTHER]],
  ["destination in the bytes", coin({ to: OTHER }), "ERR_REQUEST_DIFFERS", ["destination", TO, OTHER]],
  ["recipient of a token", token({ data: call(OTHER, 250_000_000_000n) }), "ERR_REQUEST_DIFFERS", ["destination"]],
  ["amount of a token", token({ data: call(TO, 250_000_000_001n) }), "ERR_REQUEST_DIFFERS", ["250000.000001"]],
  ["asset", effect({ asset: "WETH" }), "ERR_REQUEST_DIFFERS", ["asset", "WETH", "ETH"]],
  ["chain", coin({ chainId: 10 }), "ERR_REQUEST_DIFFERS", ["network", "eip155:1,", "eip155:10"]],
  ["chain of the request", { ...BASE, network: { ...ETH, id: "eip155:10" } }, "ERR_REQUEST_DIFFERS", ["network"]],
  ["token contract", token({ to: OTHER }), "ERR_REQUEST_DIFFERS", ["token", USDC.contract, OTHER]],
  [
    "token's decimals",
    { ...TOKEN_BASE, token: { ...USDC, decimals: 8 } },
    "ERR_REQUEST_DIFFERS",
    ["amount", "2500.00"],
  ],
  ["nonce in the request", effect({ nonce: 8 }), "ERR_REQUEST_DIFFERS", ["nonce", "8", "7"]],
  ["nonce in the bytes", coin({ nonce: 0 }), "ERR_REQUEST_DIFFERS", ["nonce"]],
  ["fee in the request", effect({ maxFee: "0.00064 ETH" }), "ERR_REQUEST_DIFFERS", ["maximum fee", "0.00064 ETH"]],
  ["gas", coin({ gas: 21_001n }), "ERR_REQUEST_DIFFERS", ["maximum fee"]],
  ["fee per gas", coin({ maxFeePerGas: 31_000_000_000n }), "ERR_REQUEST_DIFFERS", ["maximum fee"]],
  ["fee's symbol", effect({ maxFee: "0.00063 USDC" }), "ERR_REQUEST_DIFFERS", ["maximum fee"]],
  ["calldata with a coin", coin({ data: "0x00" }), "ERR_TX_UNSUPPORTED", ["calls a contract"]],
  ["a coin instead of a token", { ...TOKEN_BASE, sign: [bytesOf(COIN)] }, "ERR_REQUEST_DIFFERS", ["token"]],
  ["extra calldata", token({ data: `${call(TO, 1n)}00` }), "ERR_TX_UNSUPPORTED", ["plain transfer"]],
  [
    "short calldata",
    token({ data: call(TO, 1n).slice(0, -2) as `0x${string}` }),
    "ERR_TX_UNSUPPORTED",
    ["plain transfer"],
  ],
  ["approve, not transfer", token({ data: `0x095ea7b3${call(TO, 1n).slice(10)}` }), "ERR_TX_UNSUPPORTED", ["plain"]],
  [
    "bytes above the recipient",
    token({ data: `0xa9059cbb01${call(TO, 1n).slice(12)}` }),
    "ERR_TX_UNSUPPORTED",
    ["plain"],
  ],
  ["no calldata", token({ data: "0x" }), "ERR_TX_UNSUPPORTED", ["plain transfer"]],
  ["a coin along with a token", token({ value: 1n }), "ERR_TX_UNSUPPORTED", ["along with a token"]],
  ["nothing moved", coin({ value: 0n }), "ERR_TX_UNSUPPORTED", ["moves nothing"]],
  ["no token moved", token({ data: call(TO, 0n) }), "ERR_TX_UNSUPPORTED", ["moves nothing"]],
  ["contract creation", coin({ to: null }), "ERR_TX_UNSUPPORTED", ["creates a contract"]],
  ["access list", coin({ accessList: [{ address: OTHER, storageKeys: [] }] }), "ERR_TX_UNSUPPORTED", ["access list"]],
  ["legacy transaction", raw(legacy.slice(2)), "ERR_TX_UNSUPPORTED", ["EIP-1559"]],
  ["signed transaction", raw(signedBytes), "ERR_TX_UNSUPPORTED", ["signed already"]],
  ["trailing byte", raw(`${bytesOf(COIN)}00`), "ERR_TX_MALFORMED", []],
  ["cut bytes", raw(bytesOf(COIN).slice(0, -2)), "ERR_TX_MALFORMED", []],
  ["another spelling", raw(LONG_NONCE), "ERR_TX_MALFORMED", []],
  ["only the type", raw("02"), "ERR_TX_MALFORMED", []],
  [
    "proposed by myself",
    { ...BASE, initiator: "Ada", quorum: { threshold: 2, people: ["Bob", "Dan"], vendors: [] } },
    "ERR_APPROVAL_INITIATOR",
    ["yourself"],
  ],
  [
    "not in the quorum",
    { ...BASE, quorum: { threshold: 2, people: ["Bob", "Dan"], vendors: [] } },
    "ERR_APPROVAL_NOT_ELIGIBLE",
    ["not among"],
  ],
];

test.each(PLANTED)("refused: %s", async (_what, draft, code, words) => {
  const fault: unknown = await checkRequest({ jws: await signed(draft) }, TRUST).catch((error: unknown) => error);
  expect(fault).toMatchObject({ code });
  for (const text of words) expect((fault as Error).message).toContain(text);
});

/** The statement's template altered, everything else true. */
const WORDS: [string, string, string][] = [
  ["SEND", "DRILL", "operation"],
  ["1.50", "1.5", "amount"],
  [TO, OTHER, "destination"],
  [" ON Ethereum", " ON Sepolia", "network"],
  ["Treasury-1", "Treasury-2", "vault"],
  ["0.00063 ETH", "0.0006 ETH", "maximum fee"],
  ["needs 2 of 3", "needs 1 of 3", "quorum"],
  ["policy 1;", "policy 2;", "policy"],
  ["{digest}", "0".repeat(64), "digest"],
  ["OpenCustody v1", "OpenCustody v2", "HSM identity"],
];
test.each(WORDS)("refused: the statement says %s as %s", async (from, to, named) => {
  const whole = withStatement(BASE);
  const jws = await signEnvelope(REQUEST, { ...whole, statement: whole.statement.replace(from, to) }, hsm);
  await expect(checkRequest({ jws }, TRUST)).rejects.toMatchObject({
    code: "ERR_STATEMENT_DIFFERS",
    message: expect.stringContaining(named) as unknown,
  });
});

test("refused: something after the statement's end", async () => {
  const whole = withStatement(BASE);
  const jws = await signEnvelope(REQUEST, { ...whole, statement: `${whole.statement}; ok` }, hsm);
  await expect(checkRequest({ jws }, TRUST)).rejects.toMatchObject({ code: "ERR_STATEMENT_DIFFERS" });
});

test("refused: another HSM's key, somebody else's request, no signature", async () => {
  await expect(checkRequest({ jws: await signed(BASE, stranger) }, TRUST)).rejects.toMatchObject({
    code: "ERR_ENVELOPE_KEY",
  });
  await expect(checkRequest({ jws: await signed({ ...BASE, aud: [stranger.kid] }) }, TRUST)).rejects.toMatchObject({
    code: "ERR_ENVELOPE_AUDIENCE",
  });
  const [header = "", payload = "", made = ""] = (await signed(BASE)).split(".");
  const flipped = `${made.startsWith("A") ? "B" : "A"}${made.slice(1)}`;
  for (const jws of [`${header}.${payload}.${flipped}`, `${header}.${payload}.`]) {
    await expect(checkRequest({ jws }, TRUST)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_ENVELOPE_(SIGNATURE|MALFORMED)$/) as unknown,
    });
  }
});

test("an expired request is readable and not approvable", async () => {
  const jws = await signed(BASE);
  const later = { ...TRUST, now: BASE.exp };
  expect((await openRequest(jws, later)).payload.request).toBe(BASE.request);
  await expect(checkRequest({ jws }, later)).rejects.toMatchObject({ code: "ERR_REQUEST_EXPIRED" });
  await expect(checkRequest({ jws }, { ...TRUST, now: NOW - 3600 })).rejects.toMatchObject({
    code: "ERR_ENVELOPE_TIME",
  });
});

test("whoever is not asked may read it all the same, and so may its initiator, after its end", async () => {
  const quorum = { threshold: 2, people: ["Bob", "Dan"], vendors: [] };
  for (const draft of [
    { ...BASE, quorum },
    { ...BASE, quorum, initiator: "Ada" },
  ]) {
    const read = await readRequest({ jws: await signed(draft) }, { ...TRUST, now: BASE.exp + 1 });
    expect(read).toMatchObject({ kind: "transfer", decoded: { amount: "1.50" } });
  }
});

test("a frozen vault's transfers can be read and not approved", async () => {
  const jws = await signed(BASE);
  for (const [vault, stops] of [
    ["Treasury-1", true],
    [null, true],
    ["Treasury-2", false],
  ] as const) {
    const list = { n: 1, freezes: [{ vault, by: "Bob", at: NOW, of: null }] };
    const trust = { ...TRUST, freezes: { ...claimsFor(hsm, kid, NOW, 60), ...list } };
    await expect(readRequest({ jws }, trust)).resolves.toBeDefined();
    const checked = checkRequest({ jws }, trust);
    await (stops
      ? expect(checked).rejects.toMatchObject({ code: "ERR_FROZEN" })
      : expect(checked).resolves.toBeDefined());
  }
});
