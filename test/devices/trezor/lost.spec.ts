/** The shipped trezor.ts where Suite, the Trezor, the person or the browser's permission is not there, or goes while the device asks. */

import { once } from "node:events";
import { createServer } from "node:net";
import { expect } from "vitest";
import {
  asked,
  hands,
  idle,
  PATH,
  reopen,
  SIGNED,
  STATEMENT,
  setStage,
  simulated,
  suite,
  tab,
  trezor,
} from "./stage.ts";

setStage();

simulated("Suite not running: said at once, waiting for no timer", async () => {
  await suite.stop();
  await tab.page.clock.install();
  await tab.page.clock.pauseAt(Date.now() + 60_000);
  expect(await tab.connect()).toMatchObject({ outcome: "suite-missing" });
  await suite.start();
});

simulated("a program that hangs on Suite's port: said after one second", async () => {
  await suite.stop();
  const sockets = new Set<{ destroy(): void }>();
  const hanging = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  hanging.listen(suite.port, "127.0.0.1");
  await once(hanging, "listening");
  await tab.page.clock.install();
  await tab.page.clock.pauseAt(Date.now() + 60_000);
  let told: unknown;
  const connecting = tab.connect().then((how) => {
    told = how;
  });
  await expect.poll(() => tab.sockets.length).toBe(1);
  await tab.page.clock.runFor(999);
  expect(told).toBeUndefined();
  await tab.page.clock.runFor(1);
  await connecting;
  expect(told).toMatchObject({ outcome: "suite-missing" });
  for (const socket of sockets) socket.destroy();
  hanging.close();
  await once(hanging, "close");
  await suite.start();
});

simulated("a program that takes the connection and never shakes hands", async () => {
  suite.silent = true;
  expect(await tab.connect()).toMatchObject({ outcome: "suite-missing" });
  expect(trezor.prompts).toBe(0);
});

simulated("Suite gone while the device asks; it comes back, and the person asks again", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await suite.stop();
  expect(await signing).toMatchObject({
    outcome: "unplugged",
    detail: "Desktop_ConnectionMissing: Websocket closed unexpectedly",
  });
  await idle();
  expect(await tab.sign(PATH, STATEMENT)).toMatchObject({ outcome: "unplugged" });
  await suite.start();
  expect(trezor.prompts).toBe(1);
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  expect(trezor.prompts).toBe(2);
});

simulated("unplugged while it asks, not there, and plugged in again", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  trezor.unplug();
  expect(await signing).toMatchObject({ outcome: "unplugged" });
  expect(await tab.connect()).toMatchObject({ outcome: "not-connected" });
  trezor.plug();
  expect(await tab.connect()).toHaveProperty("value");
  expect(trezor.prompts).toBe(1);
});

simulated("a slow reader is kept in touch by pings, and may sign in the fifth minute", async () => {
  await tab.page.clock.install();
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await pass(295);
  expect(suite.frames.filter((frame) => frame === "ping").length).toBeGreaterThanOrEqual(4);
  await hands.readAndSign();
  expect(await signing).toEqual(SIGNED);
  expect(trezor.prompts).toBe(1);
});

simulated("who does not answer for five minutes is told so, and the prompt is taken back", async () => {
  await tab.page.clock.install();
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await pass(310);
  expect(await signing).toMatchObject({ outcome: "timed-out" });
  await idle();
  expect(trezor.prompts).toBe(1);
});

/** Seconds of the page's clock, in steps: a ping that is not answered within twenty of them ends the connection. */
async function pass(seconds: number): Promise<void> {
  for (let at = 0; at < seconds; at += 5) {
    await tab.page.clock.runFor(5000);
    await expect.poll(() => tab.unansweredPings).toBe(0);
  }
}

simulated("the browser's permission for local addresses is denied", async () => {
  await reopen(async (context) => {
    await context.addInitScript(() => {
      navigator.permissions.query = async () => ({ state: "denied" }) as PermissionStatus;
    });
  });
  await suite.stop();
  expect(await tab.connect()).toMatchObject({ outcome: "local-network-blocked" });
  await suite.start();
});
