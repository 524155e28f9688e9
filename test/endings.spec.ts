/**
 * Every way in which an approval does not come to be, in real Chromium with the built extension: each ends in a state that the
 * agent names, a sentence on the screen and no signature of the vault. What a script with a member's keys may try: approvals.spec.ts.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevices, simulatedDevice } from "./devices/device.ts";
import { decline, readAndSign } from "./devices/hands.ts";
import { SimulatedLedger } from "./devices/ledger-app.ts";
import { Approver } from "./harness/approver.ts";
import { addInitiator, changePolicy, joinCompany, makeCompany } from "./harness/company.ts";
import { movableClock } from "./harness/movable-clock.ts";
import { send, waitForRequest } from "./harness/requests.ts";
import { cannotConfirm, notHere, says, storedIn, unsigned } from "./harness/verdict.ts";
import type { World } from "./harness/world.ts";

const NAMES = ["Alice", "Bob", "Carol"] as const;
const EMULATED = (process.env["SPECULOS_URL"] ?? "") !== "";
/** What only a simulated device can be made to do: cables, locks, other apps. */
const onSimulated = test.skipIf(EMULATED);

const clock = movableClock();
let world: World;
let alice: Approver;
let bob: Approver;
let carol: Approver;
/** Alice's, as simulated. */
let ledger: SimulatedLedger;

beforeAll(async () => {
  world = await clock.around(makeCompany);
  const devices = await openDevices(3, {
    models: ["nanosp", "flex", "nanosp"],
    versions: ["1.22.0", "1.22.0", "1.10.4"],
  });
  const opened = await Promise.all(
    devices.map(async (device, at) => await Approver.open(world, NAMES[at] ?? "", { device })),
  );
  [alice, bob, carol] = opened as [Approver, Approver, Approver];
  await Promise.all(opened.map(async (approver) => await joinCompany(world, approver)));
  await changePolicy(world, { approvers: NAMES, threshold: 2 });
  if (alice.device.simulated !== undefined) ledger = alice.device.simulated;
});
afterAll(async () => {
  for (const approver of [alice, bob, carol]) await approver?.close();
  await world?.dispose();
  clock.dispose();
});

test.each(["Alice", "Bob", "Carol"])(
  "declined on %s's device: back to the page, and the next try counts",
  async (name) => {
    const approver = [alice, bob, carol].find((one) => one.name === name) ?? alice;
    const { id } = await send(world);
    const page = await approver.openRequest(id);
    await approver.confirm(page);
    await decline(approver.device.hands);
    await says(page, "You declined on the device. Nothing was signed, and the request is still open.", "declined");
    await isPending(id, []);

    await approver.approve(page);
    await page.getByText("Received by the agent").waitFor();
    await isPending(id, [`approval ${name}`]);
    await page.close();
  },
);

test("rejected with a reason: everybody reads who and why", async () => {
  const { id } = await send(world);
  const [first, second, third] = await Promise.all([alice.openRequest(id), bob.openRequest(id), carol.openRequest(id)]);
  await alice.approve(first);
  await second.getByText("Alice approved on a Ledger").waitFor();
  await second.getByRole("button", { name: "Reject…" }).click();
  await second.getByRole("radio", { name: "Wrong amount" }).check();
  await second.getByRole("button", { name: "Reject this request" }).click();
  for (const page of [first, second, third]) {
    await page.getByRole("heading", { name: "Rejected", exact: true }).waitFor();
    await page.getByText("Rejected by Bob: wrong amount. Nothing was signed.").waitFor();
    await cannotConfirm(page);
    await page.close();
  }
  await unsigned(world, id, "rejected", ["approval Alice", "rejection Bob"]);
});

