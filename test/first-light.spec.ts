/**
 * The whole road in real Chromium: a proposal, two of three approvers in separate profiles, each with a Ledger whose screen is
 * read page by page, the HSM's signature, and the transaction as another library reads it.
 */

import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevices } from "./devices/device.ts";
import type { Device } from "./devices/ledger-device.ts";
import { Approver } from "./harness/approver.ts";
import {
  addInitiator,
  DESTINATION,
  makeTreasury,
  makeWorld,
  send,
  showRequest,
  type World,
  waitForRequest,
} from "./harness/world.ts";

const NAMES = ["Alice", "Bob", "Carol"] as const;

let world: World;
let vault: { address: string };
let olga: string;
let alice: Approver;
let bob: Approver;
let carol: Approver;

beforeAll(async () => {
  world = await makeWorld();
  olga = await addInitiator(world, "Olga");
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
  for (const approver of opened) await approver.join();
  vault = await makeTreasury(world, [...NAMES], 2);
});
afterAll(async () => {
  for (const approver of [alice, bob, carol]) await approver?.close();
  await world?.dispose();
});

test("1.5 ETH: a Nano and a Flex approve, and the HSM signs", async () => {
  const { id, statement } = await send(world, { key: olga });
  const [onNano, onFlex] = await Promise.all([alice.openRequest(id), bob.openRequest(id)]);
  expect(await onNano.getByRole("heading", { level: 1 }).textContent()).toBe(
    `Send 1.50 ETH to ${DESTINATION} from Treasury-1`,
  );

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
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(vault.address);
  await onFlex
    .getByText(hash ?? "no hash")
    .first()
    .waitFor();
});

test("250,000 USDC: an old Ethereum app shows it all as well, and the pages drawn are the device's", async () => {
  const { id, statement } = await send(world, { key: olga, asset: "USDC", amount: "250000" });
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
  expect((await showRequest(world, id)).records.map(({ person }) => person)).toEqual(["Alice", "Carol"]);
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
