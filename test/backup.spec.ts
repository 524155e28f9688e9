/**
 * A dead disk: a company signs, keeps a backup, signs more and loses the agent's record. It comes back from the backup, an admin's real
 * browser raises its alarm, and what goes on goes on by a RESTORE that the admins read and sign on their devices. Over real bridge, agent
 * and SoftHSM, whose token is not lost. protocol/README.md, "Rollback".
 */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevices } from "./devices/device.ts";
import { messagePages } from "./devices/hands.ts";
import { Approver } from "./harness/approver.ts";
import { found } from "./harness/company.ts";
import { Member } from "./harness/member.ts";
import { NETWORK, VAULT } from "./harness/policy-plan.ts";
import { type RequestView, send, showRequest, waitForRequest } from "./harness/requests.ts";
import { retry } from "./harness/retry.ts";
import { makeWorld, type World } from "./harness/world.ts";

let world: World;
let ada: Approver;
let bob: Member;
let dan: Member;
let data: string;
let file: string;
/** How many entries its log has. */
let entries: number;
/** The record as it was when the disk died. */
let dead: string;

beforeAll(async () => {
  world = await makeWorld();
  data = join(world.folder, "agent");
  file = join(world.folder, "backup.db");
  dead = join(world.folder, "dead");
  const [device] = await openDevices(1, { models: ["nanosp"] });
  if (device === undefined) throw new Error("a device is missing");
  ada = await Approver.open(world, "Ada", { device });
  [bob, dan] = [new Member(world, "Bob"), new Member(world, "Dan")];
  await found(world, [ada, bob, dan]);
});
afterAll(async () => {
  await ada?.close();
  for (const member of [bob, dan]) member?.close();
  await world?.dispose();
});

interface Status {
  readonly act: number;
  readonly restoredAt: number | null;
  readonly behind: { readonly size: number; readonly from: number } | null;
  readonly witnesses: { readonly needed: number; readonly seen: number };
  readonly log: { readonly size: number };
  readonly backup: { readonly last: { readonly act: number } | null } | null;
}
const status = async () => await world.ask<Status>({ command: "status" });

/** A transfer that two scripts approve, handed out. */
async function signed(): Promise<RequestView> {
  const { id } = await send(world);
  await Promise.all([bob.decide(id), dan.decide(id)]);
  return await waitForRequest(world, id, (request) => request.signed !== null);
}

/** The log that Ada's browser has seen, as its page says. */
async function seenByAda(): Promise<number> {
  const page = await ada.visit("inbox.html");
  const line = await page.getByText(/^Record: /).textContent();
  await page.close();
  return Number(/Record: ([0-9,]+) /.exec(line ?? "")?.[1]?.replaceAll(",", ""));
}

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await world.command(...args);
  expect(code).not.toBe(0);
  return stderr;
}

test("the agent keeps backups of its own once it is asked to, and is told to write one while it signs", async () => {
  const config = JSON.parse(readFileSync(world.configFile, "utf8")) as object;
  writeFileSync(world.configFile, JSON.stringify({ ...config, backup: { folder: "kept" } }));
  await world.restartAgent();
  expect((await signed()).nonce).toBe(7);
  await retry(async () => {
    expect((await status()).backup?.last?.act).toBe(1);
  });
  expect(readdirSync(join(world.folder, "kept"))).toHaveLength(1);
  ({ entries } = await world.json<{ entries: number }>("backup", file));
  expect(entries).toBe((await status()).log.size);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await refused("backup", file)).toContain("ERR_STATE");
});

test("nothing is restored under a running agent, or over a record", async () => {
  expect((await signed()).nonce).toBe(8);
  await retry(async () => {
    expect(await seenByAda()).toBeGreaterThan(entries);
  });
  expect(await refused("restore", file)).toContain("ERR_AGENT_RUNNING");
  await world.agent().stop("SIGKILL");
  expect(await refused("restore", file)).toContain("There is a record");
  // The same from a stopped agent.
  const cold = join(world.folder, "cold.db");
  await world.json("backup", cold);
  expect(existsSync(cold)).toBe(true);
});

test("the disk dies, the backup comes back, and an agent on it does nothing but wait", async () => {
  cpSync(data, dead, { recursive: true });
  rmSync(data, { recursive: true });
  expect(await world.json("restore", file)).toMatchObject({ act: 1, frozen: false, succeed: false });
  await world.startAgent();
  await retry(async () => {
    expect((await status()).behind).not.toBeNull();
  });
  const { behind, restoredAt } = await status();
  expect(restoredAt).not.toBeNull();
  expect(behind?.size).toBeGreaterThan(behind?.from ?? Number.MAX_SAFE_INTEGER);
  const proposal = await world.command("drill", VAULT, "--key", world.keyFile("Olga"));
  expect(proposal.stderr).toContain("ERR_LOG");
  await expect(send(world)).rejects.toThrow("ERR_LOG");
  const page = await ada.visit("inbox.html");
  await page.getByRole("heading", { name: "Approve nothing" }).waitFor();
  await page.getByText("this browser has seen of it").waitFor();
  await page.close();
});

