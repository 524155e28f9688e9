/**
 * A Ledger over WebUSB: the four APDUs that an approval needs, and how everything that can go wrong there is called.
 * The only file that uses Ledger's packages. README.md, "Devices". One exchange at a time: a second sign request kills a review.
 * No exchange has a time-out, because a person reads meanwhile, and app 1.10 holds back even middle chunks.
 */
import "./node-buffer.ts";
import TransportWebUSB from "@ledgerhq/hw-transport-webusb";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { checksumAddress } from "../../protocol/device-signature.ts";
import { type ApprovalDevice, DeviceFault, type DeviceOutcome, type LedgerModel } from "./device.ts";

const VENDOR_ID = 0x2c97;
/** Older Ethereum apps show only the first 99 to 255 characters of a text. */
const OLDEST: readonly number[] = [1, 9, 20];
/** Measured to work, as 255 does. */
const CHUNK = 150;
const OK = 0x9000;

/** High byte of the USB product id while an app runs or the device is unlocked. */
const MODELS: ReadonlyMap<number, LedgerModel> = new Map([
  [0x10, "nano-s"],
  [0x40, "nano-x"],
  [0x50, "nano-s-plus"],
  [0x60, "stax"],
  [0x70, "flex"],
]);

const OUTCOMES: ReadonlyMap<number, DeviceOutcome> = new Map([
  [0x6985, "declined"],
  [0x6e00, "wrong-app"],
  [0x6d00, "wrong-app"],
  [0x5515, "locked"],
  [0x6b0c, "locked"],
  [0x6982, "locked"],
  [0x6511, "dashboard"],
  [0x6e01, "dashboard"],
  [0x6a84, "too-long"],
  [0x6980, "busy"],
]);

/** The package declares itself as CommonJS and is bundled as the ES module beside it: its default export is the class itself. */
const WebUsb = TransportWebUSB as unknown as { open(device: USBDevice): Promise<Transport> };

/** Sends one APDU and returns the answer's data without its status word. */
type Exchange = (header: readonly number[], data?: Uint8Array) => Promise<Uint8Array>;

