/**
 * One Ledger and one Trezor approve together; and a quorum that asks for both kinds is not met by two Ledgers, says which is still
 * needed, and is met by the Trezor. In real Chromium with the built extension.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Holder, makeStage, type Stage } from "./harness/approval-device.ts";
import { openLedger } from "./harness/approval-ledger.ts";
import { openTrezorDevice } from "./harness/approval-trezor.ts";
import { changePolicy } from "./harness/company.ts";
import { send, showRequest, waitForRequest } from "./harness/requests.ts";

let stage: Stage;
let alice: Holder;
let bob: Holder;
let dave: Holder;

beforeAll(async () => {
  stage = await makeStage();
  alice = await Holder.open(stage.world, "Alice", openLedger("nanosp", "1.22.0"));
  bob = await Holder.open(stage.world, "Bob", openLedger("flex", "1.22.0"));
  dave = await Holder.open(stage.world, "Dave", await openTrezorDevice("T1B1"));
  for (const holder of [alice, bob, dave]) await holder.join();
});
afterAll(async () => {
  for (const holder of [alice, bob, dave]) await holder?.close();
  await stage?.world.dispose();
});

const approvals = async (id: string) =>
  (await showRequest(stage.world, id)).records.map(({ kind, person }) => `${kind} ${person}`);

test("2 of 2, a Ledger and a Trezor: both screens show the same statement, and the HSM signs", async () => {
  await changePolicy(stage.world, { approvers: ["Alice", "Dave"], threshold: 2 });
  const { id, statement } = await send(stage.world);
  const [onLedger, onTrezor] = await Promise.all([alice.openRequest(id), dave.openRequest(id)]);
  await onTrezor.getByRole("list", { name: /^Pages on your Trezor One/ }).waitFor();
  await alice.confirm(onLedger);
  const ledger = await alice.device.readAndSign();
  await onTrezor.getByText("Alice approved on a Ledger").waitFor();
  await dave.confirm(onTrezor);
  const trezor = await dave.device.readAndSign();
  for (const page of [onLedger, onTrezor]) {
    await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
    await page.close();
  }
  expect(textOf(ledger, /^Message/)).toBe(statement);
  expect(textOf(trezor, /^Sign message/)).toBe(statement);
  expect(await approvals(id)).toEqual(["approval Alice", "approval Dave"]);
});

test("2 of 3 with at least one of each: two Ledgers do not complete it, and the page says what is missing", async () => {
  const vendors = [
    { vendor: "Ledger", atLeast: 1 },
    { vendor: "Trezor", atLeast: 1 },
  ] as const;
  await changePolicy(stage.world, { approvers: ["Alice", "Bob", "Dave"], threshold: 2, vendors });
  const { id } = await send(stage.world);
  const pages = await Promise.all([alice, bob, dave].map(async (holder) => await holder.openRequest(id)));
  const [first, second, third] = pages;
  if (first === undefined || second === undefined || third === undefined) throw new Error("a page is missing");
  await first
    .getByText(/at least 1 Ledger and 1 Trezor/)
    .first()
    .waitFor();

  await alice.confirm(first);
  await alice.device.readAndSign();
  await second.getByText("Alice approved on a Ledger").waitFor();
  await second.getByText(/This request still needs a Trezor, and you have a Ledger/).waitFor();
  await bob.confirm(second);
  await bob.device.readAndSign();
  await third.getByText("Bob approved on a Ledger").waitFor();
  for (const page of pages) {
    await page
      .getByText(/needed: a Trezor|needs a Trezor|A Trezor is (still )?needed/i)
      .first()
      .waitFor();
    await page.getByRole("heading", { name: "Waiting for approvals" }).waitFor();
  }
  expect(await showRequest(stage.world, id)).toMatchObject({ state: "pending", signed: null });

  await dave.confirm(third);
  await dave.device.readAndSign();
  for (const page of pages) await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
  await waitForRequest(stage.world, id, ({ state }) => state === "signed");
  expect(await approvals(id)).toEqual(["approval Alice", "approval Bob", "approval Dave"]);
});

test("cancelled in the page while the Trezor asks: its prompt is taken back, and the others sign", async () => {
  await changePolicy(stage.world, { approvers: ["Alice", "Bob", "Dave"], threshold: 2 });
  const { id } = await send(stage.world);
  const page = await dave.openRequest(id);
  const signatures = dave.device.signatures();
  await dave.confirm(page);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByText("Received by the agent").waitFor();
  // Suite is told to take the prompt back, and has not said that it did: nothing is said of it that only the Trezor knows.
  await page
    .getByText("Cancelled here, and your Trezor was told to stop asking. If it still shows it, reject it")
    .waitFor();
  expect(await page.getByText(/Nothing was signed\./).count()).toBe(0);
  expect([dave.device.asking(), dave.device.signatures()]).toEqual([false, signatures]);
  for (const holder of [alice, bob]) {
    await holder.confirm(await holder.openRequest(id));
    await holder.device.readAndSign();
    await page.getByText(`${holder.name} approved on a Ledger`).waitFor();
  }
  await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
  expect(await approvals(id)).toEqual(["withdrawal Dave", "approval Alice", "approval Bob"]);
});

test("Trezor Suite ends while the Trezor asks: said so, and it is signed once Suite is back", async () => {
  await changePolicy(stage.world, { approvers: ["Dave"], threshold: 1 });
  const { id } = await send(stage.world);
  const page = await dave.openRequest(id);
  const { "suite-missing": missing } = dave.device.troubles(dave.approver);
  await dave.confirm(page);
  await missing?.spoil(page);
  await page.getByRole("alert").getByText("Your Trezor or Trezor Suite was disconnected.").waitFor();
  expect(await showRequest(stage.world, id)).toMatchObject({ state: "pending", signed: null });
  await missing?.mend(page);
  await dave.confirm(page);
  await dave.device.readAndSign();
  await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
});

test("no page complained", () => {
  const complaints = [alice, bob, dave].flatMap(({ approver }) => approver.complaints);
  // Suite was not there for a while.
  expect(complaints.filter((text) => !text.startsWith("WebSocket connection to 'ws://127.0.0.1:21335/"))).toEqual([]);
});

/** The text of the pages whose title fits: without titles, page numbers and buttons. */
function textOf(screens: readonly string[][], title: RegExp): string {
  return screens
    .filter(([first]) => title.test(first ?? ""))
    .flatMap((lines) => lines.slice(1))
    .filter((line) => !/^(Cancel|Next|Sign|Skip|Hold to sign)$/.test(line))
    .join("");
}
