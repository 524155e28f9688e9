/**
 * Text frames of WebSocket as a server writes them (RFC 6455 section 5.2: whole, not masked), several as one piece of memory:
 * ws would hand each to the system in two. All frames of this protocol are ASCII. Pure. protocol/README.md, "Frames".
 */

import type { Body } from "./box.ts";

/** Final frame, text: then the length, one byte for a character. */
const TEXT = "\x81";

/** Frames on their way to one connection. */
export class Outgoing {
  /** Bodies, and between them all that is short, as one text. */
  #pieces: Body[] = [];
  #short = "";
  #length = 0;

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /** A frame of `head`, `body` and `tail`; a body is not copied before `take`. */
  add(head: string, body: Body = "", tail = ""): void {
    const size = head.length + body.length + tail.length;
    const start = TEXT + lengthOf(size);
    this.#length += start.length + size;
    this.#short += start + head;
    if (body.length === 0) {
      this.#short += tail;
      return;
    }
    this.#pieces.push(this.#short, body);
    this.#short = tail;
  }

  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      if (typeof piece === "string") bytes.write(piece, at, "latin1");
      else bytes.set(piece, at);
      at += piece.length;
    }
    bytes.write(this.#short, at, "latin1");
    return bytes;
  }
}

/** Where a client's frames would be masked the first bit is set; a server's has it clear. */
function lengthOf(size: number): string {
  if (size < 126) return String.fromCharCode(size);
  if (size < 65_536) return String.fromCharCode(126, size >> 8, size & 255);
  // No frame of this protocol needs more than the lower four bytes of eight.
  return String.fromCharCode(127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255);
}