test("cancelled by its initiator: open pages say so at once, and a late signature is not sent", async () => {
  const { id } = await send(world);
  const [watching, asking] = await Promise.all([alice.openRequest(id), bob.openRequest(id)]);
  await bob.confirm(asking);
  await world.json("request", "cancel", id, "--key", world.keyFile("Olga"));
  for (const page of [watching, asking]) {
    await page.getByRole("heading", { name: "Cancelled", exact: true }).waitFor();
    await page.getByText("Cancelled by Olga, who proposed it. Nothing was signed.").waitFor();
  }
  await asking.getByText("This ended while your Ledger was asking. Reject it on the device").waitFor();
  await readAndSign(bob.device.hands);
  await says(asking, "It is over: this request is cancelled. Nothing was sent.", "ERR_REQUEST_STATE");
  for (const page of [watching, asking]) {
    await cannotConfirm(page);
    await page.close();
  }
  await unsigned(world, id, "cancelled", ["cancellation Olga"]);
});

onSimulated("another seed: the device is not even asked", async () => {
  const { id } = await send(world);
  const mnemonic = "legal winner thank year wave sausage worth useful legal winner thank yellow";
  const stranger = new SimulatedLedger({ model: "nanosp", appVersion: "1.22.0", mnemonic });
  const other = simulatedDevice(stranger, "another");
  alice.bus.unplug(alice.device);
  alice.bus.plug(other);
  const page = await alice.openRequest(id);
  await page.getByRole("button", { name: "Confirm on Ledger" }).click();
  await says(page, "This device does not hold an address that is enrolled for you.", "wrong-device");
  expect([stranger.visited, stranger.signatures]).toEqual([[], 0]);
  await isPending(id, []);

  alice.bus.unplug(other);
  alice.bus.plug(alice.device);
  await alice.approve(page);
  await page.getByText("Received by the agent").waitFor();
  await page.close();
});

const ready = () => {
  ledger.openApp("Ethereum");
  ledger.unlock();
  alice.bus.plug(alice.device);
};
const NOT_READY: [string, () => void, string, string][] = [
  ["Bitcoin (6e00)", () => ledger.openApp("Bitcoin", 0x6e00), "Another app is open on your Ledger", "wrong-app"],
  ["Bitcoin (6d00)", () => ledger.openApp("Bitcoin", 0x6d00), "Another app is open on your Ledger", "wrong-app"],
  ["no app", () => ledger.openApp("BOLOS"), "Your Ledger shows its menu, with no app open.", "dashboard"],
  ["locked", () => ledger.lock(), "Your Ledger is locked.", "locked"],
  ["no cable", () => alice.bus.unplug(alice.device), "No Ledger was chosen in the browser's list.", "no-permission"],
];
onSimulated.each(NOT_READY)("%s: the page says what to do, and then it works", async (_what, spoil, text, code) => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  const before = ledger.signatures;
  let prompted = false;
  const stop = alice.device.onChange(() => {
    prompted ||= ledger.reviewing;
  });
  spoil();
  await page.getByRole("button", { name: "Confirm on Ledger" }).click();
  await says(page, text, code);
  stop();
  expect([prompted, ledger.signatures]).toEqual([false, before]);
  await isPending(id, []);

  ready();
  await alice.approve(page);
  await page.getByText("Received by the agent").waitFor();
  await page.close();
});

onSimulated.each([false, true])("unplugged in mid-prompt (noticed late: %s)", async (late) => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await alice.confirm(page);
  alice.bus.unplug(alice.device, { late });
  await says(page, "Your Ledger was disconnected. Nothing was sent, and the request is still open.", "unplugged");
  await isPending(id, []);

  alice.bus.plug(alice.device);
  await alice.approve(page);
  await page.getByText("Received by the agent").waitFor();
  await isPending(id, ["approval Alice"]);
  await page.close();
});

