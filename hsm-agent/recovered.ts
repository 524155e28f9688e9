/**
 * Who signed a statement on a device, remembered: the agent asks it of each approval up to ten times (when it comes, when the quorum is
 * counted, on resume, on release), and the answer is a pure function of statement and signature.
 *
 * Only that function's answer is kept, never that an approval counts; refusals are not kept, so that what strangers send takes no
 * room. Implements the curve operation of protocol/README.md, "Device signature", with ../secp256k1.ts.
 */
import { createHash } from "node:crypto";
import { recoverSigner } from "../protocol/device-signature.ts";
import { recover } from "./secp256k1.ts";

type SignerOf = (statement: string, signature: string) => string;

/** About 300 bytes each: 3 MB at most. */
const MOST = 10_000;

/** `signerOf`, asked once for each statement and signature among the last `most` different ones. */
export function remembering(signerOf: SignerOf, most = MOST): SignerOf {
  const known = new Map<string, string>();
  return (statement, signature) => {
    // Of fixed length before the rest, so that no two pairs have one name.
    const name = createHash("sha256").update(statement, "utf8").digest("base64") + signature;
    let address = known.get(name);
    if (address === undefined) address = signerOf(statement, signature);
    else known.delete(name);
    // The youngest stands last, so what was not asked for longest goes first.
    known.set(name, address);
    if (known.size > most) known.delete(known.keys().next().value ?? name);
    return address;
  };
}

/** The address whose key signed `statement`: for `checkApproval`. @throws Fault ERR_APPROVAL_SIGNATURE */
export const signerOf: SignerOf = remembering((statement, signature) => recoverSigner(statement, signature, recover));
