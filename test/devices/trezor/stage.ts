/**
 * The stage of the Trezor's specs: one browser whose Suite port leads to one simulated Suite, and for each test a page of its own and a new
 * Trezor with the recordings' seed. After each test: no remote page, no stray request, and nothing rejected with nobody listening.
 */

import type { BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import vectors from "../vectors/trezor-one_1.14.2.json" with { type: "json" };
import { asksForMessage, simulatedTrezorHands, type TrezorHands } from "./hands.ts";
import { openTrezor, type TrezorSetup } from "./open.ts";
import type { SimulatedSuite } from "./suite.ts";
import { SimulatedTrezor } from "./trezor.ts";
import { openTrezorBrowser, type TrezorBrowser, type TrezorPage } from "./trezor-page.ts";

export const PATH = vectors.path;
const [recorded] = vectors.cases;
export const STATEMENT = recorded?.message ?? "";
export const SIGNATURE = recorded?.signature ?? "";
/** What the page is told where the recorded statement was signed. */
export const SIGNED = { value: `0x${SIGNATURE}` };

/** A test that needs what only a simulated Suite can do. */
export const simulated = test.skipIf(process.env["TREZOR_SUITE"] === "1");

let setup: TrezorSetup;
let browser: TrezorBrowser;
// Live bindings: each test finds its own.
export let tab: TrezorPage;
export let suite: SimulatedSuite;
export let trezor: SimulatedTrezor;
export let hands: TrezorHands;

/** Called once by each file of specs. */
export function setStage(): void {
  beforeAll(async () => {
    setup = await openTrezor();
    browser = await openTrezorBrowser(setup.port);
  });
  afterAll(async () => {
    await browser?.close();
    await setup?.close();
  });
  beforeEach(async () => {
    tab = await browser.open();
    hands = setup.hands;
    if (setup.suite === undefined) return;
    suite = setup.suite;
    suite.silent = false;
    use(new SimulatedTrezor({ model: "T1B1", mnemonic: vectors.mnemonic }));
    for (const list of [suite.frames, suite.origins, suite.appNames]) list.length = 0;
  });
  afterEach(async () => {
    expect(tab.strayRequests).toEqual([]);
    expect(tab.errors).toEqual([]);
    expect(new Set(tab.sockets)).toEqual(new Set(["ws://127.0.0.1:21335/connect-ws"]));
    await tab.close();
  });
}

/** Puts another Trezor in the place of the one that is plugged in. */
export function use(device: SimulatedTrezor): void {
  trezor = device;
  suite.trezor = device;
  hands = simulatedTrezorHands(device);
}

/** Another page in the place of this test's. */
export async function reopen(prepare: (context: BrowserContext) => Promise<void>): Promise<void> {
  await tab.close();
  tab = await browser.open(prepare);
}

/** The device shows a message. */
export const asked = () => hands.waitForScreen(asksForMessage);
/** The device shows its home screen. */
export const idle = () => hands.waitForScreen((lines) => lines[0] === "Trezor");
