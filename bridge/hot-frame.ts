/**
 * The two frames that are most of the traffic, `send` and `ack`, read without a JSON parser. Whatever has not exactly their
 * canonical spelling is left to the schema (protocol/frame.ts), which alone refuses: so this can accept too little, and a
 * test holds it to accepting nothing more. protocol/README.md, "Frames".
 */
import { type ClientFrame, FRAME_MAX } from "../protocol/frame.ts";

export type HotFrame = Extract<ClientFrame, { t: "send" | "ack" }>;

const [QUOTE, BRACE] = [0x22, 0x7d];
const ACK = /^\{"v":1,"t":"ack","seq":([1-9][0-9]{0,15})\}$/;
const ACK_MAX = '{"v":1,"t":"ack","seq":9007199254740991}'.length;
// Of 16 bytes the last character has four spare bits, of 32 bytes two: both zero (README.md of protocol/, "Values").
const SEND =
  /^\{"v":1,"t":"send","id":"([A-Za-z0-9_-]{21}[AQgw])","to":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])","body":"$/;
const HEAD = '{"v":1,"t":"send","id":"","to":"","body":""}'.length - 2 + 22 + 43;
const BODY_MAX = FRAME_MAX - 1024;
/** 1 for each byte that a body may have. */
const OF_BODY = Uint8Array.from({ length: 256 }, (_, byte) => Number(/[A-Za-z0-9_.-]/.test(String.fromCharCode(byte))));

/** The frame in these bytes, or undefined where the schema is to judge. */
export function readHotFrame(data: Buffer): HotFrame | undefined {
  if (data.length <= ACK_MAX) return readAck(data.toString("latin1"));
  const end = data.length - 2;
  if (end - HEAD > BODY_MAX || end <= HEAD || data[end] !== QUOTE || data[end + 1] !== BRACE) return undefined;
  const send = SEND.exec(data.toString("latin1", 0, HEAD));
  if (send === null) return undefined;
  let isBody = 1;
  for (let at = HEAD; at < end; at++) isBody &= OF_BODY[data[at] ?? 0] ?? 0;
  if (isBody === 0) return undefined;
  const [, id = "", to = ""] = send;
  return { v: 1, t: "send", id, to, body: data.toString("latin1", HEAD, end) };
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
