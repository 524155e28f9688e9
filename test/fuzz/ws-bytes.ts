/** WebSocket frames as bytes (RFC 6455): a client's, masked, to be broken; and what is in a server's. */

export interface WsFrame {
  readonly opcode: number;
  readonly data: Buffer;
}

/** A whole frame with a mask of zeros, so that its data can be read in what was sent. */
export function wsFrame(text: string, opcode = 1): Uint8Array {
  const data = Buffer.from(text);
  const mask = 0x80;
  const length =
    data.length < 126
      ? Buffer.from([mask | data.length])
      : data.length < 65_536
        ? Buffer.from([mask | 126, data.length >> 8, data.length & 255])
        : Buffer.concat([Buffer.from([mask | 127, 0, 0, 0, 0]), uint32(data.length)]);
  return new Uint8Array(Buffer.concat([Buffer.from([0x80 | opcode]), length, Buffer.alloc(4), data]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The whole frames that a server sent after its HTTP answer. */
export function framesIn(answer: Buffer): WsFrame[] {
  const frames: WsFrame[] = [];
  const end = answer.indexOf("\r\n\r\n");
  if (end === -1) return frames;
  for (let at = end + 4; at + 2 <= answer.length; ) {
    const short = (answer[at + 1] ?? 0) & 0x7f;
    const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2);
    if (start > answer.length) break;
    const length = short === 126 ? answer.readUInt16BE(at + 2) : short === 127 ? answer.readUInt32BE(at + 6) : short;
    if (start + length > answer.length) break;
    frames.push({ opcode: (answer[at] ?? 0) & 15, data: answer.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
