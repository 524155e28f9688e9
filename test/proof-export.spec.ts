/**
 * Proofs over real bridge, agent and SoftHSM: what the agent exports is verified by the command line on its own, and by the verifier in
 * Python, with nothing but the file and the fingerprint; and the whole log holds, of the agent that runs and of its backup.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { foundWithMembers } from "./harness/company.ts";
import type { Member } from "./harness/member.ts";
import { send, waitForRequest } from "./harness/requests.ts";
import { makeWorld, type World } from "./harness/world.ts";

const VERIFY = fileURLToPath(new URL("verifier/verify.py", import.meta.url));
let world: World;
let members: Map<string, Member>;

beforeAll(async () => {
  world = await makeWorld();
  members = await foundWithMembers(world);
});
afterAll(async () => {
  for (const member of members?.values() ?? []) member.close();
  await world?.dispose();
});

function memberOf(name: string): Member {
  const member = members.get(name);
  if (member === undefined) throw new Error(`${name} is missing`);
  return member;
}

/** Exports, and verifies by both. Returns the file. */
async function proved(id: string): Promise<string> {
  const path = join(world.folder, `${id}.json`);
  await world.json("proof", "export", id, "--out", path);
  const verdict = await world.json<{ ok: boolean; steps: unknown[] }>(
    "proof",
    "verify",
    path,
    "--hsm",
    world.fingerprint,
  );
  expect(verdict).toMatchObject({ ok: true, steps: { length: 11 } });
  const other = spawnSync("python3", ["-B", VERIFY, "proof", path, "--hsm", world.fingerprint], { encoding: "utf8" });
  expect(other.stdout).toMatch(/\ntransaction: ok\n$/);
  expect(other.status).toBe(0);
  return path;
}

async function signs(): Promise<string> {
  const { id } = await send(world);
  await Promise.all(["Ada", "Bob"].map(async (name) => await memberOf(name).decide(id)));
  await waitForRequest(world, id, ({ state }) => state === "signed");
  return id;
}

test("what was signed and what was rejected is proved; with one bit changed it is not", async () => {
  const path = await proved(await signs());
  const { id: unwanted } = await send(world);
  const dan = memberOf("Dan");
  await dan.reject(await dan.request(unwanted));
  await waitForRequest(world, unwanted, ({ state }) => state === "rejected");
  await proved(unwanted);
  const file = readFileSync(path);
  const at = Math.floor(file.length / 2);
  file[at] = (file[at] ?? 0) ^ 1;
  const spoilt = join(world.folder, "spoilt.json");
  writeFileSync(spoilt, file);
  expect((await world.command("proof", "verify", spoilt, "--hsm", world.fingerprint)).code).toBe(1);
});

test("the founding, what was cancelled, and what is open again after somebody withdrew are proved", async () => {
  const all = await world.ask<{ id: string; verb: string }[]>({ command: "request.list" });
  await proved(all.find(({ verb }) => verb === "FOUND")?.id ?? "");
  const { id: cancelled } = await send(world);
  await memberOf("Ada").request(cancelled);
  await world.json("request", "cancel", cancelled, "--key", world.keyFile("Olga"));
  await proved(cancelled);
  const { id: open } = await send(world);
  const ada = memberOf("Ada");
  await ada.decide(open);
  await ada.withdraw(await ada.request(open));
  await waitForRequest(world, open, ({ records }) => records.length === 2);
  await proved(open);
});

test("the whole log holds, of the agent that runs and of a backup that nobody runs on", async () => {
  await signs();
  const online = await world.json<{ entries: number; signed: number; founder: string }>("log", "verify");
  expect(online.founder).toBe(world.fingerprint);
  expect(online.signed).toBeGreaterThan(5);
  const backup = join(world.folder, "backup.db");
  await world.json("backup", backup);
  const offline = await world.json<{ entries: number }>("log", "verify", backup, "--hsm", world.fingerprint);
  expect(offline.entries).toBeGreaterThanOrEqual(online.signed);
});
