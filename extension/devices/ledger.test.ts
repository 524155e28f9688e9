import { readFileSync } from "node:fs";
import { hexToBytes } from "@noble/hashes/utils.js";
import { expect, test, vi } from "vitest";
import { checksumAddress, recoverSigner } from "../../protocol/device-signature.ts";
import { type ApprovalDevice, DeviceFault, describeOutcome } from "./device.ts";

// Node cannot load the package's ES module. The real one is exercised against the simulated USB device in test/.
vi.mock("@ledgerhq/hw-transport-webusb", () => ({ default: {} }));
const { openApp } = await import("./ledger.ts");

const PATH = "m/44'/60'/7'/0/0";
const RECORDING = new URL("../../test/devices/vectors/ledger-nanosp_1.22.0.json", import.meta.url);
const recording = JSON.parse(readFileSync(RECORDING, "utf8")) as {
  address: string;
  cases: { name: string; message: string; exchanges: [string, string][] }[];
};
/** In the answer: the public key, then 40 hex digits, each with its length before it, then the status. */
const ADDRESS = checksumAddress(`0x${Buffer.from(recording.address, "hex").subarray(67, 107).toString()}`);
const APP = appAnswer("Ethereum", "1.22.0");
const CONFIG = "020116009000";
const GET_APP = "b001000000";
const GET_CONFIG = "e006000000";

function appAnswer(name: string, version: string): string {
  const text = (value: string) => value.length.toString(16).padStart(2, "0") + Buffer.from(value).toString("hex");
  return `01${text(name)}${text(version)}9000`;
}

/** A transport that expects exactly these requests, in this order. */
function scripted(...exchanges: (readonly [string, string | Error])[]) {
  let at = 0;
  let closed = 0;
  return {
    exchange: async (apdu: Buffer) => {
      const [request, answer] = exchanges[at] ?? ["nothing", ""];
      at += 1;
      expect(apdu.toString("hex")).toBe(request);
      if (answer instanceof Error) throw answer;
      return Buffer.from(hexToBytes(answer));
    },
    close: async () => {
      closed += 1;
    },
    done: () => at === exchanges.length,
    closed: () => closed,
  };
}

const opened = async (...exchanges: (readonly [string, string | Error])[]) =>
  await openApp("nano-s-plus", scripted([GET_APP, APP], [GET_CONFIG, CONFIG], ...exchanges));

const outcome = async (promise: Promise<unknown>) =>
  await promise.then(
    () => "no fault",
    (error: unknown) => (error instanceof DeviceFault ? error.outcome : error),
  );

test("the app's name and version are read first", async () => {
  expect(await opened()).toMatchObject({ vendor: "Ledger", model: "nano-s-plus", appVersion: "1.22.0" });
});

const SIGNED = recording.cases.filter(({ exchanges }) => exchanges.at(-1)?.[1] !== "6985");
test.each(SIGNED)("$name is asked for and answered as recorded", async ({ message, exchanges }) => {
  const device = await opened(...exchanges);
  const signature = await device.signStatement(PATH, message);
  expect(recoverSigner(message, signature)).toBe(ADDRESS);
});

test("a decline is an outcome", async () => {
  const declined = recording.cases.find(({ name }) => name.endsWith("declined"));
  const device = await opened(...(declined?.exchanges ?? []));
  expect(await outcome(device.signStatement(PATH, declined?.message ?? ""))).toBe("declined");
});

test("a bare recovery bit is brought to 1b or 1c", async () => {
  const one = recording.cases.find(({ name }) => name === "printable");
  const [[request, answer] = ["", ""]] = one?.exchanges ?? [];
  const device = await opened([request, `00${answer.slice(2)}`]);
  expect(await device.signStatement(PATH, one?.message ?? "")).toMatch(/1b$/);
});

test("the address is asked with and without the screen", async () => {
  const path = "058000002c8000003c800000070000000000000000";
  const device = await opened(
    [`e002000015${path}`, recording.address],
    [`e002010015${path}`, recording.address],
    [`e002010015${path}`, "6985"],
  );
  expect(await device.address(PATH, { show: false })).toBe(ADDRESS);
  expect(await device.address(PATH, { show: true })).toBe(ADDRESS);
  expect(await outcome(device.address(PATH, { show: true }))).toBe("declined");
});

