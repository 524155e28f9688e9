import { expect, test } from "vitest";
import { drillResults, lastSigned } from "./last-signed.ts";
import { DESTINATION, NOW, OTHER, sampleMotion, sampleRecord, sampleRequest } from "./sample-request.ts";

const by = (person: string, address: string, at: number) => sampleRecord("approval", person, { address, at });
const drill = (vault: string, iat: number, request: string) =>
  sampleMotion({ verb: "DRILL", change: { vault } }, { iat, request });

test("a device's newest approval, of whatever kind", () => {
  const requests = [
    sampleRequest({ state: "signed", records: [by("alice", DESTINATION, NOW - 900), by("bob", OTHER, NOW - 5)] }),
    sampleRequest({
      motion: drill("Treasury-1", NOW - 700, "DRILL00000000000"),
      state: "pending",
      records: [by("alice", DESTINATION, NOW - 600), sampleRecord("rejection", "alice", { address: null, at: NOW })],
    }),
    sampleRequest({
      motion: sampleMotion({ verb: "UNFREEZE", change: { vault: null } }),
      state: "enacted",
      records: [by("alice", DESTINATION, NOW - 800)],
    }),
    sampleRequest(),
  ];
  expect(lastSigned(requests, DESTINATION)).toEqual({ at: NOW - 600, what: "drill" });
  expect(lastSigned(requests, OTHER)).toEqual({ at: NOW - 5, what: "transfer" });
  expect(lastSigned(requests.slice(2), DESTINATION)?.what).toBe("change");
  expect(lastSigned(requests, "0x")).toBeUndefined();
});

test("the newest drill of each vault, with everybody who was asked", () => {
  const requests = [
    sampleRequest({ motion: drill("Treasury-2", NOW - 50, "THIRD00000000000") }),
    sampleRequest({
      motion: drill("Treasury-1", NOW - 100, "SECOND0000000000"),
      state: "enacted",
      records: [by("alice", DESTINATION, NOW - 90), by("dave", OTHER, NOW - 80)],
    }),
    sampleRequest({ motion: drill("Treasury-1", NOW - 900, "FIRST00000000000"), state: "expired" }),
    sampleRequest(),
  ];
  const [one, two] = drillResults(requests);
  expect(one).toEqual({
    vault: "Treasury-1",
    request: "SECOND0000000000",
    at: NOW - 100,
    reached: true,
    threshold: 2,
    people: [
      { name: "alice", signed: { at: NOW - 90, address: DESTINATION } },
      { name: "bob", signed: null },
      { name: "dave", signed: { at: NOW - 80, address: OTHER } },
    ],
  });
  expect(two).toMatchObject({ vault: "Treasury-2", reached: false });
  expect(drillResults([])).toEqual([]);
});
