/**
 * The demo: everything real but the three Ledgers. With a display it opens a browser and a device window for each approver and
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
import { confirmFounder, motion, writePolicy } from "./harness/company.ts";
import { readWords } from "./harness/extension-pages.ts";
import { ROOT } from "./harness/program.ts";
import { DESTINATION, type RequestView, send, waitForRequest } from "./harness/requests.ts";
import { makeWorld, type World } from "./harness/world.ts";

const NAMES = ["Alice", "Bob", "Carol"] as const;
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

interface Person {
  readonly approver: Approver;
  readonly screen: Page | undefined;
}

async function run(): Promise<void> {
  if (!headed) mkdirSync(pictures, { recursive: true });
  say("1. A SoftHSM token, an HSM identity, a vault key, an agent and a bridge.");
  const roles = ["approver", "admin"] as const;
  const starting = makeWorld({
    people: [{ name: "Olga", roles: ["initiator"] }, ...NAMES.map((name) => ({ name, roles }))],
  });
  undo.push(async () => await (await starting).dispose());
  const world = await starting;
  say(`   HSM fingerprint ${world.fingerprint}`);
  say(`vault address ${world.vault.address}`);

  say("2. Three founders, each with a browser profile of their own and a simulated Ledger.");
  const people = await openPeople(world);
  const [alice, bob, carol] = people;
  if (alice === undefined || bob === undefined || carol === undefined) throw new Error("somebody is missing");
  const founding = await pairEverybody(world, people);

  say("3. The founding: everybody signs people, policy and the HSM's identity on their own device.");
  await decideAll(world, founding, people, "founding");
  await each(people, async ({ approver }) => await approver.counted());

  say(`4. Olga proposes ${AMOUNT} ETH: opencustody request send`);
  const transfer = await send(world, { amount: AMOUNT });
  if (!headed) {
    const inbox = await alice.approver.visit("inbox.html");
    await inbox.getByRole("link", { name: /^Send 1\.50 ETH/ }).waitFor();
    await picture(inbox, "Alice-inbox");
    await inbox.close();
  }
  await decideAll(world, transfer, [alice, bob], "transfer");
  await showSigned(world, transfer.id);

  say("5. Olga proposes a lower fee cap: opencustody policy propose");
  const file = await writePolicy(world, { approvers: NAMES, threshold: 2, maxFee: "0.006" });
  await decideAll(world, await motion(world, "policy", "propose", file), [bob, carol], "policy");

  say("6. Carol stops everything, alone and without a device. Two admins lift it on theirs.");
  await freeze(world, carol.approver);
  await decideAll(world, await motion(world, "unfreeze"), [alice, carol], "unfreeze");
  if (headed) {
    say("Close this with Ctrl-C.");
    await new Promise(() => {});
  }
  say(`pictures of each step are in ${pictures}`);
}

/** A browser, a device and its window for each. */
async function openPeople(world: World): Promise<Person[]> {
  const devices = await openDevices(NAMES.length, { models: ["nanosp", "flex", "nanosp"] });
  const screens = headed ? undefined : await openScreens();
  const people: Person[] = [];
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
    people.push({ approver, screen });
  }
  return people;
}

/** Everybody pairs, enrols a device, and reads six words that the operator types. Returns the founding's request. */
async function pairEverybody(world: World, people: readonly Person[]): Promise<RequestView> {
  let founding: string | null = null;
  await each(people, async ({ approver }) => {
    const { name } = approver;
    await (await approver.pair(world.invites.get(name) ?? "")).close();
    const page = await approver.enrol();
    const words = await readWords(page);
    await picture(page, `${name}-words`);
    await page.close();
    say(`   ${name} has paired, has enrolled ${await approver.device.address()} and reads: ${words}`);
    const { request } = await confirmFounder(world, name, words);
    founding ??= request;
  });
  return await waitForRequest(world, founding ?? "", ({ state }) => state !== "proposed");
}

/** These people approve it, by the demo's hands or their own. Resolves once it took effect. */
async function decideAll(world: World, request: RequestView, people: readonly Person[], what: string): Promise<void> {
  say(`   ${request.statement}`);
  if (headed) say("   Read the page, press Confirm on Ledger, and use the buttons of the device window.");
  await each(people, async (person) => await decide(person, request.id, what));
  const { state, problem } = await waitForRequest(
    world,
    request.id,
    (now) => !["proposed", "pending", "approved"].includes(now.state),
  );
  if (state !== "signed" && state !== "enacted") throw new Error(`the request is ${state} ${problem ?? ""}`);
}

/** One after the other where people press the buttons, and all at once where nobody does. */
async function each(people: readonly Person[], work: (person: Person) => Promise<void>): Promise<void> {
  if (!headed) await Promise.all(people.map(work));
  else for (const person of people) await work(person);
}

async function decide({ approver, screen }: Person, id: string, what: string): Promise<void> {
  const { name } = approver;
  const page = await approver.openRequest(id);
  if (headed) return;
  await picture(page, `${name}-${what}`);
  let asked = 0;
  const hands = pictured(approver.device.hands, async () => {
    asked += 1;
    // The first pages say what it is.
    if (asked > 2) return;
    await picture(page, `${name}-${what}-asked`);
    if (screen !== undefined) await picture(screen, `${name}-${what}-device`);
  });
  const read = await approver.approve(page, hands);
  if (what === "transfer") say(read.map((lines) => `   ${name}'s Ledger: ${lines.join(" | ")}`).join("\n"));
  await page.getByText("Received by the agent").waitFor();
  await picture(page, `${name}-${what}-received`);
  await page.close();
}

async function showSigned(world: World, id: string): Promise<void> {
  const { signed } = await waitForRequest(world, id, (request) => request.signed !== null);
  const raw = signed as `0x02${string}`;
  const { value, nonce } = parseTransaction(raw);
  const sender = await recoverTransactionAddress({ serializedTransaction: raw });
  const isVault = sender === world.vault.address;
  say("   The HSM has signed it.");
  say(`signed transaction ${signed}`);
  say(
    `   ${value} wei to ${DESTINATION}, nonce ${nonce}, sender ${sender}: ${isVault ? "the vault" : "NOT the vault"}`,
  );
  if (!isVault) throw new Error("the signed transaction is not the vault's");
}

/** In the page, and then the agent's word for it. */
async function freeze(world: World, approver: Approver): Promise<void> {
  const inbox = await approver.visit("inbox.html");
  if (headed) say(`   ${approver.name}: press Freeze everything in the inbox.`);
  else {
    await inbox.getByRole("button", { name: "Freeze everything…" }).click();
    await inbox.getByRole("button", { name: "Freeze everything now" }).click();
  }
  await inbox.getByText(`Everything is frozen: by ${approver.name}`).waitFor({ timeout: headed ? 0 : 30_000 });
  await picture(inbox, `${approver.name}-frozen`);
  await inbox.close();
  const { frozen } = await world.json<{ frozen: { by: string }[] }>("status");
  say(`   frozen by ${frozen.map(({ by }) => by).join(", ")}`);
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
