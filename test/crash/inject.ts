/**
 * Loaded into a process of the product with --import, by the crash suite alone: wraps what SQLite, ws, the control socket and the HSM's
 * channel are called with, and ends the process with SIGKILL at the point that a file names. The product knows nothing of it.
 *
 * `CRASH_ARM` names that file: `{"point", "nth"}` or nothing. It is read at the start and at each SIGUSR2. `CRASH_HITS` names the file to
 * which the point is appended before the end, `CRASH_VAULT` the CKA_ID of the vault's key.
 */
import childProcess, { type ChildProcess } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { ServerResponse } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { DatabaseSync, StatementSync } from "node:sqlite";
import { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { AgentCommit, BridgeCommit } from "./points.ts";

const { CRASH_ARM = "", CRASH_HITS = "", CRASH_VAULT = "" } = process.env;
let armed: { point: string; nth: number } | undefined;

function read(): void {
  const text = readFileSync(CRASH_ARM, "utf8");
  armed = text === "" ? undefined : (JSON.parse(text) as { point: string; nth: number });
}
read();
process.on("SIGUSR2", read);

function reach(point: string): void {
  if (armed?.point !== point) return;
  armed.nth -= 1;
  if (armed.nth > 0) return;
  appendFileSync(CRASH_HITS, `${point}\n`);
  process.kill(process.pid, "SIGKILL");
}

/** Wraps a method of a prototype; what it returns and throws stays what it was. */
function wrap<R>(
  of: object,
  name: string,
  around: (self: unknown, args: readonly unknown[], call: () => R) => R,
): void {
  const real = Reflect.get(of, name) as (...args: unknown[]) => R;
  Reflect.set(of, name, function wrapped(this: unknown, ...args: unknown[]): R {
    return around(this, args, () => real.apply(this, args));
  });
}

// --- transactions, by what was written in them ---

const written = new Set<string>();

wrap<void>(DatabaseSync.prototype, "exec", (_, [sql], call) => transact(String(sql), call));
for (const name of ["run", "get", "all"])
  wrap<unknown>(StatementSync.prototype, name, (self, args, call) => {
    const { sourceSQL } = self as StatementSync;
    const result = transact(sourceSQL, call);
    const label = labelOf(sourceSQL, args);
    if (label !== undefined) written.add(label);
    return result;
  });

function transact<R>(sql: string, call: () => R): R {
  if (!/^\s*COMMIT\b/i.test(sql)) {
    if (/^\s*ROLLBACK\s*;?\s*$/i.test(sql)) written.clear();
    return call();
  }
  const labels = [...written];
  written.clear();
  for (const label of labels) reach(`before the commit of ${label}`);
  const result = call();
  for (const label of labels) reach(`after the commit of ${label}`);
  return result;
}

function labelOf(sql: string, values: readonly unknown[]): AgentCommit | BridgeCommit | undefined {
  const says = (word: string) => values.includes(word) || sql.includes(`'${word}'`);
  const verb = /^\s*(\w+)/.exec(sql)?.[1] ?? "";
  const table = /\b(?:INTO|UPDATE|FROM)\s+(\w+)/i.exec(sql)?.[1] ?? "";
  switch (`${verb.toUpperCase()} ${table}`) {
    case "INSERT requests":
      return "proposal";
    case "INSERT records":
      if (says("approval")) return "approval";
      return says("rejection") ? "rejection" : undefined;
    case "UPDATE requests":
      if (/\bsigned = /.test(sql)) return "signature";
      return says("approved") ? "intent" : undefined;
    case "UPDATE request_texts":
      return "issue";
    case "INSERT acts":
      return "act";
    case "INSERT freezes":
      return "freeze";
    case "INSERT message":
      return "message";
    case "UPDATE mailbox":
      return "acknowledgement";
    case "INSERT card":
      return "card";
    default:
      return undefined;
  }
}

// --- frames ---

const FRAMES: Readonly<Record<string, string>> = {
  send: "a frame to the bridge",
  ack: "an acknowledgement to the bridge",
  accepted: "an acceptance",
  deliver: "a delivery",
};

wrap<unknown>(WebSocket.prototype, "send", (_, [data], call) => {
  const what = typeof data === "string" ? FRAMES[/"t":"(\w+)"/.exec(data)?.[1] ?? ""] : undefined;
  if (what === undefined) return call();
  reach(`before ${what}`);
  const result = call();
  reach(`after ${what}`);
  return result;
});

/** The bridge writes its frames itself, several as one piece of memory. */
wrap<boolean>(Socket.prototype, "write", (_, [data], call) => {
  const text = Buffer.isBuffer(data) && data[0] === 0x81 ? data.toString("latin1") : "";
  const whats = ["accepted", "deliver"].flatMap((type) => (text.includes(`"t":"${type}"`) ? [FRAMES[type] ?? ""] : []));
  for (const what of whats) reach(`before ${what}`);
  const result = call();
  for (const what of whats) reach(`after ${what}`);
  return result;
});

// --- the control socket ---

wrap<unknown>(ServerResponse.prototype, "end", (_, _args, call) => {
  reach("before an answer of the control socket");
  const result = call();
  reach("after an answer of the control socket");
  return result;
});

// --- the HSM's channel ---

type Asking = { id?: number; command?: { call?: string } };

wrap<ChildProcess>(childProcess, "fork", (_, _args, call) => {
  const child = call();
  const asked = new Map<number, string>();
  wrap<boolean>(child, "send", (_self, [sent], send) => {
    const message = sent as Asking;
    const what = askedFor(message);
    if (what === undefined) return send();
    asked.set(message.id ?? 0, what);
    reach(`before asking for ${what}`);
    const result = send();
    reach(`after asking for ${what}`);
    return result;
  });
  child.on("message", (message: { id?: number }) => {
    const what = asked.get(message.id ?? 0);
    asked.delete(message.id ?? 0);
    if (what !== undefined) reach(`answered: ${what}`);
  });
  for (const pipe of child.stdio.slice(4)) if (pipe instanceof Duplex) watchLane(pipe);
  return child;
});
syncBuiltinESMExports();

/** Bytes of a request to a lane, and before what an answer holds (hsm-agent/hsm/lane-wire.ts). */
const REQUEST = 53;
const HEAD = 7;

/** Signatures have pipes of their own. */
function watchLane(pipe: Duplex): void {
  const asked = new Map<number, string>();
  let rest: Buffer | undefined;
  const answered = (data: Buffer): void => {
    let bytes = Buffer.concat([rest ?? Buffer.alloc(0), data]);
    while (bytes.length >= HEAD && bytes.length >= HEAD + bytes.readUInt16LE(5)) {
      const what = asked.get(bytes.readUInt32LE(0));
      asked.delete(bytes.readUInt32LE(0));
      bytes = bytes.subarray(HEAD + bytes.readUInt16LE(5));
      if (what !== undefined) reach(`answered: ${what}`);
    }
    rest = bytes;
  };
  wrap<boolean>(pipe, "write", (_self, [data], call) => {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
    const whats: string[] = [];
    for (let at = 0; at + REQUEST <= bytes.length; at += REQUEST) {
      if (bytes[at + 4] !== 0) continue;
      const isVaults = bytes.toString("hex", at + 5, at + 21) === CRASH_VAULT;
      whats.push(isVaults ? "vault signature" : "identity signature");
      asked.set(bytes.readUInt32LE(at), whats.at(-1) ?? "");
    }
    // Before the product's own listener: it was there first only if this is not the first request.
    if (rest === undefined && whats.length > 0) {
      rest = Buffer.alloc(0);
      pipe.on("data", answered);
    }
    for (const what of whats) reach(`before asking for ${what}`);
    const result = call();
    for (const what of whats) reach(`after asking for ${what}`);
    return result;
  });
}

function askedFor({ command }: Asking): string | undefined {
  const { call = "" } = command ?? {};
  if (call === "write-anchor") return "anchor";
  return undefined;
}
