/**
 * Requests as a lying agent makes them: honest but for what a test changes, in the words or in the bytes. The bytes are put together
 * field by field, so that they can be what no library would write. protocol/README.md, "Request".
 */
import { randomBytes } from "node:crypto";
import { type Hex, toRlp } from "viem";
import { type Documents, referencesOf } from "../../protocol/governance.ts";
import { requestIdOf } from "../../protocol/primitive.ts";
import { type Effect, type TransferRequest, withStatement } from "../../protocol/request.ts";
import { newJti, now } from "./bridge-client.ts";
import { USDC } from "./policy-plan.ts";
import { DESTINATION } from "./requests.ts";
import { ROGUE_VAULT } from "./rogue-founding.ts";

/** The fields of an EIP-1559 transaction in RLP's order, each as its bytes. */
export const ETH = {
  chainId: "0x01",
  nonce: "0x07",
  priorityFee: "0x3b9aca00",
  maxFee: "0x06fc23ac00",
  gas: "0x5208",
  to: DESTINATION.toLowerCase(),
  value: "0x14d1120d7b160000",
  data: "0x",
} as const;
type Fields = Partial<Record<keyof typeof ETH, string>>;
type Rlp = Hex | Rlp[];

/** Hex of a transaction of `type`, its fields and what comes after them. */
export function encode(base: Fields, change: Fields = {}, rest: Rlp[] = [[]], type = "02"): string {
  const values = Object.values({ ...base, ...change }) as Hex[];
  return type + toRlp([...values, ...rest]).slice(2);
}

/** Calldata of a method that takes an address and a number. */
export function call(selector: string, to: string, units: bigint, more = ""): string {
  return `0x${selector}${to.slice(2).toLowerCase().padStart(64, "0")}${units.toString(16).padStart(64, "0")}${more}`;
}

/** transfer(address,uint256) */
export const TRANSFER = "a9059cbb";
/** 250,000 USDC. */
export const UNITS = 250_000_000_000n;
export const TOKEN: Fields = {
  ...ETH,
  gas: "0xfde8",
  to: USDC.toLowerCase(),
  value: "0x",
  data: call(TRANSFER, DESTINATION, UNITS),
};

/** What a request says besides what is honest. `bytes` are what it does, `text` changes the statement alone. */
export interface Lie extends Partial<Omit<TransferRequest, "effect" | "sign" | "statement">> {
  readonly bytes?: string;
  readonly effect?: Partial<Effect>;
  readonly text?: (statement: string) => string;
}

export const usdc = { contract: USDC, symbol: "USDC", decimals: 6 };

/** Between whom, and what is in force there. */
export interface Between {
  /** Thumbprints of the HSM and of the reader. */
  readonly hsm: string;
  readonly to: string;
  readonly documents: Documents;
}

/** A request for 1.5 ETH, or with a token for 250,000 USDC, but for the lie. Its statement agrees with what it says. */
export function makeRequest({ hsm, to, documents }: Between, lie: Lie): TransferRequest {
  const { bytes, effect, text, ...rest } = lie;
  const token = rest.token ?? null;
  const iat = now();
  const coin = { amount: "1.50", asset: "ETH", to: DESTINATION, maxFee: "0.00063 ETH", nonce: 7 };
  const payload = withStatement({
    v: 1,
    iss: hsm,
    aud: [to],
    jti: newJti(),
    iat,
    exp: (Math.floor(iat / 60) + 60) * 60,
    request: requestIdOf(randomBytes(10)),
    verb: "SEND",
    vault: ROGUE_VAULT,
    network: { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 },
    token,
    payee: null,
    sign: [bytes ?? encode(token === null ? ETH : TOKEN)],
    effect: {
      ...coin,
      ...(token === null ? {} : { amount: "250000.00", asset: "USDC", maxFee: "0.00195 ETH" }),
      ...effect,
    },
    initiator: "Olga",
    quorum: { threshold: 2, people: ["Alice", "Bob", "Carol", "Dan"], vendors: [] },
    ...referencesOf(documents),
    ...rest,
  });
  return text === undefined ? payload : { ...payload, statement: text(payload.statement) };
}
