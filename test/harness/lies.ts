/** The lies that a request can tell, one a row; each is refused by name. protocol/README.md, "Checking a request". */
import { type Hex, toRlp } from "viem";
import { call, ETH, encode, type Lie, TOKEN, TRANSFER, UNITS, usdc } from "./lie.ts";
import { DESTINATION } from "./requests.ts";
import { PAYEE, ROGUE_VAULT } from "./rogue-founding.ts";

export const ELSEWHERE = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
const OTHER_TOKEN = "0xdAC17F958D2ee523a2206206994597C13D831ec7";
const TO: Hex = `0x${DESTINATION.slice(2).toLowerCase()}`;

const DIFFERS = "ERR_REQUEST_DIFFERS";
const STATEMENT = "ERR_STATEMENT_DIFFERS";
const CHARTER = "ERR_CHARTER";
/** Twice secp256k1's generator. */
const OTHER_KEY =
  "04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee51ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a";
const UNSUPPORTED = "ERR_TX_UNSUPPORTED";
const MALFORMED = "ERR_TX_MALFORMED";
const replacing = (from: string | RegExp, to: string): Lie => ({ text: (statement) => statement.replace(from, to) });

/** What is wrong, the lie, the code with which it is refused, and what the sentence names. */
export const LIES: readonly (readonly [what: string, lie: () => Lie, code: string, names: RegExp])[] = [
  // The request says something else than its bytes do.
  ["amount", () => ({ effect: { amount: "1.40" } }), DIFFERS, /amount 1\.40.*1\.50/],
  [
    "amount in other units",
    () => ({ bytes: encode(ETH, { value: "0x0de0b6b3a7640000" }) }),
    DIFFERS,
    /amount 1\.50.*1\.00/,
  ],
  [
    "destination",
    () => ({ bytes: encode(ETH, { to: ELSEWHERE.toLowerCase() }) }),
    DIFFERS,
    /destination 0x5290.*0x8617/,
  ],
  ["chain", () => ({ bytes: encode(ETH, { chainId: "0x0a" }) }), DIFFERS, /network eip155:1, .*eip155:10/],
  ["no chain at all", () => ({ bytes: encode(ETH, { chainId: "0x" }) }), MALFORMED, /cannot be read/],
  ["nonce", () => ({ bytes: encode(ETH, { nonce: "0x08" }) }), DIFFERS, /nonce 7.*8/],
  [
    "fee",
    () => ({ bytes: encode(ETH, { maxFee: "0x0df8475800" }) }),
    DIFFERS,
    /maximum fee 0\.00063 ETH.*0\.00126 ETH/,
  ],
  ["gas", () => ({ bytes: encode(ETH, { gas: "0xa410" }) }), DIFFERS, /maximum fee/],
  [
    "token contract",
    () => ({ token: usdc, bytes: encode(TOKEN, { to: OTHER_TOKEN.toLowerCase() }) }),
    DIFFERS,
    /token 0xA0b8.*0xdAC1/,
  ],
  ["token decimals", () => ({ token: { ...usdc, decimals: 8 } }), DIFFERS, /amount 250000\.00.*2500\.00/],
  ["token symbol", () => ({ token: { ...usdc, symbol: "USDT" } }), DIFFERS, /asset USDC.*USDT/],
  [
    "token amount",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call(TRANSFER, DESTINATION, UNITS + 1n) }) }),
    DIFFERS,
    /amount/,
  ],
  [
    "token recipient",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call(TRANSFER, ELSEWHERE, UNITS) }) }),
    DIFFERS,
    /destination/,
  ],
  // It gives words another meaning than the documents that were approved.
  [
    "another key under the vault's name",
    () => ({ vault: { ...ROGUE_VAULT, publicKey: OTHER_KEY } }),
    DIFFERS,
    /on the vault/,
  ],
  [
    "another id under the vault's name",
    () => ({ vault: { ...ROGUE_VAULT, id: "cd".repeat(16) } }),
    DIFFERS,
    /on the vault/,
  ],
  [
    "a network under another name",
    () => ({ network: { id: "eip155:1", name: "Sepolia", symbol: "ETH", decimals: 18 } }),
    DIFFERS,
    /on the network/,
  ],
  ["a payee who is not in the address book", () => ({ payee: "Acme" }), DIFFERS, /on the payee/],
  [
    "a payee who is left out",
    () => ({ bytes: encode(ETH, { to: PAYEE.address.toLowerCase() }), effect: { to: PAYEE.address } }),
    DIFFERS,
    /on the payee/,
  ],
  [
    "a token that the policy does not have",
    () => ({
      token: { ...usdc, contract: OTHER_TOKEN },
      bytes: encode(TOKEN, { to: OTHER_TOKEN.toLowerCase() }),
    }),
    DIFFERS,
    /on the token/,
  ],
  [
    "a smaller quorum than the rule's",
    () => ({ quorum: { threshold: 1, people: ["Alice", "Bob", "Carol", "Dan"], vendors: [] } }),
    DIFFERS,
    /on the quorum/,
  ],
  [
    "somebody in the quorum who is not in the group",
    () => ({ initiator: "Carol", quorum: { threshold: 2, people: ["Alice", "Bob", "Olga"], vendors: [] } }),
    DIFFERS,
    /on the quorum/,
  ],
  [
    "a fee above the rule's",
    () => ({ bytes: encode(ETH, { gas: "0x0f4240" }), effect: { maxFee: "0.03 ETH" } }),
    "ERR_POLICY_DENIED",
    /fee could pass/,
  ],
  [
    "another policy of the same number",
    () => ({ policy: { n: 1, digest: "cd".repeat(32) } }),
    CHARTER,
    /another policy/,
  ],
  ["other people of the same number", () => ({ people: { n: 1, digest: "cd".repeat(32) } }), CHARTER, /another policy/],
  // Its statement says something else.
  ["statement's amount", () => replacing("1.50", "0.50"), STATEMENT, /amount/],
  ["statement's asset", () => replacing("ETH TO", "WETH TO"), STATEMENT, /asset/],
  ["statement's destination", () => replacing(DESTINATION, ELSEWHERE), STATEMENT, /destination/],
  ["statement's network", () => replacing("ON Ethereum", "ON Sepolia"), STATEMENT, /network/],
  ["statement's vault", () => replacing("FROM Treasury-1", "FROM Petty-cash"), STATEMENT, /vault/],
  ["statement's fee", () => replacing("0.00063", "0.00001"), STATEMENT, /maximum fee/],
  ["statement's quorum", () => replacing("needs 2 of 4", "needs 3 of 4"), STATEMENT, /quorum/],
  ["statement's expiry", () => replacing(/expires \d{4}/, "expires 2020"), STATEMENT, /expiry/],
  ["statement's digest", () => replacing("{digest}", "0".repeat(64)), STATEMENT, /digest/],
  ["statement's HSM", () => replacing(/[0-9a-f]{8}$/, "00000000"), STATEMENT, /HSM identity/],
  ["statement's end", () => replacing(/$/, " and more"), STATEMENT, /end of the statement/],
  // The bytes do what has no words.
  ["a contract is created", () => ({ bytes: encode(ETH, { to: "0x" }) }), UNSUPPORTED, /creates a contract/],
  ["calldata beside ETH", () => ({ bytes: encode(ETH, { data: "0x00" }) }), UNSUPPORTED, /calls a contract/],
  ["a token call said to be ETH", () => ({ bytes: encode(TOKEN) }), UNSUPPORTED, /calls a contract/],
  [
    "calldata after the transfer",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call(TRANSFER, DESTINATION, UNITS, "00") }) }),
    UNSUPPORTED,
    /not a plain transfer/,
  ],
  [
    "approve for transfer",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call("095ea7b3", DESTINATION, UNITS) }) }),
    UNSUPPORTED,
    /not a plain transfer/,
  ],
  [
    "transferFrom for transfer",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call("23b872dd", DESTINATION, UNITS) }) }),
    UNSUPPORTED,
    /not a plain transfer/,
  ],
  [
    "a recipient longer than an address",
    () => ({ token: usdc, bytes: encode(TOKEN, { data: call(TRANSFER, `0x01${DESTINATION.slice(2)}`, UNITS) }) }),
    UNSUPPORTED,
    /not a plain transfer/,
  ],
  [
    "ETH along with a token",
    () => ({ token: usdc, bytes: encode(TOKEN, { value: "0x01" }) }),
    UNSUPPORTED,
    /along with a token/,
  ],
  [
    "nothing moved",
    () => ({ bytes: encode(ETH, { value: "0x" }), effect: { amount: "0.00" } }),
    UNSUPPORTED,
    /moves nothing/,
  ],
  ["an access list", () => ({ bytes: encode(ETH, {}, [[[TO, []]]]) }), UNSUPPORTED, /access list/],
  [
    "a legacy transaction",
    () => ({
      bytes: toRlp(["0x07", "0x06fc23ac00", "0x5208", TO, "0x14d1120d7b160000", "0x"]).slice(2),
    }),
    UNSUPPORTED,
    /not of type EIP-1559/,
  ],
  ["a transaction of type 1", () => ({ bytes: encode(ETH, {}, [[]], "01") }), UNSUPPORTED, /not of type EIP-1559/],
  ["a transaction of type 4", () => ({ bytes: encode(ETH, {}, [[], []], "04") }), UNSUPPORTED, /not of type EIP-1559/],
  [
    "a signed transaction",
    () => ({ bytes: encode(ETH, {}, [[], "0x01", `0x${"11".repeat(32)}`, `0x${"22".repeat(32)}`]) }),
    UNSUPPORTED,
    /signed already/,
  ],
  // The bytes have another spelling, in which something may hide.
  ["a number with a leading zero", () => ({ bytes: encode(ETH, { nonce: "0x0007" }) }), MALFORMED, /cannot be read/],
  [
    "a zero with a byte",
    () => ({ bytes: encode(ETH, { nonce: "0x00" }), effect: { nonce: 0 } }),
    MALFORMED,
    /cannot be read/,
  ],
  ["bytes after the end", () => ({ bytes: `${encode(ETH)}00` }), MALFORMED, /cannot be read/],
  ["a field too many", () => ({ bytes: encode(ETH, {}, [[], "0x"]) }), MALFORMED, /cannot be read/],
  ["a field too few", () => ({ bytes: encode(ETH, {}, []) }), MALFORMED, /cannot be read/],
  [
    "a long form where the short one belongs",
    () => ({ bytes: `02f8${encode(ETH).slice(2).replace(/^f0/, "30")}` }),
    MALFORMED,
    /cannot be read/,
  ],
  [
    "a destination of 19 bytes",
    () => ({ bytes: encode(ETH, { to: DESTINATION.toLowerCase().slice(0, -2) }) }),
    MALFORMED,
    /cannot be read/,
  ],
  ["no bytes of a transaction", () => ({ bytes: "02" }), MALFORMED, /cannot be read/],
];
