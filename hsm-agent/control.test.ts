import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request, type Server } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Fault } from "../protocol/error.ts";
import { type Command, serveControl } from "./control.ts";
import { callAgent } from "./control-client.ts";

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
  expect(error).toMatchObject({ code: "ERR_INTERNAL" });
  expect(String(error)).not.toContain("1234");
});

const WORDS = "abacus abdomen abdominal abide abiding ability";
const WELL_FORMED: Command[] = [
  { command: "status" },
  { command: "found" },
  { command: "invite", jws: "a.b.c" },
  { command: "pairing.confirm", name: "Alice", words: WORDS },
  { command: "pairing.vouch", jws: "a.b.c" },
  { command: "members.list" },
  { command: "motion", jws: "a".repeat(50_000) },
  { command: "vault.create", name: "Treasury-1", backup: "wrap", nonces: [{ network: "eip155:1", nonce: 0 }] },
  { command: "vault.create", name: "Treasury-1", backup: "none", nonces: [] },
  { command: "vault.list" },
  { command: "vault.nonce", name: "Treasury-1", network: "eip155:10", nonce: 3 },
  { command: "policy.show", n: null },
  { command: "policy.show", n: 3 },
  { command: "freeze", vault: null },
  { command: "freeze", vault: "Treasury-1" },
  { command: "rotate.prepare" },
  { command: "request.propose", jws: "a.b.c" },
  { command: "request.cancel", jws: "a.b.c" },
  { command: "request.list" },
  { command: "request.show", id: "01JDA7Q9T2M4XYZ0" },
];
test.each(WELL_FORMED)("$command is run as it came, and not with a member more or less", async (command) => {
  run = async () => null;
  expect(await callAgent(path, command)).toBeNull();
  expect(seen.at(-1)).toEqual(command);
  const before = seen.length;
  expect(await post(JSON.stringify({ ...command, as: "root" }))).toMatchObject({ error: { code: "ERR_USAGE" } });
  for (const left of Object.keys(command)) {
    const less = Object.entries(command).filter(([key]) => key !== left);
    expect(await post(JSON.stringify(Object.fromEntries(less)))).toMatchObject({ error: { code: "ERR_USAGE" } });
  }
  expect(seen).toHaveLength(before);
});

const nonces = (...rows: object[]) =>
  JSON.stringify({ command: "vault.create", name: "V", backup: "none", nonces: rows });
const MALFORMED: [string, string][] = [
  ["not JSON", "status"],
  ["nothing", ""],
  ["a list", "[]"],
  ["an unknown command", '{"command":"vault.export"}'],
  ["a person added by the operator", '{"command":"members.add","name":"Eve","roles":["approver"]}'],
  ["a device confirmed by the operator", '{"command":"members.confirm","name":"Eve","address":"0x"}'],
  ["a policy set by the operator", '{"command":"policy.set","policy":{}}'],
  ["a name that is none", '{"command":"freeze","vault":"Treasury 1"}'],
  ["five words", '{"command":"pairing.confirm","name":"Alice","words":"a b c d e"}'],
  ["words in capitals", `{"command":"pairing.confirm","name":"Alice","words":"${WORDS.toUpperCase()}"}`],
  ["policy 0", '{"command":"policy.show","n":0}'],
  ["a request id that is none", '{"command":"request.show","id":"01jda7q9t2m4xyz0"}'],
  ["a backup that is none", '{"command":"vault.create","name":"V","backup":"usb","nonces":[]}'],
  ["a negative nonce", nonces({ network: "eip155:1", nonce: -1 })],
  ["a network twice", nonces({ network: "eip155:1", nonce: 0 }, { network: "eip155:1", nonce: 9 })],
  ["a message too long", JSON.stringify({ command: "motion", jws: "x".repeat(65_537) })],
  ["too much", JSON.stringify({ command: "motion", jws: "x".repeat(300_000) })],
  ["far too much", "x".repeat(5_000_000)],
];
test.each(MALFORMED)("refused before anything runs: %s", async (_what, body) => {
  const before = seen.length;
  expect(await post(body)).toMatchObject({ error: { code: "ERR_USAGE" } });
  expect(seen).toHaveLength(before);
});

test("no agent, and an agent that ends in the middle of its answer, are told alike", async () => {
  const nobody = join(folder, "nobody.sock");
  await expect(callAgent(nobody, { command: "status" })).rejects.toMatchObject({ code: "ERR_AGENT_UNREACHABLE" });
  const dying = createServer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", () => socket.destroy());
    });
  });
  const broken = join(folder, "broken.sock");
  await new Promise<void>((resolve) => dying.listen(broken, resolve));
  await expect(callAgent(broken, { command: "status" })).rejects.toMatchObject({ code: "ERR_AGENT_UNREACHABLE" });
  dying.close();
});
