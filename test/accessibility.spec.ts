/**
 * Every page in its main states, in light and in dark, against WCAG 2 A and AA as axe-core checks it, and 360 pixels wide without
 * sideways scrolling; and one whole approval by the keyboard alone. axe is evaluated by the driver, outside the page's content security policy, which stays as shipped.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Holder, makeStage, type Stage } from "./harness/approval-device.ts";
import { openLedger } from "./harness/approval-ledger.ts";
import { openTrezorDevice } from "./harness/approval-trezor.ts";
import { change, changePolicy, enact, invite, motion, vouch, writePolicy } from "./harness/company.ts";
import { readWords } from "./harness/extension-pages.ts";
import { ROOT } from "./harness/program.ts";
import { send } from "./harness/requests.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

let stage: Stage;
let alice: Holder;
let dave: Holder;

beforeAll(async () => {
  stage = await makeStage();
  alice = await Holder.open(stage.world, "Alice", openLedger("nanosp", "1.22.0"));
  dave = await Holder.open(stage.world, "Dave", await openTrezorDevice("T1B1"));
});
afterAll(async () => {
  for (const holder of [alice, dave]) await holder?.close();
  await stage?.world.dispose();
});

/** Fails with each rule that is broken and where. Both colour schemes. */
async function isAccessible(page: Page, state: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    // Colours that are still changing from one scheme to the other are nobody's.
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(
      async (values) =>
        await (globalThis as unknown as { axe: { run(how: object): Promise<AxeResults> } }).axe.run({
          runOnly: { type: "tag", values },
        }),
      RULES,
    );
    const found = violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => ({ id, target, failureSummary })),
    );
    expect(found, `${state}, ${colorScheme}`).toEqual([]);
  }
  expect(await sidewaysAt(page, 360), `${state}, 360 pixels wide`).toBe(0);
}

/** By how many pixels a page scrolls sideways in a window of that width, beside a scroll bar that takes its part of it. */
async function sidewaysAt(page: Page, width: number): Promise<number> {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 740 });
  const measured = await page.evaluate(() => {
    const { documentElement: root } = document;
    root.style.overflowY = "scroll";
    const sideways = root.scrollWidth - root.clientWidth;
    const bar = globalThis.innerWidth - root.clientWidth;
    root.style.overflowY = "";
    return { sideways, bar };
  });
  expect(measured.bar, "a classic scroll bar").toBeGreaterThan(0);
  if (before !== null) await page.setViewportSize(before);
  return measured.sideways;
}

test("pairing: before, with an invite, and paired", async () => {
  const page = await alice.approver.visit("pair.html");
  await page.getByRole("textbox", { name: "Invite code" }).waitFor();
  await isAccessible(page, "pair, empty");
  await page.getByRole("textbox", { name: "Invite code" }).fill("no invite");
  await isAccessible(page, "pair, with what is no invite");
  const code = await invite(stage.world, "Alice");
  await page.getByRole("textbox", { name: "Invite code" }).fill(code);
  await page.getByRole("checkbox", { name: /I compared this fingerprint/ }).check();
  await isAccessible(page, "pair, with an invite");
  await page.getByRole("button", { name: "Pair", exact: true }).click();
  await page.getByRole("heading", { name: "Waiting for your device" }).waitFor();
  await isAccessible(page, "paired, without a device");
  await page.close();
});

