/**
 * The two frames that are most of the traffic, `send` and `ack`, read without a JSON parser. Whatever has not exactly their
 * canonical spelling is left to the schema (protocol/frame.ts), which alone refuses: so this can accept too little, and a
 * test holds it to accepting nothing more. protocol/README.md, "Frames".
 */
import { type ClientFrame, FRAME_MAX } from "../protocol/frame.ts";
import type { Body } from "./box.ts";

type SendFrame = Omit<Extract<ClientFrame, { t: "send" }>, "body"> & { body: Body };
export type HotFrame = SendFrame | Extract<ClientFrame, { t: "ack" }>;

const [QUOTE, BRACE] = [0x22, 0x7d];
const ACK = /^\{"v":1,"t":"ack","seq":([1-9][0-9]{0,15})\}$/;
const ACK_MAX = '{"v":1,"t":"ack","seq":9007199254740991}'.length;
const [BEFORE_ID, BEFORE_TO, BEFORE_BODY] = ['{"v":1,"t":"send","id":"', '","to":"', '","body":"'].map((text) =>
  Buffer.from(text),
) as [Buffer, Buffer, Buffer];
/** Where in a `send` frame its parts begin. */
const ID = BEFORE_ID.length;
const ID_END = ID + 22;
const TO = ID_END + BEFORE_TO.length;
const TO_END = TO + 43;
const HEAD = TO_END + BEFORE_BODY.length;
const BODY_MAX = FRAME_MAX - 1024;
/** 1 for each byte that may stand there. Of 16 bytes the last character has four spare bits, of 32 bytes two: both zero (README.md of protocol/, "Values"). */
const OF_BASE64URL = table(/[A-Za-z0-9_-]/);
const LAST_OF_ID = table(/[AQgw]/);
const LAST_OF_TO = table(/[AEIMQUYcgkosw048]/);
const OF_BODY = table(/[A-Za-z0-9_.-]/);
/** 1 for each two of them, as one number: a body is most of a frame, and is read in half the time. */
const TWO_OF_BODY = Uint8Array.from(
  { length: 65_536 },
  (_, two) => (OF_BODY[two >> 8] ?? 0) & (OF_BODY[two & 255] ?? 0),
);

function table(allowed: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(allowed.test(String.fromCharCode(byte))));
}

/** The frame in these bytes, or undefined where the schema is to judge. */
export function readHotFrame(data: Buffer): HotFrame | undefined {
  if (data.length <= ACK_MAX) return readAck(data.toString("latin1"));
  const end = data.length - 2;
  if (end - HEAD > BODY_MAX || end <= HEAD || data[end] !== QUOTE || data[end + 1] !== BRACE) return undefined;
  if (!isAt(data, 0, BEFORE_ID) || !isAt(data, ID_END, BEFORE_TO) || !isAt(data, TO_END, BEFORE_BODY)) return undefined;
  if (!isOf(OF_BASE64URL, data, ID, ID_END) || !isOf(LAST_OF_ID, data, ID_END - 1, ID_END)) return undefined;
  if (!isOf(OF_BASE64URL, data, TO, TO_END) || !isOf(LAST_OF_TO, data, TO_END - 1, TO_END)) return undefined;
  if (!isBody(data, HEAD, end)) return undefined;
  const id = data.toString("latin1", ID, ID_END);
  const to = data.toString("latin1", TO, TO_END);
  return { v: 1, t: "send", id, to, body: data.subarray(HEAD, end) };
}

function isAt(data: Buffer, at: number, part: Buffer): boolean {
  for (let of = 0; of < part.length; of++) if (data[at + of] !== part[of]) return false;
  return true;
}

function isOf(allowed: Uint8Array, data: Buffer, from: number, end: number): boolean {
  let isAllowed = 1;
  for (let at = from; at < end; at++) isAllowed &= allowed[data[at] ?? 0] ?? 0;
  return isAllowed === 1;
}

/** As `isOf(OF_BODY, ...)`, four bytes at a time. Their order does not matter. */
function isBody(data: Buffer, from: number, end: number): boolean {
  const view = new DataView(data.buffer, data.byteOffset, end);
  let [isAllowed, at] = [1, from];
  for (const last = end - 4; at <= last; at += 4) {
    const four = view.getInt32(at, true);
    isAllowed &= (TWO_OF_BODY[four & 0xffff] ?? 0) & (TWO_OF_BODY[four >>> 16] ?? 0);
  }
  return isAllowed === 1 && isOf(OF_BODY, data, at, end);
}

function readAck(text: string): HotFrame | undefined {
  const seq = Number(ACK.exec(text)?.[1]);
  return Number.isSafeInteger(seq) ? { v: 1, t: "ack", seq } : undefined;
}

/** A `deliver` frame up to its body, which goes out as it came, and what comes after that. */
export function deliverHead(seq: number, id: string, from: string): string {
  return `{"v":1,"t":"deliver","seq":${seq},"id":"${id}","from":"${from}","body":"`;
}
export const DELIVER_TAIL = '"}';

/** An `accepted` frame. */
export function acceptedText(id: string): string {
  return `{"v":1,"t":"accepted","id":"${id}"}`;
}
