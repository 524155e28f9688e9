/**
 * The signing layer as a program of its own, for the bench (test/bench/signing.ts), which may not import the agent: the owner, its child
 * and nothing else, 8 signatures in flight, none verified. With the argument `verifiers` it measures those instead. Not part of what
 * the agent runs.
 *
 * First line of standard input: `{ options, keys }`, the HSM's options and how many keys to make. It answers `{ id }`, the key that
 * signs, and each further line, which holds milliseconds, by `{ signatures, nanoseconds }` of one burst.
 */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { verifies } from "./hsm/ecdsa.ts";
import { type Hsm, type HsmOptions, openHsm } from "./hsm/owner.ts";
import { NOBLE, recover } from "./secp256k1.ts";

const IN_FLIGHT = 8;
const SECOND = 1_000_000_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { value: first = "" } = await lines.next();
if (process.argv[2] === "verifiers") say(verifiers());
else await signing(JSON.parse(first) as { options: HsmOptions; keys: number });

async function signing({ options, keys }: { options: HsmOptions; keys: number }): Promise<void> {
  const hsm = await openHsm(options);
  try {
    let id = "";
    for (let made = 1; made <= keys; made += 1) {
      ({ id } = await hsm.generateKey({ curve: "secp256k1", label: `bench-${made}`, backup: "none" }));
    }
    say({ id });
    for await (const line of lines) say(await burst(hsm, id, Number(line)));
  } finally {
    await hsm.close();
  }
}

async function burst(hsm: Hsm, id: string, milliseconds: number): Promise<object> {
  const digest = randomBytes(32);
  let signatures = 0;
  const began = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - began < milliseconds) {
      await hsm.sign(id, digest);
      signatures += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return { signatures, nanoseconds: (performance.now() - began) * 1e6 };
}

/** Each a second on one thread. */
function verifiers(): object {
  // More than the agent remembers the answers of.
  const digests = Array.from({ length: 1_000 }, () => randomBytes(32));
  let next = 0;
  const another = () => digests[(next += 1) % digests.length] ?? randomBytes(32);
  const digest = another();
  const { secretKey } = secp256k1.keygen();
  const signature = secp256k1.sign(digest, secretKey, { prehash: false, lowS: true });
  const identity = p256.keygen();
  const publicKey = p256.getPublicKey(identity.secretKey, false);
  const es256 = p256.sign(digest, identity.secretKey);
  return {
    native_recover: speed(() => recover(signature, 0, another())),
    noble_recover: speed(() => NOBLE.recover(signature, 0, another())),
    p256_verify: speed(() => verifies("P-256", publicKey, digest, es256)),
  };
}

/** After warming up: so often a second. */
function speed(work: () => unknown): number {
  const run = (nanoseconds: number) => {
    const began = process.hrtime.bigint();
    let times = 0;
    for (; process.hrtime.bigint() - began < nanoseconds; times += 1) work();
    return (times / Number(process.hrtime.bigint() - began)) * SECOND;
  };
  run(SECOND / 2);
  return run(SECOND);
}

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
