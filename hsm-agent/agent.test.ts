/** The agent's start and end over a real SoftHSM token, without a bridge. What it does with one is in test/*.spec.ts. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../test/softhsm.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type Config, socketPath } from "./config.ts";
import { callAgent } from "./control-client.ts";
import { initialise } from "./init.ts";
import { Journal } from "./journal.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-start-"));
const log = pino({ level: "silent" });
const previous = process.env["SOFTHSM2_CONF"];
let token: SoftHsm;
let config: Config;
let fingerprint: string;
beforeAll(async () => {
  token = makeSoftHsm("opencustody-test", folder);
  process.env["SOFTHSM2_CONF"] = token.env.SOFTHSM2_CONF;
  // Nobody listens on port 1.
  const bridge = { url: "ws://127.0.0.1:1/" };
  config = {
    data: join(folder, "data"),
    hsm: { module: token.module, token: { label: token.tokenLabel }, pin: { prompt: true } },
    bridge,
  };
  mkdirSync(config.data);
  chmodSync(config.data, 0o755);
  ({ fingerprint } = await initialise(config, token.pin, log));
});
afterAll(() => {
  if (previous === undefined) delete process.env["SOFTHSM2_CONF"];
  else process.env["SOFTHSM2_CONF"] = previous;
  rmSync(folder, { recursive: true, force: true });
});

const start = async (change: Partial<Config> = {}): Promise<Agent> =>
  await startAgent({ ...config, ...change }, token.pin, log);

test("an identity is founded once: not again in this folder, nor on this token from another", async () => {
  await expect(initialise(config, token.pin, log)).rejects.toMatchObject({ code: "ERR_STATE" });
  const other = { ...config, data: join(folder, "other") };
  await expect(initialise(other, token.pin, log)).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("it serves its socket, both closed to others, until it is stopped", async () => {
  const agent = await start();
  const socket = socketPath(config);
  expect(agent.fingerprint).toBe(fingerprint);
  expect([config.data, socket].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
  expect(await callAgent(socket, { command: "status" })).toMatchObject({ bridge: { state: "offline" }, open: 0 });
  await agent.stop();
  expect(existsSync(socket)).toBe(false);
});

test("a second one is refused, and does not disturb the first", async () => {
  const agent = await start();
  await expect(start()).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  // Also where its socket was removed by hand.
  rmSync(socketPath(config));
  await expect(start()).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  await agent.stop();
  await (await start()).stop();
});

test("a start that is refused leaves nothing open", async () => {
  await expect(start({ data: join(folder, "empty") })).rejects.toMatchObject({ code: "ERR_STATE" });
  const edit = (thumbprint: string) => {
    const journal = new Journal(join(config.data, "agent.db"));
    const before = journal.meta("thumbprint") ?? "";
    journal.setMeta("thumbprint", thumbprint);
    journal.close();
    return before;
  };
  const right = edit("another");
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  edit(right);
  await (await start()).stop();
});
