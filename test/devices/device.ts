/**
 * The devices that end-to-end tests and the demo use: simulated ones, or, with `SPECULOS_URL="http://127.0.0.1:5000,http://127.0.0.1:5001"`,
 * emulators of the real firmware behind the same interface. Seeds of the latter are unknown, so addresses are always read.
 */

import { generateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { SimulatedLedger } from "./ledger-app.ts";
import { type Device, PRODUCTS, readAddress } from "./ledger-device.ts";
import type { AppVersion, Model } from "./screen.ts";
import { simulatedHands } from "./simulated-hands.ts";
import { openSpeculos } from "./speculos.ts";

export interface DeviceOptions {
  /** One for each device, the last one repeated. Ignored by emulators, which are what they are. */
  readonly models?: readonly Model[];
  readonly versions?: readonly AppVersion[];
  readonly mnemonics?: readonly string[];
}

/** A simulated device behind the common interface. */
export function simulatedDevice(ledger: SimulatedLedger, serial: string): Device {
  return {
    ...PRODUCTS[ledger.model],
    serial,
    model: ledger.model,
    version: ledger.version,
    hands: simulatedHands(ledger),
    simulated: ledger,
    exchange: (apdu) => ledger.exchange(apdu),
    unplugged: () => ledger.unplugged(),
    labels: async () => ledger.labels(),
    finger: async (x, y, seconds) => ledger.finger(x, y, seconds),
    onChange: (listener) => ledger.onChange(listener),
    address: (path) => readAddress((apdu) => ledger.exchange(apdu), path),
    close: async () => undefined,
  };
}

/**
 * Opens `count` devices: emulators as far as `SPECULOS_URL` names them, the others simulated, each with a new seed unless given.
 */
export async function openDevices(count: number, options: DeviceOptions = {}): Promise<Device[]> {
  const urls = (process.env["SPECULOS_URL"] ?? "").split(",").filter((url) => url !== "");
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const url = urls[i];
      return url === undefined ? simulated(i, options) : await openSpeculos(url, `speculos-${i + 1}`);
    }),
  );
}

function simulated(i: number, options: DeviceOptions): Device {
  const ledger = new SimulatedLedger({
    model: options.models?.[i] ?? options.models?.at(-1) ?? "nanosp",
    appVersion: options.versions?.[i] ?? options.versions?.at(-1) ?? "1.22.0",
    mnemonic: options.mnemonics?.[i] ?? generateMnemonic(wordlist, 256),
  });
  return simulatedDevice(ledger, `simulated-${i + 1}`);
}
