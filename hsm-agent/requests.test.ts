import { expect, test } from "vitest";
import { type RequestState, RequestStateSchema } from "../protocol/message.ts";
import { isOpen, nextState, OPEN_STATES, type RequestEvent } from "./requests.ts";
import { fault } from "./testing-people.ts";

/** Every event, with the state that it leads to from each open state; "" is an empty cell. */
const TABLE: Record<RequestEvent, readonly [proposed: string, pending: string, approved: string]> = {
  issued: ["pending", "", ""],
  quorum: ["", "approved", ""],
  withdrawn: ["", "", "pending"],
  signed: ["", "", "signed"],
  enacted: ["", "", "enacted"],
  rejected: ["rejected", "rejected", "rejected"],
  cancelled: ["cancelled", "cancelled", "cancelled"],
  expired: ["expired", "expired", "expired"],
  superseded: ["void", "void", "void"],
  failed: ["failed", "failed", "failed"],
};
const EVENTS = Object.keys(TABLE) as RequestEvent[];
const CELLS = RequestStateSchema.options.flatMap((state) =>
  EVENTS.map((event): [RequestState, RequestEvent, string] => {
    // Signed, and never handed out.
    if (state === "signed")
      return [state, event, event === "expired" || event === "superseded" ? (TABLE[event][2] ?? "") : ""];
    const column = OPEN_STATES.findIndex((open) => open === state);
    return [state, event, column < 0 ? "" : (TABLE[event][column] ?? "")];
  }),
);

test.each(CELLS)("%s, %s: '%s'", (state, event, next) => {
  if (next === "") expect(() => nextState(state, event)).toThrow(expect.objectContaining(fault("ERR_REQUEST_STATE")));
  else expect(nextState(state, event)).toBe(next);
});

test("what is not open is the end: nothing leaves it", () => {
  const ends = RequestStateSchema.options.filter((state) => !isOpen(state));
  expect(ends).toEqual(["signed", "enacted", "rejected", "cancelled", "expired", "void", "failed"]);
  for (const state of ends.filter((one) => one !== "signed"))
    for (const event of EVENTS)
      expect(() => nextState(state, event)).toThrow(expect.objectContaining({ name: "Fault" }));
});

test("only one cell leads to a signature, and one to an act, and only from a recorded intent", () => {
  expect(CELLS.filter(([, , next]) => next === "signed").map(([state, event]) => [state, event])).toEqual([
    ["approved", "signed"],
  ]);
  expect(CELLS.filter(([, , next]) => next === "enacted").map(([state, event]) => [state, event])).toEqual([
    ["approved", "enacted"],
  ]);
  expect(CELLS.filter(([, , next]) => next === "approved").map(([state]) => state)).toEqual(["pending"]);
});
