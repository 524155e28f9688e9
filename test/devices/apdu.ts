/**
 * APDUs as the simulated device reads and answers them: parsing, derivation paths, status words. Does not decide
 * anything. The table is in the measured behaviour of the Ethereum app (vectors, and the design's section 9).
 */

/** Status words that were measured, and the two that are known from reports (dashboard). */
export const STATUS = {
  ok: 0x9000,
  declined: 0x6985,
  otherApp: 0x6e00,
  otherAppOlder: 0x6d00,
  badData: 0x6a80,
  badParameter: 0x6b00,
  tooLarge: 0x6a84,
  badLength: 0x6a87,
  badLengthOlder: 0x6983,
  badPath: 0x6a15,
  underReview: 0x6980,
  locked: 0x5515,
  dashboard: 0x6511,
  dashboardOlder: 0x6e01,
} as const;

/** Ends the handling of an APDU with a status word. Never leaves the device. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status.toString(16)}`);
    this.status = status;
  }
}

export interface Apdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data: Uint8Array;
}

/** @throws {Refusal} with `badLength` when the header is cut or Lc is not the length of the data. */
export function parseApdu(bytes: Uint8Array, badLength: number): Apdu {
  const [cla, ins, p1, p2, lc] = bytes;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined || lc === undefined) {
    throw new Refusal(badLength);
  }
  const data = bytes.slice(5);
  if (data.length !== lc) throw new Refusal(badLength);
  return { cla, ins, p1, p2, data };
}

const HARDENED = 0x80000000;

/**
 * A derivation path at the start of `data`: a count, then that many u32 big endian.
 * @throws {Refusal} badData where it is cut or absurd, badPath outside 44'/60'.
 */
export function parsePath(data: Uint8Array): { path: number[]; rest: Uint8Array } {
  const count = data[0] ?? 0;
  if (count < 1 || count > 10 || data.length < 1 + 4 * count) throw new Refusal(STATUS.badData);
  const view = new DataView(data.buffer, data.byteOffset);
  const path = Array.from({ length: count }, (_, i) => view.getUint32(1 + 4 * i));
  if (path[0] !== HARDENED + 44 || path[1] !== HARDENED + 60) throw new Refusal(STATUS.badPath);
  return { path, rest: data.slice(1 + 4 * count) };
}

/** @throws {Refusal} badData where fewer than four bytes are left. */
export function parseU32(data: Uint8Array): { value: number; rest: Uint8Array } {
  if (data.length < 4) throw new Refusal(STATUS.badData);
  return { value: new DataView(data.buffer, data.byteOffset).getUint32(0), rest: data.slice(4) };
}

/** Data and status word as one answer. */
export function answer(status: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(data.length + 2);
  bytes.set(data);
  bytes.set([status >> 8, status & 0xff], data.length);
  return bytes;
}

/** Each part preceded by its length in one byte: the form of `B0 01` and `E0 02` answers. */
export function counted(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [part.length, ...part]));
}
