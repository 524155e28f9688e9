import { expect, test } from "vitest";
import type { Pairing } from "../store.ts";
import { inviteInHash, pairingSteps } from "./pairing-steps.ts";
import { NOW } from "./sample-request.ts";

const PAIRING: Pairing = {
  state: "pairing",
  bridge: "wss://bridge.example.com/",
  hsm: "A".repeat(43),
  hsmJwk: null,
  kid: "B".repeat(43),
  invite: null,
  name: null,
  roles: [],
  welcomedAt: 0,
  problem: null,
};

test("each state of pairing has a name", () => {
  const labels = (state: "connecting" | "online" | "offline") =>
    pairingSteps(PAIRING, { state, since: NOW, problem: { code: "ERR_LOGIN_UNKNOWN", message: "Not known." } });
  expect(labels("connecting").map((step) => step.state)).toEqual(["now", "later"]);
  expect(labels("online").map((step) => step.state)).toEqual(["done", "now"]);
  expect(labels("offline")[0]).toMatchObject({ state: "late", label: "Connecting to bridge.example.com…" });
});

test("an invite is taken from the hash, and nothing else is", () => {
  expect(inviteInHash("#opencustody-invite-abc")).toBe("opencustody-invite-abc");
  expect(inviteInHash("#other")).toBe("");
  expect(inviteInHash("")).toBe("");
});
