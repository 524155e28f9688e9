/**
 * The demo: everything real but the two Ledgers. With a display it opens a browser and a device window for each approver and
 * people press the buttons; without one it runs by itself, headless, and leaves pictures of each step.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { parseTransaction, recoverTransactionAddress } from "viem";
import { chromiumArgs, chromiumPath } from "./devices/chromium.ts";
import { openDevices } from "./devices/device.ts";
import type { Hands } from "./devices/hands.ts";
import { openDeviceWindow } from "./devices/window.ts";
import { Approver } from "./harness/approver.ts";
import { ROOT } from "./harness/program.ts";
import { addInitiator, DESTINATION, makeTreasury, makeWorld, send, waitForRequest } from "./harness/world.ts";

const NAMES = ["Alice", "Bob"] as const;
const AMOUNT = "1.5";

const headed = process.env["DISPLAY"] !== undefined || process.env["WAYLAND_DISPLAY"] !== undefined;
const pictures = join(ROOT, "out", `demo-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`);

/** What to undo at the end, last first. */
const undo: (() => Promise<void>)[] = [];
let stopping: Promise<void> | undefined;
const stop = async (): Promise<void> => {
  stopping ??= (async () => {
    for (const step of undo.toReversed()) await step().catch(() => undefined);
  })();
  await stopping;
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stop().then(() => process.exit(130)));
}

let count = 0;
async function picture(page: Page, what: string): Promise<void> {
  if (headed) return;
  count += 1;
  await page.screenshot({ path: join(pictures, `${String(count).padStart(2, "0")}-${what}.png`), fullPage: true });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  await run();
  await stop();
} catch (error) {
  if (stopping === undefined) {
    process.stderr.write(`The demo did not finish: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
    await stop();
  }
}

async function run(): Promise<void> {
  if (!headed) mkdirSync(pictures, { recursive: true });
  say("1. A SoftHSM token, an HSM identity, an agent and a bridge.");
  const starting = makeWorld();
  undo.push(async () => await (await starting).dispose());
  const world = await starting;
  say(`   HSM fingerprint ${world.fingerprint}`);
  const key = await addInitiator(world, "Olga");

  say("2. Two approvers, each with a browser profile of their own and a simulated Ledger.");
  const devices = await openDevices(2, { models: ["nanosp", "flex"] });
  const screens = headed ? undefined : await openScreens();
  const approvers: { approver: Approver; screen: Page | undefined }[] = [];
  for (const [at, name] of NAMES.entries()) {
    const device = devices[at];
    if (device === undefined) throw new Error("a device is missing");
    const opening = Approver.open(world, name, { device, headed });
    undo.push(async () => await (await opening).close());
    const approver = await opening;
    const window = await openDeviceWindow(device, { title: `${name}'s Ledger` });
    undo.push(async () => await window.close());
    const screen = headed ? await showWindow(window.url) : await screens?.newPage();
    if (screen !== undefined && headed) await place(screen, at, "device");
    const [first] = approver.context.pages();
    if (first !== undefined && headed) await place(first, at, "browser");
    await screen?.goto(window.url);
    approvers.push({ approver, screen });
    const { code } = await world.json<{ code: string }>("invite", name, "--role", "approver");
    const pairing = await approver.pair(code);
    await picture(pairing, `${name}-paired`);
    await pairing.close();
    const enrolment = await approver.enrol();
    await approver.confirmedOn(enrolment);
    await picture(enrolment, `${name}-enrolled`);
    await enrolment.close();
    say(`   ${name} has paired and enrolled ${await device.address()}`);
  }

  say("3. A vault key in the HSM, and a policy: two of Alice and Bob.");
  const vault = await makeTreasury(world, [...NAMES], 2);
  say(`vault address ${vault.address}`);

  say(`4. Olga proposes ${AMOUNT} ETH: opencustody request send`);
  const { id, statement } = await send(world, { key, amount: AMOUNT });
  say(`   ${statement}`);

  for (const { approver, screen } of approvers) {
    const inbox = await approver.visit("inbox.html");
    await inbox.getByRole("link", { name: /^Send 1\.50 ETH/ }).waitFor();
    await picture(inbox, `${approver.name}-inbox`);
    await inbox.close();
    const page = await approver.openRequest(id);
    await picture(page, `${approver.name}-request`);
    if (headed) continue;
    const hands = pictured(approver.device.hands, async () => {
      await picture(page, `${approver.name}-asked`);
      if (screen !== undefined) await picture(screen, `${approver.name}-device`);
    });
    for (const lines of await approver.approve(page, hands)) say(`   ${approver.name}'s Ledger: ${lines.join(" | ")}`);
    await page.getByText("Received by the agent").waitFor();
    await picture(page, `${approver.name}-received`);
  }
  if (headed)
    say("5. Both approvers: read the page, press Confirm on Ledger, and use the buttons of the device window.");

  const { signed, state } = await waitForRequest(
    world,
    id,
    (request) => !["proposed", "pending", "approved"].includes(request.state),
  );
  if (signed === null) throw new Error(`the request is ${state}`);
  for (const { approver } of approvers) {
    const page = approver.context.pages().at(-1);
    await page?.getByRole("heading", { name: "Signed", exact: true }).waitFor();
    if (page !== undefined) await picture(page, `${approver.name}-signed`);
  }
  const raw = signed as `0x02${string}`;
  const { value, nonce } = parseTransaction(raw);
  const sender = await recoverTransactionAddress({ serializedTransaction: raw });
  say("6. The HSM has signed it.");
  say(`signed transaction ${signed}`);
  say(
    `   ${value} wei to ${DESTINATION}, nonce ${nonce}, recovered sender ${sender}: ${sender === vault.address ? "the vault" : "NOT the vault"}`,
  );
  if (sender !== vault.address) throw new Error("the signed transaction is not the vault's");
  if (headed) {
    say("Close this with Ctrl-C.");
    await new Promise(() => {});
  }
  say(`pictures of each step are in ${pictures}`);
}

/** The device's own screen after each press, in pictures. */
function pictured(hands: Hands, snap: () => Promise<void>): Hands {
  const after = async <T>(done: Promise<T>): Promise<T> => {
    const result = await done;
    await snap();
    return result;
  };
  return {
    ...hands,
    press: async (button) => await after(hands.press(button)),
    tap: async (label) => await after(hands.tap(label)),
    turn: async (to) => await after(hands.turn(to)),
  };
}

async function openScreens(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs() });
  undo.push(async () => await browser.close());
  return browser;
}

/** A browser window of its own that shows only the device. */
async function showWindow(url: string): Promise<Page> {
  const browser = await chromium.launchPersistentContext("", {
    executablePath: chromiumPath(),
    headless: false,
    viewport: null,
    args: [...chromiumArgs(), `--app=${url}`],
  });
  undo.push(async () => await browser.close());
  return browser.pages()[0] ?? (await browser.newPage());
}

/** A row of the display for each approver: the browser on the left, the device beside it. */
async function place(page: Page, row: number, side: "browser" | "device"): Promise<void> {
  const [width, height] = await page.evaluate(() => [screen.availWidth, screen.availHeight] as const);
  const split = Math.round(width * 0.66);
  const bounds = {
    left: side === "browser" ? 0 : split,
    top: Math.round((row * height) / NAMES.length),
    width: side === "browser" ? split : width - split,
    height: Math.round(height / NAMES.length),
  };
  const session = await page.context().newCDPSession(page);
  const { windowId } = await session.send("Browser.getWindowForTarget");
  await session.send("Browser.setWindowBounds", { windowId, bounds });
}
