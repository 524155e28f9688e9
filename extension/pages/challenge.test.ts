import { expect, test } from "vitest";
import { answerOf, challengeOf, placeWords, TRIES } from "./challenge.ts";
import { DESTINATION } from "./sample-request.ts";

test("places come from the random bytes, two different ones in rising order", () => {
  expect(challengeOf(new Uint8Array([37, 37, 12])).places).toEqual([2, 7]);
  // 250 and more would make the first places likelier.
  expect(challengeOf(new Uint8Array([255, 250, 9, 0])).places).toEqual([0, 9]);
  expect(() => challengeOf(new Uint8Array([13, 3, 23]))).toThrow(RangeError);
});

test("every pair of places is equally likely", () => {
  const seen = new Map<string, number>();
  for (let a = 0; a < 250; a += 1) {
    for (let b = 0; b < 250; b += 1) {
      if (a % 10 === b % 10) continue;
      const key = challengeOf(new Uint8Array([a, b])).places.join();
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  expect(seen.size).toBe(45);
  expect(new Set(seen.values()).size).toBe(1);
});

test("what is typed is compared at its places, capitals and spaces apart", () => {
  const challenge = { places: [2, 9] as const, left: TRIES };
  expect(placeWords(2)).toBe("characters 9 to 12");
  expect(answerOf(challenge, ["0985", "9ee7"], DESTINATION)).toBe("matches");
  expect(answerOf(challenge, [" 0985", "9EE7 "], DESTINATION)).toBe("matches");
  expect(answerOf(challenge, ["9ee7", "0985"], DESTINATION)).toBe("differs");
  expect(answerOf(challenge, ["", ""], DESTINATION)).toBe("differs");
});

test("the last wrong answer starts again, a right one still matches", () => {
  const last = { places: [0, 1] as const, left: 1 };
  expect(answerOf(last, ["5290", "ffff"], DESTINATION)).toBe("start-again");
  expect(answerOf(last, ["5290", "8400"], DESTINATION)).toBe("matches");
});