test("cancelled in the page while the device asks: the late signature is thrown away; the others can go on", async () => {
  const { id } = await send(world);
  const page = await alice.openRequest(id);
  await alice.confirm(page);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByText("Cancelled here. Also reject it on the device: your Ledger still shows it").waitFor();
  await page.getByText("Received by the agent").waitFor();
  await readAndSign(alice.device.hands);
  await page.getByText("Your Ledger signed afterwards: that signature was thrown away and not sent.").waitFor();
  // Nothing kept, nothing on its way.
  expect(await storedIn(page, "outbox")).toEqual([]);
  expect(await storedIn(page, "requests")).toContainEqual(
    expect.objectContaining({ id, mine: [expect.objectContaining({ kind: "withdrawal", received: true })] }),
  );
  await isPending(id, ["withdrawal Alice"]);
  await page.reload();
  await page
    .getByText("You cancelled while your device was asking: you cannot approve this request any more.")
    .waitFor();
  await cannotConfirm(page);

  for (const other of [bob, carol]) {
    await other.approve(await other.openRequest(id));
    await page.getByText(`${other.name} approved on a Ledger`).waitFor();
  }
  await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
  const { records } = await waitForRequest(world, id, ({ state }) => state === "signed");
  expect(records.map(({ kind, person }) => `${kind} ${person}`)).toEqual([
    "withdrawal Alice",
    "approval Bob",
    "approval Carol",
  ]);
});

test("the same person twice: a second window is told, and the button is gone once it counts", async () => {
  const { id } = await send(world);
  const [one, two] = [await alice.openRequest(id), await alice.openRequest(id)];
  await alice.confirm(one);
  await two.getByRole("button", { name: "Confirm on Ledger" }).click();
  await says(two, "Your Ledger is already being asked something, here or in another window.", "busy");
  await readAndSign(alice.device.hands);
  for (const page of [one, two]) {
    await page.getByText("Alice (you) approved on a Ledger").waitFor();
    await cannotConfirm(page);
    await page.reload();
    await page.getByText("Alice (you) approved on a Ledger").waitFor();
    await cannotConfirm(page);
  }
  await one.goto(one.url().replace(/approval\.html.*/, "inbox.html"));
  await one.locator(`a[href$="${id}"]`).getByText("you approved").waitFor();
  await isPending(id, ["approval Alice"]);
  for (const page of [one, two]) await page.close();
});

test("an approver who is not in the vault's set: nothing arrives, and the address of the page shows nothing", async () => {
  const [device] = EMULATED ? [carol.device] : await openDevices(1);
  const dave = await Approver.open(world, "Dave", { device: device ?? carol.device });
  await joinCompany(world, dave);
  const { id } = await send(world);
  await alice.openRequest(id);
  const inbox = await dave.visit("inbox.html");
  await inbox.getByText("Connected to 127.0.0.1:8787").waitFor();
  await inbox.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  await notHere(dave, id);
  await isPending(id, []);
  expect(await storedIn(inbox, "requests")).toEqual([]);
  expect(dave.complaints).toEqual([]);
  await dave.close();
});

test("the initiator, an approver of the same vault: is not asked, and there is nothing to press", async () => {
  const key = await addInitiator(world, "Carol");
  const { id } = await send(world, { key });
  const page = await alice.openRequest(id);
  await page.getByText("Bob has not approved").waitFor();
  expect(await page.getByText("Carol has not approved").count()).toBe(0);
  await notHere(carol, id);
  await isPending(id, []);
});

test("expired: the page says when, and what is signed too late is not sent", async () => {
  await changePolicy(world, { approvers: NAMES, threshold: 2, expiresAfter: 1 });
  const { id } = await send(world);
  const [watching, asking] = await Promise.all([alice.openRequest(id), bob.openRequest(id)]);
  await bob.confirm(asking);
  // As far ahead as clocks may be apart; the rest, seconds, is waited for.
  clock.ahead(115);
  for (const page of [watching, asking]) {
    await page.getByRole("heading", { name: "Expired", exact: true }).waitFor();
    await page.getByText(/^It expired on .* before enough people approved\. Nothing was signed; Olga can/).waitFor();
  }
  await waitForRequest(world, id, ({ state }) => state === "expired");
  await readAndSign(bob.device.hands);
  await says(asking, /expired/, /^ERR_REQUEST_(EXPIRED|STATE)$/);
  for (const page of [watching, asking]) await cannotConfirm(page);
  await unsigned(world, id, "expired", []);
});

test("no page complained", () => {
  expect([alice, bob, carol].flatMap(({ complaints }) => complaints)).toEqual([]);
});

async function isPending(id: string, records: string[]): Promise<void> {
  await unsigned(world, id, "pending", records);
}
