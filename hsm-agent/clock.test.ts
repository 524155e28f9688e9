import { afterEach, beforeEach, expect, test } from "vitest";
import { recordedClock } from "./clock.ts";
import { makePerson, Office, START } from "./testing.ts";

let office: Office;
beforeEach(async () => {
  office = await Office.open([makePerson("Alice")], 1);
});
afterEach(() => office.dispose());

test("time goes on, and never back", () => {
  let wall = START;
  const now = recordedClock(office.desk.journal, () => wall);
  expect(now()).toBe(START);
  wall += 5;
  expect(now()).toBe(START + 5);
  wall -= 3_600;
  expect(now()).toBe(START + 5);
  wall = START + 6;
  expect(now()).toBe(START + 6);
});

test("nor after a restart with a clock that was set back", () => {
  let wall = START;
  recordedClock(office.desk.journal, () => wall)();
  const now = recordedClock(office.desk.journal, () => wall);
  wall += 61;
  expect(now()).toBe(START + 61);
  office.reopen();
  expect(recordedClock(office.desk.journal, () => START - 86_400)()).toBe(START + 61);
});

test("the record is written once a minute, not at each look", () => {
  let wall = START;
  const now = recordedClock(office.desk.journal, () => wall);
  for (; wall < START + 59; wall += 1) now();
  expect(office.desk.journal.meta("clock")).toBe(String(START));
  wall = START + 60;
  now();
  expect(office.desk.journal.meta("clock")).toBe(String(START + 60));
});
