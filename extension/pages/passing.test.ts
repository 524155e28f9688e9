import { expect, test } from "vitest";
import type { DeviceOutcome } from "../devices/device.ts";
import type { Stage, Stop } from "./confirming.ts";
import { isNews, watched } from "./passing.ts";

function stopOf(outcome: DeviceOutcome, vendor: "Ledger" | "Trezor" = "Ledger"): Stop {
  return { code: outcome, sentence: `It is ${outcome}.`, action: "", device: { vendor, outcome, detail: "" } };
}
const stopped = (stop: Stop): Stage => ({ at: "stopped", stop });

test("what may pass by itself is looked at, what needs a person's decision is not", () => {
  for (const outcome of ["locked", "dashboard", "wrong-app", "unplugged", "busy", "no-permission"] as const) {
    expect(watched(stopped(stopOf(outcome)))).toEqual({ vendor: "Ledger", often: true });
  }
  for (const outcome of ["declined", "too-long", "unknown", "timed-out"] as const) {
    expect(watched(stopped(stopOf(outcome)))).toBeNull();
  }
  expect(watched(stopped(stopOf("suite-missing", "Trezor")))).toEqual({ vendor: "Trezor", often: true });
  expect(watched(stopped(stopOf("not-connected", "Trezor")))).toBeNull();
  expect(watched({ at: "ready" })).toBeNull();
  expect(watched({ at: "ready", after: "Ledger" })).toEqual({ vendor: "Ledger", often: false });
  expect(watched(stopped({ code: "ERR_REQUEST_STATE", sentence: "It is over.", action: "" }))).toBeNull();
});

test("the sentence changes when something else is so, and not between two words for an absent device", () => {
  expect(isNews(stopped(stopOf("locked")), null)).toBe(true);
  expect(isNews(stopped(stopOf("locked")), stopOf("locked"))).toBe(false);
  expect(isNews(stopped(stopOf("locked")), stopOf("dashboard"))).toBe(true);
  expect(isNews(stopped(stopOf("no-permission")), stopOf("not-connected"))).toBe(false);
  expect(isNews(stopped(stopOf("unplugged")), stopOf("not-connected"))).toBe(false);
  expect(isNews({ at: "ready", after: "Ledger" }, null)).toBe(false);
  expect(isNews({ at: "ready", after: "Ledger" }, stopOf("not-connected"))).toBe(true);
});
