/**
 * People, policy, stops and the HSM's identity change by a quorum on devices, and by nothing else: two admins in real Chromium with their
 * Ledgers, a third as a script, over real bridge, agent and SoftHSM. One company, whose days follow each other. What an attacker tries is in
 * redteam/.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MembersView } from "../hsm-agent/print.ts";
import { openDevices } from "./devices/device.ts";
import { messagePages } from "./devices/hands.ts";
import type { Device } from "./devices/ledger-device.ts";
import { Approver } from "./harness/approver.ts";
import { change, found, invite, motion, vouch, writePolicy } from "./harness/company.ts";
import { HostileRelay, relayAll } from "./harness/hostile-relay.ts";
import { Member } from "./harness/member.ts";
import { CONTACT } from "./harness/policy-plan.ts";
import { send, showRequest, waitForRequest } from "./harness/requests.ts";
import { retry } from "./harness/retry.ts";
import { makeWorld, type World } from "./harness/world.ts";

let world: World;
/** Between Alice's browser and the bridge. */
let relay: HostileRelay;
let devices: readonly Device[];
let alice: Approver;
let bob: Approver;
let carol: Approver | undefined;
let dan: Member;
/** The request that was signed, and not handed out, before the freeze. */
let kept = "";
const complaints: string[] = [];

beforeAll(async () => {
  world = await makeWorld({
    people: [
      { name: "Olga", roles: ["initiator"] },
      ...["Alice", "Bob", "Dan"].map((name) => ({ name, roles: ["approver", "admin"] as const })),
    ],
  });
  relay = await HostileRelay.open(world.port);
  devices = await openDevices(3, { models: ["nanosp", "flex", "nanosp"] });
  const [hers, his] = devices;
  if (hers === undefined || his === undefined) throw new Error("a device is missing");
  [alice, bob] = await Promise.all([
    Approver.open(world, "Alice", { device: hers, port: relay.port }),
    Approver.open(world, "Bob", { device: his }),
  ]);
  dan = new Member(world, "Dan");
  await found(world, [alice, bob, dan]);
});
afterAll(async () => {
  for (const approver of [alice, bob, carol]) await approver?.close();
  dan?.close();
  await relay?.close();
  await world?.dispose();
});

/** What a device shows of a message, as one text. */
const textOf = (screens: string[][]) => messagePages(screens).join("");

/** The page of a change that has arrived. */
async function open(approver: Approver, id: string): Promise<Page> {
  return await approver.openRequest(id);
}

async function isInForce(page: Page): Promise<void> {
  await page.getByRole("heading", { name: "In force", exact: true }).waitFor();
  await page.close();
}

const stateOf = async (id: string) =>
  (await world.ask<{ id: string; state: string }[]>({ command: "request.list" })).find((one) => one.id === id)?.state;

test("ENROLL: invite, pairing, words, and two admins who compare the address and read it on their devices", async () => {
  const [, , device] = devices;
  if (device === undefined) throw new Error("a device is missing");
  carol = await Approver.open(world, "Carol", { device });
  const words = await carol.begin(await invite(world, "Carol"));
  const [first = "", second = "", ...rest] = words.split(" ");
  for (const wrong of [[second, first, ...rest].join(" "), [first, first, ...rest].join(" ")])
    await expect(vouch(world, "Carol", wrong)).rejects.toThrow("ERR_WORDS");
  const waits = await carol.visit("inbox.html");
  await waits.getByText("You are not a member yet.").waitFor();
  await waits.close();

  const id = await vouch(world, "Carol", words);
  const { statement } = await waitForRequest(world, id, ({ state }) => state === "pending");
  const address = await device.address();
  expect(statement).toContain(`ENROLL Carol DEVICE ${address} AS approver; browser `);
  const page = await open(alice, id);
  expect(squeeze(await page.getByRole("region", { name: "A new person" }).textContent())).toContain(address);
  // Nothing is asked of the device before the person says that the address was compared.
  await page.getByText(/First compare, and tick the box/).waitFor();
  expect(textOf(await alice.approve(page))).toBe(statement);
  await page.getByText("Received by the agent").waitFor();
  expect((await showRequest(world, id)).state).toBe("pending");
  await dan.decide(id);
  await isInForce(page);
  await carol.counted();
});

