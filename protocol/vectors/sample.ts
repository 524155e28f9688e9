/** The one request that the vectors and the example of README.md are about, and everything that is sent around it. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { originOf, signCheckpoint, type TreeHead } from "../checkpoint.ts";
import type { Claims, MessageType } from "../envelope.ts";
import { payloadText, signPayload } from "../envelope.ts";
import {
  APPROVAL,
  CANCELLATION,
  CARD,
  CLOCK,
  ENROLMENT,
  FREEZE,
  FREEZES,
  INVITATION,
  LOGIN,
  MOTION,
  PAIR,
  PROPOSAL,
  REFUSAL,
  REJECTION,
  RESEAL,
  ROSTER,
  SYNC,
  VOUCH,
  WELCOME,
  WITHDRAWAL,
  WITNESS,
} from "../message.ts";
import { requestIdOf, thumbprint } from "../primitive.ts";
import { REQUEST, requestDigest, statementOf, withStatement } from "../request.ts";
import { type PairingFacts, wordsOfPairing } from "../words.ts";
import {
  ADA,
  ADA_SEAL,
  ADAS_DEVICE,
  AGENT_SEAL,
  BOB,
  bytesOf,
  DAN,
  HSM,
  INVITE,
  LINK,
  OLGA,
  VAULT,
  type VectorKey,
  wordOf,
} from "./keys.ts";

/** 2026-11-22T08:01:00Z. Seconds. */
export const NOW = 1_795_334_460;
export const EXPIRES = 1_795_338_000;
export const BRIDGE = "wss://bridge.example/";
export const BRIDGE_NONCE = wordOf("bridge nonce", 32);

/** Claims of a message from `from` to `to`, with a `jti` that follows from `name`. */
export function claims(name: string, from: VectorKey, to: readonly string[]): Claims & { aud: string[] } {
  return { v: 1, iss: from.signer.kid, aud: [...to], jti: wordOf(`jti of ${name}`, 16), iat: NOW, exp: NOW + 3600 };
}

const TO_HSM = [HSM.signer.kid];
const TO_APPROVERS = [ADA, BOB, DAN].map(({ signer }) => signer.kid);

