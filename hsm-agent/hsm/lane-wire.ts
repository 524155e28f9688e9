/**
 * How signatures are asked for and given: frames of fixed shape on one pipe a lane, without the fork's channel, whose cost a software
 * token's signatures would notice. Numbers are little-endian.
 *
 *     request   number 4, kind 1, key id 16, digest 32
 *     answer    number 4, kind 1, length 2, then the signature, or a fault as JSON
 *
 * A closed world: another kind, length or code ends the child. Not a network format, and not versioned: both ends are one release.
 */
import * as v from "valibot";
import { ERROR_CODES, Fault } from "../../protocol/error.ts";

const SIGN = 0;
const REOPEN = 1;
const SIGNED = 0;
const REOPENED = 1;
const FAILED = 2;

const REQUEST_BYTES = 53;
const HEAD_BYTES = 7;
const MOST_FAULT = 4_096;
const FAULT = v.strictObject({ code: v.picklist(ERROR_CODES), message: v.string() });

export type Request =
  | { readonly number: number; readonly kind: "sign"; readonly key: string; readonly digest: Uint8Array }
  | { readonly number: number; readonly kind: "reopen" };

export type LaneAnswer =
  | { readonly number: number; readonly kind: "signed"; readonly signature: Uint8Array }
  | { readonly number: number; readonly kind: "reopened" }
  | { readonly number: number; readonly kind: "failed"; readonly fault: Fault };

/** What stood whole in the bytes, and what is left of them; undefined where they are no such frames. */
export interface Parsed<T> {
  readonly frames: readonly T[];
  readonly rest: Buffer;
}

export function encodeRequest(request: Request): Buffer {
  const frame = Buffer.alloc(REQUEST_BYTES);
  frame.writeUInt32LE(request.number, 0);
  if (request.kind === "reopen") {
    frame[4] = REOPEN;
    return frame;
  }
  frame[4] = SIGN;
  frame.write(request.key, 5, "hex");
  frame.set(request.digest, 21);
  return frame;
}

export function parseRequests(bytes: Buffer): Parsed<Request> | undefined {
  const frames: Request[] = [];
  let at = 0;
  for (; bytes.length - at >= REQUEST_BYTES; at += REQUEST_BYTES) {
    const number = bytes.readUInt32LE(at);
    const kind = bytes[at + 4];
    if (kind === SIGN) {
      const key = bytes.toString("hex", at + 5, at + 21);
      frames.push({ number, kind: "sign", key, digest: Uint8Array.from(bytes.subarray(at + 21, at + REQUEST_BYTES)) });
    } else if (kind === REOPEN) frames.push({ number, kind: "reopen" });
    else return undefined;
  }
  return { frames, rest: bytes.subarray(at) };
}

export function encodeAnswer(answer: LaneAnswer): Buffer {
  switch (answer.kind) {
    case "signed":
      return frame(answer.number, SIGNED, answer.signature);
    case "reopened":
      return frame(answer.number, REOPENED, new Uint8Array());
    case "failed": {
      const { code, message } = answer.fault;
      return frame(answer.number, FAILED, Buffer.from(JSON.stringify({ code, message: message.slice(0, 600) })));
    }
  }
}

function frame(number: number, kind: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + body.length);
  bytes.writeUInt32LE(number, 0);
  bytes[4] = kind;
  bytes.writeUInt16LE(body.length, 5);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

export function parseAnswers(bytes: Buffer): Parsed<LaneAnswer> | undefined {
  const frames: LaneAnswer[] = [];
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const length = bytes.readUInt16LE(at + 5);
    if (length > MOST_FAULT) return undefined;
    const end = at + HEAD_BYTES + length;
    if (end > bytes.length) break;
    const answer = parseAnswer(bytes.readUInt32LE(at), bytes[at + 4], bytes.subarray(at + HEAD_BYTES, end));
    if (answer === undefined) return undefined;
    frames.push(answer);
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

function parseAnswer(number: number, kind: number | undefined, body: Buffer): LaneAnswer | undefined {
  if (kind === SIGNED && body.length === 64) return { number, kind: "signed", signature: Uint8Array.from(body) };
  if (kind === REOPENED && body.length === 0) return { number, kind: "reopened" };
  if (kind !== FAILED) return undefined;
  try {
    const { code, message } = v.parse(FAULT, JSON.parse(body.toString("utf8")));
    return { number, kind: "failed", fault: new Fault(code, message) };
  } catch {
    return undefined;
  }
}
