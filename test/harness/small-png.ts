/**
 * Makes a browser's screenshot small: at most 256 colours in a palette, and zlib's best. Reads what Chromium writes (8 bits, RGB or RGBA,
 * not interlaced) and nothing else. PNG, third edition.
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** @throws on a PNG of another kind */
export function smallPng(png: Buffer): Buffer {
  const { width, height, channels, rows } = read(png);
  const palette = new Map<number, number>();
  const pixels = Buffer.alloc(height * (width + 1));
  // Coarser steps until the colours fit.
  for (let drop = 0; drop < 8; drop += 1) {
    palette.clear();
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = (y * width + x) * channels;
        const colour = [0, 1, 2].reduce((all, c) => all * 256 + coarse(rows[at + c] ?? 0, drop), 0);
        const index = palette.get(colour) ?? palette.size;
        palette.set(colour, index);
        pixels[y * (width + 1) + 1 + x] = index;
      }
    }
    if (palette.size <= 256) break;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from([...palette.keys()].flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", head),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(pixels, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** The middle of a step of 2^drop; black and white stay. */
function coarse(value: number, drop: number): number {
  const step = 2 ** drop;
  return Math.min(255, Math.round(value / step) * step);
}

function read(png: Buffer): { width: number; height: number; channels: number; rows: Buffer } {
  const parts: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const [depth, kind, , , interlaced] = png.subarray(24, 29);
  if (depth !== 8 || (kind !== 2 && kind !== 6) || interlaced !== 0) throw new Error("not a screenshot of Chromium");
  const channels = kind === 2 ? 3 : 4;
  return { width, height, channels, rows: unfilter(inflateSync(Buffer.concat(parts)), width * channels, channels) };
}

function unfilter(filtered: Buffer, stride: number, channels: number): Buffer {
  const height = filtered.length / (stride + 1);
  const rows = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y += 1) {
    const filter = filtered[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const to = y * stride + x;
      const left = x < channels ? 0 : (rows[to - channels] ?? 0);
      const above = y === 0 ? 0 : (rows[to - stride] ?? 0);
      const corner = x < channels || y === 0 ? 0 : (rows[to - stride - channels] ?? 0);
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter ?? 0] ?? 0;
      rows[to] = (filtered[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return rows;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
