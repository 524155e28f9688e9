import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ApprovalDevice, DeviceFault, type DeviceOutcome, describeOutcome } from "./device.ts";

/** Stands in for the client library, which test/devices/trezor drives for real: here it does what a library should not do. */
const library = vi.hoisted(() => ({
  init: async (_settings: object): Promise<void> => undefined,
  call: async (_params: object): Promise<unknown> => undefined,
  sent: [] as object[],
  disposed: 0,
}));
vi.mock("@trezor/connect-web/lib/impl/core-in-suite-desktop.js", () => ({
  CoreInSuiteDesktop: class {
    ws = {
      sendMessage: async (message: object) => {
        library.sent.push(message);
        throw new Error("nobody listens");
      },
    };
    init = async (settings: object) => await library.init(settings);
    call = (params: object) => library.call(params);
    dispose = async () => {
      library.disposed += 1;
    };
  },
}));
const { connectTrezor } = await import("./trezor.ts");

const PATH = "m/44'/60'/7'/0/0";
const FEATURES = { internal_model: "T3T1", major_version: 2, minor_version: 8, patch_version: 9 };
const never = () => new Promise<never>(() => undefined);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("location", { origin: "chrome-extension://id" });
  Object.assign(library, {
    init: async () => undefined,
    call: async () => ({ success: true, payload: FEATURES }),
    sent: [],
    disposed: 0,
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const outcome = async (promise: Promise<unknown>) =>
  await promise.then(
    () => "no fault",
    (error: unknown) => (error instanceof DeviceFault ? error.outcome : error),
  );
const connected = async (then: () => Promise<unknown>): Promise<ApprovalDevice> => {
  const device = await connectTrezor();
  library.call = then;
  return device;
};

test("Suite is told who asks, and the model and firmware are read first", async () => {
  let told: object = {};
  library.init = async (settings) => {
    told = settings;
  };
  expect(await connectTrezor()).toMatchObject({ vendor: "Trezor", model: "trezor-safe-5", appVersion: "2.8.9" });
  expect(told).toMatchObject({ manifest: { appName: "OpenCustody approvals", appUrl: "chrome-extension://id" } });
});

test("a connection that does not come is given up after a second, and closed should it come later", async () => {
  const opening = Promise.withResolvers<void>();
  library.init = () => opening.promise;
  const connecting = outcome(connectTrezor());
  await vi.advanceTimersByTimeAsync(1000);
  expect(await connecting).toBe("suite-missing");
  expect(library.disposed).toBe(0);
  opening.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(library.disposed).toBe(1);
});

test.each([
  ["Desktop_ConnectionMissing", "suite-missing"],
  ["Browser_LocalNetworkPermissionMissing", "local-network-blocked"],
  ["Init_ManifestMissing", "unknown"],
])("%s while connecting is %s", async (code, expected) => {
  library.init = async () => await Promise.reject(Object.assign(new Error("no"), { code }));
  expect(await outcome(connectTrezor())).toBe(expected);
});

test("a call that never settles ends after five minutes: taken back, the connection closed, nothing repeated", async () => {
  let calls = 0;
  const device = await connected(async () => {
    calls += 1;
    return await never();
  });
  const signing = outcome(device.signStatement(PATH, "SEND 1"));
  await vi.advanceTimersByTimeAsync(304_999);
  expect(library.disposed).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(await signing).toBe("timed-out");
  expect(library.sent).toMatchObject([{ type: "core-call-cancel", payload: { callId: expect.any(String) as string } }]);
  expect(library.disposed).toBe(1);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(calls).toBe(1);
});

test("closing settles the call under way; a closed connection asks nothing more", async () => {
  const device = await connected(never);
  const signing = outcome(device.signStatement(PATH, "SEND 1"));
  expect(await outcome(device.address(PATH, { show: true }))).toBe("busy");
  await device.close();
  await device.close();
  expect(await signing).toBe("cancelled");
  expect(await outcome(device.signStatement(PATH, "SEND 1"))).toBe("unplugged");
  expect([library.sent.length, library.disposed]).toEqual([1, 1]);
});

test("a library that throws is an outcome, too, and the next call is made", async () => {
  const device = await connected(() => {
    throw new TypeError("inside");
  });
  expect(await outcome(device.signStatement(PATH, "SEND 1"))).toBe("unknown");
  library.call = async () => ({ success: true, payload: { signature: `${"AB".repeat(64)}1B` } });
  expect(await device.signStatement(PATH, "SEND 1")).toBe(`0x${"ab".repeat(64)}1b`);
});

test("the library keeps its socket where we look for it", async () => {
  const actual = await vi.importActual<{ CoreInSuiteDesktop: new () => object }>(
    "@trezor/connect-web/lib/impl/core-in-suite-desktop.js",
  );
  expect(new actual.CoreInSuiteDesktop()).toHaveProperty("ws.sendMessage");
});

const OUTCOMES: Record<DeviceOutcome, true> = {
  "not-connected": true,
  "suite-missing": true,
  "local-network-blocked": true,
  "no-permission": true,
  "in-use": true,
  locked: true,
  dashboard: true,
  "wrong-app": true,
  "app-too-old": true,
  "firmware-too-old": true,
  "wrong-device": true,
  declined: true,
  cancelled: true,
  "timed-out": true,
  unplugged: true,
  busy: true,
  "too-long": true,
  unknown: true,
};
test.each(Object.keys(OUTCOMES) as DeviceOutcome[])("%s has one sentence and one action for a Trezor", (one) => {
  const { sentence, action } = describeOutcome(one, "code", "Trezor");
  expect(`${sentence} ${action}`).not.toMatch(/Ledger|Ethereum app/);
  expect(sentence).toMatch(/^[A-Z].*\.$/);
  expect(action).toMatch(/^[A-Z].*\.$/);
});
