import { expect, test } from "vitest";
import { endAll } from "./ending.ts";

test("each part is ended when the one before has, whatever another one throws; the first error is told", async () => {
  const seen: string[] = [];
  const first = new RangeError("first");
  const ended = endAll(
    () => seen.push("a"),
    () => {
      seen.push("b");
      throw first;
    },
    async () => {
      await Promise.resolve();
      seen.push("c");
      throw new TypeError("second");
    },
    () => seen.push("d"),
  );
  await expect(ended).rejects.toBe(first);
  expect(seen).toEqual(["a", "b", "c", "d"]);
  await expect(endAll(() => seen.push("e"))).resolves.toBeUndefined();
});
