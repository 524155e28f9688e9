/** Makes statement.json, name.json, request-id.json and device-signature.json. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { personalMessageHash } from "../device-signature.ts";
import { requestIdOf } from "../primitive.ts";
import { wordsOf } from "../request.ts";
import { renderStatement, renderTemplate, type SendWords } from "../statement.ts";
import { ADAS_DEVICE, bytesOf, OTHER_DEVICE } from "./keys.ts";
import { DIGEST, REQUEST_PAYLOAD, STATEMENT } from "./sample.ts";

const WORDS: SendWords = wordsOf(REQUEST_PAYLOAD, REQUEST_PAYLOAD.effect);

function statement(what: string, change: Partial<SendWords> = {}, digest = DIGEST) {
  const words = { ...WORDS, ...change };
  return { what, words, digest, statement: renderStatement(words, digest), template: renderTemplate(words) };
}

/** 2^256 - 1 without decimals. */
const MOST = (2n ** 256n - 1n).toString();
const TEXT = "ERR_STATEMENT_TEXT";
const LONG = "ERR_STATEMENT_TOO_LONG";
const template = renderTemplate(WORDS);

export const STATEMENTS = {
  statements: [
    statement("a token"),
    statement("the coin", { amount: "1.50", asset: "ETH", maxFee: "0.00063 ETH" }),
    statement("1 wei", { amount: "0.000000000000000001", asset: "ETH" }),
    statement("the largest amount", { amount: MOST }),
    statement("the shortest words", { amount: "1", asset: "E", network: "N", vault: "V", maxFee: "0 E", policy: 1 }),
    statement("the longest names", { network: "Ethereum-Archive_Node.24", vault: "Treasury_of_the.Holding1" }),
    statement("a quorum of one", { threshold: 1, eligible: 1 }),
    statement("another digest", {}, "0".repeat(64)),
    statement("the last minute of a year", { expires: 1_798_761_540 }),
    statement("the 29th of February", { expires: 1_835_395_200 }),
  ],
  /** `code` is null where the text passes. */
  texts: [
    ...["a", "a b", "~!{}", "x".repeat(1024), STATEMENT].map((text) => ({ text, code: null })),
    ...[
      "",
      " ",
      " a",
      "a ",
      "a  b",
      "a\tb",
      "a\nb",
      "a\r\nb",
      "a\u0000b",
      "a\u007fb",
      "é",
      "а",
      "a\u00a0b",
      "a\u200bb",
      "a\u202eb",
      "😀",
    ].map((text) => ({ text, code: TEXT })),
    ...["x".repeat(1025), `${STATEMENT} ${"x".repeat(1024)}`].map((text) => ({ text, code: LONG })),
  ],
  /** Templates that depart from the words of the first statement, and the part that is named. */
  differences: [
    ["SEND ", "Send ", "operation"],
    ["SEND ", "SENDS ", "operation"],
    ["250000.00", "250000.01", "amount"],
    ["250000.00", "250000.000", "amount"],
    ["250000.00", "250000.0", "amount"],
    [" USDC", " USDT", "asset"],
    [" USDC", " USDCE", "asset"],
    [" USDC", "", "asset"],
    ["4169EE7", "4169EE8", "destination"],
    [" TO ", " to ", "destination"],
    ["Ethereum", "Sepolia", "network"],
    ["Ethereum", "Ethereum2", "network"],
    ["Treasury-1", "Treasury-2", "vault"],
    ["Treasury-1", "Treasury-1 x", "vault"],
    ["0.009", "0.09", "maximum fee"],
    ["0.009 ETH", "0.009 ETHW", "maximum fee"],
    ["2 of 3", "2 of 4", "quorum"],
    ["policy 17", "policy 170", "policy"],
    [WORDS.request, "0000000000000000", "request id"],
    ["T09:00Z", "T09:01Z", "expiry"],
    ["{digest}", DIGEST, "digest"],
    ["{digest}", "{digest}{digest}", "digest"],
    ["v1", "v2", "HSM identity"],
    [WORDS.hsm, "00000000", "HSM identity"],
    [WORDS.hsm, `${WORDS.hsm}0`, "end of the statement"],
  ].map(([from = "", to = "", part = ""]) => ({ template: template.replace(from, to), part })),
};

