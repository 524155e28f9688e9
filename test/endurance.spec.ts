/**
 * Whatever is killed whenever, nothing is lost and nothing counts twice: the extension's service worker, its pages, the whole
 * browser, the bridge and the agent, over real parts. Each ends where it would have ended.
 */
import { readlinkSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { openDevices } from "./devices/device.ts";
import { readAndSign } from "./devices/hands.ts";
import type { Device } from "./devices/ledger-device.ts";
import { Approver } from "./harness/approver.ts";
import { changePolicy, enact, invite, joinCompany, makeCompany, vouch } from "./harness/company.ts";
import { readWords } from "./harness/extension-pages.ts";
import { send, waitForRequest } from "./harness/requests.ts";
import { retry } from "./harness/retry.ts";
import { unsigned } from "./harness/verdict.ts";
import type { World } from "./harness/world.ts";

let world: World;
let alice: Approver;
let bob: Approver;
let hers: Device;
let invitation: string;
/** A picture of the extension in Bob's browser: no page of ours, so it wakes nobody, and sees the badge. */
let picture: Page;
/** Complaints of browsers that were closed meanwhile. */
const earlier: string[] = [];

beforeAll(async () => {
  world = await makeCompany();
  const [one, two] = await openDevices(2, { models: ["nanosp", "flex"] });
  if (one === undefined || two === undefined) throw new Error("a device is missing");
  hers = one;
  [alice, bob] = await Promise.all([
    Approver.open(world, "Alice", { device: one }),
    Approver.open(world, "Bob", { device: two }),
  ]);
  invitation = await invite(world, "Alice");
  // Rosters go out in order: once Bob has joined, the bridge knows Alice's invite too.
  await joinCompany(world, bob);
});
afterAll(async () => {
  for (const approver of [alice, bob]) await approver?.close();
  await world?.dispose();
});

test("the worker dies before pairing is answered: the answer finds the next one", async () => {
  await world.agent().stop("SIGKILL");
  const page = await alice.visit("pair.html");
  await page.getByRole("textbox", { name: "Invite code" }).fill(invitation);
  await page.getByRole("checkbox", { name: /I compared this fingerprint/ }).check();
  await page.getByRole("button", { name: "Pair", exact: true }).click();
  // The bridge lets the invite in, and nobody answers its message.
  await page.getByText("The bridge let this browser in with the invite's key.").waitFor();
  await alice.killWorker();
  await page.close();

  await world.restartAgent();
  const again = await alice.visit("pair.html");
  await again.getByRole("heading", { name: "Waiting for your device" }).waitFor();
  await again.close();
});

test("the worker dies while an enrolment is confirmed", async () => {
  const page = await alice.enrol();
  await alice.killWorker();
  await page.close();
  const again = await alice.visit("pair.html");
  const words = await readWords(again);
  await again.close();
  const enrolment = await vouch(world, "Alice", words);
  await alice.killWorker();
  await enact(world, enrolment);
  await alice.counted();
  await changePolicy(world, { approvers: ["Alice", "Bob"], threshold: 2 });
});

test("the worker dies while requests are under way to it: each is there, once, and the badge counts them", async () => {
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    // One arrives at a living worker at best, one at a dying one, one at none.
    const [{ id }] = await Promise.all([send(world, { amount: `${count + 1}` }), alice.killWorker()]);
    ids.push(id);
  }
  const inbox = await alice.visit("inbox.html");
  await inbox.getByRole("heading", { name: "3 requests wait for you" }).waitFor();
  for (const id of ids) expect(await inbox.locator(`a[href$="${id}"]`).count()).toBe(1);
  await badge(alice, "3");
  for (const id of ids.slice(1)) await world.json("request", "cancel", id, "--key", world.keyFile("Olga"));
  await badge(alice, "1");
  await alice.approve(await alice.openRequest(ids[0] ?? ""));
  await inbox.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  await badge(alice, "");
  await bob.approve(await bob.openRequest(ids[0] ?? ""));
  await waitForRequest(world, ids[0] ?? "", ({ state }) => state === "signed");
  await inbox.close();

  picture = await bob.context.newPage();
  await picture.goto(`chrome-extension://${EXTENSION_ID}/icons/16.png`);
  for (const page of bob.context.pages()) if (page !== picture) await page.close();
  expect(await badgeOf(picture)).toBe("");
  // From here on Bob's browser is left alone until the last test.
  await bob.killWorker();
});

