/**
 * An approver as a person has it: the built extension in a Chromium profile of their own, a Ledger behind navigator.usb, and
 * hands. The profile is a temporary folder; the bridge's fixed development port is mapped to this world's own.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { EXTENSION_ID } from "../../protocol/extension-id.ts";
import { chromiumArgs, chromiumPath } from "../devices/chromium.ts";
import { asksForMessage, confirmAddress, type Hands, readAndSign } from "../devices/hands.ts";
import type { Device } from "../devices/ledger-device.ts";
import { installUsb, UsbBus } from "../devices/usb.ts";
import { groupsAsked, readWords, tickComparison, typeGroups } from "./extension-pages.ts";
import type { Participant } from "./participant.ts";
import { ROOT } from "./program.ts";
import { retry } from "./retry.ts";
import type { World } from "./world.ts";

const EXTENSION = join(ROOT, "dist/extension-chromium");

export interface ApproverOptions {
  readonly device: Device;
  /** Shows the browser instead of running it headless. */
  readonly headed?: boolean;
  /** The port that the browser finds under 127.0.0.1:8787; the world's bridge where it is not named. */
  readonly port?: number;
  /** A profile that an earlier `close({ keep: true })` left; a new one where it is not named. */
  readonly profile?: string;
  /** Another build of the extension than the one in dist. */
  readonly extension?: string;
  /** Further switches of Chromium. */
  readonly args?: readonly string[];
}

export class Approver implements Participant {
  readonly name: string;
  readonly device: Device;
  readonly bus: UsbBus;
  readonly context: BrowserContext;
  /** Everything that went wrong in any page of this browser, for tests to look at. */
  readonly complaints: string[] = [];
  /** The folder of the browser's profile. */
  readonly profile: string;

  private constructor(name: string, device: Device, bus: UsbBus, context: BrowserContext, profile: string) {
    this.name = name;
    this.device = device;
    this.bus = bus;
    this.context = context;
    this.profile = profile;
    context.on("page", (page) => this.#listen(page));
  }

  static async open(world: Pick<World, "port">, name: string, options: ApproverOptions): Promise<Approver> {
    const extension = options.extension ?? EXTENSION;
    if (!existsSync(extension)) throw new Error('The extension is not built; run "npm run build".');
    const profile = options.profile ?? mkdtempSync(join(tmpdir(), "opencustody-profile-"));
    const port = options.port ?? world.port;
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumPath(),
      headless: false,
      viewport: options.headed === true ? null : { width: 1280, height: 900 },
      args: [
        ...chromiumArgs(),
        ...(options.headed === true ? [] : ["--headless=new"]),
        `--disable-extensions-except=${extension}`,
        `--load-extension=${extension}`,
        `--host-resolver-rules=MAP 127.0.0.1:8787 127.0.0.1:${port}`,
        ...(options.args ?? []),
      ],
    });
    // For a machine that has much else to do: nothing is asserted by it.
    context.setDefaultTimeout(90_000);
    const bus = new UsbBus([options.device]);
    await installUsb(context, bus);
    return new Approver(name, options.device, bus, context, profile);
  }

  /** Opens a page of the extension, e.g. `inbox.html`. */
  async visit(path: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`chrome-extension://${EXTENSION_ID}/pages/${path}`);
    return page;
  }

  /** Pairs with an invite as the page asks for it. Resolves with the page, which waits for a device. */
  async pair(code: string): Promise<Page> {
    const page = await this.beginPairing(code);
    await page.getByRole("heading", { name: "Waiting for your device" }).waitFor();
    return page;
  }

  /** Hands an invite in and presses Pair. Resolves with the page, which goes on by itself. */
  async beginPairing(code: string): Promise<Page> {
    const page = await this.visit("pair.html");
    await page.getByRole("textbox", { name: "Invite code" }).fill(code);
    await page.getByRole("checkbox", { name: /I compared this fingerprint/ }).check();
    await page.getByRole("button", { name: "Pair", exact: true }).click();
    return page;
  }

  async begin(code: string): Promise<string> {
    await (await this.pair(code)).close();
    return await this.enrolAndSay();
  }

  /** Enrols the device: reads the address from the device's screen, types the groups asked for, presses confirm. */
  async enrol(): Promise<Page> {
    const page = await this.visit("enrol.html");
    await page.getByRole("button", { name: "Connect your Ledger" }).click();
    await groupsAsked(page);
    // The person reads the device's screen, and nothing else, and presses its button.
    await typeGroups(page, await confirmAddress(this.device.hands));
    await page.getByRole("heading", { name: /^Enrolment sent/ }).waitFor();
    return page;
  }

  /** Enrols the device and reads the six words from the page. */
  async enrolAndSay(): Promise<string> {
    const page = await this.enrol();
    const words = await readWords(page);
    await page.close();
    return words;
  }

  async counted(): Promise<void> {
    const page = await this.visit("pair.html");
    await page.getByRole("heading", { name: `You are ${this.name}, ` }).waitFor();
    await page.close();
  }

  async decide(id: string): Promise<void> {
    const page = await this.openRequest(id);
    await this.approve(page);
    await page.getByText("Received by the agent").waitFor();
    await page.close();
  }

  /** Opens the approval page of a request that has arrived. */
  async openRequest(id: string): Promise<Page> {
    const page = await this.visit(`approval.html?request=${id}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page
      .getByRole("heading", { name: /Waiting for approvals|Do not sign/ })
      .first()
      .waitFor();
    return page;
  }

  /** Confirms on the device after reading every page of its screen, which it returns. */
  async approve(page: Page, hands: Hands = this.device.hands): Promise<string[][]> {
    await this.confirm(page);
    return await readAndSign(hands);
  }

  /** Has the device asked: the prompt is on its screen when this resolves. */
  async confirm(page: Page): Promise<void> {
    await tickComparison(page);
    await page.getByRole("button", { name: "Confirm on Ledger" }).click();
    await page.getByRole("heading", { name: "Your Ledger asks you now" }).waitFor();
    await this.device.hands.waitForScreen(asksForMessage);
  }

  /** Ends the extension's service worker, as the browser may at any moment. Resolves when it is gone, or was. */
  async killWorker(): Promise<void> {
    const session = await this.context.browser()?.newBrowserCDPSession();
    if (session === undefined) throw new Error("no browser to end a worker in");
    const workers = async () =>
      (await session.send("Target.getTargets")).targetInfos.filter(({ type }) => type === "service_worker");
    for (const { targetId } of await workers()) await session.send("Target.closeTarget", { targetId });
    await retry(async () => {
      if ((await workers()).length > 0) throw new Error("the service worker is still there");
    });
    await session.detach();
  }

  /** Closes the browser. With `keep` the profile stays, for another `open`. */
  async close({ keep = false } = {}): Promise<void> {
    await this.context.close();
    if (!keep) rmSync(this.profile, { recursive: true, force: true });
  }

  #listen(page: Page): void {
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
  }
}