test("enrolling: either vendor, a stop, the address question, sent; and the inbox with nothing in it", async () => {
  const page = await alice.approver.visit("enrol.html");
  for (const vendor of ["Trezor", "Ledger"]) {
    await page.getByRole("radio", { name: new RegExp(vendor) }).check();
    await page.getByRole("button", { name: `Connect your ${vendor}` }).waitFor();
    await isAccessible(page, `enrol a ${vendor}`);
  }
  await page.getByRole("radio", { name: /Trezor/ }).check();
  await page.getByRole("button", { name: "Connect your Trezor" }).click();
  await page.getByRole("alert").getByText("suite-missing", { exact: true }).waitFor();
  await isAccessible(page, "enrol, stopped");
  await page.getByRole("radio", { name: /Ledger/ }).check();
  await page.getByRole("button", { name: "Connect your Ledger" }).click();
  await page
    .getByRole("textbox", { name: /^characters/i })
    .first()
    .waitFor();
  await isAccessible(page, "enrol, the address question");
  await alice.device.decline();
  await page.getByRole("alert").waitFor();
  await alice.enrol(page);
  const words = await readWords(page);
  await isAccessible(page, "six words");
  await enact(stage.world, await vouch(stage.world, "Alice", words));
  await page.getByText("Enrolled", { exact: true }).first().waitFor();
  await isAccessible(page, "enrolled");
  await page.goto(page.url().replace("enrol.html", "pair.html"));
  await page.getByRole("heading", { name: "You are Alice, approver" }).waitFor();
  await isAccessible(page, "a member's pairing");
  await page.goto(page.url().replace("pair.html", "enrol.html"));
  await page.goto(page.url().replace("enrol.html", "inbox.html"));
  await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  await isAccessible(page, "inbox, empty");
  await page.close();
});

test("the popup has a least width, and the same page in a tab has none", async () => {
  const file = join(ROOT, "dist/extension-chromium/manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8")) as { action: { default_popup: string } };
  const page = await alice.approver.visit("inbox.html");
  await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  expect(await sidewaysAt(page, 320)).toBe(0);
  await page.goto(new URL(`/${manifest.action.default_popup}`, page.url()).href);
  await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
  await page.setViewportSize({ width: 320, height: 740 });
  expect(await page.evaluate(() => document.documentElement.offsetWidth)).toBe(360);
  await page.close();
});

test("my device is not found: both vendors", async () => {
  for (const vendor of ["Ledger", "Trezor"]) {
    const page = await alice.approver.visit(`help.html?device=${vendor}`);
    await page.getByRole("list").getByRole("listitem").first().waitFor();
    await isAccessible(page, `help, ${vendor}`);
    await page.close();
  }
});

test("approving: inbox, waiting, reject, a stop, asking, signed", async () => {
  await dave.join();
  await changePolicy(stage.world, { approvers: ["Alice", "Dave"], threshold: 2 });
  const { id } = await send(stage.world);
  const inbox = await alice.approver.visit("inbox.html");
  await inbox.locator(`a[href$="${id}"]`).waitFor();
  await isAccessible(inbox, "inbox");
  for (const holder of [alice, dave]) {
    const page = await holder.openRequest(id);
    await isAccessible(page, `waiting, ${holder.device.vendor}`);
    await page.getByRole("button", { name: "Reject…" }).click();
    await isAccessible(page, "reject");
    await page.reload();
    await holder.confirm(page);
    await isAccessible(page, `asking, ${holder.device.vendor}`);
    await holder.device.decline();
    await page.getByRole("alert").getByText("declined", { exact: true }).waitFor();
    await isAccessible(page, `stopped, ${holder.device.vendor}`);
    await holder.confirm(page);
    await holder.device.readAndSign();
    await page.getByText("Received by the agent").waitFor();
    await isAccessible(page, `approved, ${holder.device.vendor}`);
    await page.close();
  }
  const page = await alice.approver.visit(`approval.html?request=${id}`);
  await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
  await isAccessible(page, "signed");
  await page.goto(page.url().replace(id, "0000000000000000"));
  await page.getByRole("heading", { name: "This request is not here" }).waitFor();
  await isAccessible(page, "not here");
  await page.close();
});

test("changes of people and policy, a drill, a freeze, and people and policy as they are", async () => {
  const { world } = stage;
  const file = await writePolicy(world, { approvers: ["Alice", "Dave"], threshold: 1, maxFee: "0.02" });
  for (const args of [
    ["policy", "propose", file],
    ["members", "remove", "Dave"],
    ["drill", "Treasury-1"],
    ["rotate"],
  ]) {
    const { id, verb } = await motion(world, ...args);
    const page = await alice.openRequest(id);
    await isAccessible(page, verb);
    await page.close();
  }
  const inbox = await alice.approver.visit("inbox.html");
  await inbox.getByRole("button", { name: "Freeze Treasury-1…" }).click();
  await isAccessible(inbox, "freeze, the question");
  await inbox.getByRole("button", { name: "Freeze Treasury-1 now" }).click();
  await inbox.getByText("Received by the agent").waitFor();
  await isAccessible(inbox, "frozen");
  await inbox.goto(inbox.url().replace("inbox.html", "people.html"));
  await inbox.getByText("Dave").first().waitFor();
  await isAccessible(inbox, "people and policy");
  await inbox.close();
  await change(world, "unfreeze");
});

