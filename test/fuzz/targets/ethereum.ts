/**
 * Transactions: the agent's reader and the extension's, which are different libraries, on the same bytes. Both refuse, or both say the
 * same; and what they accept is strict RLP by a third reader (rlp.ts), field by field what they said.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { decodeTransfer } from "../../../extension/decode/ethereum.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { ethereum } from "../../../hsm-agent/chains/ethereum.ts";
import type { Network, Token } from "../../../protocol/network.ts";
import { readVectors } from "../corpus.ts";
import { join, mutateBytes } from "../mutate-bytes.ts";
import type { Random } from "../random.ts";
import { numberBytes, type Rlp, readRlp, writeRlp } from "../rlp.ts";
import { accept, given, require, requireSame, type Target } from "../target.ts";

interface Vector {
  readonly tx: string;
  readonly network: Network;
  readonly token: Token | null;
}
type Side = "agent" | "extension" | "both";

const VECTORS = readVectors("ethereum") as { decoded: Vector[]; refused: Vector[] };
const ALL = [...VECTORS.decoded, ...VECTORS.refused.filter(({ tx }) => tx.length > 2 && tx.length % 2 === 0)];
const BYTES = ALL.map(({ tx }) => hexToBytes(tx.toLowerCase()));
const TREES = VECTORS.decoded.map((vector) => ({ ...vector, tree: readRlp(hexToBytes(vector.tx).subarray(1)) ?? [] }));

interface Read {
  readonly amount: string;
  readonly asset: string;
  readonly to: string;
  readonly maxFee: string;
  readonly nonce: number;
}

export function transactions(side: Side): Target {
  return {
    attempt: (random) => {
      const { tx, network, token } = given(transaction(random));
      const agents = side === "extension" ? undefined : accept(() => ethereum.describe(tx, network, token));
      const extensions = side === "agent" ? undefined : accept(() => decodeTransfer({ sign: [tx], network, token }));
      if (side === "both") requireSame(wordsOf(agents), wordsOf(extensions), "two readers that disagree");
      const read = agents ?? extensions;
      if (read === undefined) return "refused";
      requireStrict(tx, read, network, token);
      return "accepted";
    },
  };
}

function wordsOf(read: Read | undefined): readonly unknown[] | null {
  return read === undefined ? null : [read.amount, read.asset, read.to, read.maxFee, read.nonce];
}

/** What the bytes are to a third reader. */
function requireStrict(tx: string, read: Read, network: Network, token: Token | null): void {
  require(/^02([0-9a-f]{2})+$/.test(tx), "another spelling of the bytes");
  const tree = readRlp(hexToBytes(tx).subarray(1));
  require(Array.isArray(tree) && tree.length === 9, "what is not strict RLP of nine fields");
  const [chain, nonce, priority, fee, gas, to, value, data, access] = tree;
  for (const number of [chain, nonce, priority, fee, gas, value])
    require(number instanceof Uint8Array && number[0] !== 0 && number.length <= 32, "a number with leading zeros");
  require(Array.isArray(access) && access.length === 0, "an access list");
  require(`eip155:${numberOf(chain)}` === network.id &&
    numberOf(nonce) === BigInt(read.nonce), "another chain or nonce");
  require(numberOf(priority) <= numberOf(fee), "a priority fee above the fee");
  const spent = numberOf(gas) * numberOf(fee);
  require(scaledBy(read.maxFee.split(" ")[0], network.decimals) === spent, "another fee");
  const [contract, call] = [hexOf(to), hexOf(data)];
  const isToken = token !== null;
  const [recipient, units] = isToken
    ? [call.slice(32, 72), BigInt(`0x${call.slice(72)}`)]
    : [contract, numberOf(value)];
  require(isToken
    ? contract === token.contract.slice(2).toLowerCase() && call.length === 136
    : call === "", "other data");
  require(read.to.slice(2).toLowerCase() === recipient && units > 0n, "another destination");
  require(scaledBy(read.amount, token?.decimals ?? network.decimals) === units, "another amount");
}

const numberOf = (field: Rlp | undefined) => BigInt(`0x0${hexOf(field)}`);
const hexOf = (field: Rlp | undefined) => (field instanceof Uint8Array ? bytesToHex(field) : "");

function scaledBy(decimal = "", decimals: number): bigint {
  const [whole = "", fraction = ""] = decimal.split(".");
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

function transaction(random: Random): Vector {
  const model = random.pick(TREES);
  const decimals = random.once(6) ? random.int(37) : model.network.decimals;
  const network = { ...model.network, decimals };
  const token = model.token === null || random.once(10) ? model.token : { ...model.token, decimals: random.int(37) };
  const vector = random.once(12) ? { network, token: random.pick(TREES).token } : { network, token };
  if (random.once(3)) {
    const changed = mutateBytes(random, random.pick(BYTES), BYTES);
    return { ...vector, tx: spelt(random, changed) };
  }
  const fields = Array.isArray(model.tree) ? [...model.tree] : [];
  for (let edits = 1 + random.int(2); edits > 0; edits -= 1) editField(random, fields);
  return {
    ...vector,
    tx: spelt(random, join(Uint8Array.of(random.once(30) ? random.int(5) : 2), writeRlp(fields, random))),
  };
}

function editField(random: Random, fields: Rlp[]): void {
  const at = random.int(fields.length);
  const field = fields[at] ?? [];
  switch (random.int(8)) {
    case 0:
      fields.splice(at, 1);
      return;
    case 1:
      fields.splice(at, 0, random.once(2) ? field : []);
      return;
    case 2:
      fields[at] = random.once(2) ? [field] : [];
      return;
    case 3:
      fields[at] = field instanceof Uint8Array ? join(Uint8Array.of(0), field) : new Uint8Array();
      return;
    case 4:
      fields[at] = field instanceof Uint8Array ? mutateBytes(random, field, BYTES) : [new Uint8Array(20), []];
      return;
    default:
      // Numbers at the edges of what either library can count.
      fields[random.pick([1, 2, 3, 4, 6])] = numberBytes(number(random));
  }
}

function number(random: Random): bigint {
  const edge = 1n << BigInt(random.pick([0, 1, 7, 8, 31, 32, 53, 63, 64, 128, 255, 256, 264]));
  const near = edge + BigInt(random.int(3) - 1);
  return random.once(2) ? near : BigInt(`0x${bytesToHex(random.bytes(1 + random.int(20)))}`);
}

function spelt(random: Random, bytes: Uint8Array): string {
  const hex = bytesToHex(bytes);
  return random.once(50) ? random.pick([hex.toUpperCase(), `0x${hex}`, hex.slice(1), ` ${hex}`, `${hex}\n`]) : hex;
}
