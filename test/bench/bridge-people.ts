/** Agents and members for the bench of the bridge: keys, cards, rosters and logins, as any of them makes them. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type Claims, signEnvelope } from "../../protocol/envelope.ts";
import { CARD, LOGIN, ROSTER } from "../../protocol/message.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { type Key, keyOf } from "../harness/bridge-client.ts";

export const URL_OF_BRIDGE = "wss://bridge.example.com/";

export type PrivateJwk = PublicJwk & { readonly d: string };

/** An agent as it can be handed to another process. */
export interface AgentKeys {
  readonly hsm: PrivateJwk;
  readonly link: PrivateJwk;
}

export function makeJwk(): PrivateJwk {
  const {
    x = "",
    y = "",
    d = "",
  } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    format: "jwk",
  });
  return { kty: "EC", crv: "P-256", x, y, d };
}

function claims(key: Key): Claims {
  const now = Math.floor(Date.now() / 1000);
  const jti = randomBytes(16).toString("base64url");
  return { v: 1, iss: key.signer.kid, aud: [URL_OF_BRIDGE], jti, iat: now, exp: now + 7_200 };
}

export async function makeCard({ hsm, link }: AgentKeys): Promise<string> {
  const [key, { jwk }] = [await keyOf(hsm), await keyOf(link)];
  return await signEnvelope(CARD, { ...claims(key), n: 1, hsm: key.jwk, link: jwk, seal: jwk }, key.signer);
}

export async function makeRoster({ hsm }: AgentKeys, members: readonly PrivateJwk[]): Promise<string> {
  const key = await keyOf(hsm);
  const people = members.map(({ x, y }) => ({ kty: "EC" as const, crv: "P-256" as const, x, y }));
  return await signEnvelope(
    ROSTER,
    { ...claims(key), aud: [URL_OF_BRIDGE], n: 1, members: people, invites: [] },
    key.signer,
  );
}

/** A login frame by `key`, to the agent whose HSM identity has the thumbprint `agent`. */
export async function makeLogin(key: Key, agent: string, bridgeNonce: string, card: string | null): Promise<string> {
  const clientNonce = randomBytes(32).toString("base64url");
  const jws = await signEnvelope(LOGIN, { ...claims(key), agent, clientNonce, bridgeNonce }, key.signer);
  return JSON.stringify({ v: 1, t: "login", jws, card });
}
