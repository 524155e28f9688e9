/**
 * Checkpoints of the log: C2SP tlog-checkpoint, a signed note (C2SP signed-note) with one ECDSA P-256 signature (type 0x02) of the HSM
 * identity. README.md, "Checkpoint". Pure: signing is a callback. What a checkpoint proves of entries is merkle.ts.
 */
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import { base64url } from "jose";
import * as v from "valibot";
import type { Signer } from "./envelope.ts";
import { Fault } from "./error.ts";
import { SIZE_MAX } from "./merkle.ts";
import { hexOf, type PublicJwk, thumbprint } from "./primitive.ts";

/** How many entries a log has, and the root of their tree in hex: what a state of the log is named by where it is not signed. */
export const TreeHeadSchema = v.strictObject({
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(SIZE_MAX)),
  root: hexOf(32),
});
export type TreeHead = v.InferOutput<typeof TreeHeadSchema>;

/** Characters of a note. Ours has about 300; signatures of others, which are ignored, may stand beside it. */
export const CHECKPOINT_MAX = 4096;
/** Signature lines that are looked at, as C2SP signed-note asks for at least. */
const LINES_MAX = 16;

/** DER of SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480). */
const SPKI = hexToBytes("3059301306072a8648ce3d020106082a8648ce3d030107034200");

/** A log's name for ever, also after rotations: by the identity that signed the founding. */
export function originOf(founder: string): string {
  return `opencustody/log/${founder}`;
}

/** The text that is signed: origin, size, root, a line each. */
export function checkpointText(origin: string, { size, root }: TreeHead): string {
  return `${origin}\n${size}\n${encode64(hexToBytes(root))}\n`;
}

/** Signs a head of the log. `signer` gives r || s, as for an envelope. */
export async function signCheckpoint(origin: string, head: TreeHead, signer: Signer, key: PublicJwk): Promise<string> {
  if (thumbprint(key) !== signer.kid) throw new TypeError("a checkpoint is signed by the key that it names");
  const text = checkpointText(origin, head);
  const signature = await signer.sign(new TextEncoder().encode(text));
  const der = p256.Signature.fromBytes(signature, "compact").toBytes("der");
  return `${text}\n\u2014 ${origin} ${encode64(concatBytes(hexToBytes(keyId(key)), der))}\n`;
}

/**
 * Verifies a checkpoint of the log `origin` under one of `keys`. The numbers are those of README.md, "Verifying a checkpoint".
 * @throws Fault ERR_LOG
 */
export async function openCheckpoint(
  note: string,
  { origin, keys }: { readonly origin: string; readonly keys: readonly PublicJwk[] },
): Promise<{ readonly head: TreeHead; readonly by: string }> {
  const { text, head } = readCheckpoint(note, origin);
  // 4. A signature line of a known key is there, and it verifies.
  for (const key of keys) {
    const id = keyId(key);
    const line = signaturesOf(note, origin).find((bytes) => bytesToHex(bytes.subarray(0, 4)) === id);
    if (line === undefined) continue;
    if (!(await verify(text, line.subarray(4), key))) throw refused("its signature does not verify");
    return { head, by: thumbprint(key) };
  }
  throw refused("it is signed by no key that is known here");
}

/** Steps 1 to 3, without any signature: only to choose what to verify, or where the signature was verified before. @throws Fault ERR_LOG */
export function readCheckpoint(note: string, origin: string): { readonly text: string; readonly head: TreeHead } {
  // 1. The form: three lines, an empty one, signature lines.
  const end = note.indexOf("\n\n");
  const text = note.slice(0, end + 1);
  const [first, size = "", root = "", ...rest] = text.split("\n");
  if (note.length > CHECKPOINT_MAX || end < 0 || rest.length !== 1 || rest[0] !== "") throw refused("it is malformed");
  // 2. It is of this log.
  if (first !== origin) throw refused("it is of another log");
  // 3. Size and root, each in its one spelling.
  const bytes = decode64(root);
  if (!/^(0|[1-9][0-9]{0,12})$/.test(size) || bytes?.length !== 32) throw refused("its size or root is malformed");
  const head = v.safeParse(TreeHeadSchema, { size: Number(size), root: bytesToHex(bytes) });
  if (!head.success) throw refused("its size or root is malformed");
  return { text, head: head.output };
}

function signaturesOf(note: string, origin: string): Uint8Array[] {
  const lines = note.slice(note.indexOf("\n\n") + 2).split("\n");
  if (lines.pop() !== "" || lines.length === 0 || lines.length > LINES_MAX) throw refused("it is malformed");
  return lines.flatMap((line) => {
    const parts = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    if (parts === null) throw refused("it is malformed");
    const bytes = decode64(parts[2] ?? "");
    if (bytes === undefined || bytes.length < 5) throw refused("it is malformed");
    return parts[1] === origin ? [bytes] : [];
  });
}

async function verify(text: string, der: Uint8Array, key: PublicJwk): Promise<boolean> {
  let compact: Uint8Array;
  try {
    compact = p256.Signature.fromBytes(der, "der").toBytes("compact");
  } catch {
    return false;
  }
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  try {
    const imported = await crypto.subtle.importKey("jwk", { ...key }, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, imported, new Uint8Array(compact), new TextEncoder().encode(text));
  } catch {
    // A key that is no point of the curve signs nothing.
    return false;
  }
}

/** C2SP signed-note, type 0x02: the first four bytes of SHA-256 of the SPKI, hex. */
function keyId({ x, y }: PublicJwk): string {
  const point = concatBytes(Uint8Array.of(4), base64url.decode(x), base64url.decode(y));
  return bytesToHex(sha256(concatBytes(SPKI, point)).subarray(0, 4));
}

/** Base 64 of RFC 4648, section 4. */
function encode64(bytes: Uint8Array): string {
  const text = base64url.encode(bytes).replaceAll("-", "+").replaceAll("_", "/");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** In its one spelling; undefined for any other. */
function decode64(text: string): Uint8Array | undefined {
  try {
    const bytes = base64url.decode(text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""));
    return encode64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function refused(why: string): Fault {
  return new Fault("ERR_LOG", `A checkpoint of the agent's log was refused: ${why}. Tell your operator.`);
}
