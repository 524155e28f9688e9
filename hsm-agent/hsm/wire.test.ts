/** The short checks of what is sent most often against the schemas that they stand for, and the closed world of a message. */
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { ANSWER, ENVELOPE, isAnswer, isOkReply, isSignEnvelope, parseCommands, parseReplies, REPLY } from "./wire.ts";

const ID = "0123456789abcdef".repeat(2);
const sign = (changes: object = {}, outer: object = {}) => ({
  id: 1,
  command: { call: "sign", key: ID, digest: new Uint8Array(32), ...changes },
  ...outer,
});

const odd = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "", "sign", ID, []),
  fc.constantFrom<unknown>(
    ID.toUpperCase(),
    `${ID}0`,
    `${ID}\n`,
    new Uint8Array(31),
    new Uint8Array(64),
    new Uint16Array(32),
  ),
  fc.constantFrom<unknown>(
    new Uint8Array(32),
    Buffer.alloc(32),
    { length: 32 },
    "x".repeat(32),
    new DataView(new ArrayBuffer(32)),
  ),
  fc.anything(),
);
const name = fc.constantFrom("id", "command", "call", "key", "digest", "extra", "ok", "value", "code", "message");

test("whatever the short checks let pass, the schemas do, and the other way round for plain messages", () => {
  const envelope = fc
    .tuple(fc.dictionary(name, odd, { maxKeys: 2 }), fc.dictionary(name, odd, { maxKeys: 1 }))
    .map(([inner, outer]) => sign(inner, outer));
  const reply = fc.dictionary(name, odd, { maxKeys: 2 }).map((changes) => ({ id: 1, ok: true, value: 1, ...changes }));
  fc.assert(
    fc.property(fc.oneof(envelope, odd), fc.oneof(reply, odd), (command, answer) => {
      if (isSignEnvelope(command)) expect(v.is(ENVELOPE, command)).toBe(true);
      if (isOkReply(answer)) expect(v.is(REPLY, answer)).toBe(true);
      expect(parseCommands([command]) !== undefined).toBe(v.is(ENVELOPE, command));
      expect(parseReplies([answer]) !== undefined).toBe(v.is(REPLY, answer));
      expect(isAnswer("sign", answer)).toBe(v.is(ANSWER.sign, answer));
    }),
    { numRuns: 5_000 },
  );
  expect(isSignEnvelope(sign())).toBe(true);
  expect(isOkReply({ id: 1, ok: true, value: null })).toBe(true);
});

test.each<[string, unknown]>([
  ["an unknown key", sign({ more: 1 })],
  ["an unknown key beside the command", sign({}, { more: 1 })],
  ["a longer digest", sign({ digest: new Uint8Array(64) })],
  ["bytes that are none", sign({ digest: { length: 32 } })],
  ["a key in capitals", sign({ key: ID.toUpperCase() })],
  ["a key with a line's end", sign({ key: `${ID}\n` })],
  ["a number that is none", sign({}, { id: Number.NaN })],
  ["a call under another name", sign({ call: "Sign" })],
])("a command with %s is refused, and so is the message that holds it", (_, command) => {
  expect(isSignEnvelope(command)).toBe(false);
  expect(parseCommands([command])).toBeUndefined();
  expect(parseCommands([sign(), command])).toBeUndefined();
});

test("a message is a list that is not empty", () => {
  for (const message of [undefined, null, {}, [], sign(), { 0: sign(), length: 1 }]) {
    expect(parseCommands(message)).toBeUndefined();
    expect(parseReplies(message)).toBeUndefined();
  }
  expect(parseCommands([sign(), { id: 2, command: { call: "ping" } }])).toHaveLength(2);
});
