/** checkpoint.ts: what it signs opens, and nothing in another spelling, of another log or by another key does. */
import { p256 } from "@noble/curves/nist.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import {
  CHECKPOINT_MAX,
  checkpointText,
  openCheckpoint,
  originOf,
  readCheckpoint,
  signCheckpoint,
} from "./checkpoint.ts";
import { SIZE_MAX } from "./merkle.ts";
import { thumbprint as kidOf } from "./primitive.ts";
import { HSM, NEXT_HSM, STRANGER } from "./vectors/keys.ts";
import { LOG_HEAD } from "./vectors/sample.ts";

const ORIGIN = originOf(HSM.signer.kid);
const NOTE = await signCheckpoint(ORIGIN, LOG_HEAD, HSM.signer, HSM.jwk);
const KEYS = { origin: ORIGIN, keys: [HSM.jwk] };
const refusal = (why: string): unknown =>
  expect.objectContaining({ name: "Fault", code: "ERR_LOG", message: expect.stringContaining(why) as unknown });
const [origin = "", size = "", root = "", , line = ""] = NOTE.split("\n");
const [dash = "", name = "", signature = ""] = line.split(" ");
const bytes = new Uint8Array(Buffer.from(signature, "base64"));
const keyId = bytes.slice(0, 4);
const der = bytes.slice(4);
const encode = (...parts: Uint8Array[]) => Buffer.from(concatBytes(...parts)).toString("base64");
const noteOf = (...lines: string[]) => `${origin}\n${size}\n${root}\n\n${lines.map((one) => `${one}\n`).join("")}`;
const signed = (...parts: Uint8Array[]) => noteOf(`${dash} ${name} ${encode(...parts)}`);
const open = async (note: string, expected = KEYS) => await openCheckpoint(note, expected);

test("a checkpoint is three lines, an empty one and a signature, and opens", async () => {
  expect(NOTE.startsWith(checkpointText(ORIGIN, LOG_HEAD))).toBe(true);
  expect([origin, size, Buffer.from(root, "base64").toString("hex")]).toEqual([ORIGIN, "42", LOG_HEAD.root]);
  expect([dash, name]).toEqual(["\u2014", ORIGIN]);
  expect(await open(NOTE)).toEqual({ head: LOG_HEAD, by: HSM.signer.kid });
  expect(await open(NOTE, { origin: ORIGIN, keys: [STRANGER.jwk, HSM.jwk] })).toMatchObject({ by: HSM.signer.kid });
});

test("the log keeps its name when another identity signs it", async () => {
  const note = await signCheckpoint(ORIGIN, LOG_HEAD, NEXT_HSM.signer, NEXT_HSM.jwk);
  expect(await open(note, { origin: ORIGIN, keys: [HSM.jwk, NEXT_HSM.jwk] })).toMatchObject({
    by: NEXT_HSM.signer.kid,
  });
  await expect(open(note)).rejects.toEqual(refusal("no key that is known"));
  await expect(signCheckpoint(ORIGIN, LOG_HEAD, HSM.signer, NEXT_HSM.jwk)).rejects.toThrow(TypeError);
});

test.each([0, 1, SIZE_MAX])("a size of %i", async (n) => {
  const head = { ...LOG_HEAD, size: n };
  expect(await open(await signCheckpoint(ORIGIN, head, HSM.signer, HSM.jwk))).toMatchObject({ head });
});

