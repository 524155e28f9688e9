/**
 * The end of a connection on its stream: this half is closed, and what still comes is not parsed, and not much of it taken.
 * Else whoever was sent away could keep the bridge busy until its socket is cut. protocol/README.md, "Bridge".
 */
import type { Duplex } from "node:stream";

/** What a connection needs of the stream under its WebSocket. */
export type Wire = Pick<Duplex, "write" | "end" | "on" | "removeAllListeners" | "pause">;

/** Bytes that are taken: what was under way, so that the other side reads why before its own end is cut. */
const FAREWELL = 262_144;

/** The close frame has been written. */
export function hearNoMore(wire: Wire): void {
  let left = FAREWELL;
  wire.removeAllListeners("data");
  wire.on("data", ({ length }: Buffer) => {
    left -= length;
    if (left < 0) wire.pause();
  });
  wire.end();
}
