import { expect, test } from "vitest";
import { momentOf, timeAnnouncement, timeLeft, timeOfDay } from "./clock.ts";
import { NOW } from "./sample-request.ts";

test.each([
  [3 * 86_400, "3 days left"],
  [86_400, "24 h left"],
  [7260, "2 h 1 min left"],
  [3599, "59 minutes left"],
  [600, "10 minutes left"],
  [599, "9:59 left"],
  [5, "0:05 left"],
  [0, "Expired"],
  [-5, "Expired"],
])("%i seconds before the end: %s", (left, words) => {
  expect(timeLeft(NOW + left, NOW)).toBe(words);
});

test("a screen reader hears of the time four times", () => {
  const heard = new Set<string>();
  for (let left = 1000; left >= -10; left -= 1) heard.add(timeAnnouncement(NOW + left, NOW));
  expect([...heard]).toEqual([
    "",
    "Less than ten minutes left.",
    "Less than five minutes left.",
    "Less than one minute left.",
    "This request has expired.",
  ]);
});

test("a moment stands in the reader's zone and in UTC", () => {
  const moment = momentOf(Date.UTC(2026, 10, 22, 9, 0) / 1000, "Asia/Tokyo");
  expect(moment.local).toContain("22 Nov 2026");
  expect(moment.local).toContain("18:00");
  expect(moment.utc).toBe("2026-11-22 09:00 UTC");
  expect(timeOfDay(Date.UTC(2026, 10, 22, 9, 5) / 1000, "UTC")).toBe("09:05");
});
