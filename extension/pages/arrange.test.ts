import { expect, test } from "vitest";
import { arrange, bridgeHost, linkSentence } from "./arrange.ts";
import { NOW, sampleMine, sampleMotion, sampleRecord, sampleRequest } from "./sample-request.ts";

test("what waits for me comes first: refused ones, then the soonest to expire", () => {
  const wrong = { code: "ERR_REQUEST_DIFFERS", message: "It differs." };
  const requests = [
    sampleRequest({ payload: { request: "SIGNED0000000000" }, state: "signed", arrivedAt: NOW - 9 }),
    sampleRequest({ payload: { request: "REJECTED00000000" }, state: "rejected", arrivedAt: NOW - 5 }),
    sampleRequest({ payload: { request: "LATER00000000000", exp: NOW + 9000 } }),
    sampleRequest({ payload: { request: "WRONG00000000000" }, problem: wrong }),
    sampleRequest({ payload: { request: "SOON000000000000", exp: NOW + 60 } }),
    sampleRequest({ payload: { request: "MINE000000000000" }, mine: [sampleMine("approval")] }),
    sampleRequest({
      payload: { request: "APPROVED00000000" },
      state: "approved",
      records: [sampleRecord("approval", "bob")],
    }),
    sampleRequest({ payload: { request: "OVER000000000000", exp: NOW }, arrivedAt: NOW - 7000 }),
  ];
  const ids = (entries: ReturnType<typeof arrange>["waiting"]) =>
    entries.map(({ stored }) => stored.id.replace(/0+$/, ""));
  const { waiting, underWay, ended } = arrange(requests, "alice", NOW);
  expect(ids(waiting)).toEqual(["WRONG", "SOON", "LATER"]);
  expect(ids(underWay)).toEqual(["MINE", "APPROVED"]);
  expect(ids(ended)).toEqual(["REJECTED", "SIGNED", "OVER"]);
});

test("a recovery stands first among those of its list", () => {
  const recovery = sampleMotion(
    { verb: "UNFREEZE", change: { vault: null } },
    { request: "RECOVERY00000000", notBefore: NOW + 60, exp: NOW + 90_000 },
  );
  const requests = [sampleRequest(), sampleRequest({ motion: recovery })];
  const first = (me: string) => {
    const { waiting, underWay } = arrange(requests, me, NOW);
    return [waiting[0]?.stored.id, underWay[0]?.stored.id];
  };
  expect(first("alice")).toEqual(["RECOVERY00000000", undefined]);
  expect(first("erin")).toEqual([undefined, "RECOVERY00000000"]);
});

test("the link in words", () => {
  const bridge = "wss://bridge.example.com/";
  const sentence = (state: "unpaired" | "offline" | "connecting" | "online") =>
    linkSentence({ state, since: NOW, problem: null }, bridge);
  expect(sentence("online")).toBe("Connected to bridge.example.com");
  expect(sentence("connecting")).toBe("Connecting to bridge.example.com…");
  expect(sentence("offline")).toBe("Offline: cannot reach bridge.example.com. Trying again by itself.");
  expect(sentence("unpaired")).toBe("Not paired");
  expect(bridgeHost("ws://127.0.0.1:8787/")).toBe("127.0.0.1:8787");
});
