/** A simulated Trezor behind a simulated Suite as an approval device, and how each bad moment comes about on it. */
import { generateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import type { Page } from "playwright-core";
import { openDevices } from "../devices/device.ts";
import { asksForMessage, simulatedTrezorHands } from "../devices/trezor/hands.ts";
import { SimulatedSuite } from "../devices/trezor/suite.ts";
import { SimulatedTrezor } from "../devices/trezor/trezor.ts";
import type { SimulatedApprovalDevice, Trouble, TroubleCode } from "./approval-device.ts";
import { retry } from "./retry.ts";

const NAMES = { T1B1: "Trezor One", T3B1: "Trezor Safe 3" } as const;
/** The oldest firmware that shows all of a message, and the one before it. */
const FIRMWARE = { T1B1: { old: "1.10.3", oldest: "1.10.4" }, T3B1: { old: "2.3.4", oldest: "2.3.5" } } as const;
/** Suite's patience and a little more, in the steps in which pings can be answered. Seconds. */
const PATIENCE = { total: 310, step: 5 };

export async function openTrezorDevice(model: keyof typeof NAMES): Promise<SimulatedApprovalDevice> {
  const trezor = new SimulatedTrezor({ model, mnemonic: generateMnemonic(wordlist, 256) });
  const suite = await SimulatedSuite.open(trezor);
  const hands = simulatedTrezorHands(trezor);
  const [unused] = await openDevices(1);
  if (unused === undefined) throw new Error("no device");
  const nothing = () => undefined;
  const before = (spoil: () => unknown, mend: () => unknown = nothing): Trouble => ({ asking: false, spoil, mend });
  const fails = (method: string, code: string) => before(() => suite.fail(method, code));
  const pings = new WeakMap<Page, () => number>();

  const troubles: Readonly<Record<TroubleCode, Trouble | null>> = {
    dashboard: null,
    "app-too-old": null,
    "suite-missing": before(
      () => suite.stop(),
      () => suite.start(),
    ),
    "local-network-blocked": {
      asking: false,
      prepare: deniable,
      spoil: async (page) => {
        await page.evaluate(() => sessionStorage.setItem("denied", "yes"));
        await suite.stop();
      },
      mend: async (page) => {
        await page.evaluate(() => sessionStorage.clear());
        await suite.start();
      },
    },
    "not-connected": before(
      () => trezor.unplug(),
      () => trezor.plug(),
    ),
    "no-permission": fails("getFeatures", "Method_PermissionsNotGranted"),
    "in-use": fails("getFeatures", "Device_UsedElsewhere"),
    locked: before(
      () => trezor.lock(),
      () => trezor.unlock(),
    ),
    "wrong-app": before(() => suite.plan("getFeatures", (id) => [featuresNotSetUp(id, trezor)])),
    "firmware-too-old": {
      ...before(
        () => {
          suite.trezor = new SimulatedTrezor({
            model,
            firmware: FIRMWARE[model].old,
            mnemonic: generateMnemonic(wordlist, 256),
          });
        },
        () => {
          suite.trezor = trezor;
        },
      ),
      words: FIRMWARE[model],
    },
    "wrong-device": before(
      () => trezor.usePassphrase("another wallet"),
      () => trezor.usePassphrase(""),
    ),
    "too-long": fails("ethereumSignMessage", "Failure_DataError"),
    unknown: fails("ethereumSignMessage", "Something_New"),
    declined: { asking: true, spoil: async () => await hands.decline(), mend: nothing },
    cancelled: { asking: true, spoil: () => trezor.cancel(), mend: nothing },
    unplugged: { asking: true, spoil: () => trezor.unplug(), mend: () => trezor.plug() },
    "timed-out": {
      asking: true,
      prepare: async (page) => {
        pings.set(page, countPings(page));
        await page.clock.install();
      },
      spoil: async (page) => {
        for (let at = 0; at < PATIENCE.total; at += PATIENCE.step) {
          await page.clock.runFor(PATIENCE.step * 1000);
          await retry(async () => {
            if (pings.get(page)?.() !== 0) throw new Error("a ping is not answered");
          });
        }
      },
      mend: async (page) => await page.clock.setSystemTime(Date.now()),
    },
  };

  return {
    vendor: "Trezor",
    model: NAMES[model],
    usb: unused,
    suite: suite.port,
    prompts: () => trezor.prompts,
    signatures: () => trezor.signatures,
    prompted: async () => await hands.waitForScreen(asksForMessage),
    asking: () => trezor.asking,
    readAndSign: async () => await hands.readAndSign(),
    decline: async () => await hands.decline(),
    confirmAddress: async () => await hands.confirmAddress(),
    address: async () => trezor.address(),
    troubles: () => troubles,
    close: async () => await suite.stop(),
  };
}

/** The browser's answer about local addresses, denied while a mark is set. */
async function deniable(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const query = navigator.permissions.query.bind(navigator.permissions);
    navigator.permissions.query = async (what) =>
      sessionStorage.getItem("denied") === null ? await query(what) : ({ state: "denied" } as PermissionStatus);
  });
}

/** Pings that the page has sent, less the pongs that it was sent. A ping left unanswered ends the connection. */
function countPings(page: Page): () => number {
  let open = 0;
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => {
      if (String(payload).includes('"ping"')) open += 1;
    });
    socket.on("framereceived", ({ payload }) => {
      if (String(payload).includes('"pong"')) open -= 1;
    });
  });
  return () => open;
}

function featuresNotSetUp(id: string, trezor: SimulatedTrezor): unknown {
  const features = trezor.features();
  const payload = features.success ? { ...features.payload, initialized: false } : {};
  return { id, success: true, payload };
}
