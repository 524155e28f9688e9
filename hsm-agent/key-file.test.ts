import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { CANCELLATION } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { makeKeyFile, readKeyFile, readPublicKey, signAsMember } from "./key-file.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-key-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const REQUEST_ID = "01JDA7Q9T2M4XYZ0";

test("a key file is its owner's only, whatever the umask, and signs", async () => {
  const path = join(folder, "olga.jwk");
  const previous = process.umask(0);
  const key = await makeKeyFile(path).finally(() => process.umask(previous));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(key).not.toHaveProperty("d");
  const signer = await readKeyFile(path);
  expect(signer.kid).toBe(thumbprint(key));
  const jws = await signAsMember(CANCELLATION, signer, signer.kid, { request: REQUEST_ID });
  const now = Math.floor(Date.now() / 1000);
  const opened = await openEnvelope(jws, { type: CANCELLATION, keyOf: () => key, audience: signer.kid, now });
  expect(opened.payload).toMatchObject({ request: REQUEST_ID, exp: opened.payload.iat + 300 });
});

test("an existing file is never overwritten", async () => {
  const path = join(folder, "taken.jwk");
  writeFileSync(path, "mine");
  await expect(makeKeyFile(path)).rejects.toMatchObject({ code: "ERR_SECRET" });
  expect(readFileSync(path, "utf8")).toBe("mine");
});

test("a folder that is missing is said so", async () => {
  await expect(makeKeyFile(join(folder, "nowhere/olga.jwk"))).rejects.toMatchObject({ code: "ERR_SECRET" });
});

test.each([0o640, 0o604, 0o666])("a file of mode %o is not used", async (mode) => {
  const path = join(folder, `open-${mode}.jwk`);
  await makeKeyFile(path);
  chmodSync(path, mode);
  await expect(readKeyFile(path)).rejects.toMatchObject({
    code: "ERR_SECRET",
    message: expect.stringContaining("chmod 600") as string,
  });
});

const D = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3tA";
const POINT = { kty: "EC", crv: "P-256", x: `${"A".repeat(42)}A`, y: `${"A".repeat(42)}E` };
const WRONG: [string, string][] = [
  ["not JSON", `${D} ${D}`],
  ["a public key", JSON.stringify(POINT)],
  ["another curve", JSON.stringify({ ...POINT, crv: "P-384", d: D })],
  ["a further member", JSON.stringify({ ...POINT, d: D, use: "sig" })],
  ["a point that is not on the curve", JSON.stringify({ ...POINT, d: `${"A".repeat(42)}E` })],
];
test.each(WRONG)("refused without a word of it: %s", async (what, text) => {
  const path = join(folder, `${what}.jwk`);
  writeFileSync(path, text, { mode: 0o600 });
  const error: unknown = await readKeyFile(path).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "ERR_SECRET" });
  expect(String(error)).not.toContain("s3cr3t");
});

test("what does not fit the message's type is not signed", async () => {
  const path = join(folder, "carl.jwk");
  await makeKeyFile(path);
  const signer = await readKeyFile(path);
  await expect(signAsMember(CANCELLATION, signer, signer.kid, { request: "1" })).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: expect.stringContaining("request: ") as string,
  });
});

test("a public key comes from a file with it alone, whoever can read that, or from a key file", async () => {
  const path = join(folder, "paul.jwk");
  const key = await makeKeyFile(path);
  expect(await readPublicKey(path)).toEqual(key);
  const open = join(folder, "paul-public.jwk");
  writeFileSync(open, JSON.stringify(key), { mode: 0o644 });
  expect(await readPublicKey(open)).toEqual(key);
  await expect(readKeyFile(open)).rejects.toMatchObject({ code: "ERR_SECRET" });
  chmodSync(path, 0o644);
  await expect(readPublicKey(path)).rejects.toMatchObject({
    code: "ERR_SECRET",
    message: expect.stringContaining("chmod 600") as string,
  });
});

test.each(WRONG.filter(([what]) => what !== "a public key"))("no public key is taken of %s", async (what, text) => {
  const path = join(folder, `public of ${what}.jwk`);
  writeFileSync(path, text, { mode: 0o600 });
  const error: unknown = await readPublicKey(path).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "ERR_SECRET" });
  expect(String(error)).not.toContain("s3cr3t");
});

test("a file that is missing", async () => {
  await expect(readPublicKey(join(folder, "missing.jwk"))).rejects.toMatchObject({ code: "ERR_SECRET" });
  await expect(readKeyFile(join(folder, "missing.jwk"))).rejects.toMatchObject({ code: "ERR_SECRET" });
});
