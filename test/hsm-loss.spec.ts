/**
 * The agent loses its HSM and gets it back: SoftHSM behind `p11-kit server`, whose whole process group is killed or stopped, and before it a
 * module that fails on command; with the real agent, bridge and three people as scripts. What was approved meanwhile waits, says so, and goes
 * on by itself; nothing is signed twice. The owner of the module by itself: hsm-agent/hsm/loss.test.ts.
 */
import { readFileSync } from "node:fs";

import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { StatusView } from "../hsm-agent/print-status.ts";
import { foundWithMembers } from "./harness/company.ts";
import type { Member } from "./harness/member.ts";
import { type P11Kit, startP11Kit } from "./harness/p11-kit.ts";
import { makeShim, type Order, type Shim } from "./harness/pkcs11-shim.ts";
import { type RequestView, send, showRequest, waitForRequest } from "./harness/requests.ts";
import { until } from "./harness/retry.ts";
import { makeWorld, type World } from "./harness/world.ts";
import { isAlive } from "./softhsm.ts";

let world: World;
let kit: P11Kit;
let shim: Shim;
let people: Member[];
/** Every signed form that was seen, by request. */
const seen = new Map<string, string>();

beforeAll(async () => {
  world = await makeWorld({
    hsm: async (token) => {
      kit = await startP11Kit(token);
      shim = makeShim(kit);
      return shim;
    },
  });
  const members = await foundWithMembers(world);
  people = ["Ada", "Bob", "Dan"].flatMap((name) => members.get(name) ?? []);
  expect(people).toHaveLength(3);
});
afterAll(async () => {
  for (const member of people ?? []) member.close();
  await world?.dispose();
  await kit?.dispose();
  shim?.dispose();
});
afterEach(() => shim.order({}));

/** Everybody approves. Nobody waits for a receipt: without the HSM there is none. */
async function approve(id: string): Promise<void> {
  for (const person of people) await person.approve(await person.request(id));
}

const stateOfHsm = async () => (await world.ask<StatusView>({ command: "status" })).hsm.state;

/** By the vault's key, over what was asked for; and always the same bytes. */
async function signed(id: string): Promise<RequestView> {
  const request = await waitForRequest(world, id, ({ state }) => !["proposed", "pending", "approved"].includes(state));
  expect([request.state, request.problem]).toEqual(["signed", null]);
  const raw = request.signed as `0x02${string}`;
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(world.vault.address);
  expect(parseTransaction(raw).nonce).toBe(request.nonce);
  expect(seen.get(id) ?? raw).toBe(raw);
  seen.set(id, raw);
  return request;
}

async function proposed(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at += 1) ids.push(await propose(`${at + 1}`));
  return ids;
}

/** As a person does it: where the HSM has just been lost the command says so, and is given again. */
async function propose(amount: string): Promise<string> {
  for (;;) {
    try {
      return (await send(world, { amount })).id;
    } catch (error) {
      if (!(error instanceof Error) || !/ERR_HSM_(DOWN|TIMEOUT|TOKEN)/.test(error.message)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

test("killed before anybody approves: approved requests wait, the agent says so, and they go on by themselves", async () => {
  const ids = await proposed(3);
  await Promise.all(ids.map((id) => waitForRequest(world, id, ({ state }) => state === "pending")));
  // What people have to read is theirs before the HSM goes: its signature is on it.
  for (const person of people) for (const id of ids) await person.request(id);
  await kit.kill();
  await Promise.all(ids.map(approve));
  for (const id of ids) await waitForRequest(world, id, ({ state }) => state === "approved");
  await until(async () => (await stateOfHsm()) !== "up");
  const { code, stdout } = await world.command("status");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^HSM (down|starting) since .*\nHSM problem: /)]);
  expect(world.agent().process.exitCode).toBeNull();
  for (const id of ids) expect(await showRequest(world, id)).toMatchObject({ state: "approved", signed: null });

  await kit.start();
  const nonces = await Promise.all(ids.map(async (id) => (await signed(id)).nonce));
  expect(new Set(nonces).size).toBe(ids.length);
  await until(async () => (await stateOfHsm()) === "up");
});

test("killed and started again, time after time, while requests are under way", async () => {
  const all: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const ids = await proposed(4);
    all.push(...ids);
    const approving = Promise.all(ids.map(approve));
    await waitForRequest(world, ids[0] ?? "", ({ records }) => records.length > 0);
    await kit.kill();
    await kit.start();
    await approving;
  }
  const nonces = await Promise.all(all.map(async (id) => (await signed(id)).nonce));
  expect(new Set(nonces).size).toBe(all.length);
});

test("hung: the agent goes on answering, and signs when the HSM goes on", async () => {
  const [id = ""] = await proposed(1);
  for (const person of people) await person.request(id);
  kit.hang();
  await approve(id);
  await waitForRequest(world, id, ({ state }) => state === "approved");
  // The watchdog's limit passes, and the process that hangs is given up.
  await until(async () => (await stateOfHsm()) !== "up");
  expect(await showRequest(world, id)).toMatchObject({ state: "approved", signed: null });
  kit.resume();
  await signed(id);
});

test.each<[string, Record<string, Order>]>([
  ["the device fails", { C_Sign: 0x30 }],
  ["the session is dead", { C_SignInit: 0xb3 }],
  ["the token is gone", { C_SignInit: 0xe0, C_OpenSession: 0xe0 }],
  ["the login is lost", { C_SignInit: 0x101 }],
  ["the module ends its process", { C_Sign: "crash" }],
])("%s: the request waits, and goes on by itself", async (_, orders) => {
  const [id = ""] = await proposed(1);
  for (const person of people) await person.request(id);
  const before = shim.carriedOut();
  shim.order(orders);
  await approve(id);
  // That it is not up may still be of the loss before.
  await until(async () => shim.carriedOut() > before && (await stateOfHsm()) !== "up");
  expect(await showRequest(world, id)).toMatchObject({ signed: null });
  shim.order({});
  await signed(id);
});

test("a wrong signature is never released: that request fails, and the next one is signed", async () => {
  const [id = "", next = ""] = await proposed(2);
  for (const person of people) for (const one of [id, next]) await person.request(one);
  const before = shim.carriedOut();
  shim.order({ C_Sign: "wrong" });
  await approve(id);
  const failed = await waitForRequest(world, id, ({ state }) => !["pending", "approved"].includes(state));
  expect([failed.state, failed.signed]).toEqual(["failed", null]);
  // Of the transaction itself, or of the key's self-test where another thread looks it up for it.
  expect(failed.problem).toMatch(/does not (verify|sign for its public key)/);
  expect(shim.carriedOut()).toBeGreaterThan(before);
  shim.order({});
  await approve(next);
  await signed(next);
});

test("what was released is the same for ever, and no process is left", async () => {
  await world.restartAgent();
  // All that were proposed but the one that failed.
  expect(seen.size).toBe(22);
  for (const id of seen.keys()) await signed(id);
  const { pid = 0 } = world.agent().process;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  expect(children.filter(isAlive)).toHaveLength(1);
  await world.agent().stop();
  expect(children.filter(isAlive)).toEqual([]);
  // The server itself, and none of its connections.
  await until(() => kit.processes().length === 1);
});