describe("its text", () => {
  const other = originOf(STRANGER.signer.kid);
  const cases: [string, string, string][] = [
    ["nothing", "", "malformed"],
    ["no signature part", NOTE.split("\n\n")[0] ?? "", "malformed"],
    ["no signature line", noteOf(), "malformed"],
    ["another origin", NOTE.replace(origin, other), "another log"],
    ["another origin everywhere", NOTE.replaceAll(origin, other), "another log"],
    ["an origin with white space", NOTE.replace(origin, `${origin} `), "another log"],
    ["a fourth line", NOTE.replace(`${root}\n`, `${root}\nmore\n`), "malformed"],
    ["two lines", NOTE.replace(`${root}\n`, ""), "malformed"],
    ["CRLF", NOTE.replaceAll("\n", "\r\n"), "malformed"],
    ["no line feed at its end", NOTE.slice(0, -1), "malformed"],
    ["an empty line at its end", `${NOTE}\n`, "malformed"],
    ["a size with a leading zero", NOTE.replace("\n42\n", "\n042\n"), "size or root"],
    ["a size with a sign", NOTE.replace("\n42\n", "\n+42\n"), "size or root"],
    ["a size in hex", NOTE.replace("\n42\n", "\n0x2a\n"), "size or root"],
    ["a size that is too large", NOTE.replace("\n42\n", `\n${SIZE_MAX + 1}\n`), "size or root"],
    ["a size of 30 digits", NOTE.replace("\n42\n", `\n${"9".repeat(30)}\n`), "size or root"],
    ["no size", NOTE.replace("\n42\n", "\n\n"), "malformed"],
    ["a root of 31 bytes", NOTE.replace(root, encode(hexToBytes(LOG_HEAD.root).slice(1))), "size or root"],
    [
      "a root in base64url",
      NOTE.replace(root, Buffer.from(LOG_HEAD.root, "hex").toString("base64url")),
      "size or root",
    ],
    ["a root in hex", NOTE.replace(root, LOG_HEAD.root), "size or root"],
    ["another size", NOTE.replace("\n42\n", "\n43\n"), "does not verify"],
    ["another root", NOTE.replace(root, encode(new Uint8Array(32))), "does not verify"],
    ["too long", noteOf(...Array.from({ length: 16 }, () => `${dash} x ${"A".repeat(256)}`), line), "malformed"],
  ];
  test.each(cases)("%s is refused", async (_what, note, why) => {
    await expect(open(note)).rejects.toEqual(refusal(why));
  });
  test("unused bits of its root are zero", async () => {
    const last = root.at(-2) ?? "";
    const next = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".charAt(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(last) + 1,
    );
    const other = `${root.slice(0, -2)}${next}=`;
    expect(Buffer.from(other, "base64")).toEqual(Buffer.from(root, "base64"));
    await expect(open(NOTE.replace(root, other))).rejects.toEqual(refusal("size or root"));
  });
  test("every single bit counts", async () => {
    const whole = new TextEncoder().encode(NOTE);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const changed = Uint8Array.from(whole);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(open(new TextDecoder().decode(changed)), `bit ${bit}`).rejects.toEqual(refusal(""));
    }
  });
});

const strangers = await foreign();

