/**
 * One face for every device that approves: what a person does with it, how often it was asked, and how each bad moment is brought about
 * on it. The devices are simulated at their outermost boundary; approval-ledger.ts and approval-trezor.ts make them. A holder is a
 * person with one such device and a browser of their own. It asserts nothing. Design, section 9.
 */
import type { Page } from "playwright-core";
import type { DeviceOutcome } from "../../extension/devices/device.ts";
import { EXTENSION_ID } from "../../protocol/extension-id.ts";
import type { Vendor } from "../../protocol/vendor.ts";
import type { Device } from "../devices/ledger-device.ts";
import { Approver } from "./approver.ts";
import { joinCompany, makeCompany } from "./company.ts";
import { groupsAsked, readWords, tickComparison, typeGroups } from "./extension-pages.ts";
import type { Participant } from "./participant.ts";
import type { World } from "./world.ts";

/** How one bad moment is brought about, and undone. */
export interface Trouble {
  /** Whether the device is asking the person when it happens. */
  readonly asking: boolean;
  /** Done to the page before it is loaded. */
  readonly prepare?: (page: Page) => Promise<void>;
  readonly spoil: (page: Page) => unknown;
  /** After the click, for what shows only after something else has stopped it. */
  readonly after?: (page: Page) => Promise<void>;
  readonly mend: (page: Page) => unknown;
  /** The prompt is still there, and the person's answer still counts: nothing is asked again. */
  readonly stillAsks?: boolean;
  /** What stands for {name} in the expected sentence. */
  readonly words?: Readonly<Record<string, string>>;
}

/** Busy is another window's doing, not the device's. */
export type TroubleCode = Exclude<DeviceOutcome, "busy">;

export interface SimulatedApprovalDevice {
  readonly vendor: Vendor;
  /** As the pages name it, e.g. "Nano S Plus". */
  readonly model: string;
  /** Goes behind a browser's navigator.usb. */
  readonly usb: Device;
  /** Port of this machine's Trezor Suite, if there is one. */
  readonly suite: number | null;
  /** How many questions for a signature reached it, and how many signatures it made. */
  prompts(): number;
  signatures(): number;
  /** Resolves when a message is on its screen. */
  prompted(): Promise<unknown>;
  /** Whether it asks its owner something. */
  asking(): boolean;
  readAndSign(): Promise<string[][]>;
  decline(): Promise<void>;
  confirmAddress(): Promise<string>;
  /** The address it holds: 0x and 40 hex digits. */
  address(): Promise<string>;
  /** Null where it cannot happen on this device: the reason is in outcome-table.ts. */
  troubles(approver: Approver): Readonly<Record<TroubleCode, Trouble | null>>;
  close(): Promise<void>;
}

/** What specs about devices share: a founded company in which approvers still join, each block of tests with a policy of its own. */
export interface Stage {
  readonly world: World;
}

export async function makeStage(): Promise<Stage> {
  return { world: await makeCompany() };
}

export class Holder implements Participant {
  readonly approver: Approver;
  readonly device: SimulatedApprovalDevice;
  readonly #world: World;

  private constructor(world: World, approver: Approver, device: SimulatedApprovalDevice) {
    this.#world = world;
    this.approver = approver;
    this.device = device;
  }

  /** A browser for `name`, with the device at hand. */
  static async open(world: World, name: string, device: SimulatedApprovalDevice): Promise<Holder> {
    const rules = [`MAP 127.0.0.1:8787 127.0.0.1:${world.port}`];
    if (device.suite !== null) rules.push(`MAP 127.0.0.1:21335 127.0.0.1:${device.suite}`);
    // Of a switch that is given twice Chromium takes the last.
    const args = [`--host-resolver-rules=${rules.join(",")}`];
    const approver = await Approver.open(world, name, { device: device.usb, args });
    if (device.vendor === "Trezor") approver.bus.unplug(device.usb);
    return new Holder(world, approver, device);
  }

  get name(): string {
    return this.approver.name;
  }

  /** Joins the company as an approver. */
  async join(): Promise<void> {
    await joinCompany(this.#world, this);
  }

  async begin(code: string): Promise<string> {
    await (await this.approver.pair(code)).close();
    const page = await this.approver.visit("enrol.html");
    await this.enrol(page);
    const words = await readWords(page);
    await page.close();
    return words;
  }

  async counted(): Promise<void> {
    await this.approver.counted();
  }

  async decide(id: string): Promise<void> {
    const page = await this.openRequest(id);
    await this.confirm(page);
    await this.device.readAndSign();
    await page.getByText("Received by the agent").waitFor();
    await page.close();
  }

  /** Reads the address from the device's screen and types the groups asked for. */
  async enrol(page: Page): Promise<void> {
    await chooseVendor(page, this.device.vendor);
    await page.getByRole("button", { name: `Connect your ${this.device.vendor}` }).click();
    await groupsAsked(page);
    await typeGroups(page, await this.device.confirmAddress());
    await page.getByRole("heading", { name: /^Enrolment sent/ }).waitFor();
  }

  addressOf(id: string): string {
    return `chrome-extension://${EXTENSION_ID}/pages/approval.html?request=${id}`;
  }

  /** Opens the approval page of a request that has arrived. */
  async openRequest(id: string, prepare?: (page: Page) => Promise<void>): Promise<Page> {
    const page = await this.approver.context.newPage();
    await prepare?.(page);
    await page.goto(this.addressOf(id));
    await page.getByRole("heading", { name: "Waiting for approvals" }).waitFor();
    return page;
  }

  confirmButton(page: Page) {
    return page.getByRole("button", { name: `Confirm on ${this.device.vendor}` });
  }

  /** Presses the button; the message is on the device's screen when this resolves. */
  async confirm(page: Page): Promise<void> {
    await tickComparison(page);
    await this.confirmButton(page).click();
    await page.getByRole("heading", { name: `Your ${this.device.vendor} asks you now` }).waitFor();
    await this.device.prompted();
  }

  async close(): Promise<void> {
    await this.approver.close();
    await this.device.close();
  }
}

/** Where the page lets one choose, chooses. */
async function chooseVendor(page: Page, vendor: Vendor): Promise<void> {
  const choice = page.getByRole("radio", { name: new RegExp(vendor) });
  const connect = page.getByRole("button", { name: `Connect your ${vendor}` });
  await choice.or(connect).first().waitFor();
  if ((await choice.count()) > 0) await choice.first().check();
}
