/**
 * The agent over a real SoftHSM token and a bridge that takes everything: its start, its end, its founding, and what it is after a restart
 * and under its next identity. The rest of what it does is in the tests beside this one and in test/*.spec.ts.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ENROLMENT, MOTION, PAIR, PROPOSAL } from "../protocol/message.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import { makeSoftHsm, type SoftHsm } from "../test/softhsm.ts";
import { type Agent, openConfiguredHsm, startAgent } from "./agent.ts";
import { type Config, socketPath } from "./config.ts";
import { callAgent } from "./control-client.ts";
import type { Founding } from "./founding-file.ts";
import { Connection } from "./hsm/connection.ts";
import { type Initialised, initialise } from "./init.ts";
import { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import { FakeBridge } from "./testing-bridge.ts";
import { approve, hsmOf, message, receiptsOf, show, until } from "./testing-member.ts";
import { deviceOf, keyOfInvite, makePerson, NETWORK, policyOf, TO, VAULT } from "./testing-people.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-start-"));
const log = pino({ level: "silent" });
const previous = process.env["SOFTHSM2_CONF"];
const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
let token: SoftHsm;
let bridge: FakeBridge;
let config: Config;
let founding: Founding;
let made: Initialised;
let agent: Agent | undefined;
beforeAll(async () => {
  token = makeSoftHsm("opencustody-test", folder);
  process.env["SOFTHSM2_CONF"] = token.env.SOFTHSM2_CONF;
  bridge = await FakeBridge.open();
  config = {
    data: join(folder, "data"),
    hsm: { module: token.module, token: { label: token.tokenLabel }, pin: { prompt: true } },
    bridge: { url: bridge.url },
  };
  mkdirSync(config.data);
  chmodSync(config.data, 0o755);
  founding = {
    v: 1,
    people: [
      { name: "Olga", roles: ["initiator"], key: OLGA.file.jwk },
      { name: "Alice", roles: ["approver", "admin"], key: null },
      { name: "Bob", roles: ["approver", "admin"], key: null },
    ],
    vaults: [{ name: VAULT, backup: "none", nonces: [{ network: NETWORK, nonce: 7 }] }],
    policy: { ...policyOf(["Alice", "Bob"], 2), bridge: bridge.url },
  };
  made = await initialise(config, token.pin, log, founding);
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
});
afterAll(async () => {
  await bridge.close();
  if (previous === undefined) delete process.env["SOFTHSM2_CONF"];
  else process.env["SOFTHSM2_CONF"] = previous;
  rmSync(folder, { recursive: true, force: true });
});

async function start(change: Partial<Config> = {}): Promise<Agent> {
  bridge.frames.length = 0;
  agent = await startAgent({ ...config, ...change }, token.pin, log);
  return agent;
}
async function stop(): Promise<void> {
  await agent?.stop();
  agent = undefined;
}
type Asked = Parameters<typeof callAgent>[1];
const ask = async (command: Asked) => (await callAgent(socketPath(config), command)) as Record<string, unknown>;
const hasCard = async () => await until(() => bridge.cards().length > 0 && bridge.rosters().length > 0);
const record = () => join(config.data, "agent.db");

test("init is for a new folder and an empty token, and for the bridge that the configuration names", async () => {
  expect(made.invites.map(({ name }) => name)).toEqual(["Alice", "Bob"]);
  expect(made.vaults).toMatchObject([{ name: VAULT, address: expect.stringMatching(/^0x/) as string }]);
  await expect(initialise(config, token.pin, log, founding)).rejects.toMatchObject({ code: "ERR_STATE" });
  const other = { ...config, data: join(folder, "other") };
  await expect(initialise(other, token.pin, log, founding)).rejects.toMatchObject({ code: "ERR_STATE" });
  const elsewhere = { ...founding, policy: { ...founding.policy, bridge: "wss://other.example.com/" } };
  await expect(initialise(other, token.pin, log, elsewhere)).rejects.toMatchObject({ code: "ERR_CONFIG" });
});

test("it serves its socket, both closed to others, until it is stopped", async () => {
  const { fingerprint } = await start();
  const socket = socketPath(config);
  expect(fingerprint).toBe(made.fingerprint);
  expect([config.data, socket].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
  expect(await ask({ command: "status" })).toMatchObject({
    founded: false,
    act: 0,
    open: 0,
    waitingFor: ["Alice", "Bob"],
  });
  await stop();
  expect(existsSync(socket)).toBe(false);
});

test("where a part of it does not end well, the rest ends: record, token and socket are free again", async () => {
  const running = await start();
  const stop = vi.spyOn(Link.prototype, "stop").mockImplementationOnce(function (this: Link) {
    stop.mockRestore();
    this.stop();
    throw new RangeError("the record is full");
  });
  const closed = vi.spyOn(Connection.prototype, "close");
  await expect(running.stop()).rejects.toThrow("the record is full");
  expect(closed).toHaveBeenCalledOnce();
  closed.mockRestore();
  agent = undefined;
  expect(existsSync(socketPath(config))).toBe(false);
  new Journal(record()).close();
  await start();
});

test("a second one is refused, and does not disturb the first", async () => {
  await start();
  const second = async () => await startAgent(config, token.pin, log);
  await expect(second()).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  // Also where its socket was removed by hand.
  rmSync(socketPath(config));
  await expect(second()).rejects.toMatchObject({ code: "ERR_AGENT_RUNNING" });
  await stop();
  await start();
});

test("a start that is refused leaves nothing open", async () => {
  await expect(start({ data: join(folder, "empty") })).rejects.toMatchObject({ code: "ERR_STATE" });
  const edit = (thumbprint: string) => {
    const journal = new Journal(record());
    const before = journal.meta("thumbprint") ?? "";
    journal.setMeta("thumbprint", thumbprint);
    journal.close();
    return before;
  };
  const right = edit("another");
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  edit(right);
  await start();
});

test("a token whose anchor knows more than the record is not started on", async () => {
  const write = async (text: string) => {
    const hsm = await openConfiguredHsm(config, token.pin);
    const before = (await hsm.readAnchor()) ?? "";
    await hsm.writeAnchor(text);
    await hsm.close();
    return before;
  };
  const right = await write(JSON.stringify({ act: 1, head: "0".repeat(64), frozen: [] }));
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  await write("{}");
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  await write(right);
  await start();
});

test("founded through the bridge: pairing, devices, words and signatures; a restart goes on from the acts", async () => {
  await start();
  await hasCard();
  for (const person of [ALICE, BOB]) {
    const code = made.invites.find(({ name }) => name === person.name)?.code ?? "";
    const invite = keyOfInvite(code);
    const { key, seal, address } = person;
    await bridge.deliver(await message(bridge, PAIR, invite, { key: key.jwk, seal: seal.jwk }), invite.kid);
    await bridge.deliver(
      await message(bridge, ENROLMENT, key, { ...deviceOf(person), path: "m/44'/60'/7'/0/0" }),
      key.kid,
    );
    await until(() => bridge.sentTo(key.kid).length > 0);
    const facts = { hsm: hsmOf(bridge), key: key.jwk, seal: seal.jwk, roles: ["approver", "admin"] as const, address };
    const words = wordsOfPairing({ ...facts, name: person.name });
    await ask({ command: "pairing.confirm", name: person.name, words });
  }
  const [request] = (await ask({ command: "request.list" })) as unknown as { id: string; verb: string }[];
  expect(request?.verb).toBe("FOUND");
  for (const person of [ALICE, BOB]) await approve(bridge, person, request?.id ?? "");
  for (const person of [ALICE, BOB]) await show(bridge, person);
  await until(async () => (await ask({ command: "status" }))["founded"] === true);
  await stop();
  await start();
  expect(await ask({ command: "status" })).toMatchObject({
    founded: true,
    act: 1,
    policy: 1,
    people: 1,
    waitingFor: [],
  });
  await stop();
  await expect(start({ bridge: { url: "wss://other.example.com/" } })).rejects.toMatchObject({ code: "ERR_CONFIG" });
});

test("a transfer is proposed, approved through the bridge and signed by the token", async () => {
  await start();
  await hasCard();
  const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
  const body = { vault: VAULT, network: NETWORK, asset: "ETH", amount: "1.5", to: TO, gas };
  const { request } = await ask({ command: "request.propose", jws: await message(bridge, PROPOSAL, OLGA.file, body) });
  for (const person of [ALICE, BOB]) await approve(bridge, person, String(request));
  for (const person of [ALICE, BOB]) await show(bridge, person);
  await until(async () => (await ask({ command: "request.show", id: String(request) }))["state"] === "signed");
  expect(await ask({ command: "request.show", id: String(request) })).toMatchObject({
    signed: expect.stringMatching(/^0x02/) as string,
    records: [{ person: "Alice" }, { person: "Bob" }],
  });
  await until(async () => (await receiptsOf(bridge, ALICE, String(request))).some(({ state }) => state === "signed"));
});

test("what is frozen stays so; a record without it, or one from before, is not started on", async () => {
  const copy = (name: string) => copyFileSync(record(), join(folder, name));
  const restore = (name: string) => copyFileSync(join(folder, name), record());
  await start();
  expect(await ask({ command: "freeze", vault: null })).toMatchObject({ freezes: [{ vault: null, by: null }] });
  await stop();
  copy("frozen.db");
  await start();
  expect(await ask({ command: "status" })).toMatchObject({ frozen: [{ vault: null }] });
  await stop();
  const database = new DatabaseSync(record());
  database.exec("DELETE FROM freezes");
  database.close();
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  restore("frozen.db");
  await start();
  await hasCard();
  const motion = { verb: "UNFREEZE" as const, change: { vault: null } };
  const { request } = await ask({
    command: "motion",
    jws: await message(bridge, MOTION, OLGA.file, { motion, recovery: false }),
  });
  for (const person of [ALICE, BOB]) await approve(bridge, person, String(request));
  for (const person of [ALICE, BOB]) await show(bridge, person);
  await until(async () => (await ask({ command: "status" }))["act"] === 2);
  await stop();
  copy("thawed.db");
  restore("frozen.db");
  await expect(start()).rejects.toMatchObject({ code: "ERR_STATE" });
  restore("thawed.db");
  await start();
});

test("ROTATE: it goes on under its next identity without a restart, and after one", async () => {
  const before = (await start()).fingerprint;
  await hasCard();
  const old = hsmOf(bridge);
  const { key } = await ask({ command: "rotate.prepare" });
  const motion = { verb: "ROTATE" as const, change: { to: key as typeof ALICE.key.jwk } };
  const { request } = await ask({
    command: "motion",
    jws: await message(bridge, MOTION, OLGA.file, { motion, recovery: false }),
  });
  for (const person of [ALICE, BOB]) await approve(bridge, person, String(request));
  for (const person of [ALICE, BOB]) await show(bridge, person);
  await until(() => hsmOf(bridge) !== old && agent?.fingerprint !== before);
  const next = hsmOf(bridge);
  // How the rotation ended is told by whom its followers believe.
  await until(async () => (await receiptsOf(bridge, ALICE, String(request))).some(({ state }) => state === "enacted"));
  const ends = (await receiptsOf(bridge, ALICE, String(request))).filter(({ state }) => state === "enacted");
  expect(new Set(ends.map(({ by }) => by))).toEqual(new Set([next]));
  expect(await ask({ command: "status" })).toMatchObject({
    act: 3,
    hsm: { thumbprint: next, fingerprint: agent?.fingerprint },
  });
  const { fingerprint } = agent ?? { fingerprint: "" };
  await stop();
  expect((await start()).fingerprint).toBe(fingerprint);
  await hasCard();
  const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
  const body = { vault: VAULT, network: NETWORK, asset: "ETH", amount: "2", to: TO, gas };
  const proposed = await ask({ command: "request.propose", jws: await message(bridge, PROPOSAL, OLGA.file, body) });
  for (const person of [ALICE, BOB]) await approve(bridge, person, String(proposed["request"]));
  for (const person of [ALICE, BOB]) await show(bridge, person);
  await until(async () =>
    (await receiptsOf(bridge, BOB, String(proposed["request"]))).some(({ state }) => state === "signed"),
  );
});