test("three wrong tries end a pairing, and its browser is told", async () => {
  const eve = new Member(world, "Eve");
  const words = await eve.begin(await invite(world, "Eve"));
  const wrong = words.split(" ").toReversed().join(" ");
  for (let tries = 0; tries < 3; tries += 1) await expect(vouch(world, "Eve", wrong)).rejects.toThrow("ERR_WORDS");
  await expect(vouch(world, "Eve", words)).rejects.toThrow("ERR_PAIRING");
  await retry(async () => {
    if (eve.mail.isOpen) throw new Error("the bridge still lets it in");
  });
  eve.close();
});

test("POLICY: number and digest first on the device, the difference on the page, and the CLI says the same", async () => {
  const plan = { approvers: ["Alice", "Bob", "Dan", "Carol"], threshold: 2, maxFee: "0.01" };
  const { id, statement } = await motion(world, "policy", "propose", await writePolicy(world, plan));
  const { n, digest } = await world.json<{ n: number; digest: string }>("policy", "show", "2");
  expect(n).toBe(2);
  const [hers, his] = await Promise.all([open(alice, id), open(bob, id)]);
  const lines = hers.getByRole("region", { name: "Line by line" });
  expect(await lines.getByRole("listitem").filter({ visible: true }).count()).toBeGreaterThan(1);
  await lines
    .getByText(/0\.012/)
    .first()
    .waitFor();
  await lines
    .getByText(/0\.01\b/)
    .first()
    .waitFor();
  await hers.getByRole("heading", { name: "What this means" }).waitFor();
  const shown = squeeze(await hers.getByRole("region", { name: /^Policy 2, and the first 32 digits/ }).textContent());
  expect(shown).toContain(digest.slice(0, 32));
  for (const [approver, page] of [
    [alice, hers],
    [bob, his],
  ] as const) {
    const text = textOf(await approver.approve(page));
    // A Flex shows its first page twice: before and behind More.
    expect(text.startsWith(`POLICY 2 ${digest.slice(0, 32)}; replaces 1; `)).toBe(true);
    expect(text).toContain(statement.slice(60));
  }
  for (const page of [hers, his]) await isInForce(page);
  expect(await world.json("policy", "show")).toMatchObject({ n: 2, digest, rules: [{ maxFee: "0.01" }] });
});

test("REMOVE cuts off at once, and makes what was open void", async () => {
  const removed = carol;
  if (removed === undefined) throw new Error("Carol has not joined");
  const { id } = await send(world);
  await removed.decide(id);
  const page = await open(alice, id);
  await change(world, "members", "remove", "Carol");
  await page.getByRole("heading", { name: "Void", exact: true }).waitFor();
  await page.close();
  expect(await showRequest(world, id)).toMatchObject({ state: "void", signed: null });
  const inbox = await removed.visit("inbox.html");
  await inbox
    .getByText(/The bridge does not know this browser/)
    .first()
    .waitFor();
  const next = await send(world);
  expect(next.approvers).toEqual(["Alice", "Bob", "Dan"]);
  await world.json("request", "cancel", next.id, "--key", world.keyFile("Olga"));
  complaints.push(...removed.complaints);
  await removed.close();
  carol = undefined;
});

