/**
 * The shared suite: drives one device through every outcome of outcome-table.ts on the real approval page, with real bridge, agent and
 * SoftHSM. What is asserted is the same for every vendor and model. One browser, many requests.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Holder, type SimulatedApprovalDevice, type Stage } from "./approval-device.ts";
import { changePolicy } from "./company.ts";
import { DEVICES, type DeviceName } from "./outcome-document.ts";
import { ENDINGS, type Told } from "./outcome-table.ts";
import { VAULT } from "./policy-plan.ts";
import { propose as proposeTransfer, waitForRequest } from "./requests.ts";
import { storedIn, unsigned } from "./verdict.ts";

/** A device's own block of tests. Its person alone approves meanwhile, so each approval signs. */
export function drivesEveryOutcome(
  label: DeviceName,
  name: string,
  stage: () => Stage,
  open: () => Promise<SimulatedApprovalDevice>,
): void {
  const vendor = DEVICES.find((one) => one.name === label)?.vendor;
  if (vendor === undefined) throw new Error(`${label} is no column of the document`);
  describe(label, () => {
    let holder: Holder;
    let device: SimulatedApprovalDevice;

    beforeAll(async () => {
      device = await open();
      holder = await Holder.open(stage().world, name, device);
      await holder.join();
      await changePolicy(stage().world, { approvers: [name], threshold: 1 });
    });
    afterAll(async () => {
      await holder?.close();
    });

    const propose = async () => (await proposeTransfer(stage().world)).id;

    async function isOpenStill(id: string, page: Page, signatures: number): Promise<void> {
      await unsigned(stage().world, id, "pending", []);
      expect(await storedIn(page, "outbox")).toEqual([]);
      expect(device.signatures()).toBe(signatures);
    }

    async function isSigned(id: string, page: Page): Promise<void> {
      await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
      const { records } = await waitForRequest(stage().world, id, ({ state }) => state === "signed");
      expect(records.map((one) => `${one.kind} ${one.person}`)).toEqual([`approval ${name}`]);
      await page.close();
    }

    test(`it is asked once, signs, and ${VAULT} signs`, async () => {
      const [prompts, signatures] = [device.prompts(), device.signatures()];
      const id = await propose();
      const page = await holder.openRequest(id);
      await page.getByRole("heading", { name: `What your ${device.model} shows` }).waitFor();
      await holder.confirm(page);
      await device.readAndSign();
      await isSigned(id, page);
      expect([device.prompts() - prompts, device.signatures() - signatures]).toEqual([1, 1]);
    });

    for (const { code, title, ...told } of ENDINGS) {
      if (code === "busy") continue;
      const expected = told[vendor];
      if ("never" in expected) {
        test(`${code}: cannot happen, because ${expected.never}`, () => {
          expect(device.troubles(holder.approver)[code]).toBeNull();
        });
        continue;
      }
      test(`${code}: ${title}`, async () => {
        const trouble = device.troubles(holder.approver)[code];
        if (trouble === null) throw new Error("the table has it, the device has not");
        const id = await propose();
        const page = await holder.openRequest(id, trouble.prepare);
        const [prompts, signatures] = [device.prompts(), device.signatures()];
        if (trouble.asking) await holder.confirm(page);
        await trouble.spoil(page);
        if (!trouble.asking) await holder.confirmButton(page).click();
        await trouble.after?.(page);
        await isTold(page, code, expected, trouble.words);
        await isOpenStill(id, page, signatures);
        expect(device.prompts() - prompts).toBe(trouble.asking ? 1 : 0);
        expect(device.asking()).toBe(trouble.stillAsks === true);

        await trouble.mend(page);
        if (trouble.stillAsks !== true) await holder.confirm(page);
        await device.readAndSign();
        await isSigned(id, page);
        expect(device.prompts() - prompts).toBe(trouble.asking && trouble.stillAsks !== true ? 2 : 1);
        expect(device.signatures() - signatures).toBe(1);
      });
    }

    test("busy: Busy in another window, which goes on by itself", async () => {
      const expected = ENDINGS.find(({ code }) => code === "busy")?.[device.vendor];
      if (expected === undefined || "never" in expected) throw new Error("the table has no busy");
      const [other, id] = [await propose(), await propose()];
      const [elsewhere, page] = [await holder.openRequest(other), await holder.openRequest(id)];
      const [prompts, signatures] = [device.prompts(), device.signatures()];
      await holder.confirm(elsewhere);
      await page.bringToFront();
      await holder.confirmButton(page).click();
      await isTold(page, "busy", expected, { other });
      await isOpenStill(id, page, signatures);
      expect(device.prompts() - prompts).toBe(1);
      expect(device.asking()).toBe(true);

      await device.readAndSign();
      await page.getByText(`Ready: press Confirm on ${device.vendor}.`).waitFor();
      await isSigned(other, elsewhere);
      await holder.confirm(page);
      await device.readAndSign();
      await isSigned(id, page);
      expect(device.prompts() - prompts).toBe(2);
    });

    test("no page complained", () => {
      expect(holder.approver.complaints.filter((text) => !CLOSED_PORT.test(text))).toEqual([]);
    });
  });
}

/** The browser's own line where Suite is not running. */
const CLOSED_PORT = /^WebSocket connection to 'ws:\/\/127\.0\.0\.1:21335\/connect-ws' failed: Error in connection/;

/** An alert with the sentence, the action and the code; and nothing is asked of the person beside it. */
async function isTold(page: Page, code: string, told: Told, words: Readonly<Record<string, string>> = {}) {
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_all, name: string) => words[name] ?? "");
  const box = page.getByRole("alert").filter({ has: page.locator("code").getByText(code, { exact: true }) });
  await box.getByText(fill(told.sentence), { exact: true }).waitFor();
  await box.getByText(fill(told.action), { exact: true }).waitFor();
  expect(await page.getByRole("heading", { name: /asks you now/ }).count()).toBe(0);
}