export const REQUEST_PAYLOAD = withStatement({
  ...claims("request", HSM, TO_APPROVERS),
  exp: EXPIRES,
  request: requestIdOf(bytesOf("request id", 10)),
  verb: "SEND",
  vault: { id: bytesToHex(bytesOf("vault id", 16)), name: "Treasury-1", publicKey: VAULT.publicKey },
  network: { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 },
  token: { contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", symbol: "USDC", decimals: 6 },
  payee: null,
  sign: [
    "02f86d0107843b9aca008522ecb25c0082ea6094a0b86991c6218b36c1d19d4a2e9eb0ce3606eb4880b844a9059cbb" +
      "00000000000000000000000052908400098527886e0f7030069857d2e4169ee7" +
      "0000000000000000000000000000000000000000000000000000003a35294400c0",
  ],
  effect: {
    amount: "250000.00",
    asset: "USDC",
    to: "0x52908400098527886E0F7030069857D2E4169EE7",
    maxFee: "0.009 ETH",
    nonce: 7,
  },
  initiator: "Olga",
  quorum: { threshold: 2, people: ["Ada", "Bob", "Dan"], vendors: [] },
  policy: { n: 17, digest: bytesToHex(bytesOf("policy document", 32)) },
  people: { n: 9, digest: bytesToHex(bytesOf("people document", 32)) },
});

const text = payloadText(REQUEST, REQUEST_PAYLOAD);
export const DIGEST = requestDigest(new TextEncoder().encode(text));
export const STATEMENT = statementOf(REQUEST_PAYLOAD, REQUEST_PAYLOAD.effect, DIGEST);
/** A state of the log, as an approval and a witness name it. */
export const LOG_HEAD: TreeHead = { size: 42, root: bytesToHex(bytesOf("root of the log", 32)) };
const about = { request: REQUEST_PAYLOAD.request, digest: DIGEST };
const enrolled = { address: ADAS_DEVICE.address, vendor: "Ledger" as const, model: "flex" };

export const WITHDRAWAL_PAYLOAD = { ...claims("withdrawal", ADA, TO_HSM), ...about };
export const APPROVAL_PAYLOAD = {
  ...claims("approval", ADA, TO_HSM),
  exp: EXPIRES,
  ...about,
  address: ADAS_DEVICE.address,
  signature: ADAS_DEVICE.sign(STATEMENT),
  log: LOG_HEAD,
};

export const CARD_PAYLOAD = {
  ...claims("card", HSM, [BRIDGE]),
  n: 3,
  hsm: HSM.jwk,
  link: LINK.jwk,
  seal: AGENT_SEAL.jwk,
};

export const ADAS_PAIRING: PairingFacts = {
  hsm: HSM.signer.kid,
  key: ADA.jwk,
  seal: ADA_SEAL.jwk,
  name: "Ada",
  roles: ["approver", "admin"],
  address: ADAS_DEVICE.address,
};

/** A message whole: what it is, its payload's exact text and the JWS. */
export interface Sample {
  readonly typ: string;
  readonly payload: string;
  readonly jws: string;
}

export async function sampleOf<T extends Claims>(type: MessageType<T>, payload: T, key: VectorKey): Promise<Sample> {
  const exact = payloadText(type, payload);
  return { typ: type.typ, payload: exact, jws: await signPayload(type, exact, key.signer) };
}

/** One of each message, as the agent, its members and the bridge would see them. */
export async function samples(): Promise<Sample[]> {
  const fromHsm = (name: string, to = TO_APPROVERS.slice(0, 1)) => claims(name, HSM, to);
  const fromAda = (name: string) => claims(name, ADA, TO_HSM);
  const { jws: card } = await sampleOf(CARD, CARD_PAYLOAD, HSM);
  const checkpoint = await signCheckpoint(originOf(HSM.signer.kid), LOG_HEAD, HSM.signer, HSM.jwk);
  return [
    await sampleOf(REQUEST, REQUEST_PAYLOAD, HSM),
    await sampleOf(APPROVAL, APPROVAL_PAYLOAD, ADA),
    await sampleOf(REJECTION, { ...fromAda("rejection"), ...about, reason: "not-expected" }, ADA),
    await sampleOf(WITHDRAWAL, WITHDRAWAL_PAYLOAD, ADA),
    await sampleOf(FREEZE, { ...fromAda("freeze"), vault: "Treasury-1" }, ADA),
    await sampleOf(PAIR, { ...claims("pair", INVITE, TO_HSM), key: ADA.jwk, seal: ADA_SEAL.jwk }, INVITE),
    await sampleOf(ENROLMENT, { ...fromAda("enrolment"), ...enrolled, path: "m/44'/60'/7'/0/0" }, ADA),
    await sampleOf(WITNESS, { ...fromAda("witness"), checkpoint }, ADA),
    await sampleOf(
      SYNC,
      {
        ...fromAda("sync"),
        known: [about.request],
        charter: 3,
        seal: { n: 2, key: ADA_SEAL.jwk },
        card: thumbprint(CARD_PAYLOAD.seal),
        log: LOG_HEAD,
        witness: (await sampleOf(WITNESS, { ...fromAda("witness"), checkpoint }, ADA)).jws,
      },
      ADA,
    ),
    await sampleOf(
      PROPOSAL,
      {
        ...claims("proposal", OLGA, TO_HSM),
        vault: "Treasury-1",
        network: "eip155:1",
        asset: "USDC",
        amount: "250000",
        to: REQUEST_PAYLOAD.effect.to,
        gas: { limit: "60000", maxFeePerGas: "150000000000", maxPriorityFeePerGas: "1000000000" },
      },
      OLGA,
    ),
    await sampleOf(CANCELLATION, { ...claims("cancellation", OLGA, TO_HSM), request: about.request }, OLGA),
    await sampleOf(
      MOTION,
      {
        ...claims("motion", OLGA, TO_HSM),
        motion: { verb: "UNFREEZE", change: { vault: "Treasury-1" } },
        recovery: false,
      },
      OLGA,
    ),
    await sampleOf(
      INVITATION,
      {
        ...claims("invitation", OLGA, TO_HSM),
        name: "Ada",
        roles: ["approver", "admin"],
        key: INVITE.jwk,
        until: NOW + 86_400,
      },
      OLGA,
    ),
    await sampleOf(CLOCK, claims("clock", OLGA, TO_HSM), OLGA),
    await sampleOf(VOUCH, { ...claims("vouch", OLGA, TO_HSM), name: "Ada", words: wordsOfPairing(ADAS_PAIRING), recovery: false }, OLGA),
    await sampleOf(
      WELCOME,
      {
        ...fromHsm("welcome"),
        hsm: HSM.jwk,
        founder: thumbprint(HSM.jwk),
        founding: null,
        name: "Ada",
        roles: ["approver", "admin"],
        devices: [{ ...enrolled, state: "enrolled" }],
        standing: "member",
      },
      HSM,
    ),
    await sampleOf(
      REFUSAL,
      {
        ...fromHsm("refusal"),
        of: WITHDRAWAL_PAYLOAD.jti,
        request: about.request,
        code: "ERR_REQUEST_STATE",
        message: "The request is signed already; your answer changes nothing.",
      },
      HSM,
    ),
    await sampleOf(
      FREEZES,
      {
        ...fromHsm("freezes", TO_APPROVERS),
        n: 4,
        freezes: [
          { vault: "Treasury-1", by: "Ada", at: NOW, of: claims("freeze", ADA, TO_HSM).jti },
          { vault: null, by: null, at: NOW, of: null },
        ],
      },
      HSM,
    ),
    await sampleOf(RESEAL, { ...fromHsm("reseal"), of: wordOf("frame id", 16), card }, HSM),
    await sampleOf(CARD, CARD_PAYLOAD, HSM),
    await sampleOf(
      ROSTER,
      {
        ...fromHsm("roster", [BRIDGE]),
        n: 5,
        members: [ADA.jwk, BOB.jwk, DAN.jwk],
        invites: [{ key: INVITE.jwk, exp: NOW + 3600 }],
      },
      HSM,
    ),
    await sampleOf(LOGIN, loginPayload(ADA), ADA),
  ];
}

export function loginPayload(key: VectorKey) {
  return {
    ...claims(`login by ${key.signer.kid}`, key, [BRIDGE]),
    agent: HSM.signer.kid,
    clientNonce: wordOf(`client nonce of ${key.signer.kid}`, 32),
    bridgeNonce: BRIDGE_NONCE,
  };
}