test("FREEZE from the page: received, and what is signed and not yet handed out stays where it is", async () => {
  const open1 = await send(world);
  const { id } = await send(world);
  kept = id;
  await Promise.all([dan.decide(id), bob.decide(id)]);
  await retry(async () => expect(await stateOf(id)).toBe("signed"));

  const inbox = await alice.visit("inbox.html");
  await inbox.getByRole("button", { name: "Freeze Treasury-1…" }).click();
  await inbox.getByRole("button", { name: "Freeze Treasury-1 now" }).click();
  await inbox.getByText("Received by the agent").waitFor();
  await inbox.getByText("Treasury-1 is frozen: by Alice").first().waitFor();
  expect(await showRequest(world, id)).toMatchObject({
    state: "signed",
    signed: null,
    problem: "Treasury-1 is frozen",
  });
  // Nor is anything approved: the page says so, and a script's approval is refused.
  const page = await open(bob, open1.id);
  await page
    .getByText(/Treasury-1 is frozen/)
    .first()
    .waitFor();
  expect(await page.getByRole("button", { name: "Confirm on Ledger" }).count()).toBe(0);
  await page.close();
  expect((await dan.refusal(await dan.approve(await dan.request(open1.id)))).code).toBe("ERR_FROZEN");
  await inbox.close();
});

test("UNFREEZE needs the admins' devices; then it goes on where it was", async () => {
  expect(await stateOf(kept)).toBe("signed");
  const { id, statement } = await motion(world, "unfreeze", "Treasury-1");
  const page = await open(alice, id);
  const text = textOf(await alice.approve(page));
  expect(text).toBe(statement);
  expect(text.startsWith("UNFREEZE Treasury-1; needs 2 of 3; ")).toBe(true);
  await dan.decide(id);
  await isInForce(page);
  expect(await world.json("status")).toMatchObject({ frozen: [] });
  expect((await showRequest(world, kept)).signed).toMatch(/^0x02/);
});

test("a bridge that drops a freeze: the page says within ten seconds whom to call, and delivers it later", async () => {
  relay.rule = ({ frame, wire }) => (frame.t === "send" && !wire.isAgent ? [] : [frame]);
  const inbox = await alice.visit("inbox.html");
  await inbox.getByRole("button", { name: "Freeze everything…" }).click();
  await inbox.getByRole("button", { name: "Freeze everything now" }).click();
  const began = Date.now();
  await inbox.getByText(`Not received. Call: ${CONTACT}`, { exact: true }).waitFor({ timeout: 14_000 });
  expect(Date.now() - began).toBeLessThan(14_000);
  expect(await world.json("status")).toMatchObject({ frozen: [] });
  // The second road.
  await world.json("freeze", "Treasury-1");
  await inbox.getByText("Treasury-1 is frozen: by the operator, on the agent's host").first().waitFor();
  relay.rule = relayAll;
  relay.cut();
  await inbox.getByText("Received by the agent").waitFor();
  const { frozen } = await world.json<{ frozen: { vault: string | null; by: string | null }[] }>("status");
  expect(frozen.map(({ vault, by }) => [vault, by])).toEqual(
    expect.arrayContaining([
      ["Treasury-1", null],
      [null, "Alice"],
    ]),
  );
  await change(world, "unfreeze");
  await inbox.getByText("Everything is frozen").first().waitFor({ state: "detached" });
  await inbox.close();
});

test("DRILL: a harmless statement through the whole road, and who can be reached is shown", async () => {
  const { id } = await motion(world, "drill", "Treasury-1");
  const page = await open(bob, id);
  expect(textOf(await bob.approve(page))).toContain("DRILL Treasury-1; moves nothing; needs 2 of 3; ");
  for (const one of [alice, dan]) await one.decide(id);
  await page.getByRole("heading", { name: "Drill done", exact: true }).waitFor();
  await page.close();
  const { members } = await world.json<MembersView>("members");
  const dates = members.flatMap(({ devices: held }) => held.map(({ lastSigned }) => lastSigned ?? 0));
  expect(dates).toHaveLength(3);
  for (const at of dates) expect(at).toBeGreaterThan(Date.now() / 1000 - 60);
  const people = await alice.visit("people.html");
  await people.getByText("Bob").first().waitFor();
  await people.close();
});

test("no page complained", () => {
  const all = [...complaints, ...alice.complaints, ...bob.complaints];
  expect(all.filter((text) => !text.startsWith("WebSocket connection to 'ws://127.0.0.1:8787/' failed"))).toEqual([]);
});

function squeeze(text: string | null): string {
  return (text ?? "").replaceAll(/\s/g, "");
}
