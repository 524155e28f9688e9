/** Drives nextState over every cell of the specification's table of states: what is empty there is an error here. */
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { expect, test } from "vitest";
import { RequestStateSchema } from "../protocol/message.ts";
import { isOpen, nextState, type RequestEvent } from "./requests.ts";

const EVENTS: Readonly<Record<RequestEvent, true>> = {
  issued: true,
  quorum: true,
  withdrawn: true,
  signed: true,
  enacted: true,
  rejected: true,
  cancelled: true,
  expired: true,
  superseded: true,
  failed: true,
};
const isEvent = (name: string): name is RequestEvent => Object.hasOwn(EVENTS, name);

const spec = readFileSync(new URL("../protocol/README.md", import.meta.url), "utf8");
const section = spec.split(/^## /m).find((part) => part.startsWith("States\n")) ?? "";
const [head = [], ...rows] = section
  .split("\n\n")
  .find((block) => block.startsWith("| state |"))
  ?.split("\n")
  .filter((line) => !line.startsWith("| ---"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  ) ?? [[]];
const events = head.slice(1).filter(isEvent);
const cells = rows.flatMap(([state = "", ...next]) =>
  next.map((after, at) => ({ state: v.parse(RequestStateSchema, state), event: events[at] ?? "failed", after })),
);

test("the table has every state and every event", () => {
  expect(rows.map(([state]) => state)).toEqual(RequestStateSchema.options);
  expect(events.toSorted()).toEqual(Object.keys(EVENTS).toSorted());
  expect(head).toHaveLength(events.length + 1);
  expect(cells).toHaveLength(100);
});

test.each(cells)("$state, $event: '$after'", ({ state, event, after }) => {
  if (after === "") {
    expect(() => nextState(state, event)).toThrow(expect.objectContaining({ code: "ERR_REQUEST_STATE" }));
  } else {
    expect(nextState(state, event)).toBe(after);
  }
});

test("a state is open where something can still happen", () => {
  for (const [state, ...next] of rows) {
    // What is signed waits for nobody any more: it ends unread, or is handed out.
    const isWaiting = state !== "signed" && next.some((after) => after !== "");
    expect([state, isOpen(v.parse(RequestStateSchema, state))]).toEqual([state, isWaiting]);
  }
});
