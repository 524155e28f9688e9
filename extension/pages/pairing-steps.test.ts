import { expect, test } from "vitest";
import { inviteInHash, type Pending, pairingSteps, pendingStage, pendingSteps } from "./pairing-steps.ts";
import { NOW } from "./sample-request.ts";

test("each state of pairing has a name", () => {
  const labels = (state: "connecting" | "online" | "offline") =>
    pairingSteps(
      { bridge: "wss://bridge.example.com/" },
      { state, since: NOW, problem: { code: "ERR_LOGIN_UNKNOWN", message: "Not known." } },
    );
  expect(labels("connecting").map((step) => step.state)).toEqual(["now", "later"]);
  expect(labels("online").map((step) => step.state)).toEqual(["done", "now"]);
  expect(labels("offline")[0]).toMatchObject({ state: "late", label: "Connecting to bridge.example.com…" });
});

const NOTHING: Pending = { devices: [], words: null, approvals: 2, founding: false };
const WORDS = "acorn basket cactus dagger eagle fabric";

test.each<[string, Partial<Pending>, string]>([
  ["device", {}, "done now later later"],
  ["device", { devices: [{ state: "refused" }] }, "done now later later"],
  ["sending", { devices: [{ state: "sent" }] }, "done now later later"],
  ["words", { devices: [{ state: "pending" }], words: WORDS }, "done done now later"],
  ["founding", { devices: [{ state: "pending" }], words: WORDS, founding: true }, "done done done now"],
])("a pending pairing waits for: %s", (stage, changes, states) => {
  const pending = { ...NOTHING, ...changes };
  expect(pendingStage(pending)).toBe(stage);
  expect(
    pendingSteps(pending)
      .map(({ state }) => state)
      .join(" "),
  ).toBe(states);
});

test("how many approvals it waits for, where it is known", () => {
  const last = (approvals: number | null) => pendingSteps({ ...NOTHING, approvals }).at(-1)?.label;
  expect(last(2)).toBe("Waiting for 2 approvals of the enrolment");
  expect(last(1)).toBe("Waiting for one approval of the enrolment");
  expect(last(null)).toBe("Waiting for the admins' approvals of the enrolment");
});

test("an invite is taken from the hash, and nothing else is", () => {
  expect(inviteInHash("#opencustody-invite-abc")).toBe("opencustody-invite-abc");
  expect(inviteInHash("#other")).toBe("");
  expect(inviteInHash("")).toBe("");
});
