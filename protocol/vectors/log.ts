/** Makes log.json: leaves with the roots of every size, paths that hold and paths with one fault, entries, and checkpoints. */
import { p256 } from "@noble/curves/nist.js";
import { base64url } from "jose";
import { originOf, signCheckpoint } from "../checkpoint.ts";
import { EMPTY_ROOT, leafHash } from "../merkle.ts";
import { ADAS_DEVICE, HSM, NEXT_HSM, STRANGER } from "./keys.ts";
import { APPROVAL_PAYLOAD, DIGEST, LOG_HEAD, NOW, REQUEST_PAYLOAD } from "./sample.ts";
import { VectorTree } from "./tree.ts";

const { request } = REQUEST_PAYLOAD;
const hash = `0x${"ab".repeat(32)}`;
const record = {
  kind: "approval",
  person: "Ada",
  of: APPROVAL_PAYLOAD.jti,
  at: NOW,
  vendor: "Ledger",
  address: ADAS_DEVICE.address,
  reason: null,
} as const;

/** One of each kind, in an order in which they could come. */
const tree = new VectorTree();
tree.append({ v: 1, kind: "proposal", at: NOW, request, person: null, of: null });
tree.append({ v: 1, kind: "request", at: NOW, request, digest: DIGEST });
tree.append({ v: 1, kind: "state", at: NOW, request, digest: DIGEST, n: 1, state: "pending", records: [], hash: null });
tree.append({ v: 1, kind: "act", at: NOW, n: 1, verb: "FOUND", request, head: DIGEST });
tree.append({ v: 1, kind: "proposal", at: NOW, request, person: "Olga", of: DIGEST });
tree.append({ v: 1, kind: "state", at: NOW, request, digest: DIGEST, n: 2, state: "signed", records: [record], hash });
tree.append({ v: 1, kind: "released", at: NOW, request, hash });
tree.append({ v: 1, kind: "freeze", at: NOW, vault: "Treasury-1", by: "Ada", of: APPROVAL_PAYLOAD.jti });
tree.append({ v: 1, kind: "freeze", at: NOW, vault: null, by: null, of: null });
const [, , pending = "", , , signed = ""] = tree.leaves;
for (let at = tree.leaves.length; at < 21; at += 1)
  tree.append({ v: 1, kind: "request", at: NOW + at, request, digest: DIGEST });

const SIZE = tree.leaves.length;
const leafOf = (index: number) => leafHash(new TextEncoder().encode(tree.leaves[index]));
const sizes = [1, 2, 3, 4, 7, 8, 13, SIZE];

function inclusion(index: number, size: number) {
  return { index, size, leaf: leafOf(index), root: tree.head(size).root, path: tree.prove(index, size).path };
}

function consistency(from: number, size: number) {
  const fromRoot = from === 0 ? EMPTY_ROOT : tree.head(from).root;
  return { from, fromRoot, size, root: tree.head(size).root, path: tree.consistency(from, size) };
}

/** One bit of the last digit. */
const flip = (hex: string) => hex.slice(0, -1) + (Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16);
const other = leafOf(0);
const included = inclusion(9, SIZE);
const follows = consistency(6, SIZE);
const [first = "", second = ""] = included.path;

const ORIGIN = originOf(HSM.signer.kid);
const NOTE = await signCheckpoint(ORIGIN, LOG_HEAD, HSM.signer, HSM.jwk);
const line = NOTE.split("\n")[4] ?? "";
const bytes = base64url.decode((line.split(" ")[2] ?? "").replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""));
const der = bytes.slice(4);
const encode = (der: Uint8Array) => btoa(String.fromCharCode(...bytes.slice(0, 4), ...der));
const withLines = (...lines: string[]) => `${NOTE.split("\n\n")[0]}\n\n${lines.map((one) => `${one}\n`).join("")}`;
const resigned = (der: Uint8Array) => withLines(`\u2014 ${ORIGIN} ${encode(der)}`);
const { r, s } = p256.Signature.fromBytes(der, "der");
const twin = new p256.Signature(r, p256.Point.Fn.ORDER - s).toBytes("der");
const stranger = `\u2014 witness.example/1 ${btoa("x".repeat(69))}`;
const by = async (key: typeof HSM, head = LOG_HEAD, origin = ORIGIN) => await signCheckpoint(origin, head, key.signer, key.jwk);

