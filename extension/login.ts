/** Login to the bridge, as a JWS over its address and nonce. README.md, "Login". When it is sent is link.ts. */
import { base64url } from "jose";
import { type Signer, signEnvelope } from "../protocol/envelope.ts";
import { LOGIN } from "../protocol/message.ts";
import type { Credentials, Ports } from "./link.ts";

const LOGIN_SECONDS = 60;

/** Signs a login of `signer` for the bridge's nonce, which names the agent of the identity `who.hsm`. */
export async function login(
  { who, signer }: { readonly who: Credentials; readonly signer: Signer },
  bridgeNonce: string,
  ports: Pick<Ports, "now" | "random">,
): Promise<string> {
  const iat = Math.floor(ports.now() / 1000);
  return await signEnvelope(
    LOGIN,
    {
      v: 1,
      iss: signer.kid,
      aud: [who.bridge],
      jti: base64url.encode(ports.random(16)),
      iat,
      exp: iat + LOGIN_SECONDS,
      agent: who.hsm,
      clientNonce: base64url.encode(ports.random(32)),
      bridgeNonce,
    },
    signer,
  );
}
