import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, FRAME_MAX, parseClientFrame } from "../protocol/frame.ts";
import { acceptedText, DELIVER_TAIL, deliverHead, readHotFrame } from "./hot-frame.ts";

const base64url = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString("base64url"));
const BODY = fc.stringMatching(/^[A-Za-z0-9_.-]{1,80}$/);
const SEND = fc.record({
  v: fc.constant(1 as const),
  t: fc.constant("send" as const),
  id: base64url(16),
  to: base64url(32),
  body: BODY,
});
const ACK = fc.record({
  v: fc.constant(1 as const),
  t: fc.constant("ack" as const),
  seq: fc.oneof(
    fc.integer({ min: 1 }),
    fc.maxSafeInteger().filter((seq) => seq > 0),
    fc.constant(Number.MAX_SAFE_INTEGER),
  ),
});

/** As the schema has it: a body is text. */
function readAsText(data: Buffer): unknown {
  const frame = readHotFrame(data);
  return frame?.t === "send" ? { ...frame, body: frame.body.toString("latin1") } : frame;
}

/** What the schema makes of a text as it came: undefined where it refuses. */
function judged(text: string): unknown {
  try {
    return parseClientFrame(Buffer.from(text, "latin1").toString("utf8"));
  } catch {
    return undefined;
  }
}

test("every send and ack that the schema accepts is read, to the same frame", () => {
  fc.assert(
    fc.property(fc.oneof(SEND, ACK), (frame) => {
      expect(readAsText(Buffer.from(encodeFrame(frame)))).toEqual(frame);
      expect(judged(encodeFrame(frame))).toEqual(frame);
    }),
    { numRuns: 2_000 },
  );
});

test("nothing is read that the schema refuses, or reads to something else", () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      ...'"{}:,\\ \n\t.0-_=+/A'.split(""),
      "\\u0041",
      '"v":1',
      '"t":"send"',
      '"body":""',
      "null",
      "1.0",
      "1e3",
      "-1",
      "\u0000",
      "\u00e9",
      "\u00ff",
    ),
    fc.string({ maxLength: 3, unit: "binary-ascii" }),
  );
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(3), pieces), { minLength: 1, maxLength: 3 });
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(fc.oneof(SEND, ACK), edits, (frame, changes) => {
      let text = encodeFrame(frame);
      for (const [place, cut, put] of changes) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + put + text.slice(at + cut);
      }
      const hot = readAsText(Buffer.from(text, "latin1"));
      const byRule = judged(text);
      if (hot !== undefined) expect(byRule).toEqual(hot);
      // Both ways: of these two types nothing is left to the slow road.
      if (byRule !== undefined) expect(hot).toEqual(byRule);
      if (byRule === undefined) refused += 1;
      else read += 1;
    }),
    { numRuns: 20_000 },
  );
  expect(Math.min(read, refused)).toBeGreaterThan(100);
});

test.each([
  ["the longest body", FRAME_MAX - 1024, true],
  ["one more", FRAME_MAX - 1023, false],
])("%s", (_, length, isRead) => {
  const text = encodeFrame({ v: 1, t: "send", id: "A".repeat(22), to: "A".repeat(43), body: "x".repeat(length) });
  expect(readHotFrame(Buffer.from(text, "latin1")) !== undefined).toBe(isRead);
  expect(judged(text) !== undefined).toBe(isRead);
});

test.each([
  ["9007199254740992", false],
  ["9007199254740991", true],
  ["99999999999999999", false],
  ["01", false],
  ["0", false],
])("an acknowledgement of %s", (seq, isRead) => {
  const text = `{"v":1,"t":"ack","seq":${seq}}`;
  expect(readHotFrame(Buffer.from(text, "latin1")) !== undefined).toBe(isRead);
  expect(judged(text) !== undefined).toBe(isRead);
});

test("what is written by splicing is what encoding writes", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), base64url(16), base64url(32), BODY, (seq, id, from, body) => {
      expect(deliverHead(seq, id, from) + body + DELIVER_TAIL).toBe(
        encodeFrame({ v: 1, t: "deliver", seq, id, from, body }),
      );
      expect(acceptedText(id)).toBe(encodeFrame({ v: 1, t: "accepted", id }));
    }),
  );
});
