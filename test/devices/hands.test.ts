/** The same hands over a simulated device and over Speculos' REST API: both read, sign, decline and confirm as the recordings say. */

import { afterEach, expect, test } from "vitest";
import { openDevices, simulatedDevice } from "./device.ts";
import { confirmAddress, decline, messagePages, readAndSign } from "./hands.ts";
import { SimulatedLedger } from "./ledger-app.ts";
import type { Device } from "./ledger-device.ts";
import type { AppVersion, Model } from "./screen.ts";
import { openSpeculos } from "./speculos.ts";
import { openFakeSpeculos } from "./speculos-fake.ts";
import flex from "./vectors/ledger-flex_1.22.0.json" with { type: "json" };
import older from "./vectors/ledger-nanosp_1.10.4.json" with { type: "json" };
import nano from "./vectors/ledger-nanosp_1.22.0.json" with { type: "json" };

const afterwards: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of afterwards.splice(0)) await close();
  delete process.env["SPECULOS_URL"];
});

interface Kind {
  readonly over: "simulated" | "Speculos";
  readonly model: Model;
  readonly version: AppVersion;
  readonly recording: Recording;
}
interface Recording {
  readonly mnemonic: string;
  readonly address: string;
  readonly cases: readonly {
    readonly name: string;
    readonly message: string;
    readonly screens: string[][];
    readonly exchanges: string[][];
    readonly more_screens?: string[][];
  }[];
}

async function open({ over, model, version, recording }: Kind): Promise<{ device: Device; ledger: SimulatedLedger }> {
  const ledger = new SimulatedLedger({ model, appVersion: version, mnemonic: recording.mnemonic });
  if (over === "simulated") return { device: simulatedDevice(ledger, "1"), ledger };
  const fake = await openFakeSpeculos(ledger);
  afterwards.push(() => fake.close());
  return { device: await openSpeculos(fake.url, "1"), ledger };
}

async function play(device: Device, exchanges: readonly string[][]): Promise<string> {
  let last = new Uint8Array();
  for (const [apdu] of exchanges) last = new Uint8Array(await device.exchange(Buffer.from(apdu ?? "", "hex")));
  return Buffer.from(last).toString("hex");
}

const kinds: Kind[] = (["simulated", "Speculos"] as const).flatMap((over) => [
  { over, model: "nanosp", version: "1.22.0", recording: nano },
  { over, model: "nanosp", version: "1.10.4", recording: older },
  { over, model: "flex", version: "1.22.0", recording: flex },
]);
const cases = kinds.flatMap((kind) =>
  kind.recording.cases.map((recorded) => ({ ...kind, recorded, name: recorded.name })),
);

test.each(cases)("$over $model $version: $name", async ({ recorded, ...kind }) => {
  const { device, ledger } = await open(kind);
  expect([device.model, device.version]).toEqual([kind.model, kind.version]);
  const expected = recorded.exchanges.at(-1)?.[1];
  if (expected === "6985") {
    const [answer] = await Promise.all([play(device, recorded.exchanges), decline(device.hands)]);
    expect(answer).toBe("6985");
    expect(ledger.visited).toEqual(recorded.screens);
    return;
  }
  const [answer, read] = await Promise.all([play(device, recorded.exchanges), readAndSign(device.hands)]);
  expect(answer).toBe(expected);
  const behind = read.filter((lines) => lines[0] === "Message" && lines.every((line) => !/^\d of \d$/.test(line)));
  if (kind.model !== "flex") expect(read).toEqual(recorded.screens);
  else expect(read.filter((lines) => !behind.includes(lines))).toEqual(recorded.screens);
  const whole = kind.model === "flex" && behind.length > 0 ? behind : read;
  expect(messagePages(whole).join("")).toBe(recorded.message);
});

test.each(kinds)("$over $model $version: an address is read from the screens and confirmed", async (kind) => {
  const { device } = await open(kind);
  const apdu = "e002010015058000002c8000003c800000070000000000000000";
  const [answer, read] = await Promise.all([play(device, [[apdu]]), confirmAddress(device.hands)]);
  expect(answer).toBe(kind.recording.address);
  expect(read).toBe(await device.address());
  const [declined] = await Promise.all([play(device, [[apdu]]), decline(device.hands)]);
  expect(declined).toBe("6985");
});

test("a page that is full behind More is not waited for", async () => {
  const ledger = new SimulatedLedger({ model: "flex", appVersion: "1.22.0", mnemonic: flex.mnemonic });
  const device = simulatedDevice(ledger, "1");
  const text = Array.from({ length: 11 }, () => "W".repeat(14)).join("");
  const body = `058000002c8000003c800000070000000000000000${text.length.toString(16).padStart(8, "0")}${Buffer.from(text).toString("hex")}`;
  const apdu = `e0080000${(body.length / 2).toString(16)}${body}`;
  const [, read] = await Promise.all([play(device, [[apdu]]), readAndSign(device.hands)]);
  expect(read.map((lines) => lines.length)).toEqual([4, 10, 12, 4]);
});

test("SPECULOS_URL opens emulators first, and simulated devices beyond them", async () => {
  const ledger = new SimulatedLedger({ model: "flex", appVersion: "1.22.0", mnemonic: flex.mnemonic });
  const fake = await openFakeSpeculos(ledger);
  afterwards.push(() => fake.close());
  process.env["SPECULOS_URL"] = `${fake.url}/`;
  const [device] = await openDevices(1);
  expect(device?.model).toBe("flex");
  expect(device?.simulated).toBeUndefined();
  const [, second] = await openDevices(2);
  expect(second?.simulated).toBeDefined();
});

test("an emulator with another app open is refused with a sentence", async () => {
  const ledger = new SimulatedLedger({ model: "nanosp", appVersion: "1.22.0", mnemonic: nano.mnemonic });
  ledger.openApp("Bitcoin");
  const fake = await openFakeSpeculos(ledger);
  afterwards.push(() => fake.close());
  await expect(openSpeculos(fake.url, "1")).rejects.toThrow('Speculos runs "Bitcoin"');
});
