/**
 * The Firefox build in real Firefox, against the real bridge, agent and SoftHSM: pairing, a request in the inbox, and what a person who
 * holds a Ledger is told there before plugging it in.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FirefoxApprover, offers, sees } from "./harness/firefox.ts";
import { Member } from "./harness/member.ts";
import { addInitiator, DESTINATION, makeTreasury, makeWorld, send, type World } from "./harness/world.ts";

const NO_LEDGER = "Firefox cannot reach a Ledger: it has no WebUSB. Use Chromium, or a Trezor.";

let world: World;
let olga: string;
let alice: FirefoxApprover;
/** Alice's other browser, with which she enrolled a Ledger. */
let elsewhere: Member;

beforeAll(async () => {
  world = await makeWorld();
  olga = await addInitiator(world, "Olga");
  elsewhere = await Member.join(world, "Alice");
  alice = await FirefoxApprover.open(world, "Alice", {
    // Half as long again as by default: pings that a busy machine delays must not be what fails here.
    preferences: { "extensions.background.idle.timeout": 45_000 },
  });
});
afterAll(async () => {
  await alice?.close();
  elsewhere?.close();
  await world?.dispose();
});

test("pairing, and a request in the inbox, opened from there", async () => {
  const { code } = await world.json<{ code: string }>("invite", "Alice", "--role", "approver");
  await (await alice.pair(code)).close();
  await makeTreasury(world, ["Alice"], 1);

  const inbox = await alice.visit("inbox.html");
  await sees(inbox, "Connected to 127.0.0.1:8787");
  await sees(inbox, "Nothing waits for you");
  const { id } = await send(world, { key: olga });
  await sees(inbox, "1 request waits for you");
  await inbox.close();

  const page = await alice.visit(`approval.html?request=${id}`);
  await sees(page, `Send 1.50 ETH to ${DESTINATION} from Treasury-1`);
  await sees(page, "Waiting for approvals");
  // A Ledger is answered before it is plugged in, and there is no button that could not work.
  await sees(page, NO_LEDGER);
  expect(await offers(page, "Confirm on Ledger")).toBe(false);
  await page.close();
});

test("whoever comes to enrol a Ledger is told why not, and what to use", async () => {
  const page = await alice.visit("enrol.html");
  await sees(page, NO_LEDGER);
  expect(await offers(page, "Connect your Ledger")).toBe(false);
  await page.close();
});

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
  expect(asked).toEqual(["/connect-ws", "127.0.0.1:21335", expect.stringMatching(/^moz-extension:\/\/[0-9a-f-]{36}$/)]);
  expect(alice.strangers()).toEqual([]);
});

/** Longer than what Firefox grants an idle background script, and three pings of the link. Milliseconds. */
const UNWATCHED = 70_000;

const bridgeEvents = () => alice.ports.events.filter((event) => event.endsWith(" 8787"));

test("with no page open the background script stays, and with it the connection", async () => {
  const before = bridgeEvents();
  expect(before.at(-1)).toBe("open 8787");
  await new Promise((resolve) => setTimeout(resolve, UNWATCHED));
  expect(bridgeEvents()).toEqual(before);
});

test("no page complained", () => {
  expect(alice.complaints).toEqual([]);
});
