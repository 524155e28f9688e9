import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { IdSet } from "./recent.ts";

const ZERO = "A".repeat(22);
const newId = () => randomBytes(16).toString("base64url");

test("what was added is there, and nothing else, while it grows", () => {
  const ids = new IdSet();
  const known = new Set<string>();
  for (let at = 0; at < 5_000; at += 1) {
    const [id, other] = [newId(), newId()];
    expect([ids.has(id), ids.has(other)]).toEqual([false, false]);
    ids.add(id);
    ids.add(id);
    known.add(id);
    expect([ids.has(id), ids.has(other), ids.size]).toEqual([true, false, known.size]);
  }
  for (const id of known) expect(ids.has(id)).toBe(true);
});

test("ids that differ in one bit are two", () => {
  for (const base of [Buffer.alloc(16), Buffer.alloc(16, 255), randomBytes(16)]) {
    const ids = new IdSet();
    ids.add(base.toString("base64url"));
    for (let bit = 0; bit < 128; bit += 1) {
      const other = Buffer.from(base);
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const id = other.toString("base64url");
      expect(ids.has(id)).toBe(false);
      ids.add(id);
      expect(ids.has(id)).toBe(true);
      expect(ids.size).toBe(bit + 2);
    }
  }
});

test("the id of zeros is one like any other", () => {
  const ids = new IdSet();
  expect(ids.has(ZERO)).toBe(false);
  ids.add(newId());
  expect(ids.has(ZERO)).toBe(false);
  ids.add(ZERO);
  ids.add(ZERO);
  expect([ids.has(ZERO), ids.size]).toEqual([true, 2]);
});
