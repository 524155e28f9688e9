import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request, type Server } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Fault } from "../protocol/error.ts";
import { type Command, serveControl } from "./control.ts";
import { callAgent } from "./control-client.ts";
import { fault } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-control-"));
const path = join(folder, "agent.sock");
const seen: Command[] = [];
let run: (command: Command) => Promise<unknown>;
let server: Server;
beforeAll(async () => {
  server = await serveControl(path, async (command) => {
    seen.push(command);
    return await run(command);
  });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

async function post(body: string): Promise<unknown> {
  const text = await new Promise<string>((resolve, reject) => {
    const call = request({ socketPath: path, method: "POST" }, (response) => {
      let answer = "";
      response.on("data", (chunk) => (answer += String(chunk)));
      response.on("end", () => resolve(answer));
    });
    call.on("error", reject);
    call.end(body);
  });
  return JSON.parse(text);
}

test("the socket is its owner's only", () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a command goes there and its result comes back", async () => {
  run = async () => ({ fine: true });
  expect(await callAgent(path, { command: "status" })).toEqual({ fine: true });
  expect(seen).toEqual([{ command: "status" }]);
});

test("a fault keeps its code and sentence; an error of the agent's own says nothing of itself", async () => {
  run = async () => {
    throw new Fault("ERR_POLICY_DENIED", "No rule permits this.");
  };
  await expect(callAgent(path, { command: "status" })).rejects.toMatchObject({
    code: "ERR_POLICY_DENIED",
    message: "No rule permits this.",
  });
  run = async () => {
    throw new Error("the PIN is 1234");
  };
  const error: unknown = await callAgent(path, { command: "status" }).catch((e: unknown) => e);
  expect(error).toMatchObject(fault("ERR_INTERNAL") as object);
  expect(String(error)).not.toContain("1234");
});

const MALFORMED: [string, string][] = [
  ["not JSON", "status"],
  ["nothing", ""],
  ["a list", "[]"],
  ["an unknown command", '{"command":"vault.export"}'],
  ["a further member", '{"command":"status","as":"root"}'],
  ["a missing member", '{"command":"invite","name":"Alice"}'],
  ["a name that is none", '{"command":"invite","name":"Alice Smith","roles":["approver"],"hours":1}'],
  ["an invite for a year", '{"command":"invite","name":"Alice","roles":["approver"],"hours":8760}'],
  ["no role", '{"command":"invite","name":"Alice","roles":[],"hours":1}'],
  ["an address without checksum", `{"command":"members.confirm","name":"Alice","address":"0x${"a".repeat(40)}"}`],
  [
    "a negative nonce",
    '{"command":"vault.create","name":"V","backup":"none","nonces":[{"network":"eip155:1","nonce":-1}]}',
  ],
  ["too much", JSON.stringify({ command: "policy.set", policy: "x".repeat(300_000) })],
  ["far too much", "x".repeat(5_000_000)],
];
test.each(MALFORMED)("refused before anything runs: %s", async (_what, body) => {
  const before = seen.length;
  expect(await post(body)).toMatchObject({ error: { code: "ERR_USAGE" } });
  expect(seen).toHaveLength(before);
});

test("no agent, and an agent that ends in the middle of its answer, are told alike", async () => {
  const nobody = join(folder, "nobody.sock");
  await expect(callAgent(nobody, { command: "status" })).rejects.toMatchObject(
    fault("ERR_AGENT_UNREACHABLE") as object,
  );
  const dying = createServer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", () => socket.destroy());
    });
  });
  const broken = join(folder, "broken.sock");
  await new Promise<void>((resolve) => dying.listen(broken, resolve));
  await expect(callAgent(broken, { command: "status" })).rejects.toMatchObject(
    fault("ERR_AGENT_UNREACHABLE") as object,
  );
  dying.close();
});