const APPS: [string, string, string, string][] = [
  ["the dashboard", appAnswer("BOLOS", "1.1.0"), CONFIG, "dashboard"],
  ["another app", appAnswer("Bitcoin", "2.4.6"), CONFIG, "wrong-app"],
  ["1.9.19", appAnswer("Ethereum", "1.9.19"), "020109139000", "app-too-old"],
  ["1.8.40", appAnswer("Ethereum", "1.8.40"), "020108289000", "app-too-old"],
  ["0.255.0", appAnswer("Ethereum", "0.255.0"), "0200ff009000", "app-too-old"],
  ["1.9.20", appAnswer("Ethereum", "1.9.20"), "020109149000", "no fault"],
  ["1.10.4", appAnswer("Ethereum", "1.10.4"), "0e010a049000", "no fault"],
  ["2.0.0", appAnswer("Ethereum", "2.0.0"), "020200009000", "no fault"],
];
test.each(APPS)("%s is answered with %s", async (_what, app, config, expected) => {
  const transport = scripted([GET_APP, app], [GET_CONFIG, config]);
  expect(await outcome(openApp("flex", transport))).toBe(expected);
  expect(transport.closed()).toBe(expected === "no fault" ? 0 : 1);
});

const WORDS: [string, string][] = [
  ["5515", "locked"],
  ["6b0c", "locked"],
  ["6982", "locked"],
  ["6511", "dashboard"],
  ["6e01", "dashboard"],
  ["6e00", "wrong-app"],
  ["6d00", "wrong-app"],
  ["6a84", "too-long"],
  ["6980", "busy"],
  ["6a80", "unknown"],
  ["6b00", "unknown"],
  ["6a87", "unknown"],
];
test.each(WORDS)("status %s is %s", async (status, expected) => {
  expect(await outcome(openApp("flex", scripted([GET_APP, status])))).toBe(expected);
});

const named = (name: string) => Object.assign(new Error("it broke"), { name });
const ERRORS: [string, string][] = [
  ["DisconnectedDeviceDuringOperation", "unplugged"],
  ["DisconnectedDevice", "unplugged"],
  ["NetworkError", "unplugged"],
  ["NotFoundError", "unplugged"],
  ["AbortError", "unplugged"],
  ["TransportRaceCondition", "busy"],
  ["TypeError", "unknown"],
];
test.each(ERRORS)("%s in mid-prompt is %s", async (name, expected) => {
  const request = recording.cases.find((one) => one.name === "printable");
  const device = await opened([request?.exchanges[0]?.[0] ?? "", named(name)]);
  expect(await outcome(device.signStatement(PATH, request?.message ?? ""))).toBe(expected);
});

test("a second call while the person reads never reaches the device", async () => {
  let answer: (status: Buffer) => void = () => {};
  const slow = scripted([GET_APP, APP], [GET_CONFIG, CONFIG]);
  let asked = 0;
  const device: ApprovalDevice = await openApp("flex", {
    close: slow.close,
    exchange: async (apdu) => {
      if (!slow.done()) return await slow.exchange(apdu);
      asked += 1;
      return await new Promise<Buffer>((resolve) => {
        answer = resolve;
      });
    },
  });
  const first = outcome(device.signStatement(PATH, "SEND 1"));
  expect(await outcome(device.address(PATH, { show: false }))).toBe("busy");
  answer(Buffer.from("6985", "hex"));
  expect(await first).toBe("declined");
  expect(asked).toBe(1);
});

test("an answer of another shape is no signature and no address", async () => {
  const chunk = `e00800001f058000002c8000003c800000070000000000000000000000065345${Buffer.from("ND 1").toString("hex")}`;
  const device = await opened([chunk, "1b009000"]);
  expect(await outcome(device.signStatement(PATH, "SEND 1"))).toBe("unknown");
  const other = await opened(["e002000015058000002c8000003c800000070000000000000000", "00029000"]);
  expect(await outcome(other.address(PATH, { show: false }))).toBe("unknown");
});

test("every outcome has a sentence and an action", () => {
  const said = describeOutcome("wrong-app", "Bitcoin");
  expect(said.sentence).toContain("Bitcoin");
  expect(said.action).toContain("Ethereum");
});
