/**
 * Makes the pictures of the documents: one for each outcome and vendor, and those of the README. `npm run pictures`, after
 * `npm run build`. The outcomes are brought about as in the shared suite; everything but the devices is real.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { DeviceOutcome } from "../extension/devices/device.ts";
import { openDeviceWindow } from "./devices/window.ts";
import { Holder, makeStage, type SimulatedApprovalDevice, type Stage } from "./harness/approval-device.ts";
import { openLedger } from "./harness/approval-ledger.ts";
import { openTrezorDevice } from "./harness/approval-trezor.ts";
import { changePolicy } from "./harness/company.ts";
import { pictureOf } from "./harness/outcome-document.ts";
import { ENDINGS } from "./harness/outcome-table.ts";
import { ROOT } from "./harness/program.ts";
import { send } from "./harness/requests.ts";
import { smallPng } from "./harness/small-png.ts";

const FOLDER = join(ROOT, "docs/images");
const WIDTH = 900;
const MAX_BYTES = 60_000;

mkdirSync(join(FOLDER, "outcomes"), { recursive: true });
const stage = await makeStage();
try {
  await ofVendor(stage, "Alice", openLedger("nanosp", "1.22.0"), "nano.png");
  await ofVendor(stage, "Carol", openLedger("flex", "1.22.0"), "flex.png");
  await ofVendor(stage, "Dave", await openTrezorDevice("T1B1"), "trezor.png");
} finally {
  await stage.world.dispose();
}

/** A request stays open whatever the outcome: one serves for all of them. */
async function ofVendor(stage: Stage, name: string, device: SimulatedApprovalDevice, file: string): Promise<void> {
  const holder = await Holder.open(stage.world, name, device);
  try {
    await holder.join();
    await changePolicy(stage.world, { approvers: [name], threshold: 1 });
    const { id } = await send(stage.world);
    await ofDevice(holder, id, file);
    if (file === "flex.png") return;
    for (const { code, [device.vendor]: told } of ENDINGS) if ("when" in told) await ofOutcome(holder, id, code);
  } finally {
    await holder.close();
  }
}

/** The device's glass, or for a Trezor the page's pictures of it; with the first device also the whole approval page. */
async function ofDevice(holder: Holder, id: string, file: string): Promise<void> {
  const { device } = holder;
  const page = await holder.openRequest(id);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
  await holder.confirm(page);
  // Without the scroll bar.
  const clip = { x: 0, y: 0, width: 1260, height: 890 };
  if (file === "nano.png") keep("approval.png", await page.screenshot({ clip }));
  if (device.vendor === "Trezor") keep(file, await page.locator("section.device").screenshot());
  else keep(file, await glass(holder));
  await device.decline();
  await page.close();
}

/** A Ledger as its window draws it, on the first page of the text. */
async function glass({ name, device, approver }: Holder): Promise<Buffer> {
  const { usb } = device;
  const window = await openDeviceWindow(usb, { title: `${name}'s Ledger` });
  const view = await approver.context.newPage();
  const flex = usb.model === "flex";
  await view.setViewportSize(flex ? { width: 420, height: 640 } : { width: 420, height: 418 });
  await view.goto(window.url);
  await (flex ? usb.hands.turn("next") : usb.hands.press("right"));
  await view
    .getByText(/^Message/)
    .first()
    .waitFor();
  const png = await view.screenshot({ fullPage: true });
  await view.close();
  await window.close();
  return png;
}

async function ofOutcome(holder: Holder, id: string, code: DeviceOutcome): Promise<void> {
  const { device } = holder;
  if (code === "busy") {
    const [other, page] = [await holder.openRequest(id), await holder.openRequest(id)];
    await other.bringToFront();
    await holder.confirm(other);
    await page.bringToFront();
    await holder.confirmButton(page).click();
    await picture(page, holder, code);
    await device.decline();
    for (const one of [other, page]) await one.close();
    return;
  }
  const trouble = device.troubles(holder.approver)[code];
  if (trouble === null) throw new Error(`${code} cannot happen on a ${device.vendor}`);
  const page = await holder.openRequest(id, trouble.prepare);
  if (trouble.asking) await holder.confirm(page);
  await trouble.spoil(page);
  if (!trouble.asking) await holder.confirmButton(page).click();
  await trouble.after?.(page);
  await picture(page, holder, code);
  await trouble.mend(page);
  if (trouble.stillAsks === true) await device.decline();
  await page.close();
}

/** The heading and what is to be decided. */
async function picture(page: Page, { device }: Holder, code: DeviceOutcome): Promise<void> {
  await page.setViewportSize({ width: WIDTH, height: 1000 });
  await page.emulateMedia({ colorScheme: "light" });
  await page
    .getByRole("alert")
    .filter({ has: page.locator("code").getByText(code, { exact: true }) })
    .waitFor();
  await page.evaluate(() => globalThis.scrollTo(0, 0));
  const lead = await page.locator(".lead").boundingBox();
  const standing = await page.locator("section.standing").boundingBox();
  if (lead === null || standing === null) throw new Error("the page has no decision box");
  const [top, bottom] = [lead.y - 8, standing.y + standing.height + 8];
  const clip = { x: 0, y: top, width: WIDTH, height: bottom - top };
  keep(`outcomes/${pictureOf(code, device.vendor)}`, await page.screenshot({ clip, fullPage: true }));
}

function keep(name: string, screenshot: Buffer): void {
  const png = smallPng(screenshot);
  writeFileSync(join(FOLDER, name), png);
  process.stdout.write(`${name} ${png.length} bytes\n`);
  if (name.startsWith("outcomes/") && png.length > MAX_BYTES) throw new Error(`${name} is too big`);
}
