import fc from "fast-check";
import { expect, test } from "vitest";
import {
  checkText,
  findDifference,
  formatMinute,
  renderStatement,
  renderTemplate,
  type SendWords,
  STATEMENT_FIRST_PAGE,
} from "./statement.ts";

const WORDS: SendWords = {
  verb: "SEND",
  amount: "250000.00",
  asset: "USDC",
  to: "0x52908400098527886E0F7030069857D2E4169EE7",
  network: "Ethereum",
  vault: "Treasury-1",
  maxFee: "0.012 ETH",
  threshold: 2,
  eligible: 3,
  policy: 17,
  request: "01JDA7Q9T2M4XYZ0",
  expires: 1_795_338_000,
  hsm: "7f3a91c2",
};
const DIGEST = "3f1c9ab2d47e60518b9c2f7ad1e3450698bb7c1de2f40a735c8d9e6f1a2b3c4d";

test("the statement is the line of the specification", () => {
  expect(renderStatement(WORDS, DIGEST)).toBe(
    `SEND 250000.00 USDC TO 0x52908400098527886E0F7030069857D2E4169EE7 ON Ethereum FROM Treasury-1; max fee 0.012 ETH; needs 2 of 3; policy 17; request 01JDA7Q9T2M4XYZ0; expires 2026-11-22T09:00Z; digest ${DIGEST}; OpenCustody v1 7f3a91c2`,
  );
  expect(renderStatement(WORDS, DIGEST).length).toBeLessThanOrEqual(320);
});

test("operation, amount, asset and whole destination stand in the first 72 characters", () => {
  expect(renderStatement(WORDS, DIGEST).slice(0, STATEMENT_FIRST_PAGE)).toContain(`SEND 250000.00 USDC TO ${WORDS.to}`);
});

test("the template differs from the statement in the digest only", () => {
  expect(renderTemplate(WORDS).replace("{digest}", DIGEST)).toBe(renderStatement(WORDS, DIGEST));
});

const CHANGES: [keyof SendWords, string | number, string][] = [
  ["amount", "250000.01", "amount"],
  ["asset", "USDT", "asset"],
  ["to", "0x52908400098527886E0F7030069857D2E4169EE8", "destination"],
  ["network", "Sepolia", "network"],
  ["vault", "Treasury-2", "vault"],
  ["maxFee", "0.013 ETH", "maximum fee"],
  ["threshold", 1, "quorum"],
  ["eligible", 4, "quorum"],
  ["policy", 18, "policy"],
  ["request", "01JDA7Q9T2M4XYZ1", "request id"],
  ["expires", 1_795_338_060, "expiry"],
  ["hsm", "7f3a91c3", "HSM identity"],
];

test.each(CHANGES)("a difference in %s is named", (field, value, name) => {
  expect(findDifference({ ...WORDS, [field]: value }, renderTemplate(WORDS))).toBe(name);
});

test("no difference, and nothing may follow", () => {
  expect(findDifference(WORDS, renderTemplate(WORDS))).toBeUndefined();
  expect(findDifference(WORDS, `${renderTemplate(WORDS)}0`)).toBe("end of the statement");
});

test.each(["a\nb", "a\tb", "a  b", " a", "a ", "é", ""])("a device would not show %j in clear: refused", (text) => {
  expect(() => checkText(text)).toThrow(expect.objectContaining({ code: "ERR_STATEMENT_TEXT" }));
});

test("1,024 characters pass, 1,025 do not", () => {
  expect(checkText("x".repeat(1024))).toHaveLength(1024);
  expect(() => checkText("x".repeat(1025))).toThrow(expect.objectContaining({ code: "ERR_STATEMENT_TOO_LONG" }));
});

test("two different sets of words never give the same statement", () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9._-]{0,23}$/);
  const words = fc.record({
    amount: fc.stringMatching(/^[1-9][0-9]{0,5}$/),
    asset: fc.constantFrom("ETH", "USDC"),
    network: name,
    vault: name,
  });
  fc.assert(
    fc.property(words, words, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b);
      expect(renderStatement({ ...WORDS, ...a }, DIGEST) === renderStatement({ ...WORDS, ...b }, DIGEST)).toBe(same);
    }),
  );
});

test("minutes are whole, in UTC", () => {
  expect(formatMinute(1_795_338_000)).toBe("2026-11-22T09:00Z");
  expect(() => formatMinute(1_795_338_001)).toThrow(RangeError);
});
