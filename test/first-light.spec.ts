/**
 * The whole road in real Chromium: the founding by three people in separate profiles, each with a Ledger whose screen is read page by
 * page; then a proposal, two of the three approve, the HSM signs, and the transaction is as another library reads it.
 */

import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevices } from "./devices/device.ts";
import type { Device } from "./devices/ledger-device.ts";
import { Approver } from "./harness/approver.ts";
import { confirmFounder } from "./harness/company.ts";
import { DESTINATION, send, showRequest, waitForRequest } from "./harness/requests.ts";
import { makeWorld, type World } from "./harness/world.ts";

const NAMES = ["Alice", "Bob", "Carol"] as const;

let world: World;
let alice: Approver;
let bob: Approver;
let carol: Approver;

beforeAll(async () => {
  world = await makeWorld({
    people: [
      { name: "Olga", roles: ["initiator"] },
      ...NAMES.map((name) => ({ name, roles: ["approver", "admin"] as const })),
    ],
  });
  const devices = await openDevices(3, {
    models: ["nanosp", "flex", "nanosp"],
    versions: ["1.22.0", "1.22.0", "1.10.4"],
  });
  const opened = await Promise.all(
    NAMES.map(async (name, at) => {
      const device = devices[at];
      if (device === undefined) throw new Error("a device is missing");
      return await Approver.open(world, name, { device });
    }),
  );
  [alice, bob, carol] = opened as [Approver, Approver, Approver];
});
afterAll(async () => {
  for (const approver of [alice, bob, carol]) await approver?.close();
  await world?.dispose();
});

test("the founding: six words from each, and its statement on every device", async () => {
  let request: string | null = null;
  for (const founder of [alice, bob, carol]) {
    expect(request).toBeNull();
    const words = await founder.begin(world.invites.get(founder.name) ?? "");
    expect(words).toMatch(/^[a-z-]+( [a-z-]+){5}$/);
    ({ request } = await confirmFounder(world, founder.name, words));
  }
  const id = request ?? "";
  const { statement, digest } = await showRequest(world, id);
  expect(statement).toMatch(/^FOUND [0-9a-f]{32} BY Alice Bob Carol; needs 3 of 3; policy 1; request /);
  expect(statement).toContain(digest);
  const addresses = await Promise.all([alice, bob, carol].map(async ({ device }) => await device.address()));
  for (const founder of [alice, bob, carol]) {
    // Before everybody has signed nothing else works.
    expect(
      (await world.command("invite", "Dave", "--role", "approver", "--key", world.keyFile("Olga"))).stderr,
    ).toContain("ERR_FOUNDING");
    const page = await founder.openRequest(id);
    const everybody = squeeze(
      (await page.getByRole("region", { name: "Everybody and their devices" }).textContent()) ?? "",
    );
    for (const address of addresses) expect(everybody).toContain(address);
    expect(wholeText(founder.device, await founder.approve(page))).toBe(statement);
    await page.getByText("Received by the agent").waitFor();
    await page.close();
  }
  await waitForRequest(world, id, ({ state }) => state === "enacted");
  await Promise.all([alice, bob, carol].map(async (founder) => await founder.counted()));
  expect(await world.json("status")).toMatchObject({ founded: true, act: 1, policy: 1, people: 1, waitingFor: [] });
});

test("1.5 ETH: a Nano and a Flex approve, and the HSM signs", async () => {
  const { id, statement } = await send(world);
  const [onNano, onFlex] = await Promise.all([alice.openRequest(id), bob.openRequest(id)]);
  const sentence = await onNano.getByRole("heading", { level: 1 }).textContent();
  expect(sentence?.replaceAll(/\s+/g, " ")).toBe(`Send 1.50 ETH to ${DESTINATION} from Treasury-1`);

  const read = await alice.approve(onNano);
  expect(firstGlance(alice.device, read)).toContain(`SEND 1.50 ETH TO ${DESTINATION}`);
  expect(wholeText(alice.device, read)).toBe(statement);
  await onNano.getByText("Received by the agent").waitFor();
  await onNano
    .getByText(/One more approval signs it/)
    .first()
    .waitFor();

  expect(firstGlance(bob.device, await bob.approve(onFlex))).toContain(`SEND 1.50 ETH TO ${DESTINATION}`);
  for (const page of [onNano, onFlex]) await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();

  const { signed, hash } = await waitForRequest(world, id, ({ state }) => state === "signed");
  const raw = signed as `0x02${string}`;
  expect(parseTransaction(raw)).toMatchObject({
    to: DESTINATION.toLowerCase(),
    value: 1_500_000_000_000_000_000n,
    chainId: 1,
  });
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(world.vault.address);
  await onFlex
    .getByText(hash ?? "no hash")
    .first()
    .waitFor();
});

test("250,000 USDC: an old Ethereum app shows it all as well, and the pages drawn are the device's", async () => {
  const { id, statement } = await send(world, { asset: "USDC", amount: "250000" });
  const [first, second] = await Promise.all([alice.openRequest(id), carol.openRequest(id)]);
  const drawn = await first
    .getByRole("list", { name: /^Pages on your Ledger/ })
    .getByRole("listitem")
    .allTextContents();
  const shown = await alice.approve(first);
  for (const [, ...lines] of shown.filter(isText)) {
    expect(drawn.some((page) => squeeze(page).includes(squeeze(lines.join(""))))).toBe(true);
  }
  const old = await carol.approve(second);
  expect(wholeText(carol.device, old)).toBe(statement);
  await second.getByRole("heading", { name: "Signed", exact: true }).waitFor();
  // Whose arrives first is for the network to say.
  const people = (await showRequest(world, id)).records.map(({ person }) => person);
  expect(people.toSorted()).toEqual(["Alice", "Carol"]);
});

test("no page complained", () => {
  expect([alice, bob, carol].flatMap(({ complaints }) => complaints)).toEqual([]);
});

/** What a person sees before turning further: a Flex's page before its fold, the first two pages of text of a Nano. */
function firstGlance(device: Device, screens: readonly string[][]): string {
  if (device.model === "flex") return (screens.find((lines) => lines.includes("More")) ?? []).join("");
  return screens
    .filter(isText)
    .slice(0, 2)
    .flatMap(([, ...lines]) => lines)
    .join("");
}

/** All text of a message: on a Flex what stands behind More. */
function wholeText(device: Device, screens: readonly string[][]): string {
  const fold = device.model === "flex" ? screens.findIndex((lines) => lines.includes("More")) : -1;
  return screens
    .slice(fold + 1)
    .filter(isText)
    .flatMap(([, ...lines]) => lines)
    .join("");
}

function isText([title]: string[]): boolean {
  return title?.startsWith("Message") === true;
}

function squeeze(text: string): string {
  return text.replaceAll(/\s/g, "");
}
