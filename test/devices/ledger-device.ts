/**
 * What a Ledger is to tests and to the device window, whether it is simulated (device.ts) or emulated (speculos.ts).
 * Seeds may be unknown, so addresses are read from the device.
 */

import type { Hands } from "./hands.ts";
import type { SimulatedLedger } from "./ledger-app.ts";
import type { AppVersion, Model, Screen } from "./screen.ts";
import type { UsbDevice } from "./usb.ts";

/** A device as tests and the device window see it; it can be plugged into a UsbBus. */
export interface Device extends UsbDevice {
  readonly model: Model;
  readonly version: AppVersion;
  readonly hands: Hands;
  /** The simulated device itself, for what only it can do (openApp, lock, visited); undefined for an emulator. */
  readonly simulated: SimulatedLedger | undefined;
  /** What the glass shows, with places. */
  labels(): Promise<Screen>;
  /** A finger on a Flex's glass; 2 seconds and more is a hold. */
  finger(x: number, y: number, seconds: number): Promise<void>;
  /** Calls `listener` when the screen may have changed. Returns what stops that. */
  onChange(listener: () => void): () => void;
  /** The address at a path (default m/44'/60'/7'/0/0), read through an APDU: 0x and 40 hex digits. @throws on a status word. */
  address(path?: readonly number[]): Promise<string>;
  /** Ends what observes the device. */
  close(): Promise<void>;
}

/** Product ids and names as the library knows them, with the interfaces HID and WebUSB (11). */
export const PRODUCTS: Readonly<Record<Model, { productId: number; productName: string }>> = {
  nanosp: { productId: 0x5011, productName: "Nano S Plus" },
  nanox: { productId: 0x4011, productName: "Nano X" },
  flex: { productId: 0x7011, productName: "Ledger Flex" },
};

const HARDENED = 0x80000000;
const APPROVER_PATH = [HARDENED + 44, HARDENED + 60, HARDENED + 7, 0, 0];

/** Reads an address through `E0 02`, nothing shown. */
export async function readAddress(
  exchange: UsbDevice["exchange"],
  path: readonly number[] = APPROVER_PATH,
): Promise<string> {
  const data = path.flatMap((index) => [24, 16, 8, 0].map((shift) => (index >>> shift) & 0xff));
  const answer = await exchange(Uint8Array.from([0xe0, 0x02, 0, 0, data.length + 1, path.length, ...data]));
  const status = answer.slice(-2);
  if (status[0] !== 0x90) throw new Error(`the device answered ${Buffer.from(status).toString("hex")}`);
  const key = answer[0] ?? 0;
  return `0x${Buffer.from(answer.slice(key + 2, key + 42)).toString("latin1")}`;
}
