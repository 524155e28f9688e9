/** The frames of a lane: read as they were written, in whatever pieces they come, and nothing else is read. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ERROR_CODES, Fault } from "../../protocol/error.ts";
import {
  encodeAnswer,
  encodeRequest,
  type LaneAnswer,
  parseAnswers,
  parseRequests,
  type Request,
} from "./lane-wire.ts";

const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    number,
    kind: fc.constant("sign" as const),
    key: bytes(16).map((id) => Buffer.from(id).toString("hex")),
    digest: bytes(32),
  }),
  fc.record({ number, kind: fc.constant("reopen" as const) }),
);
const fault = fc
  .tuple(fc.constantFrom(...ERROR_CODES), fc.string({ maxLength: 300 }))
  .map(([code, message]) => new Fault(code, message));
const answer: fc.Arbitrary<LaneAnswer> = fc.oneof(
  fc.record({ number, kind: fc.constant("signed" as const), signature: bytes(64) }),
  fc.record({ number, kind: fc.constant("reopened" as const) }),
  fc.record({ number, kind: fc.constant("failed" as const), fault }),
);

/** Reads a stream that is cut at these places. */
function inPieces<T>(
  stream: Buffer,
  cuts: number[],
  parse: (bytes: Buffer) => { frames: readonly T[]; rest: Buffer } | undefined,
): T[] {
  const found: T[] = [];
  let rest = Buffer.alloc(0);
  const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].toSorted((a, b) => a - b);
  for (const [at, place] of [...places, stream.length].entries()) {
    const parsed = parse(Buffer.concat([rest, stream.subarray(at === 0 ? 0 : places[at - 1], place)]));
    if (parsed === undefined) throw new Error("refused");
    found.push(...parsed.frames);
    rest = Buffer.from(parsed.rest);
  }
  expect(rest).toHaveLength(0);
  return found;
}

test("requests and answers are read as they were written, in any pieces", () => {
  fc.assert(
    fc.property(
      fc.array(request, { maxLength: 8 }),
      fc.array(answer, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (requests, answers, cuts) => {
        expect(inPieces(Buffer.concat(requests.map(encodeRequest)), cuts, parseRequests)).toEqual(requests);
        const read = inPieces(Buffer.concat(answers.map(encodeAnswer)), cuts, parseAnswers);
        const plain = (each: LaneAnswer) =>
          each.kind === "failed" ? { ...each, fault: [each.fault.code, each.fault.message] } : each;
        expect(read.map(plain)).toEqual(answers.map(plain));
      },
    ),
  );
});

test("what was read is a copy: later bytes in the same place do not change it", () => {
  const digest = randomBytes(32);
  const stream = encodeRequest({ number: 1, kind: "sign", key: "00".repeat(16), digest });
  const parsed = parseRequests(stream);
  stream.fill(0xff);
  expect(parsed?.frames[0]).toEqual({ number: 1, kind: "sign", key: "00".repeat(16), digest: Uint8Array.from(digest) });
});

const frame = (kind: number, body: Uint8Array, length = body.length) => {
  const head = Buffer.alloc(7);
  head[4] = kind;
  head.writeUInt16LE(length, 5);
  return Buffer.concat([head, body]);
};
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

test.each<[string, Buffer]>([
  ["another kind", frame(3, new Uint8Array(64))],
  ["a short signature", frame(0, new Uint8Array(63))],
  ["a long signature", frame(0, new Uint8Array(65))],
  ["a reopening with more to say", frame(1, new Uint8Array(1))],
  ["a fault that is not JSON", frame(2, Buffer.from("no"))],
  ["a fault of an unknown code", frame(2, json({ code: "ERR_OTHER", message: "x" }))],
  ["a fault with more keys", frame(2, json({ code: "ERR_HSM_DOWN", message: "x", more: 1 }))],
  ["a length beyond all faults, before its bytes are there", frame(2, new Uint8Array(), 4_097)],
])("an answer with %s is refused, also after a good one", (_, bad) => {
  expect(parseAnswers(bad)).toBeUndefined();
  expect(parseAnswers(Buffer.concat([encodeAnswer({ number: 1, kind: "reopened" }), bad]))).toBeUndefined();
});

test("a request of another kind is refused, also after a good one", () => {
  const bad = encodeRequest({ number: 1, kind: "reopen" });
  bad[4] = 2;
  expect(parseRequests(bad)).toBeUndefined();
  expect(parseRequests(Buffer.concat([encodeRequest({ number: 1, kind: "reopen" }), bad]))).toBeUndefined();
});

test("a fault's sentence is cut before it is too long for a frame", () => {
  const long = new Fault("ERR_HSM_DOWN", "\u0001".repeat(10_000));
  const [read] = parseAnswers(encodeAnswer({ number: 1, kind: "failed", fault: long }))?.frames ?? [];
  expect(read).toMatchObject({ kind: "failed", fault: { code: "ERR_HSM_DOWN" } });
});
