/**
 * The Firefox build in real Firefox, against the real bridge, agent and SoftHSM: pairing a further browser, an approval on a Trezor from its
 * enrolment to the HSM's signature, and what a person who holds a Ledger is told there before plugging it in. Simulated are Trezor
 * Suite and the Trezor behind it, and the second approver is a script.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { asksForMessage, messageText } from "./devices/trezor/hands.ts";
import { openTrezor, type TrezorSetup } from "./devices/trezor/open.ts";
import { change, changePolicy, enact, invite, joinMember, makeCompany, vouch } from "./harness/company.ts";
import { FirefoxApprover, locate, offers, sees } from "./harness/firefox.ts";
import type { Member } from "./harness/member.ts";
import { DESTINATION, send, showRequest } from "./harness/requests.ts";
import type { World } from "./harness/world.ts";

const NO_LEDGER = "Firefox cannot reach a Ledger: it has no WebUSB. Use Chromium, or a Trezor.";
/** What Firefox says for pages of an extension; the identifier is the installation's own. */
const OUR_ORIGIN = /^moz-extension:\/\/[0-9a-f-]{36}$/;

let world: World;
let alice: FirefoxApprover;
let trezor: TrezorSetup;
/** Alice's other browser, with which she enrolled a Ledger. */
let elsewhere: Member;
let bob: Member;

beforeAll(async () => {
  [world, trezor] = await Promise.all([makeCompany(), openTrezor()]);
  [elsewhere, bob, alice] = await Promise.all([
    joinMember(world, "Alice"),
    joinMember(world, "Bob"),
    FirefoxApprover.open(world, "Alice", {
      suite: trezor.port,
      // Half as long again as by default: pings that a busy machine delays must not be what fails here.
      preferences: { "extensions.background.idle.timeout": 45_000 },
    }),
  ]);
  await changePolicy(world, { approvers: ["Alice", "Bob"], threshold: 2 });
});
afterAll(async () => {
  await alice?.close();
  for (const member of [elsewhere, bob]) member?.close();
  await trezor?.close();
  await world?.dispose();
});

test("pairing a further browser", async () => {
  await (await alice.pair(await invite(world, "Alice", { roles: [] }))).close();
  const inbox = await alice.visit("inbox.html");
  await sees(inbox, "Connected to 127.0.0.1:8787");
  await sees(inbox, "You are not a member yet.");
  await inbox.close();
});

test("whoever comes to enrol a Ledger is told why not, and is offered a Trezor", async () => {
  const page = await alice.visit("enrol.html");
  await sees(page, NO_LEDGER);
  expect(await offers(page, "Connect your Ledger")).toBe(false);
  expect(await offers(page, "Connect your Trezor")).toBe(true);
  const choices = await page.$$eval('::-p-aria([role="radio"])', (radios) =>
    radios.map((radio) => [radio.getAttribute("aria-label"), radio.matches(":checked"), radio.matches(":disabled")]),
  );
  expect(choices).toEqual([
    ["Ledger", false, true],
    ["Trezor", true, false],
  ]);
  await page.close();
});

// With a real Suite nobody could type into a headless page what the device shows.
const simulated = test.skipIf(process.env["TREZOR_SUITE"] === "1");

simulated(
  "a Trezor is enrolled: its address is read from its screen, and counts once the admins have approved it",
  async () => {
    const { page, address, words } = await alice.enrolTrezor(trezor.hands);
    expect(address).toBe(trezor.trezor?.address());
    // The page never prints what is to be read on the device.
    expect(await page.evaluate(() => document.body.innerText)).not.toContain(address.slice(2, 10));
    await enact(world, await vouch(world, "Alice", words));
    await sees(page, "Your Trezor counts now");
    await page.close();
  },
);

simulated("a request in the inbox, opened from there", async () => {
  const inbox = await alice.visit("inbox.html");
  await sees(inbox, "Nothing waits for you");
  const { id } = await send(world);
  await sees(inbox, "1 request waits for you");
  await inbox.close();
  const page = await alice.visit(`approval.html?request=${id}`);
  await sees(page, `Send 1.50 ETH to ${DESTINATION} from Treasury-1`);
  await sees(page, "Waiting for approvals");
  await page.close();
});

