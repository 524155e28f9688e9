/** For tests only: an HSM identity and a member, with the messages that they would send. Not part of the extension. */
import { base64url } from "jose";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { encodeInvite, type Invite } from "../protocol/invite.ts";
import { RECEIPT, REFUSAL, type Receipt, type Refusal, WELCOME, type Welcome } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { REQUEST, type RequestPayload, withStatement } from "../protocol/request.ts";
import { claimsFor, clock } from "./compose.ts";
import { makeKey, publicJwkOf, signerOf } from "./keys.ts";

export const DESTINATION = "0x52908400098527886E0F7030069857D2E4169EE7";
export const REQUEST_ID = "01JDA7Q9T2M4XYZ0";

export interface HsmDouble {
  readonly signer: Signer;
  readonly jwk: PublicJwk;
  invite(): Promise<{ code: string; invite: Invite }>;
  welcome(to: string, change?: Partial<Welcome>): Promise<string>;
  request(to: string, change?: Partial<RequestPayload>): Promise<string>;
  receipt(to: string, digest: string, change?: Partial<Receipt>): Promise<string>;
  refusal(to: string, of: string, change?: Partial<Refusal>): Promise<string>;
}

export async function makeHsm(): Promise<HsmDouble> {
  const key = await makeKey();
  const signer = await signerOf(key);
  const jwk = await publicJwkOf(key);
  const claims = (to: string) => claimsFor(signer, to, clock(), 3600);
  const sign = async <T extends Claims>(type: MessageType<T>, payload: T) => await signEnvelope(type, payload, signer);
  return {
    signer,
    jwk,
    invite: async () => {
      const once = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
      const { d = "" } = await crypto.subtle.exportKey("jwk", once.privateKey);
      const invite: Invite = { v: 1, bridge: "ws://127.0.0.1:8787/", hsm: signer.kid, key: await publicJwkOf(once), d };
      return { code: encodeInvite(invite), invite };
    },
    welcome: async (to, change) =>
      await sign(WELCOME, { ...claims(to), hsm: jwk, name: "Ada", roles: ["approver"], devices: [], ...change }),
    request: async (to, change) =>
      await sign(REQUEST, withStatement({ ...claims(to), ...SEND, exp: minutes(60), ...change })),
    receipt: async (to, digest, change) =>
      await sign(RECEIPT, {
        ...claims(to),
        request: REQUEST_ID,
        digest,
        n: 1,
        state: "pending",
        records: [],
        hash: null,
        ...change,
      }),
    refusal: async (to, of, change) =>
      await sign(REFUSAL, {
        ...claims(to),
        of,
        request: null,
        code: "ERR_INVITE",
        message: "It was used already.",
        ...change,
      }),
  };
}

/** A JWS with one bit of its signature turned over. */
export function breakSignature(jws: string): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const bytes = base64url.decode(signature);
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  return `${header}.${payload}.${base64url.encode(bytes)}`;
}

function minutes(from: number): number {
  const now = clock();
  return now - (now % 60) + from * 60;
}

const SEND: Omit<RequestPayload, "statement" | keyof Claims> = {
  request: REQUEST_ID,
  verb: "SEND",
  vault: { id: "ab".repeat(16), name: "Treasury-1", publicKey: `04${"ab".repeat(64)}` },
  network: { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 },
  token: null,
  /** 1.5 ETH to DESTINATION on chain 1, nonce 7, 21,000 gas at 30 gwei, as EIP-1559. */
  sign: ["02f00107843b9aca008506fc23ac008252089452908400098527886e0f7030069857d2e4169ee78814d1120d7b16000080c0"],
  effect: { amount: "1.50", asset: "ETH", to: DESTINATION, maxFee: "0.00063 ETH", nonce: 7 },
  initiator: "Carol",
  quorum: { threshold: 2, people: ["Ada", "Bob", "Dan"], vendors: [] },
  policy: { n: 17, digest: "cd".repeat(32) },
  people: { n: 3, digest: "ef".repeat(32) },
};
