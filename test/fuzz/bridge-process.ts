/** A bridge of its own for one target: the program as it ships, in a temporary folder, on a port that the system chose. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type BridgeFrame, parseBridgeFrame } from "../../protocol/frame.ts";
import { fingerprint } from "../../protocol/primitive.ts";
import { require, tellProcess } from "./target.ts";
import { framesIn } from "./ws-bytes.ts";

/** pino's level of an error. */
const ERROR = 50;

/** Says something on a connection; `next` is the first frame of that type, undefined where the connection ends before. */
export type Speak = (socket: Socket, next: (t: BridgeFrame["t"]) => Promise<BridgeFrame | undefined>) => Promise<void>;

export interface BridgeProcess {
  /** One connection, from its first byte to the last that the bridge sent. */
  exchange(speak: Speak): Promise<{ bytes: Buffer }>;
  /** @throws NonCanonical where it has ended, or logged a failure of its own */
  check(): Promise<void>;
  close(): Promise<void>;
}

export async function startBridge(url: string, agent: string): Promise<BridgeProcess> {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-bridge-"));
  const path = join(folder, "bridge.json");
  writeFileSync(
    path,
    JSON.stringify({ url, listen: { host: "127.0.0.1", port: 0 }, data: "data", agents: [fingerprint(agent)] }),
  );
  const program = fileURLToPath(new URL("../../bridge/main.ts", import.meta.url));
  const child = spawn(process.execPath, [program, "--config", path], { stdio: ["ignore", "pipe", "pipe"] });
  if (child.pid !== undefined) tellProcess(child.pid);
  const problems: string[] = [];
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stderr.on("data", (text: Buffer) => problems.push(text.toString()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`the bridge did not start: ${problems.join("")}`)));
    createInterface(child.stdout).on("line", (line) => {
      const { level, msg, port } = JSON.parse(line) as { level: number; msg: string; port?: number };
      if (level >= ERROR) problems.push(line);
      if (msg === "listening" && port !== undefined) resolve(port);
    });
  });
  return {
    exchange: async (speak) => await exchange(port, speak),
    check: async () => {
      require(child.exitCode === null && child.signalCode === null, "the bridge has ended");
      require(problems.length === 0, `a failure of its own: ${problems.splice(0).join("")}`);
    },
    close: async () => {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function exchange(port: number, speak: Speak): Promise<{ bytes: Buffer }> {
  let bytes = Buffer.alloc(0);
  let look: () => void = () => undefined;
  let isClosed = false;
  const socket = connect(port, "127.0.0.1");
  // A connection that is cut is an answer as well.
  socket.on("error", () => undefined);
  socket.on("data", (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece]);
    look();
  });
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => {
      isClosed = true;
      look();
      resolve();
    }),
  );
  const next = async (t: BridgeFrame["t"]) =>
    await new Promise<BridgeFrame | undefined>((resolve) => {
      look = () => {
        const frames = framesIn(bytes);
        const texts = frames.filter(({ opcode }) => opcode === 1);
        // After a close frame nothing more comes, and the bridge waits for us.
        const isOver = isClosed || frames.some(({ opcode }) => opcode === 8);
        const found = texts.map(({ data }) => parseBridgeFrame(data.toString("utf8"))).find((frame) => frame.t === t);
        if (found !== undefined || isOver) resolve(found);
      };
      look();
    });
  await speak(socket, next);
  await closed;
  return { bytes };
}