simulated("a request is approved on the Trezor: received by the agent, signed by the HSM", async () => {
  const { id, statement } = await send(world);
  const page = await alice.visit(`approval.html?request=${id}`);
  await locate(page, "button", "Confirm on Trezor").click();
  await sees(page, "Your Trezor asks you now");
  const screens = await trezor.hands.readAndSign();
  expect(messageText(screens)).toBe(statement);
  // Operation, amount and whole destination on the first two pages of text.
  expect(messageText(screens.slice(0, 3))).toContain(`SEND 1.50 ETH TO ${DESTINATION} `);
  await sees(page, "Received by the agent");
  await sees(page, "Waiting for Bob");
  expect(await showRequest(world, id)).toMatchObject({ state: "pending", signed: null });

  await bob.approve(await bob.request(id));
  await locate(page, "heading", "Signed").wait();
  await sees(page, "Signed by the HSM");
  await page.close();

  const { records, signed } = await showRequest(world, id);
  expect(records).toMatchObject([
    { kind: "approval", person: "Alice" },
    { kind: "approval", person: "Bob" },
  ]);
  const serializedTransaction = signed as `0x02${string}`;
  expect(parseTransaction(serializedTransaction)).toMatchObject({
    to: DESTINATION.toLowerCase(),
    value: 1_500_000_000_000_000_000n,
    chainId: 1,
  });
  expect(await recoverTransactionAddress({ serializedTransaction })).toBe(world.vault.address);
});

simulated("Suite is closed, then the person declines: each is said, and the request stays", async () => {
  const { id } = await send(world);
  const page = await alice.visit(`approval.html?request=${id}`);
  await trezor.suite?.stop();
  await locate(page, "button", "Confirm on Trezor").click();
  await sees(page, "Trezor Suite is not running");
  await trezor.suite?.start();
  await sees(page, "Ready: press Confirm on Trezor.");

  await locate(page, "button", "Confirm on Trezor").click();
  await trezor.hands.waitForScreen(asksForMessage);
  await trezor.hands.decline();
  await sees(page, "You declined on the device. Nothing was signed, and the request is still open.");
  await sees(page, "Waiting for approvals");
  expect(trezor.trezor?.signatures).toBe(1);
  expect(await showRequest(world, id)).toMatchObject({ state: "pending", signed: null });
  await page.close();
  for (const origin of trezor.suite?.origins ?? []) expect(origin).toMatch(OUR_ORIGIN);
});

simulated(
  "who has only a Ledger is told before plugging it in, and there is no button that could not work",
  async () => {
    await change(world, "members", "remove", "Alice", "--device", trezor.trezor?.address() ?? "");
    const { id } = await send(world);
    const page = await alice.visit(`approval.html?request=${id}`);
    await sees(page, NO_LEDGER);
    expect(await offers(page, "Confirm on Ledger")).toBe(false);
    expect(await offers(page, "Confirm on Trezor")).toBe(false);
    await page.close();
  },
);

test("the socket of Trezor Suite is reached as ws:, and nothing else is asked for", async () => {
  // What is upgraded to wss: begins with a TLS handshake, which is no request for a WebSocket.
  const asked: (string | undefined)[] = [];
  const suite = createServer().on("upgrade", ({ url, headers }, socket) => {
    asked.push(url, headers.host, headers.origin);
    socket.destroy();
  });
  suite.listen(0, "127.0.0.1");
  await once(suite, "listening");
  alice.ports.ports.set(21_335, (suite.address() as AddressInfo).port);
  const page = await alice.visit("inbox.html");
  await sees(page, "Signed in as Alice");
  await page.evaluate(
    async () =>
      await new Promise((resolve) => {
        new WebSocket("ws://127.0.0.1:21335/connect-ws").addEventListener("close", resolve);
      }),
  );
  await page.close();
  suite.close();
  expect(asked).toEqual(["/connect-ws", "127.0.0.1:21335", expect.stringMatching(OUR_ORIGIN)]);
  expect(alice.strangers()).toEqual([]);
});

/** Longer than what Firefox grants an idle background script, and three pings of the link. Milliseconds. */
const UNWATCHED = 70_000;

const count = (what: "open" | "close") => alice.ports.events.filter((event) => event === `${what} 8787`).length;

test("with no page open the background script stays, and with it the connection", async () => {
  // The end of an earlier connection, of the pairing, may be heard late: what counts is that no new one is needed.
  const opened = count("open");
  expect(opened - count("close")).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, UNWATCHED));
  expect(count("open")).toBe(opened);
  expect(opened - count("close")).toBe(1);
});

test("no page complained", () => {
  expect(alice.complaints).toEqual([]);
});