test("the red page", async () => {
  const { id } = await send(stage.world);
  const page = await alice.openRequest(id);
  await markAsLie(page, id);
  await page.reload();
  await page.getByRole("heading", { name: "Do not sign this request" }).waitFor();
  await isAccessible(page, "red page");
  await page.close();
});

/** Writes into the browser's record what a refused request holds: only how it looks matters here. hostile-agent.spec.ts makes real ones. */
async function markAsLie(page: Page, id: string): Promise<void> {
  await page.evaluate(
    async (key) =>
      await new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open("opencustody");
        opening.onerror = () => reject(new Error("no database"));
        opening.onsuccess = () => {
          const requests = opening.result.transaction("requests", "readwrite").objectStore("requests");
          const reading = requests.get(key);
          reading.onsuccess = () => {
            const problem = { code: "ERR_REQUEST_DIFFERS", message: "The amount in the bytes is another one." };
            const stored = { ...(reading.result as object), problem };
            const writing = requests.keyPath === null ? requests.put(stored, key) : requests.put(stored);
            writing.onsuccess = () => resolve();
            writing.onerror = () => reject(new Error("not written"));
          };
        };
      }),
    id,
  );
}

test.each(["Ledger", "Trezor"] as const)("a whole approval on a %s by the keyboard alone", async (vendor) => {
  const holder = vendor === "Ledger" ? alice : dave;
  const { id } = await send(stage.world);
  const page = await holder.approver.visit("inbox.html");
  await page.locator(`a[href$="${id}"]`).waitFor();
  // The inbox may open a request in another tab.
  const opened = Promise.race([
    page.waitForURL(/approval\.html/).then(() => page),
    holder.approver.context.waitForEvent("page"),
  ]);
  await tabTo(page, new RegExp(id), "href");
  await page.keyboard.press("Enter");
  const approval = await opened;
  await approval.getByRole("heading", { name: "Waiting for approvals" }).waitFor();

  const passed = await tabTo(approval, new RegExp(`^Confirm on ${vendor}$`));
  expect(passed.at(-1), "nothing that decides comes before the button").toBe(`Confirm on ${vendor}`);
  expect(passed.some((name) => /^(Reject|Cancel)/.test(name))).toBe(false);
  await approval.keyboard.press("Space");
  await approval.getByRole("heading", { name: `Your ${vendor} asks you now` }).waitFor();
  await holder.device.prompted();
  // A second key stroke meets nothing that withdraws.
  await approval.keyboard.press("Space");
  await approval.keyboard.press("Enter");
  await holder.device.decline();
  await approval.getByRole("alert").getByText("declined", { exact: true }).waitFor();

  await tabTo(approval, new RegExp(`^Confirm on ${vendor}$`));
  await approval.keyboard.press("Enter");
  await holder.device.readAndSign();
  await approval.getByText("Received by the agent").waitFor();
  await approval.close();
});

/** Presses Tab until the focus is on what `pattern` names; each stop on the way must be seen. Returns the names passed. */
async function tabTo(page: Page, pattern: RegExp, by: "text" | "href" = "text"): Promise<string[]> {
  const passed: string[] = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      if (!(element instanceof HTMLElement) || element === document.body) return null;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      const { width, height } = element.getBoundingClientRect();
      return {
        text: element.textContent.trim(),
        href: element.getAttribute("href") ?? "",
        seen: width > 0 && height > 0 && ((outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none"),
      };
    });
    if (focus === null) continue;
    expect(focus.seen, `the focus on "${focus.text}" is seen`).toBe(true);
    passed.push(focus.text);
    if (pattern.test(focus[by])) return passed;
  }
  throw new Error(`Tab never reached ${String(pattern)}; it passed ${passed.join(", ")}`);
}