/** What we use of a transport. */
export interface Transport {
  exchange(apdu: Buffer): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Connects the Ledger and makes sure that a recent Ethereum app is open. `choose` shows the browser's list, which needs a click;
 * without it the device that was permitted before is taken. @throws DeviceFault
 */
export async function connectLedger({ choose }: { readonly choose: boolean }): Promise<ApprovalDevice> {
  const usb = choose ? await chooseDevice() : await permittedDevice();
  const model = MODELS.get(usb.productId >> 8);
  if (model === undefined) throw new DeviceFault("unknown", `USB product ${usb.productId.toString(16)}`);
  try {
    return await openApp(model, await WebUsb.open(usb));
  } catch (error) {
    throw faultOf(error, "in-use");
  }
}

async function chooseDevice(): Promise<USBDevice> {
  try {
    return await navigator.usb.requestDevice({ filters: [{ vendorId: VENDOR_ID }] });
  } catch (error) {
    // NotFoundError: the list was closed. SecurityError: no click, or forbidden by the browser's policy.
    throw new DeviceFault("no-permission", error instanceof Error ? error.name : "", { cause: error });
  }
}

async function permittedDevice(): Promise<USBDevice> {
  const device = (await navigator.usb.getDevices()).find((one) => one.vendorId === VENDOR_ID);
  if (device === undefined) throw new DeviceFault("not-connected");
  return device;
}

/** The device behind an open transport, once its app has been looked at. Closes the transport where it is of no use. */
export async function openApp(model: LedgerModel, transport: Transport): Promise<ApprovalDevice> {
  const exchange = oneAtATime(transport);
  try {
    const { name, version } = readApp(await exchange([0xb0, 0x01, 0x00, 0x00]));
    if (name === "BOLOS") throw new DeviceFault("dashboard");
    if (name !== "Ethereum") throw new DeviceFault("wrong-app", name);
    const [, ...configured] = await exchange([0xe0, 0x06, 0x00, 0x00]);
    const numbers = configured.slice(0, 3);
    if (isOlder(numbers)) throw new DeviceFault("app-too-old", `version ${version}, and 1.9.20 is the oldest`);
    return {
      vendor: "Ledger",
      model,
      appVersion: numbers.join("."),
      address: async (path, { show }) =>
        readAddress(await exchange([0xe0, 0x02, show ? 0x01 : 0x00, 0x00], encodePath(path))),
      signStatement: async (path, statement) => await signStatement(exchange, path, statement),
      close: async () => await transport.close().catch(() => undefined),
    };
  } catch (error) {
    await transport.close().catch(() => undefined);
    throw error;
  }
}

function oneAtATime(transport: Transport): Exchange {
  let busy = false;
  return async (header, data = new Uint8Array()) => {
    if (busy) throw new DeviceFault("busy");
    busy = true;
    try {
      const apdu = Buffer.from(concatBytes(Uint8Array.from([...header, data.length]), data));
      return readStatus(await transport.exchange(apdu));
    } catch (error) {
      throw faultOf(error, "unplugged");
    } finally {
      busy = false;
    }
  };
}

function readStatus(answer: Uint8Array): Uint8Array {
  const status = ((answer.at(-2) ?? 0) << 8) | (answer.at(-1) ?? 0);
  if (status !== OK) throw new DeviceFault(OUTCOMES.get(status) ?? "unknown", `status ${status.toString(16)}`);
  return answer.subarray(0, -2);
}

/** A browser's or a transport's error as an outcome; `lost` is what a USB failure means at this point. */
function faultOf(error: unknown, lost: "in-use" | "unplugged"): DeviceFault {
  if (error instanceof DeviceFault) return error;
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  const detail = `${name}: ${message}`;
  if (name.startsWith("Disconnected") || name === "NotFoundError") {
    return new DeviceFault("unplugged", detail, { cause: error });
  }
  if (name === "TransportRaceCondition") return new DeviceFault("busy", detail, { cause: error });
  const ofUsb = ["NetworkError", "AbortError", "InvalidStateError", "SecurityError", "TransportInterfaceNotAvailable"];
  return new DeviceFault(ofUsb.includes(name) ? lost : "unknown", detail, { cause: error });
}

/** Answer to B0 01: a format byte, then name and version, each with its length before it. */
function readApp(answer: Uint8Array): { name: string; version: string } {
  const nameEnd = 2 + (answer[1] ?? 0);
  const versionEnd = nameEnd + 1 + (answer[nameEnd] ?? 0);
  const text = (from: number, to: number) => new TextDecoder().decode(answer.subarray(from, to));
  return { name: text(2, nameEnd), version: text(nameEnd + 1, versionEnd) };
}

function isOlder(version: readonly number[]): boolean {
  const at = OLDEST.findIndex((oldest, index) => version[index] !== oldest);
  return at !== -1 && (version[at] ?? 0) < (OLDEST[at] ?? 0);
}

/** Answer to E0 02: a public key, then the address in 40 hex digits, each with its length before it. */
function readAddress(answer: Uint8Array): string {
  const start = 2 + (answer[0] ?? 0);
  const digits = new TextDecoder().decode(answer.subarray(start, start + 40));
  if (answer[start - 1] !== 40 || !/^[0-9a-fA-F]{40}$/.test(digits)) throw new DeviceFault("unknown", "no address");
  return checksumAddress(`0x${digits}`);
}

async function signStatement(exchange: Exchange, path: string, statement: string): Promise<string> {
  const text = utf8ToBytes(statement);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, text.length);
  const data = concatBytes(encodePath(path), length, text);
  let answer = new Uint8Array();
  for (let at = 0; at < data.length; at += CHUNK) {
    const header = [0xe0, 0x08, at === 0 ? 0x00 : 0x80, 0x00];
    answer = new Uint8Array(await exchange(header, data.subarray(at, at + CHUNK)));
  }
  const [v = 0] = answer;
  if (answer.length !== 65 || ![0, 1, 27, 28].includes(v)) throw new DeviceFault("unknown", "no signature");
  // Some versions answer the bare recovery bit.
  return `0x${bytesToHex(answer.subarray(1))}${(v < 27 ? v + 27 : v).toString(16)}`;
}

/** A count, then each step as u32 big endian, hardened ones with their high bit set. */
function encodePath(path: string): Uint8Array {
  const steps = /^m((?:\/[0-9]{1,9}'?)+)$/.exec(path)?.[1]?.slice(1).split("/");
  if (steps === undefined) throw new DeviceFault("unknown", `path ${path}`);
  const words = steps.map((step) => Number.parseInt(step, 10) + (step.endsWith("'") ? 0x80000000 : 0));
  return hexToBytes([steps.length.toString(16).padStart(2, "0"), ...words.map(toWord)].join(""));
}

function toWord(word: number): string {
  return word.toString(16).padStart(8, "0");
}
