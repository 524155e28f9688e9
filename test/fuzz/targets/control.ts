/** The agent's control socket, over a real socket: commands as bodies of requests, and bytes that are no HTTP. */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_CODES } from "../../../protocol/error.ts";
import { mutateText } from "../mutate-text.ts";
import { given, require, requireSame, type Target, tellProcess } from "../target.ts";
import { JWS } from "./envelope.ts";
import { mutated } from "./frame.ts";

const jws = [...JWS].sort((a, b) => a.length - b.length)[0] ?? "";
const COMMANDS = [
  ...["status", "found", "members.list", "vault.list", "rotate.prepare", "request.list"].map((command) => ({
    command,
  })),
  ...["invite", "pairing.vouch", "motion", "request.propose", "request.cancel"].map((command) => ({ command, jws })),
  { command: "pairing.confirm", name: "Ada", words: "footnote starting ramp guzzler obtuse reusable" },
  { command: "vault.create", name: "Treasury-1", backup: "none", nonces: [{ network: "eip155:1", nonce: 7 }] },
  { command: "vault.nonce", name: "Treasury-1", network: "eip155:10", nonce: 0 },
  { command: "policy.show", n: null },
  { command: "policy.show", n: 17 },
  { command: "freeze", vault: null },
  { command: "request.show", id: "DTWDAD3RF4KZ8HT6" },
].map((command) => JSON.stringify(command));

export async function controls(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  const path = join(folder, "agent.sock");
  const program = fileURLToPath(new URL("../control-process.ts", import.meta.url));
  const child = fork(program, [path]);
  if (child.pid !== undefined) tellProcess(child.pid);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", () => reject(new Error("the control socket was not served")));
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    attempt: async (random) => {
      const body = given(mutated(random, random.pick(COMMANDS), COMMANDS));
      require(child.exitCode === null && child.signalCode === null, "the process has ended");
      if (random.once(10)) {
        const head = `POST / HTTP/1.1\r\nhost: agent\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
        await say(path, given(mutateText(random, head + body, [head])));
        return "refused";
      }
      const { status, text } = await post(path, agent, body);
      require(status === 200, `status ${status}`);
      const answer = JSON.parse(text) as { result?: unknown; error?: { code: string; message: string } };
      if (answer.error === undefined) {
        requireSame(
          answer.result,
          JSON.parse(Buffer.from(body).toString()),
          "a command of which something was left out",
        );
        return "accepted";
      }
      const { code, message } = answer.error;
      require(ERROR_CODES.some((known) => known === code) && code !== "ERR_INTERNAL", `an error of its own: ${code}`);
      require(message.length > 0 && message.length < 1_000, "a sentence of no length");
      return "refused";
    },
    close: async () => {
      agent.destroy();
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function post(socketPath: string, agent: Agent, body: string): Promise<{ status: number; text: string }> {
  return await new Promise((resolve, reject) => {
    const sent = request({ socketPath, agent, method: "POST" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Says bytes, then nothing more, and waits for the other side to hang up. */
async function say(path: string, text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(path, () => socket.end(text, "utf8"));
    // A connection that is cut is an answer as well.
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.on("close", () => resolve());
  });
}