test("signed while the bridge is away, and then worker and page end: delivered once, after all", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await world.bridge().stop("SIGKILL");
  await alice.approve(page);
  await page.getByText("Signed on your Ledger").waitFor();
  await alice.killWorker();
  await page.close();
  await approvals(id, []);

  await world.restartBridge();
  const inbox = await alice.visit("inbox.html");
  await inbox.locator(`a[href$="${id}"]`).getByText("1 of 2").waitFor();
  await approvals(id, ["Alice"]);
  // Another life of everything repeats what is repeated: it counts once.
  await alice.killWorker();
  await world.restartBridge();
  await world.restartAgent();
  await inbox.reload();
  await inbox.getByText("Connected to 127.0.0.1:8787").waitFor();
  await received(alice, id);
  await approvals(id, ["Alice"]);
  await inbox.close();
});

test("the worker dies while the device asks: the page goes on alone", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await alice.confirm(page);
  await alice.killWorker();
  await readAndSign(hers.hands);
  await page.getByText("Received by the agent").waitFor();
  await approvals(id, ["Alice"]);
  await page.close();
});

test("the page is closed while the device asks: nothing was approved, and it can be asked again", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await alice.confirm(page);
  await page.close();
  await readAndSign(hers.hands);
  const again = await alice.openRequest(id);
  await approvals(id, []);
  await alice.approve(again);
  await again.getByText("Received by the agent").waitFor();
  await approvals(id, ["Alice"]);
  await again.close();
});

test("the agent is away: the page says so after ten seconds, and received once it is back", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await world.agent().stop("SIGKILL");
  await alice.approve(page);
  await page.getByText("Not received yet").waitFor();
  await page.getByText(/kept in this browser and sent again by itself; call your operator if it stays so/).waitFor();
  await world.restartAgent();
  await page.getByText("Received by the agent").waitFor();
  await approvals(id, ["Alice"]);
  await page.close();
});

test("the browser is closed and opened again: pairing, device and requests are still there", async () => {
  const { id } = await send(world);
  await (await alice.openRequest(id)).close();
  await reopen({ crash: false });
  const paired = await alice.visit("pair.html");
  await paired.getByRole("heading", { name: "You are Alice, approver" }).waitFor();
  await paired.close();
  const page = await alice.openRequest(id);
  await alice.approve(page);
  await page.getByText("Received by the agent").waitFor();
  await page.close();
});

test("the browser crashes right after the device signed, without a bridge: the approval is delivered by the next one", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await world.bridge().stop("SIGKILL");
  await alice.approve(page);
  await page.getByText("Signed on your Ledger").waitFor();
  await reopen({ crash: true });
  await world.restartBridge();
  await received(alice, id);
  await approvals(id, ["Alice"]);
});

test("a dead worker comes back by itself within a minute, and has fetched what came meanwhile", async () => {
  const requests = await world.json<{ state: string }[]>("request", "list");
  const open = requests.filter(({ state }) => state === "pending").length;
  expect(open).toBeGreaterThan(0);
  await retry(async () => expect(await badgeOf(picture)).toBe(`${open}`), 700);
});

test("no page complained", () => {
  // The browser's own wrapping of a picture is styled inline, which the extension's policy forbids.
  const wrapping = /^Applying inline style violates/;
  expect([...earlier, ...alice.complaints, ...bob.complaints].filter((text) => !wrapping.test(text))).toEqual([]);
});

/** Alice's browser ends, orderly or not, and another one is opened with its profile. */
async function reopen({ crash }: { crash: boolean }): Promise<void> {
  earlier.push(...alice.complaints);
  // A crash leaves the browser's socket, which lies outside of the profile.
  const socket = readlinkSync(join(alice.profile, "SingletonSocket"));
  if (crash) {
    const session = await alice.context.browser()?.newBrowserCDPSession();
    // It answers by ending.
    await session?.send("Browser.crash").catch(() => undefined);
  }
  await alice.close({ keep: true });
  if (crash) rmSync(dirname(socket), { recursive: true, force: true });
  alice = await Approver.open(world, "Alice", { device: hers, profile: alice.profile });
}

/** Whose approvals the agent has of an open request. */
async function approvals(id: string, people: string[]): Promise<void> {
  await unsigned(
    world,
    id,
    "pending",
    people.map((person) => `approval ${person}`),
  );
}

async function received(approver: Approver, id: string): Promise<void> {
  const page = await approver.openRequest(id);
  await page.getByText("Received by the agent").waitFor();
  await page.close();
}

async function badgeOf(page: Page): Promise<string> {
  return await page.evaluate(async () => {
    const { chrome } = globalThis as unknown as { chrome: { action: { getBadgeText(of: object): Promise<string> } } };
    return await chrome.action.getBadgeText({});
  });
}

async function badge(approver: Approver, text: string): Promise<void> {
  const page = await approver.visit("inbox.html");
  await retry(async () => expect(await badgeOf(page)).toBe(text));
  await page.close();
}
