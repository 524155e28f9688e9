/** The real Ledger transport library in a real Chromium, against simulated devices behind `navigator.usb`. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "./chromium.ts";
import { openDevices, simulatedDevice } from "./device.ts";
import { readAndSign } from "./hands.ts";
import { SimulatedLedger } from "./ledger-app.ts";
import type { Device } from "./ledger-device.ts";
import { installUsb, UsbBus } from "./usb.ts";
import type { LedgerPage } from "./usb-spec-page.ts";
import recordings from "./vectors/ledger-nanosp_1.22.0.json" with { type: "json" };

declare global {
  var ledgerPage: LedgerPage;
}

let server: Server;
let browser: Browser;
let url: string;

async function bundle(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    root: import.meta.dirname,
    build: { write: false, minify: false, rollupOptions: { input: `${import.meta.dirname}/usb-spec-page.ts` } },
  });
  const outputs = Array.isArray(result) ? result : [result];
  const chunks = outputs.flatMap((one) => ("output" in one ? one.output : []));
  return chunks.flatMap((chunk) => (chunk.type === "chunk" ? [chunk.code] : [])).join("\n");
}

beforeAll(async () => {
  const script = await bundle();
  server = createServer((request, response) => {
    const wantsScript = request.url === "/page.js";
    response.setHeader("Content-Type", wantsScript ? "text/javascript" : "text/html");
    response.end(
      wantsScript ? script : '<!doctype html><title>USB</title><script type="module" src="/page.js"></script>',
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  browser = await chromium.launch({ executablePath: chromiumPath(), headless: true, args: chromiumArgs() });
});

afterAll(async () => {
  await browser?.close();
  server?.close();
});

let context: BrowserContext;
let bus: UsbBus;
let ledger: SimulatedLedger;
let device: Device;

beforeEach(async () => {
  ledger = new SimulatedLedger({ model: "nanosp", appVersion: "1.22.0", mnemonic: recordings.mnemonic });
  device = simulatedDevice(ledger, "0001");
  bus = new UsbBus([device]);
  context = await browser.newContext();
  await installUsb(context, bus);
  return async () => context.close();
});

async function openPage(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.ledgerPage !== undefined);
  return page;
}

const open = (page: Page, how: "chooser" | "permitted") =>
  page.evaluate((how) => globalThis.ledgerPage.open(how).catch(String), how);
const exchange = (page: Page, apdu: string) => page.evaluate((apdu) => globalThis.ledgerPage.exchange(apdu), apdu);

async function play(page: Page, name: string): Promise<string> {
  let last = "";
  const recorded = recordings.cases.find((one) => one.name === name);
  for (const [apdu] of recorded?.exchanges ?? []) last = await exchange(page, apdu ?? "");
  return last;
}
const SIGNED = recordings.cases[0]?.exchanges.at(-1)?.[1];

test("a recorded message is signed through the library", async () => {
  const page = await openPage();
  expect(await open(page, "chooser")).toBe("Ledger Nano S Plus");
  expect(await exchange(page, "e006000000")).toBe("020116009000");
  const [signature, read] = await Promise.all([play(page, "send_erc20"), readAndSign(device.hands)]);
  expect(signature).toBe(SIGNED);
  expect(read).toEqual(recordings.cases[0]?.screens);
  await page.evaluate(() => globalThis.ledgerPage.close());
  expect(await open(page, "permitted")).toBe("Ledger Nano S Plus");
});

test("nothing is permitted before the person has chosen", async () => {
  const page = await openPage();
  expect(await page.evaluate(async () => (await navigator.usb.getDevices()).length)).toBe(0);
  bus.choose = () => undefined;
  expect(await open(page, "chooser")).toContain("No device selected");
  bus.permit(device);
  expect(await page.evaluate(async () => (await navigator.usb.getDevices()).length)).toBe(1);
});

test.each([
  { late: false, error: /NetworkError.*A transfer error has occurred/ },
  { late: true, error: /DisconnectedDeviceDuringOperation/ },
])("pulling the cable in mid-prompt fails the exchange (late: $late) and fires disconnect", async ({ late, error }) => {
  const page = await openPage();
  await open(page, "chooser");
  const failed = play(page, "send_erc20");
  await device.hands.waitForScreen((lines) => lines[0] === "Review message");
  bus.unplug(device, { late });
  expect(await failed).toMatch(error);
  await page.waitForFunction(() => globalThis.ledgerPage.disconnects() === 1);
  expect(ledger.reviewing).toBe(false);
  expect(ledger.signatures).toBe(0);

  bus.plug(device);
  expect(await open(page, "permitted")).toBe("Ledger Nano S Plus");
  expect(await exchange(page, "e006000000")).toBe("020116009000");
});

test("an interface that another page or program holds cannot be claimed", async () => {
  const [first, second] = [await openPage(), await openPage()];
  expect(await open(first, "chooser")).toBe("Ledger Nano S Plus");
  expect(await open(second, "permitted")).toContain("Unable to claim interface");
  await first.close();
  expect(await open(second, "permitted")).toBe("Ledger Nano S Plus");
  await second.evaluate(() => globalThis.ledgerPage.close());
  const letGo = bus.holdElsewhere(device);
  expect(await open(second, "permitted")).toContain("Unable to claim interface");
  letGo();
  expect(await open(second, "permitted")).toBe("Ledger Nano S Plus");
});

test("after a reload the old prompt's answer is not heard, and a second request kills its review", async () => {
  const page = await openPage();
  await open(page, "chooser");
  void play(page, "send_erc20").catch(() => undefined);
  await device.hands.waitForScreen((lines) => lines[0] === "Review message");
  await page.reload();
  await page.waitForFunction(() => globalThis.ledgerPage !== undefined);
  expect(await open(page, "permitted")).toBe("Ledger Nano S Plus");
  expect(ledger.reviewing).toBe(true);
  expect(await exchange(page, "e006000000")).toBe("020116009000");
  expect(await exchange(page, recordings.cases[2]?.exchanges[0]?.[0] ?? "")).toBe("6980");
  expect(ledger.reviewing).toBe(false);
});

test("two devices: the person chooses, and each speaks for itself", async () => {
  const [one, two] = await openDevices(2);
  if (one === undefined || two === undefined) throw new Error("two devices were asked for");
  bus.unplug(device);
  bus.plug(one);
  bus.plug(two);
  bus.choose = (devices) => devices[1];
  const page = await openPage();
  await open(page, "chooser");
  const answer = await exchange(page, "e002000015058000002c8000003c800000070000000000000000");
  expect(Buffer.from(answer, "hex").subarray(67, 107).toString()).toBe((await two.address()).slice(2));
  expect(await one.address()).not.toBe(await two.address());
  await Promise.all([one.close(), two.close()]);
});
