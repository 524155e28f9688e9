/** For tests only: an HSM identity with the messages that its agent would send, and a bridge that delivers them. Not part of the extension. */
import { base64url } from "jose";
import { originOf } from "../protocol/checkpoint.ts";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { encodeInvite, type Invite } from "../protocol/invite.ts";
import type { Receipt } from "../protocol/log-entry.ts";
import {
  CARD,
  type Card,
  FREEZES,
  type Freezes,
  REFUSAL,
  RESEAL,
  type Refusal,
  WELCOME,
  type Welcome,
} from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { REQUEST, type TransferRequest, withStatement } from "../protocol/request.ts";
import { makeSealKey, publicSealJwk, seal } from "../protocol/seal.ts";
import type { View } from "../protocol/view.ts";
import type { Outcome } from "./arrival.ts";
import { claimsFor, clock } from "./compose.ts";
import { look } from "./database.ts";
import { receive } from "./inbox.ts";
import { makeKey, publicJwkOf, signerOf } from "./keys.ts";
import { LogDouble } from "./log-double.ts";
import { loadPairing } from "./store.ts";

export const DESTINATION = "0x52908400098527886E0F7030069857D2E4169EE7";
export const REQUEST_ID = "01JDA7Q9T2M4XYZ0";
export const BRIDGE = "ws://127.0.0.1:8787/";

export interface HsmDouble {
  readonly signer: Signer;
  readonly jwk: PublicJwk;
  /** What its agent receives with, as its cards say. */
  readonly sealKey: CryptoKeyPair;
  /** What its agent keeps; put another in its place and it lies. */
  log: LogDouble;
  invite(): Promise<{ code: string; invite: Invite }>;
  card(change?: Partial<Card>): Promise<string>;
  welcome(to: string, change?: Partial<Welcome>): Promise<string>;
  request(to: string, change?: Partial<TransferRequest>): Promise<string>;
  /** A view of the log with one more entry, which is a receipt. */
  receipt(to: string, digest: string, change?: Partial<Receipt>): Promise<string>;
  /** A view of the log as it is. */
  view(to: string, change?: Partial<View>): Promise<string>;
  refusal(to: string, of: string, change?: Partial<Refusal>): Promise<string>;
  freezes(to: string, change?: Partial<Freezes>): Promise<string>;
  reseal(to: string, card: string): Promise<string>;
}

/** `log` is given where it goes on from another identity's. */
export async function makeHsm(log?: LogDouble): Promise<HsmDouble> {
  const key = await makeKey();
  const signer = await signerOf(key);
  const jwk = await publicJwkOf(key);
  const sealKey = await makeSealKey(false);
  const claims = (to: string) => claimsFor(signer, to, clock(), 3600);
  const sign = async <T extends Claims>(type: MessageType<T>, payload: T) => await signEnvelope(type, payload, signer);
  const keeper = { signer, jwk };
  const hsm: HsmDouble = {
    signer,
    jwk,
    sealKey,
    log: log ?? new LogDouble(originOf(signer.kid)),
    invite: async () => {
      const once = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
      const { d = "" } = await crypto.subtle.exportKey("jwk", once.privateKey);
      const invite: Invite = { v: 1, bridge: BRIDGE, hsm: signer.kid, key: await publicJwkOf(once), d };
      return { code: encodeInvite(invite), invite };
    },
    card: async (change) =>
      await sign(CARD, { ...claims(BRIDGE), n: 1, hsm: jwk, link: jwk, seal: await publicSealJwk(sealKey), ...change }),
    welcome: async (to, change) =>
      await sign(WELCOME, {
        ...claims(to),
        hsm: jwk,
        founder: signer.kid,
        founding: null,
        name: "Ada",
        roles: ["approver"],
        devices: [],
        standing: "member",
        ...change,
      }),
    request: async (to, change) =>
      await sign(REQUEST, withStatement({ ...claims(to), ...SEND, exp: minutes(60), ...change })),
    receipt: async (to, digest, change) => {
      const about = { v: 1, kind: "state", at: clock(), request: REQUEST_ID, digest } as const;
      const index = hsm.log.append({ ...about, n: 1, state: "pending", records: [], hash: null, ...change });
      return await hsm.log.view(keeper, to, [index]);
    },
    view: async (to, change) => await hsm.log.view(keeper, to, [], change),
    refusal: async (to, of, change) =>
      await sign(REFUSAL, {
        ...claims(to),
        of,
        request: null,
        code: "ERR_INVITE",
        message: "It was used already.",
        ...change,
      }),
    freezes: async (to, change) => await sign(FREEZES, { ...claims(to), n: 1, freezes: [], ...change }),
    reseal: async (to, card) => await sign(RESEAL, { ...claims(to), of: base64url.encode(new Uint8Array(16)), card }),
  };
  return hsm;
}

/** Seals a message to this browser's newest receiving key and has it delivered, stamped by the bridge as coming from `from`. */
export async function deliver(jws: string, from?: string): Promise<Outcome> {
  const [newest] = (await look((records) => records.all("sealKeys"))).sort((a, b) => b.n - a.n);
  if (newest === undefined) throw new Error("nothing to receive with");
  return await receive(await seal(jws, newest.jwk), from ?? (await loadPairing())?.hsm ?? "", clock());
}

/** A JWS with one bit of its signature turned over. */
export function breakSignature(jws: string): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const bytes = base64url.decode(signature);
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  return `${header}.${payload}.${base64url.encode(bytes)}`;
}

/** A whole minute, so many after the one that has begun. */
export function minutes(from: number): number {
  const now = clock();
  return now - (now % 60) + from * 60;
}

export const SEND: Omit<TransferRequest, "statement" | keyof Claims> = {
  request: REQUEST_ID,
  verb: "SEND",
  vault: { id: "ab".repeat(16), name: "Treasury-1", publicKey: `04${"ab".repeat(64)}` },
  network: { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 },
  token: null,
  payee: null,
  /** 1.5 ETH to DESTINATION on chain 1, nonce 7, 21,000 gas at 30 gwei, as EIP-1559. */
  sign: ["02f00107843b9aca008506fc23ac008252089452908400098527886e0f7030069857d2e4169ee78814d1120d7b16000080c0"],
  effect: { amount: "1.50", asset: "ETH", to: DESTINATION, maxFee: "0.00063 ETH", nonce: 7 },
  initiator: "Carol",
  quorum: { threshold: 2, people: ["Ada", "Bob", "Dan"], vendors: [] },
  policy: { n: 17, digest: "cd".repeat(32) },
  people: { n: 3, digest: "ef".repeat(32) },
};
