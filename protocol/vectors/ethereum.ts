/**
 * Makes ethereum.json: unsigned transactions with what they do, or which refusal each side gives. RLP and decimals are written
 * here a third time on purpose: neither library's mistakes can pass as the expectation.
 */
import type { Network, Token } from "../network.ts";

type Item = string | readonly Item[];

const TO = "0x52908400098527886E0F7030069857D2E4169EE7";
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
const ETH: Network = { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 };
const GWEI = 10n ** 9n;
const MOST = 2n ** 256n - 1n;

/** RLP of hex strings and lists. */
function rlp(item: Item): string {
  if (typeof item !== "string") return prefixed(0xc0, item.map(rlp).join(""));
  return /^[0-7][0-9a-f]$/.test(item) ? item : prefixed(0x80, item);
}

function prefixed(base: number, hex: string): string {
  const length = hex.length / 2;
  if (length < 56) return (base + length).toString(16).padStart(2, "0") + hex;
  const size = quantity(BigInt(length));
  return (base + 55 + size.length / 2).toString(16) + size + hex;
}

/** Shortest big-endian hex; nothing for zero. */
function quantity(n: bigint): string {
  if (n === 0n) return "";
  const hex = n.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

interface Fields {
  chain: bigint;
  nonce: bigint;
  priority: bigint;
  fee: bigint;
  gas: bigint;
  to: string;
  value: bigint;
  data: string;
}

const BASE: Fields = {
  chain: 1n,
  nonce: 7n,
  priority: GWEI,
  fee: 30n * GWEI,
  gas: 21_000n,
  to: bare(TO),
  value: 15n * 10n ** 17n,
  data: "",
};

function bare(address: string): string {
  return address.slice(2).toLowerCase();
}

function itemsOf(change: Partial<Fields>): Item[] {
  const { chain, nonce, priority, fee, gas, to, value, data } = { ...BASE, ...change };
  return [...[chain, nonce, priority, fee, gas].map(quantity), to, quantity(value), data, []];
}

function encode(items: readonly Item[], type = "02"): string {
  return type + rlp(items);
}

/** Call data of transfer(to, units). */
function transfer(units: bigint, to = bare(TO)): string {
  return `a9059cbb${to.padStart(64, "0")}${units.toString(16).padStart(64, "0")}`;
}

function tokenFields(units: bigint, contract = USDC): Partial<Fields> {
  return { to: bare(contract), value: 0n, gas: 65_000n, data: transfer(units) };
}

function usdc(decimals = 6): Token {
  return { contract: USDC, symbol: "USDC", decimals };
}

/** The rule of README.md, "Amounts", by moving the point one digit at a time. */
function decimal(units: bigint, decimals: number): string {
  let whole = units;
  const fraction: string[] = [];
  for (let place = 0; place < decimals; place += 1) {
    fraction.unshift((whole % 10n).toString());
    whole /= 10n;
  }
  while (fraction.length > 2 && fraction.at(-1) === "0") fraction.pop();
  return fraction.length === 0 ? whole.toString() : `${whole}.${fraction.join("")}`;
}

function decoded(what: string, change: Partial<Fields>, network: Network, token: Token | null, units: bigint) {
  const { gas, fee, nonce } = { ...BASE, ...change };
  return {
    what,
    tx: encode(itemsOf(change)),
    network,
    token,
    effect: {
      amount: decimal(units, token?.decimals ?? network.decimals),
      asset: token?.symbol ?? network.symbol,
      to: TO,
      maxFee: `${decimal(gas * fee, network.decimals)} ${network.symbol}`,
      nonce: Number(nonce),
    },
  };
}

function coin(what: string, change: Partial<Fields>, network = ETH) {
  return decoded(what, change, network, null, change.value ?? BASE.value);
}

function token(what: string, units: bigint, decimals: number, change: Partial<Fields> = {}) {
  return decoded(what, { ...tokenFields(units), ...change }, ETH, usdc(decimals), units);
}

const DECODED = [
  coin("1.5 of the coin", {}),
  coin("1 wei", { value: 1n }),
  coin("every decimal of the coin", { value: 1_234_567_890_123_456_789n }),
  coin("a whole number of the coin has two decimals", { value: 250n * 10n ** 18n }),
  coin("one decimal has two", { value: 10n ** 17n }),
  coin("999999 of the coin and all wei but one", { value: 10n ** 24n - 1n }),
  coin("a million of the coin", { value: 10n ** 24n }),
  coin("the largest amount of the coin", { value: MOST }),
  coin("one unit of gas", { gas: 1n }),
  coin("the largest fee", { fee: MOST / 21_000n }),
  coin("the first nonce", { nonce: 0n }),
  coin("the largest nonce that both sides can count", { nonce: 2n ** 53n - 1n }),
  coin("the lowest fee", { fee: 1n, priority: 0n }),
  coin("a fee with every decimal", { fee: 29_999_999_999n, gas: 21_001n }),
  coin("a high fee", { fee: 9_999n * GWEI, gas: 1_000_000n }),
  coin("another network", { chain: 11_155_111n }, { ...ETH, id: "eip155:11155111", name: "Sepolia" }),
  coin("a long chain id", { chain: 1_313_161_554n }, { ...ETH, id: "eip155:1313161554", name: "Aurora" }),
  coin("a coin of 6 decimals", { value: 1_500_000n }, { id: "eip155:1", name: "Chain", symbol: "COIN", decimals: 6 }),
  coin("a coin without decimals", { value: 15n }, { id: "eip155:1", name: "Chain", symbol: "COIN", decimals: 0 }),
  ...[0, 1, 2, 6, 18, 36].flatMap((decimals) => [
    token(`one unit of a token of ${decimals} decimals`, 1n, decimals),
    token(`one token of ${decimals} decimals`, 10n ** BigInt(decimals), decimals),
    token(`an uneven amount of a token of ${decimals} decimals`, 1_234_567_890_500_000n, decimals),
    token(`the largest amount of a token of ${decimals} decimals`, MOST, decimals),
  ]),
];

const T = "ERR_TX_UNSUPPORTED";
const M = "ERR_TX_MALFORMED";
const D = "ERR_REQUEST_DIFFERS";

interface Refused {
  what: string;
  tx: string;
  network: Network;
  token: Token | null;
  agent: string;
  extension: string;
}

function refused(what: string, tx: string, agent: string, extension: string, asset: Token | null = null) {
  return { what, tx, network: ETH, token: asset, agent, extension } satisfies Refused;
}

const COIN = encode(itemsOf({}));
const USDC_TX = encode(itemsOf(tokenFields(250_000_000_000n)));
const withItem = (at: number, item: Item) => encode(itemsOf({}).with(at, item));
const withData = (data: string) => encode(itemsOf({ ...tokenFields(1n), data }));
const paid = transfer(5n);

const REFUSED: Refused[] = [
  refused("nothing", "", M, T),
  refused("a type and nothing else", "02", M, M),
  refused("a legacy transaction", rlp(["07", "04a817c800", "5208", bare(TO), "0a", "", "01", "", ""]), T, T),
  refused("type 1", encode(["01", "07", "04a817c800", "5208", bare(TO), "0a", "", []], "01"), T, T),
  refused("an unknown type", `05${COIN.slice(2)}`, M, T),
  refused("upper-case hex", COIN.toUpperCase(), M, M),
  refused("a byte after the end", `${COIN}00`, M, M),
  refused("a byte missing", COIN.slice(0, -2), M, M),
  refused("half a byte missing", COIN.slice(0, -1), M, M),
  refused(
    "a length in its long form",
    `02f8${(Number.parseInt(COIN.slice(2, 4), 16) - 0xc0).toString(16)}${COIN.slice(4)}`,
    M,
    M,
  ),
  refused("a leading zero in the nonce", withItem(1, "0007"), M, M),
  refused("a leading zero in the value", withItem(6, "00ff"), M, M),
  refused("a nonce of one zero byte", withItem(1, "00"), M, M),
  refused("a list where the nonce stands", withItem(1, ["07"]), M, M),
  refused("a field too few", encode(itemsOf({}).slice(0, 8)), M, M),
  refused("a field too many", encode([...itemsOf({}), ""]), M, M),
  refused("a destination of 19 bytes", withItem(5, bare(TO).slice(2)), M, M),
  refused("a destination of 21 bytes", withItem(5, `${bare(TO)}00`), M, M),
  refused("contract creation", withItem(5, ""), T, T),
  refused("signed already", encode([...itemsOf({}), "01", "11".repeat(32), "22".repeat(32)]), T, T),
  refused("an access list", withItem(8, [[bare(TO), ["11".repeat(32)]]]), T, T),
  refused("an access list that is not a list", withItem(8, "01"), M, M),
  refused("a priority fee above the fee", encode(itemsOf({ priority: 31n * GWEI })), M, M),
  refused("another network", encode(itemsOf({ chain: 10n })), T, D),
  refused("no network", encode(itemsOf({ chain: 0n })), T, M),
  refused("data with the coin", encode(itemsOf({ gas: 65_000n, data: "00" })), T, T),
  refused("a token's transfer said to be the coin's", USDC_TX, T, T),
  refused("the coin's transfer said to be a token's", COIN, T, D, usdc()),
  refused("another contract", encode(itemsOf(tokenFields(5n, TO))), T, D, usdc()),
  refused("a token, and coin along with it", encode(itemsOf({ ...tokenFields(5n), value: 1n })), T, T, usdc()),
  refused("approve instead of transfer", withData(paid.replace("a9059cbb", "095ea7b3")), T, T, usdc()),
  refused("transferFrom", withData(`23b872dd${"0".repeat(64)}${paid.slice(8)}`), T, T, usdc()),
  refused("no data for a token", withData(""), T, T, usdc()),
  refused("the selector alone", withData("a9059cbb"), T, T, usdc()),
  refused("an amount of 31 bytes", withData(paid.slice(0, -2)), T, T, usdc()),
  refused("a byte after the amount", withData(`${paid}00`), T, T, usdc()),
  refused("something in the padding of the address", withData(paid.replace("a9059cbb00", "a9059cbb01")), T, T, usdc()),
  refused("a nonce past what both sides can count", encode(itemsOf({ nonce: 2n ** 53n })), T, M),
  refused("none of the coin", encode(itemsOf({ value: 0n })), T, T),
  refused("none of a token", encode(itemsOf(tokenFields(0n))), T, T, usdc()),
  refused("a fee past 2^256", encode(itemsOf({ fee: MOST })), M, T),
];

export const ETHEREUM = { decoded: DECODED, refused: REFUSED };