export const NAMES = {
  names: {
    valid: [
      "A",
      "Ada",
      "Treasury-1",
      "a.b_c-d",
      "x".repeat(23) + "0",
      "Eve",
      "bc",
      "To.",
      "Max",
      "Onno",
      "Asa",
      "Keys",
      "All1",
      "Oxford",
      "Oxbow-1",
      "Ox12345",
      "Box123456",
    ],
    refused: [
      "",
      " ",
      "1a",
      "-a",
      ".a",
      "_a",
      "Ada ",
      " Ada",
      "Ada Lovelace",
      "Zoë",
      "Аda",
      "a;b",
      "a/b",
      "a\n",
      "x".repeat(25),
      "0x52908400098527886E",
      "Ox52908400098527886E",
      "Ox529084",
      "ox529084",
      "OXDEADBEEF",
      "OxfaceO0",
      "Ox1lIi00",
      "OxOOOOOO",
      "Ox529084...9EE7",
      "bc1qar0srrr7xfkvy5l643ly",
      "TB1QW508",
      "ltc1q",
      "addr1v",
      "cosmos1",
      "deadbeefdeadbeef",
      "ABCDEFabcdef0123",
      "JBSWYuuuuuuuuuuuuuuuuuuu",
      "TO",
      "to",
      "On",
      "FROM",
      "AS",
      "by",
      "All",
      "DEVICE",
      "browser",
      "Key",
      "ROLE",
    ],
  },
  symbols: {
    valid: ["E", "ETH", "USDC", "wstETH", "A1", "ABCDEFGHIJK"],
    refused: [
      "",
      "1INCH",
      "USD.C",
      "US DC",
      "USDC ",
      "$",
      "USDС",
      "ABCDEFGHIJKL",
      "To",
      "ON",
      "from",
      "As",
      "BY",
      "ALL",
      "Device",
      "BROWSER",
      "KEY",
      "role",
    ],
  },
  /** Pairs that a hurried eye takes for each other. */
  alike: [
    ["Ada", "ada"],
    ["Ada", "Ada"],
    ["Bob", "B0b"],
    ["Olga", "0lga"],
    ["Bill", "B1ll"],
    ["Bill", "BiIl"],
    ["Ilya", "llya"],
    ["Treasury-1", "Treasury-l"],
    ["Treasury-I", "treasury-1"],
  ],
  distinct: [
    ["Ada", "Adam"],
    ["Treasury-1", "Treasury-2"],
    ["Treasury-1", "Treasury_1"],
    ["a.b", "a-b"],
    ["Bob", "Rob"],
  ],
};

export const REQUEST_IDS = {
  ids: [
    "00".repeat(10),
    "ff".repeat(10),
    "00000000000000000001",
    "80000000000000000000",
    bytesToHex(bytesOf("request id", 10)),
  ].map((bytes) => ({ bytes, id: requestIdOf(hexToBytes(bytes)) })),
  refused: [
    "",
    "0".repeat(15),
    "0".repeat(17),
    "01jda7q9t2m4xyz0",
    "01JDA7Q9T2M4XYZI",
    "01JDA7Q9T2M4XYZL",
    "01JDA7Q9T2M4XYZO",
    "01JDA7Q9T2M4XYZU",
    "01JDA7Q9T2M4XYZ-",
    " 1JDA7Q9T2M4XYZ0",
  ],
};

const GOOD = ADAS_DEVICE.sign(STATEMENT);
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const [r, s, v] = [GOOD.slice(2, 66), GOOD.slice(66, 130), GOOD.slice(130)];
const flipped = v === "1b" ? "1c" : "1b";
const highS = (ORDER - BigInt(`0x${s}`)).toString(16).padStart(64, "0");
const outside = ORDER.toString(16);
const MALFORMED: [string, string][] = [
  ["nothing", ""],
  ["without 0x", GOOD.slice(2)],
  ["a byte missing", GOOD.slice(0, -2)],
  ["a byte too many", `${GOOD}00`],
  ["upper-case hex", `0x${GOOD.slice(2).toUpperCase()}`],
  ["v is 00", `0x${r}${s}00`],
  ["v is 01", `0x${r}${s}01`],
  ["v is 1d", `0x${r}${s}1d`],
  ["v of a chain (EIP-155)", `0x${r}${s}25`],
  ["v first, as a Ledger answers", `0x${v}${r}${s}`],
  ["a high s", `0x${r}${highS}${flipped}`],
  ["a high s under the same v", `0x${r}${highS}${v}`],
  ["r is zero", `0x${"0".repeat(64)}${s}${v}`],
  ["s is zero", `0x${r}${"0".repeat(64)}${v}`],
  ["r is the group's order", `0x${outside}${s}${v}`],
  ["s is the group's order", `0x${r}${outside}${v}`],
  ["r is no point's", `0x${"0".repeat(63)}5${s}${v}`],
];
const signed = (what: string, text: string, device = ADAS_DEVICE) => ({
  what,
  statement: text,
  hash: bytesToHex(personalMessageHash(text)),
  signature: device.sign(text),
  address: device.address,
});

export const DEVICE_SIGNATURES = {
  valid: [
    signed("a statement", STATEMENT),
    signed("the same by another device", STATEMENT, OTHER_DEVICE),
    signed("one character", "a"),
    signed("a statement of 1,024 characters", "x".repeat(1024)),
    ...[0, 1, 2, 3].map((n) => signed(`a statement to policy ${n}`, STATEMENT.replace("policy 17", `policy ${n}`))),
  ],
  /** Well formed, and not this address's over this statement. */
  others: [
    { what: "the other v", statement: STATEMENT, signature: `0x${r}${s}${flipped}`, address: ADAS_DEVICE.address },
    { what: "r and s swapped", statement: STATEMENT, signature: `0x${s}${r}${v}`, address: ADAS_DEVICE.address },
    { what: "another statement", statement: `${STATEMENT}.`, signature: GOOD, address: ADAS_DEVICE.address },
    {
      what: "another device",
      statement: STATEMENT,
      signature: OTHER_DEVICE.sign(STATEMENT),
      address: ADAS_DEVICE.address,
    },
  ],
  refused: MALFORMED.map(([what, signature]) => ({
    what,
    statement: STATEMENT,
    signature,
    code: "ERR_APPROVAL_SIGNATURE",
  })),
};
