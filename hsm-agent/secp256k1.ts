/**
 * secp256k1 verification for the agent, native where it can be: the only importer of npm `secp256k1`, whose JavaScript fallback
 * (elliptic) is never loaded. @noble/curves is the reference, and what is used where the binding is not there or fails its test.
 *
 * Public values only: no secret ever passes through here. The extension and protocol/ use the reference alone. Implements the curve
 * operation of protocol/README.md, "Device signature".
 */
import { isMainThread } from "node:worker_threads";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Memo } from "./memo.ts";

/** Both never throw: what is malformed recovers to nothing and does not verify. */
export interface Curve {
  /**
   * The public key (65 bytes, uncompressed) for which `signature` (64 bytes r || s, any s in [1, n)) over `digest` (32 bytes) is valid
   * with this recovery id, 0 to 3; undefined where there is none.
   */
  readonly recover: (signature: Uint8Array, recovery: number, digest: Uint8Array) => Uint8Array | undefined;
  /** Whether `signature` is valid for `publicKey` (65 bytes, uncompressed). A high s is not. */
  readonly verify: (signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array) => boolean;
}

/** The reference. */
export const NOBLE: Curve = {
  recover: (signature, recovery, digest) => {
    if (!fits(signature, digest) || !isRecovery(recovery)) return undefined;
    try {
      const parsed = secp256k1.Signature.fromBytes(signature, "compact").addRecoveryBit(recovery);
      return parsed.recoverPublicKey(digest).toBytes(false);
    } catch {
      return undefined;
    }
  },
  verify: (signature, digest, publicKey) => {
    if (!fits(signature, digest) || !isUncompressed(publicKey)) return false;
    try {
      return secp256k1.verify(signature, digest, publicKey, { prehash: false, lowS: true });
    } catch {
      return false;
    }
  },
};

/** What is used of the binding; `output` is what recovery writes to. Both throw on what is malformed. */
interface Binding {
  readonly ecdsaRecover: (
    signature: Uint8Array,
    recovery: number,
    digest: Uint8Array,
    compressed: boolean,
    output: Uint8Array,
  ) => unknown;
  readonly ecdsaVerify: (signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array) => unknown;
}

function isBinding(value: unknown): value is Binding {
  return (
    typeof value === "object" &&
    value !== null &&
    "ecdsaRecover" in value &&
    typeof value.ecdsaRecover === "function" &&
    "ecdsaVerify" in value &&
    typeof value.ecdsaVerify === "function"
  );
}

function nativeCurve(binding: Binding): Curve {
  return {
    recover: (signature, recovery, digest) => {
      if (!fits(signature, digest) || !isRecovery(recovery)) return undefined;
      try {
        const output = new Uint8Array(65);
        binding.ecdsaRecover(signature, recovery, digest, false, output);
        return output;
      } catch {
        return undefined;
      }
    },
    verify: (signature, digest, publicKey) => {
      if (!fits(signature, digest) || !isUncompressed(publicKey)) return false;
      try {
        return binding.ecdsaVerify(signature, digest, publicKey) === true;
      } catch {
        return false;
      }
    },
  };
}

// The binding takes the lengths that it is given; both sides are told here what they may be.
function fits(signature: Uint8Array, digest: Uint8Array): boolean {
  return signature.length === 64 && digest.length === 32;
}

function isRecovery(recovery: number): boolean {
  return recovery === 0 || recovery === 1 || recovery === 2 || recovery === 3;
}

function isUncompressed(publicKey: Uint8Array): boolean {
  return publicKey.length === 65 && publicKey[0] === 4;
}

/**
 * The native curve where `bring` brings a binding that agrees with the reference on a fixed set, else the reference. Never rejects.
 * Tests give a `bring` of their own.
 */
export async function loadCurve(bring: () => Promise<unknown>): Promise<Curve & { verifier: "native" | "noble" }> {
  try {
    const binding = await bring();
    const curve = isBinding(binding) ? nativeCurve(binding) : undefined;
    if (curve !== undefined && agrees(curve)) return { ...curve, verifier: "native" };
  } catch {
    // No build for this machine, or a broken one: the reference is slower and no less exact.
  }
  return { ...NOBLE, verifier: "noble" };
}

const ORDER = secp256k1.Point.Fn.ORDER;
const HALF_BYTES = 32;

/** One valid signature and what becomes of it, answered by both; a build that answers anything otherwise is not used. */
function agrees(curve: Curve): boolean {
  const secret = new Uint8Array(32).fill(0x11);
  const digest = new Uint8Array(32).fill(0x22);
  const publicKey = secp256k1.getPublicKey(secret, false);
  const good = secp256k1.sign(digest, secret, { prehash: false, lowS: true });
  const { r, s } = secp256k1.Signature.fromBytes(good, "compact");
  const pair = (first: bigint, second: bigint) => Uint8Array.from([...toBytes(first), ...toBytes(second)]);
  const signatures = [
    good,
    pair(r, ORDER - s),
    ...[0n, ORDER, ORDER + 1n].flatMap((bad) => [pair(bad, s), pair(r, bad)]),
    pair(1n, 1n),
    new Uint8Array(64),
    new Uint8Array(64).fill(0xff),
  ];
  const offCurve = Uint8Array.from(publicKey, (byte, place) => (place === 64 ? byte ^ 1 : byte));
  const isSame = (signature: Uint8Array) =>
    [0, 1, 2, 3].every((id) => same(curve.recover(signature, id, digest), NOBLE.recover(signature, id, digest))) &&
    [publicKey, offCurve, new Uint8Array(65)].every(
      (key) => curve.verify(signature, digest, key) === NOBLE.verify(signature, digest, key),
    );
  // Not only the same: the reference itself is seen to say both yes and no.
  const isSane =
    [0, 1].filter((id) => same(curve.recover(good, id, digest), publicKey)).length === 1 &&
    curve.verify(good, digest, publicKey) &&
    !curve.verify(pair(r, ORDER - s), digest, publicKey) &&
    !curve.verify(good, digest, offCurve);
  return isSane && signatures.every(isSame);
}

function same(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * HALF_BYTES, "0"), "hex");
}

const curve = await loadCurve(async () => {
  // The binding keeps one state for its process: a second thread that loads it, and ends, takes the process with it.
  if (!isMainThread) throw new Error("the binding is the main thread's");
  return (await import("secp256k1/bindings.js")).default;
});

/** `verifier` says which it is, so that the agent can say so at its start. */
export const { verify, verifier } = curve;

/** Public keys as they were recovered: what is released is read back, and the same question is asked once more. */
const RECOVERED = new Memo<Uint8Array>(256);

/** As `Curve` has it. What it returns is not to be written to. */
export const recover: Curve["recover"] = (signature, recovery, digest) => {
  if (!fits(signature, digest)) return undefined;
  // Both are of fixed length, so no two questions have one name.
  const name = `${recovery} ${Buffer.concat([signature, digest]).toString("latin1")}`;
  const known = RECOVERED.get(name);
  if (known !== undefined) return known;
  const found = curve.recover(signature, recovery, digest);
  if (found !== undefined) RECOVERED.set(name, found);
  return found;
};
