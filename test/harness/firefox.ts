/**
 * An approver with Firefox: the Firefox build in a real, headless Firefox with a profile of its own, driven over WebDriver BiDi
 * (Playwright's own Firefox is a patched one). The addresses that the extension fixes lead through port-map.ts to this world's ports.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import type { TrezorHands } from "../devices/trezor/hands.ts";
import { PortMap } from "./port-map.ts";
import { ROOT } from "./program.ts";
import type { World } from "./world.ts";

export const FIREFOX_EXTENSION = join(ROOT, "dist/extension-firefox");
/** extension/manifest.ts has it; test/ imports no code of the extension. */
const EXTENSION_ID = "approvals@opencustody";
/** Firefox gives each installation a random one; here it is fixed, so that pages can be visited. */
const UUID = "5e0b9c52-6a3d-4f0e-9d1c-2b7a8f3e4d10";
const BRIDGE_PORT = 8787;
const SUITE_PORT = 21_335;

/** Where a locator gives up. The test's own time-out is longer, so that what is missing is named. Milliseconds. */
const PATIENCE = 60_000;

/** The path of the browser: `FIREFOX`, or where Debian and others put it. @throws when there is none. */
export function firefoxPath(): string {
  const places = [process.env["FIREFOX"], "/usr/bin/firefox-esr", "/usr/bin/firefox"];
  const found = places.find((path) => path !== undefined && path !== "" && existsSync(path));
  if (found === undefined) throw new Error("No Firefox: install it (apt install firefox-esr) or name it in FIREFOX.");
  return found;
}

export interface FirefoxOptions {
  /** The port of a Trezor Suite; where it is not named none is running. */
  readonly suite?: number;
  /** Preferences besides those that every test has. */
  readonly preferences?: Readonly<Record<string, unknown>>;
}

export class FirefoxApprover {
  readonly name: string;
  readonly browser: Browser;
  readonly ports: PortMap;
  /** Everything that went wrong in any page of the extension. */
  readonly complaints: string[] = [];

  private constructor(name: string, browser: Browser, ports: PortMap) {
    this.name = name;
    this.browser = browser;
    this.ports = ports;
  }

  static async open(
    world: Pick<World, "port">,
    name: string,
    { suite, preferences }: FirefoxOptions = {},
  ): Promise<FirefoxApprover> {
    if (!existsSync(FIREFOX_EXTENSION)) throw new Error('The Firefox extension is not built; run "npm run build".');
    const ports = await PortMap.open(
      new Map([[BRIDGE_PORT, world.port], ...(suite === undefined ? [] : [[SUITE_PORT, suite] as const])]),
    );
    let browser: Browser | undefined;
    try {
      browser = await puppeteer.launch({
        browser: "firefox",
        executablePath: firefoxPath(),
        headless: true,
        defaultViewport: { width: 1280, height: 900 },
        args: ["--remote-allow-system-access"],
        extraPrefsFirefox: {
          "extensions.webextensions.uuids": JSON.stringify({ [EXTENSION_ID]: UUID }),
          "network.proxy.type": 1,
          "network.proxy.socks": "127.0.0.1",
          "network.proxy.socks_port": ports.port,
          "network.proxy.socks_version": 5,
          "network.proxy.socks_remote_dns": true,
          "network.proxy.failover_direct": false,
          "network.proxy.no_proxies_on": "",
          "network.proxy.allow_hijacking_localhost": true,
          ...preferences,
        },
      });
      const installed = await browser.installExtension(FIREFOX_EXTENSION);
      if (installed !== EXTENSION_ID) throw new Error(`installed as ${installed}`);
      return new FirefoxApprover(name, browser, ports);
    } catch (error) {
      await browser?.close();
      await ports.close();
      throw error;
    }
  }

  /** Opens a page of the extension, e.g. `inbox.html`, in a tab of its own. */
  async visit(path: string): Promise<Page> {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    // Firefox does not announce over BiDi that a page of an extension was loaded: what should be on it is awaited instead.
    await page.goto(`moz-extension://${UUID}/pages/${path}`, { waitUntil: [] });
    return page;
  }

  /** Pairs with an invite as the page asks for it. Resolves with the page, which waits for a device. */
  async pair(code: string): Promise<Page> {
    const page = await this.visit("pair.html");
    await locate(page, "textbox", "Invite code").fill(code);
    await (await page.waitForSelector('::-p-aria([role="checkbox"])'))?.click();
    await locate(page, "button", "Pair").click();
    await sees(page, "Waiting for your device");
    return page;
  }

  /**
   * Enrols the Trezor behind Suite's port: the groups asked for are typed from what its screen shows. Resolves with the page, which says
   * "Enrolment sent", with the address as it was read (0x and 40 hex digits), and with the six words.
   */
  async enrolTrezor(hands: TrezorHands): Promise<{ page: Page; address: string; words: string }> {
    const page = await this.visit("enrol.html");
    await locate(page, "radio", "Trezor").click();
    await locate(page, "button", "Connect your Trezor").click();
    await sees(page, "Read the address on your Trezor One");
    const address = await hands.confirmAddress();
    for (const group of await page.$$('::-p-aria([role="textbox"])')) {
      const name = await group.evaluate((element) => element.getAttribute("aria-label") ?? "");
      const [, from, to] = /^characters (\d+) to (\d+)$/.exec(name) ?? [];
      if (to === undefined) throw new Error(`the page asks for "${name}"`);
      await group.type(address.slice(2).slice(Number(from) - 1, Number(to)));
    }
    await locate(page, "button", "Compare").click();
    await sees(page, "Enrolment sent: read these six words aloud");
    const words = await page.$$eval('[aria-label="Your six words"] li', (items) =>
      items.map((li) => li.textContent ?? ""),
    );
    return { page, address, words: words.join(" ") };
  }

  /** `host:port` of what was asked for beside the ports mapped, Firefox's own services left out. */
  strangers(): string[] {
    return this.ports.refused.filter((address) => !/\.(mozilla\.(com|net|org)|firefox\.com):443$/.test(address));
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.ports.close();
  }
}

/** The element with this role and accessible name. */
export function locate(page: Page, role: string, name: string) {
  return page.locator(`::-p-aria([name=${JSON.stringify(name)}][role="${role}"])`);
}

/** Resolves when the page shows this text, however it is laid out in lines; rejects with what it shows instead. */
export async function sees(page: Page, text: string): Promise<void> {
  try {
    await page.waitForFunction((wanted) => document.body.innerText.replaceAll(/\s+/g, " ").includes(wanted), {}, text);
  } catch (cause) {
    const shown = await page.evaluate(() => `${location.href} shows:\n${document.body.innerText}`);
    throw new Error(`"${text}" is absent: ${shown}`, { cause });
  }
}

/** Whether the page shows such a button. */
export async function offers(page: Page, name: string): Promise<boolean> {
  return (await page.$$(`::-p-aria([name=${JSON.stringify(name)}][role="button"])`)).length > 0;
}
