/** The device window in a real browser: a person signs with the keyboard on a Nano, and with a held finger on a Flex. */

import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "./chromium.ts";
import { simulatedDevice } from "./device.ts";
import { SimulatedLedger } from "./ledger-app.ts";
import type { Model } from "./screen.ts";
import flex from "./vectors/ledger-flex_1.22.0.json" with { type: "json" };
import { openDeviceWindow } from "./window.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), headless: true, args: chromiumArgs() });
});
afterAll(() => browser?.close());

const recorded = flex.cases[0];

/** Plays the recorded message while `person` uses the window; returns the device's last answer in hex. */
async function signIn(model: Model, person: (page: Page, ledger: SimulatedLedger) => Promise<void>): Promise<string> {
  const ledger = new SimulatedLedger({ model, appVersion: "1.22.0", mnemonic: flex.mnemonic });
  const window = await openDeviceWindow(simulatedDevice(ledger, "1"), { title: "Alice" });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(window.url);
  const host = (async () => {
    let last = "";
    for (const [apdu] of recorded?.exchanges ?? []) {
      last = Buffer.from(await ledger.exchange(Buffer.from(apdu ?? "", "hex"))).toString("hex");
    }
    return last;
  })();
  await person(page, ledger);
  const answer = await host;
  expect(errors).toEqual([]);
  await page.close();
  await window.close();
  return answer;
}

const SIGNED = recorded?.exchanges.at(-1)?.[1];
const shows = (page: Page, text: string) => page.getByText(text, { exact: true }).waitFor();

test("keyboard on a Nano", async () => {
  const answer = await signIn("nanosp", async (page) => {
    await shows(page, "Review message");
    for (let i = 1; i <= 6; i += 1) {
      await page.keyboard.press("ArrowRight");
      await shows(page, `Message (${i}/6)`);
    }
    await page.keyboard.press("ArrowRight");
    await shows(page, "Sign message");
    await page.keyboard.press("Enter");
    await shows(page, "app is ready");
  });
  expect(answer).toBe(SIGNED);
});

test("a finger on a Flex opens More, goes back, and holds to sign", async () => {
  const answer = await signIn("flex", async (page, ledger) => {
    await shows(page, "Swipe to review");
    await page.getByLabel("next page").click();
    await page.getByRole("button", { name: "More" }).click();
    await shows(page, "c8d9e6f1a2b3c4d; ".trim());
    await page.getByLabel("next page").click();
    await shows(page, "OpenCustody v1 7f3a91c2");
    await page.getByLabel("back").click();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("button", { name: "Hold to sign" }).click();
    expect(ledger.signatures).toBe(0);
    await page.getByRole("button", { name: "Hold to sign" }).focus();
    await page.keyboard.down("Enter");
    await shows(page, "app is ready");
    await page.keyboard.up("Enter");
  });
  expect(answer).toBe(SIGNED);
});

test("rejecting on a Flex asks again", async () => {
  const answer = await signIn("flex", async (page) => {
    await page.getByRole("button", { name: "Reject" }).click();
    await page.getByRole("button", { name: "Go back to message" }).click();
    await page.getByRole("button", { name: "Reject" }).click();
    await page.getByRole("button", { name: "Yes, reject" }).click();
  });
  expect(answer).toBe("6985");
});
