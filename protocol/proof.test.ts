/** proof.ts: what a verdict is, and that nothing in a file makes it throw. The vectors run where the decoders are: hsm-agent/, extension/. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Fault } from "./error.ts";
import { fingerprint as fingerprintOf, type PublicJwk, thumbprint } from "./primitive.ts";
import { NOT_PROVED, PROOF_STEPS, verifyProof } from "./proof.ts";
import { encodeProof, parseProof } from "./proof-form.ts";
import { NEXT_HSM } from "./vectors/keys.ts";
import { PROOFS } from "./vectors/proof.ts";

const encoder = new TextEncoder();
const { fingerprint } = PROOFS;
const fileOf = (name: string) => PROOFS.valid.find(({ what }) => what === name)?.file ?? "";
const thumbprintHex = (key: PublicJwk) => fingerprintOf(thumbprint(key));
/** What the request says of itself: enough where the bytes are not what is tested. */
const decode = ({ effect }: { effect: Parameters<typeof structuredClone>[0] }) => effect as never;

test("a proof that holds names every step, and says what it does not prove", async () => {
  const verdict = await verifyProof(encoder.encode(fileOf("a token, signed")), { fingerprint, decode });
  expect(verdict).toMatchObject({ ok: true, code: null });
  expect(verdict.steps.map(({ name }) => name)).toEqual(PROOF_STEPS);
  expect(verdict.steps.filter(({ ok, said }) => !ok || !/^[A-Z].*[.0-9a-f]$/.test(said))).toEqual([]);
  expect(verdict.said).toBe(`Proved: request ${verdict.proved?.payload.request ?? ""} is signed. ${NOT_PROVED}`);
  expect(verdict.proved).toMatchObject({ receipt: { state: "signed" }, approvers: [{ name: "Ada" }, { name: "Bob" }] });
});

test("after a rotation the verdict says which identity signed the log", async () => {
  const file = encoder.encode(fileOf("signed before all that came later"));
  const signer = thumbprintHex(NEXT_HSM.jwk);
  const first = await verifyProof(file, { fingerprint, decode });
  expect(first.said).toContain(`is signed. The log that says so is signed by ${signer}. ${NOT_PROVED}`);
  expect(first.steps.find(({ name }) => name === "checkpoint")?.said).toContain(
    `HSM identity ${signer} signed the log`,
  );
  expect(first.steps.find(({ name }) => name === "identity")?.said).toContain(`signed by another, ${signer}`);
  const next = await verifyProof(file, { fingerprint: signer, decode });
  expect(next.said).not.toContain("signed by");
  expect([first.proved?.signer, next.proved?.signer]).toEqual([signer, signer]);
});

test("one that does not hold ends with the step that fails, and proves nothing", async () => {
  const wrong = { fingerprint: "0".repeat(64), decode };
  const verdict = await verifyProof(encoder.encode(fileOf("a founding")), wrong);
  expect(verdict).toMatchObject({ ok: false, code: "ERR_PROOF", proved: null });
  expect(verdict.said).toContain('"identity"');
  expect(verdict.steps.map(({ name, ok }) => [name, ok])).toEqual([
    ["form", true],
    ["charter", true],
    ["checkpoint", true],
    ["identity", false],
  ]);
});

test.each(["", "x", `${"0".repeat(63)}g`, fingerprint.toUpperCase(), ` ${fingerprint}`])(
  "a fingerprint in another spelling (%j) is nobody's",
  async (other) => {
    const { steps } = await verifyProof(encoder.encode(fileOf("a founding")), { fingerprint: other, decode });
    expect(steps.at(-1)).toMatchObject({ name: "identity", ok: false });
  },
);

test("a decoder that fails refuses the file, whatever it throws", async () => {
  for (const thrown of [new Fault("ERR_TX_MALFORMED", "No."), new TypeError("oops")]) {
    const failing = () => {
      throw thrown;
    };
    const { ok, steps } = await verifyProof(encoder.encode(fileOf("a token, signed")), {
      fingerprint,
      decode: failing,
    });
    expect([ok, steps.at(-1)?.name]).toEqual([false, "request"]);
  }
});

test("a proof is read as it was written", () => {
  for (const { file } of PROOFS.valid) expect(encodeProof(parseProof(encoder.encode(file)))).toBe(file);
});

test("any bytes, and any JSON, are refused without a throw", async () => {
  const refuses = async (bytes: Uint8Array) => {
    const { ok, steps } = await verifyProof(bytes, { fingerprint, decode });
    expect([ok, steps.length]).toEqual([false, 1]);
  };
  await fc.assert(fc.asyncProperty(fc.uint8Array(), refuses));
  await fc.assert(fc.asyncProperty(fc.json(), async (json) => await refuses(encoder.encode(`${json}\n`))));
});

test("any member replaced by another value is refused without a throw", async () => {
  const proof = JSON.parse(fileOf("somebody new")) as Record<string, unknown>;
  const names = Object.keys(proof);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue(), async (name, value) => {
      fc.pre(JSON.stringify(value) !== JSON.stringify(proof[name]));
      const changed = encoder.encode(`${JSON.stringify({ ...proof, [name]: value })}\n`);
      expect((await verifyProof(changed, { fingerprint, decode })).ok).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test("any message replaced by one of the same kind of another proof is refused", async () => {
  const [one, other] = ["a token, signed", "one who withdrew, and two others"].map(
    (name) => JSON.parse(fileOf(name)) as Record<string, unknown>,
  );
  for (const name of Object.keys(one ?? {})) {
    if (JSON.stringify(one?.[name]) === JSON.stringify(other?.[name])) continue;
    const mixed = encoder.encode(`${JSON.stringify({ ...one, [name]: other?.[name] })}\n`);
    expect((await verifyProof(mixed, { fingerprint, decode })).ok, name).toBe(false);
  }
});
