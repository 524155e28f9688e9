import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { Sieve } from "./sieve.ts";

test("what was added may be there, for every id; of others few", () => {
  const sieve = new Sieve();
  const ids = Array.from({ length: 100_000 }, () => randomBytes(16).toString("base64url"));
  for (const id of ids) sieve.add(id);
  expect(ids.every((id) => sieve.mayHave(id))).toBe(true);
  const others = Array.from({ length: 10_000 }, () => randomBytes(16).toString("base64url"));
  expect(others.filter((id) => sieve.mayHave(id)).length).toBeLessThan(100);
  const other = new Sieve();
  for (const id of ["1", "abc", ids[0] ?? ""]) {
    expect(other.mayHave(id)).toBe(false);
    other.add(id);
    expect(other.mayHave(id)).toBe(true);
  }
});