describe("its signatures", () => {
  const stranger = `${dash} witness.example/1 ${encode(new Uint8Array(69))}`;
  test("lines of others are ignored, before it and after", async () => {
    expect(await open(noteOf(stranger, line, stranger))).toMatchObject({ head: LOG_HEAD });
    expect(await open(noteOf(...Array.from({ length: 15 }, () => stranger), line))).toMatchObject({ head: LOG_HEAD });
    const next = await signCheckpoint(ORIGIN, LOG_HEAD, NEXT_HSM.signer, NEXT_HSM.jwk);
    expect(await open(noteOf(next.split("\n")[4] ?? "", line))).toMatchObject({ by: HSM.signer.kid });
  });
  test("the second form of an ES256 signature, n - s, is one as well", async () => {
    const { r, s } = p256.Signature.fromBytes(der, "der");
    const twin = new p256.Signature(r, p256.Point.Fn.ORDER - s).toBytes("der");
    expect(await open(signed(keyId, twin))).toMatchObject({ head: LOG_HEAD });
  });
  const n = p256.Point.Fn.ORDER.toString(16);
  const { r: good } = p256.Signature.fromBytes(der, "der");
  const derOf = (r: string, s: string) => {
    const integer = (hex: string) => `02${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;
    const body = integer(r) + integer(s);
    return hexToBytes(`30${(body.length / 2).toString(16).padStart(2, "0")}${body}`);
  };
  const r = `00${good.toString(16).padStart(64, "0")}`.replace(/^00(?=[0-7])/, "");
  const tail = bytesToHex(der).slice(4 + 4 + r.length);
  const cases: [string, string, string][] = [
    ["17 lines", noteOf(...Array.from({ length: 16 }, () => stranger), line), "malformed"],
    ["a hyphen for the dash", noteOf(line.replace(dash, "-")), "malformed"],
    ["two spaces", noteOf(line.replace(" ", "  ")), "malformed"],
    ["a plus in its name", noteOf(line.replace("opencustody", "open+custody")), "malformed"],
    ["no name", noteOf(`${dash} ${signature}`), "malformed"],
    ["base64url", noteOf(`${dash} ${name} ${Buffer.from(bytes).toString("base64url")}_`), "malformed"],
    ["a key id alone", signed(keyId), "malformed"],
    ["a malformed line of somebody else", noteOf(line, `${dash} x !`), "malformed"],
    ["another name", noteOf(line.replace(name, "somebody")), "no key that is known"],
    ["another key id", signed(hexToBytes("00000000"), der), "no key that is known"],
    ["a signature that is cut", signed(keyId, der.slice(0, -1)), "does not verify"],
    ["a byte after its signature", signed(keyId, der, Uint8Array.of(0)), "does not verify"],
    [
      "r and s as they are, without DER",
      signed(keyId, p256.Signature.fromBytes(der, "der").toBytes("compact")),
      "does not verify",
    ],
    ["a negative r", signed(keyId, derOf(`ff${"0".repeat(62)}`, "01")), "does not verify"],
    [
      "r with a needless zero",
      signed(
        keyId,
        hexToBytes(`30${(der.length - 1).toString(16)}02${((r.length + 2) / 2).toString(16)}00${r}${tail}`),
      ),
      "does not verify",
    ],
    ["a length in its long form", signed(keyId, hexToBytes(`3081${bytesToHex(der).slice(2)}`)), "does not verify"],
    ["r and s of nothing", signed(keyId, derOf("00", "00")), "does not verify"],
    ["s of the group's order", signed(keyId, derOf(r, `00${n}`)), "does not verify"],
    ["a stranger's signature under this key id", signed(keyId, strangers), "does not verify"],
    [
      "this one after another under the same id",
      noteOf(`${dash} ${name} ${encode(keyId, strangers)}`, line),
      "does not verify",
    ],
  ];
  test.each(cases)("%s: refused", async (_what, note, why) => {
    await expect(open(note)).rejects.toEqual(refusal(why));
  });
  test("a key that is no point of the curve signs nothing", async () => {
    const nothing = { ...HSM.jwk, y: STRANGER.jwk.y };
    const id = (await signCheckpoint(ORIGIN, LOG_HEAD, { ...HSM.signer, kid: kidOf(nothing) }, nothing)).split("\n")[4];
    await expect(open(noteOf(id ?? ""), { origin: ORIGIN, keys: [nothing] })).rejects.toEqual(
      refusal("does not verify"),
    );
  });
});

async function foreign(): Promise<Uint8Array> {
  const note = await signCheckpoint(ORIGIN, LOG_HEAD, STRANGER.signer, STRANGER.jwk);
  return new Uint8Array(Buffer.from(note.trim().split(" ").at(-1) ?? "", "base64")).slice(4);
}

test("reading without verifying gives the head, of a log that is the right one", () => {
  expect(readCheckpoint(NOTE, ORIGIN).head).toEqual(LOG_HEAD);
  expect(readCheckpoint(noteOf("whatever"), ORIGIN).head).toEqual(LOG_HEAD);
  expect(() => readCheckpoint(NOTE, originOf(STRANGER.signer.kid))).toThrow(refusal("another log"));
  expect(() => readCheckpoint("x".repeat(CHECKPOINT_MAX + 1), ORIGIN)).toThrow(refusal("malformed"));
});
