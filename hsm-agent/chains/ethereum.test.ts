import { secp256k1 } from "@noble/curves/secp256k1.js";
import { parseTransaction, recoverTransactionAddress } from "viem";
import { expect, test } from "vitest";
import type { Transfer } from "./chain.ts";
import { formatUnits, parseUnits } from "./decimal.ts";
import { ethereum } from "./ethereum.ts";

const NETWORK = { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 };
const USDC = { contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", symbol: "USDC", decimals: 6 };
const TO = "0x52908400098527886E0F7030069857D2E4169EE7";
const GAS = { limit: 21_000n, maxFeePerGas: 30_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n };
const COIN: Transfer = { network: NETWORK, token: null, to: TO, amount: "1.5", nonce: 7, gas: GAS };
const TOKEN: Transfer = { ...COIN, token: USDC, amount: "250000", gas: { ...GAS, limit: 65_000n } };

test("a coin transfer says what it was asked for, and another library reads the same", () => {
  const bytes = ethereum.build(COIN);
  expect(ethereum.describe(bytes, NETWORK, null)).toEqual({
    amount: "1.50",
    asset: "ETH",
    to: TO,
    maxFee: "0.00063 ETH",
    maxFeeUnits: 630_000_000_000_000n,
    nonce: 7,
  });
  expect(parseTransaction(`0x${bytes}`)).toMatchObject({
    chainId: 1,
    nonce: 7,
    value: 1_500_000_000_000_000_000n,
    type: "eip1559",
  });
});

test("a token transfer likewise", () => {
  const bytes = ethereum.build(TOKEN);
  expect(ethereum.describe(bytes, NETWORK, USDC)).toMatchObject({
    amount: "250000.00",
    asset: "USDC",
    to: TO,
    maxFee: "0.00195 ETH",
  });
  expect(parseTransaction(`0x${bytes}`)).toMatchObject({ to: USDC.contract.toLowerCase(), chainId: 1 });
});

test("a signature is put in, and only the vault's own", async () => {
  const key = secp256k1.keygen();
  const publicKey = secp256k1.getPublicKey(key.secretKey, false);
  const bytes = ethereum.build(COIN);
  const made = secp256k1.Signature.fromBytes(
    secp256k1.sign(ethereum.digest(bytes), key.secretKey, { prehash: false, format: "recovered" }),
    "recovered",
  );
  const signature = { r: made.r, s: made.s, yParity: made.recovery === 1 ? 1 : 0 } as const;
  const signed = ethereum.finish(bytes, signature, publicKey);
  expect(await recoverTransactionAddress({ serializedTransaction: signed.raw as `0x02${string}` })).toBe(
    ethereum.addressOf(publicKey),
  );
  const other = secp256k1.getPublicKey(secp256k1.keygen().secretKey, false);
  expect(() => ethereum.finish(bytes, signature, other)).toThrow(
    expect.objectContaining({ code: "ERR_HSM_SIGNATURE" }),
  );
});

const REFUSED: [string, Partial<Transfer>, string][] = [
  ["nothing", { amount: "0" }, "ERR_AMOUNT"],
  ["too many decimals", { amount: "1.0000000000000000001" }, "ERR_AMOUNT"],
  ["a sign", { amount: "-1" }, "ERR_AMOUNT"],
  ["an exponent", { amount: "1e3" }, "ERR_AMOUNT"],
  ["a leading zero", { amount: "01" }, "ERR_AMOUNT"],
  ["more than the chain holds", { amount: "9".repeat(70) }, "ERR_AMOUNT"],
  ["the zero address", { to: `0x${"0".repeat(40)}` }, "ERR_ADDRESS"],
  ["the token's own contract", { token: USDC, to: USDC.contract }, "ERR_ADDRESS"],
  ["a priority fee above the fee", { gas: { ...GAS, maxPriorityFeePerGas: 31_000_000_000n } }, "ERR_TX_UNSUPPORTED"],
];
test.each(REFUSED)("not built: %s", (_what, change, code) => {
  expect(() => ethereum.build({ ...COIN, ...change })).toThrow(expect.objectContaining({ code }));
});

test("bytes that do something else are not described", () => {
  const coin = ethereum.build(COIN);
  const token = ethereum.build(TOKEN);
  const refuse = (bytes: string, network = NETWORK, asset: typeof USDC | null = null) =>
    expect(() => ethereum.describe(bytes, network, asset)).toThrow(expect.objectContaining({ name: "Fault" }));
  refuse(coin, { ...NETWORK, id: "eip155:10" });
  refuse(token);
  refuse(coin, NETWORK, USDC);
  refuse(token, NETWORK, { ...USDC, contract: TO });
  refuse(`${coin}00`);
  refuse(coin.slice(0, -2));
  refuse(token.replace("a9059cbb", "095ea7b3"), NETWORK, USDC);
  refuse("f86c808504a817c80082520894");
});

const UNITS: [string, number, string][] = [
  ["1.5", 18, "1.50"],
  ["250000", 6, "250000.00"],
  ["0.000001", 6, "0.000001"],
  ["7", 0, "7"],
  ["1.5", 1, "1.5"],
  ["10", 1, "10.0"],
];
test.each(UNITS)("%s with %i decimals is shown as %s", (amount, decimals, shown) => {
  expect(formatUnits(parseUnits(amount, decimals), decimals)).toBe(shown);
});
