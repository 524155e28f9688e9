/**
 * The extension's own signing key (P-256, WebCrypto, not extractable) and the invite's one-time key, as signers of envelopes.
 * README.md, "Keys of an extension". The keys that it receives with are in seal-keys.ts.
 * A copied browser profile is a stolen key: the device's signature is asked for beside it.
 */
import type { Signer } from "../protocol/envelope.ts";
import type { Invite } from "../protocol/invite.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256" };

/** A new key; its private half can sign and can never be read. */
export async function makeKey(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
}

export async function publicJwkOf(key: CryptoKeyPair): Promise<PublicJwk> {
  return jwkOfPoint(new Uint8Array(await crypto.subtle.exportKey("raw", key.publicKey)));
}

export async function signerOf(key: CryptoKeyPair): Promise<Signer> {
  return signerWith(thumbprint(await publicJwkOf(key)), key.privateKey);
}

/** The invite's key: it may log in and send one pairing message, nothing else. */
export async function inviteSigner(invite: Invite): Promise<Signer> {
  const privateKey = await crypto.subtle.importKey("jwk", { ...invite.key, d: invite.d }, P256, false, ["sign"]);
  return signerWith(thumbprint(invite.key), privateKey);
}

function signerWith(kid: string, privateKey: CryptoKey): Signer {
  return {
    kid,
    sign: async (input) =>
      new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, new Uint8Array(input))),
  };
}