export const LOGS = {
  /** The lines of a log, and its root when it had so many of them, from none on. */
  lines: [...tree.leaves],
  roots: [EMPTY_ROOT, ...Array.from({ length: SIZE }, (_, at) => tree.head(at + 1).root)],
  inclusion: sizes.flatMap((size) => [0, size >> 1, size - 1].filter((at, i, all) => all.indexOf(at) === i).map((at) => inclusion(at, size))),
  notIncluded: [
    ["another leaf", { ...included, leaf: other }],
    ["another index", { ...included, index: 8 }],
    ["an index past the end", { ...included, index: SIZE }],
    ["a size of another shape", { ...included, size: 16 }],
    ["another root", { ...included, root: tree.head(SIZE - 1).root }],
    ["one bit of a hash", { ...included, path: included.path.with(2, flip(included.path[2] ?? "")) }],
    ["two hashes changed about", { ...included, path: [second, first, ...included.path.slice(2)] }],
    ["a hash less", { ...included, path: included.path.slice(0, -1) }],
    ["a hash more", { ...included, path: [...included.path, other] }],
    ["no path", { ...included, path: [] }],
    ["an inner node for a leaf", { ...included, leaf: tree.node(1, 4), index: 4, path: included.path.slice(1) }],
  ].map(([what, vector]) => ({ what, ...(vector as typeof included) })),
  consistency: [
    ...sizes.map((size) => consistency(0, size)),
    ...sizes.flatMap((size) => sizes.filter((from) => from <= size).map((from) => consistency(from, size))),
    consistency(6, SIZE),
  ],
  notConsistent: [
    ["another beginning", { ...follows, fromRoot: tree.head(5).root }],
    ["another end", { ...follows, root: tree.head(SIZE - 1).root }],
    ["a log that went back", { ...follows, from: SIZE, fromRoot: follows.root, size: 6, root: follows.fromRoot }],
    ["one bit of a hash", { ...follows, path: follows.path.with(1, flip(follows.path[1] ?? "")) }],
    ["a hash less", { ...follows, path: follows.path.slice(1) }],
    ["a hash more", { ...follows, path: [...follows.path, other] }],
    ["nothing, with another root", { ...consistency(0, SIZE), fromRoot: other }],
    ["the same size, with another root", { ...consistency(SIZE, SIZE), fromRoot: other }],
    ["the same size, with a path", { ...consistency(SIZE, SIZE), path: [other] }],
  ].map(([what, vector]) => ({ what, ...(vector as typeof follows) })),
  notEntries: [
    ["nothing", ""],
    ["white space", pending.replace(",", ", ")],
    ["a member twice", pending.replace('{"v":1,', '{"v":1,"v":1,')],
    ["an unknown member", pending.replace('{"v":1,', '{"v":1,"w":1,')],
    ["a member less", pending.replace(',"hash":null', "")],
    ["members in another order", pending.replace('"v":1,"kind":"state"', '"kind":"state","v":1')],
    ["another version", pending.replace('"v":1', '"v":2')],
    ["another kind", pending.replace('"state"', '"receipt"')],
    ["another state", pending.replace('"pending"', '"sent"')],
    ["number 0", pending.replace('"n":1', '"n":0')],
    ["a letter escaped", signed.replace('"Ada"', '"\\u0041da"')],
    ["a hash without 0x", signed.replace('"hash":"0x', '"hash":"')],
  ].map(([what, text]) => ({ what, text })),
  origin: ORIGIN,
  key: HSM.jwk,
  checkpoints: [
    ["a checkpoint", NOTE, LOG_HEAD],
    ["of a log without entries", await by(HSM, { size: 0, root: EMPTY_ROOT }), { size: 0, root: EMPTY_ROOT }],
    ["of this log", await by(HSM, tree.head()), tree.head()],
    ["of the longest log", await by(HSM, { ...LOG_HEAD, size: 2 ** 40 }), { ...LOG_HEAD, size: 2 ** 40 }],
    ["with others' signatures beside it", withLines(stranger, line, stranger), LOG_HEAD],
    ["after 15 others", withLines(...Array.from({ length: 15 }, () => stranger), line), LOG_HEAD],
    ["in the second form of its signature, n - s", resigned(twin), LOG_HEAD],
  ].map(([what, note, head]) => ({ what: what as string, note: note as string, ...(head as typeof LOG_HEAD) })),
  /** `step`: of README.md, "Verifying a checkpoint". */
  refused: [
    ["nothing", 1, ""],
    ["two lines", 1, NOTE.replace(/\n[^\n]+=\n/, "\n")],
    ["four lines", 1, NOTE.replace("\n\n", "\nmore\n\n")],
    ["CRLF", 1, NOTE.replaceAll("\n", "\r\n")],
    ["no line feed at its end", 1, NOTE.slice(0, -1)],
    ["no signature line", 1, withLines()],
    ["17 signature lines", 1, withLines(...Array.from({ length: 16 }, () => stranger), line)],
    ["a hyphen for the dash", 1, NOTE.replace("\u2014", "-")],
    ["a key id alone", 1, withLines(`\u2014 ${ORIGIN} ${btoa("abcd")}`)],
    ["of another log", 2, await by(HSM, LOG_HEAD, originOf(STRANGER.signer.kid))],
    ["a size with a leading zero", 3, NOTE.replace("\n42\n", "\n042\n")],
    ["a size below zero", 3, NOTE.replace("\n42\n", "\n-1\n")],
    ["a size that no log has", 3, NOTE.replace("\n42\n", `\n${2 ** 40 + 1}\n`)],
    ["a root in hex", 3, NOTE.replace(/\n[^\n]+=\n\n/, `\n${LOG_HEAD.root}\n\n`)],
    ["a root of 31 bytes", 3, NOTE.replace(/\n[^\n]+=\n\n/, `\n${btoa("x".repeat(31))}\n\n`)],
    ["another size", 4, NOTE.replace("\n42\n", "\n43\n")],
    ["another root", 4, NOTE.replace(/\n[^\n]+=\n\n/, `\n${btoa("x".repeat(32))}\n\n`)],
    ["by another key", 4, await by(NEXT_HSM)],
    ["by nobody known", 4, withLines(stranger)],
    ["under another name", 4, NOTE.replace(`\u2014 ${ORIGIN}`, "\u2014 opencustody")],
    ["another key's signature under this key's id", 4, resigned(strangersDer(await by(STRANGER)))],
    ["a signature without DER", 4, resigned(p256.Signature.fromBytes(der, "der").toBytes("compact"))],
    ["a byte after its signature", 4, resigned(Uint8Array.from([...der, 0]))],
    ["a length in its long form", 4, resigned(Uint8Array.from([0x30, 0x81, ...der.slice(1)]))],
    ["r and s of nothing", 4, resigned(Uint8Array.from([0x30, 6, 2, 1, 0, 2, 1, 0]))],
  ].map(([what, step, note]) => ({ what: what as string, step: step as number, note: note as string })),
};

function strangersDer(note: string): Uint8Array {
  const text = note.trim().split(" ").at(-1) ?? "";
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).slice(4);
}