test("RESTORE: the page says what is lost, the device which gap, and with the admins' quorum it goes on", async () => {
  // Whoever was away when it started has said what they know.
  await retry(async () => {
    expect((await world.json<{ heard: number }>("restore", "show")).heard).toBeGreaterThanOrEqual(2);
  });
  const { change } = await world.json<{ change: { log: { size: number }; seen: { size: number } } }>("restore", "show");
  const key = ["--key", world.keyFile("Olga")];
  // Which nonces were used in the gap nobody here knows.
  expect(await refused("restore", "propose", ...key)).toContain(`--nonce ${VAULT} ${NETWORK} NUMBER`);
  const asked = await world.json<RequestView>("restore", "propose", "--nonce", VAULT, NETWORK, "9", ...key);
  const { id, statement } = await waitForRequest(world, asked.id, ({ state }) => state === "pending");
  expect(statement).toMatch(
    new RegExp(`^RESTORE [0-9a-f]{32} LOG OF ${change.log.size}; seen up to ${change.seen.size}; needs 2 of 3;`),
  );
  const page = await ada.openRequest(id);
  await page
    .getByRole("heading", { name: `Go on from an older record of the agent: ${change.log.size} entries` })
    .waitFor();
  const missing = change.seen.size - change.log.size;
  await page.getByText(`browsers had seen ${change.seen.size}. Up to ${missing} decisions are missing`).waitFor();
  await page.getByText(`${VAULT} on Ethereum: next nonce 9`).waitFor();
  await page.getByRole("heading", { name: "Approve nothing but this" }).waitFor();
  expect(messagePages(await ada.approve(page)).join("")).toBe(statement);
  await retry(async () => {
    expect((await showRequest(world, id)).records).toMatchObject([{ kind: "approval", person: "Ada" }]);
  });
  await bob.decide(id);
  await page.getByRole("heading", { name: "In force", exact: true }).waitFor();
  // Nobody is told to decide what is decided.
  await page.getByRole("heading", { name: "Next nonces", exact: true }).waitFor();
  expect(await page.getByText(/Approve it only|Do not approve/).count()).toBe(0);
  await page.close();
  const { act, restoredAt, behind } = await status();
  expect([act, restoredAt, behind]).toEqual([2, null, null]);
});

test("afterwards the alarm is over, the first transaction has the named nonce, and everybody's browser counts", async () => {
  const page = await ada.visit("inbox.html");
  await page.getByText(/^Record: /).waitFor();
  await page.getByRole("heading", { name: "Approve nothing" }).waitFor({ state: "hidden" });
  await page.close();
  const { id } = await send(world);
  await ada.decide(id);
  await dan.decide(id);
  const request = await waitForRequest(world, id, ({ signed: raw }) => raw !== null);
  expect(request.nonce).toBe(9);
  await retry(async () => {
    expect((await status()).backup?.last?.act).toBe(2);
  });
  await world.restartAgent();
  await retry(async () => {
    const { witnesses } = await status();
    expect(witnesses.seen).toBeGreaterThanOrEqual(witnesses.needed);
  });
  expect(ada.complaints).toEqual([]);
});

test("neither the dead disk nor the old backup is a way round it", async () => {
  await world.agent().stop();
  const now = join(world.folder, "now");
  renameSync(data, now);
  // What a recovery firm reads off the dead disk, weeks later: the token knows the act.
  cpSync(dead, data, { recursive: true });
  expect(await refused("agent")).toContain("it is an older one");
  rmSync(data, { recursive: true });
  expect(await refused("restore", file)).toContain("restore one made after act 2");
  expect(existsSync(join(data, "agent.db"))).toBe(false);
  // Put in place by hand it is marked all the same.
  cpSync(file, join(data, "agent.db"));
  expect(await refused("agent")).toContain("ERR_STATE");
  rmSync(data, { recursive: true });
  renameSync(now, data);
  await world.startAgent();
  await retry(async () => {
    const { witnesses } = await status();
    expect(witnesses.seen).toBeGreaterThanOrEqual(witnesses.needed);
  });
  expect((await signed()).nonce).toBe(10);
});
