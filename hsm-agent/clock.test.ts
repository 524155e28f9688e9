import { afterEach, beforeEach, expect, test } from "vitest";
import { recordedClock } from "./clock.ts";
import { Office } from "./testing.ts";
import { makePerson, START } from "./testing-people.ts";

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

test("nor after a restart with a clock that was set back", async () => {
  let wall = START;
  recordedClock(office.desk.journal, () => wall)();
  const now = recordedClock(office.desk.journal, () => wall);
  wall += 61;
  expect(now()).toBe(START + 61);
  await office.reopen();
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

test("in doubt once the wall clock parts from the monotonic one, until somebody confirms it, over a restart too", async () => {
  let wall = START;
  let monotonic = 0;
  const open = () =>
    recordedClock(
      office.desk.journal,
      () => wall,
      () => monotonic,
    );
  const now = open();
  for (let n = 0; n < 100; n += 1) {
    wall += 600;
    monotonic += 600;
    now();
  }
  wall += 60;
  expect(now.inDoubt()).toBeNull();
  wall += 61;
  expect(now.inDoubt()).toBe(wall);
  const since = wall;
  wall += 10;
  monotonic += 10;
  expect(now.inDoubt()).toBe(since);
  await office.reopen();
  const again = open();
  expect(again.inDoubt()).toBe(since);
  again.confirm();
  expect(again.inDoubt()).toBeNull();
  expect(open().inDoubt()).toBeNull();
});

test("many small steps are one large one: a delay is not ended a minute at each look", () => {
  let [wall, monotonic] = [START, 0];
  const now = recordedClock(
    office.desk.journal,
    () => wall,
    () => monotonic,
  );
  const step = () => {
    wall += 60;
    monotonic += 1;
    return now.inDoubt();
  };
  expect([step(), step()]).toEqual([null, wall]);
  now.confirm();
  expect([now.inDoubt(), step(), step()]).toEqual([null, null, wall]);
});

test("in doubt where it was set back while it ran, and time does not go back", () => {
  let wall = START;
  let monotonic = 0;
  const now = recordedClock(
    office.desk.journal,
    () => wall,
    () => monotonic,
  );
  wall -= 3_600;
  monotonic += 1;
  expect(now()).toBe(START);
  expect(now.inDoubt()).not.toBeNull();
});

test("a jump that was first seen in a transaction which was taken back is in the record all the same, and the minute's mark is", async () => {
  let wall = START;
  const journal = () => office.desk.journal;
  const open = () =>
    recordedClock(
      journal(),
      () => wall,
      () => 0,
    );
  const now = open();
  now();
  wall += 3_000;
  expect(() =>
    journal().transaction(() => {
      now();
      throw new RangeError("no");
    }),
  ).toThrow("no");
  expect(now.inDoubt()).toBe(wall);
  expect([journal().meta("clock"), journal().meta("clock-doubt")]).toEqual([String(wall), String(wall)]);
  await office.reopen();
  expect(open().inDoubt()).toBe(wall);
});

test("what was confirmed in a transaction that was taken back is in doubt still", () => {
  let wall = START;
  const { journal } = office.desk;
  const now = recordedClock(
    journal,
    () => wall,
    () => 0,
  );
  wall += 61;
  const since = now.inDoubt();
  expect(since).toBe(wall);
  expect(() =>
    journal.transaction(() => {
      now.confirm();
      throw new RangeError("no");
    }),
  ).toThrow("no");
  expect(now.inDoubt()).toBe(since);
});

const RESTARTS: [string, number, boolean][] = [
  ["an hour later, together with the minute before", 3_540, false],
  ["more than an hour later", 3_541, true],
  ["with a clock a minute back", -60, false],
  ["with a clock set back", -61, true],
];
test.each(RESTARTS)("started anew %s", (_when, later, doubted) => {
  recordedClock(office.desk.journal, () => START + 60)();
  expect(recordedClock(office.desk.journal, () => START + 60 + later).inDoubt() !== null).toBe(doubted);
});

test("many short absences are a long one: a delay is not ended by small jumps", () => {
  let wall = START;
  const open = () => recordedClock(office.desk.journal, () => wall);
  open()();
  for (let n = 0; n < 3; n += 1) {
    wall += 20 * 60;
    const now = open();
    expect(now.inDoubt()).toBeNull();
    now();
  }
  wall += 60;
  const now = open();
  expect(now.inDoubt()).not.toBeNull();
  now.confirm();
  wall += 20 * 60;
  expect(open().inDoubt()).toBeNull();
});
