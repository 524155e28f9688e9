/**
 * A SOCKS5 proxy that stands for Chromium's --host-resolver-rules, which Firefox lacks: the addresses that the shipped extension
 * fixes lead to this test's own ports, so that specs run side by side. Whatever else the browser wants is refused, and written down.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

const GRANTED = 0x00;
const NOT_ALLOWED = 0x02;
const REFUSED = 0x05;

interface Seen {
  readonly events: string[];
  readonly refused: string[];
}

export class PortMap {
  readonly port: number;
  /** From 127.0.0.1 and this port to another port of this machine. May be changed at any time; later connections follow it. */
  readonly ports: Map<number, number>;
  /** `open PORT` and `close PORT` of what was mapped, in order; the port is the one asked for. */
  readonly events: readonly string[];
  /** `host:port` of everything else that was asked for. */
  readonly refused: readonly string[];
  readonly #close: () => Promise<void>;

  private constructor(port: number, ports: Map<number, number>, seen: Seen, close: () => Promise<void>) {
    this.port = port;
    this.ports = ports;
    this.events = seen.events;
    this.refused = seen.refused;
    this.#close = close;
  }

  static async open(from: ReadonlyMap<number, number>): Promise<PortMap> {
    const ports = new Map(from);
    const seen: Seen = { events: [], refused: [] };
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
      serve(socket, ports, seen).catch(() => socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new PortMap((server.address() as AddressInfo).port, ports, seen, async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    });
  }

  async close(): Promise<void> {
    await this.#close();
  }
}

/** RFC 1928: no authentication, CONNECT only. */
async function serve(socket: Socket, ports: ReadonlyMap<number, number>, seen: Seen): Promise<void> {
  const take = reader(socket);
  const [, methods = 0] = await take(2);
  await take(methods);
  socket.write(Uint8Array.of(5, 0));
  const [, , , kind] = await take(4);
  const length = kind === 1 ? 4 : kind === 4 ? 16 : ((await take(1))[0] ?? 0);
  const address = await take(length);
  const host = kind === 3 ? address.toString("latin1") : [...address].join(".");
  const port = (await take(2)).readUInt16BE();
  const mapped = host === "127.0.0.1" ? ports.get(port) : undefined;
  if (mapped === undefined) {
    seen.refused.push(`${host}:${port}`);
    socket.end(answer(NOT_ALLOWED));
    return;
  }
  const target = connect(mapped, "127.0.0.1");
  try {
    await once(target, "connect");
  } catch {
    socket.end(answer(REFUSED));
    return;
  }
  target.on("error", () => socket.destroy());
  socket.write(answer(GRANTED));
  seen.events.push(`open ${port}`);
  socket.once("close", () => seen.events.push(`close ${port}`));
  socket.once("close", () => target.destroy());
  target.once("close", () => socket.destroy());
  socket.pipe(target).pipe(socket);
}

function answer(code: number): Uint8Array {
  return Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** Takes exactly so many bytes; throws where the other side ends before. */
function reader(socket: Socket): (bytes: number) => Promise<Buffer> {
  const closed = new Promise((resolve) => socket.once("close", resolve));
  return async (bytes) => {
    for (;;) {
      const read: unknown = bytes === 0 ? Buffer.alloc(0) : socket.read(bytes);
      if (Buffer.isBuffer(read) && read.length === bytes) return read;
      if (socket.readableEnded || socket.destroyed) throw new Error("the browser ended the connection");
      await Promise.race([once(socket, "readable"), closed]);
    }
  };
}
