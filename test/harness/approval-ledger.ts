/** A simulated Ledger as an approval device, and how each bad moment comes about on it. What no recording backs is answered as injected. */
import { generateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import type { Page } from "playwright-core";
import { answer, counted } from "../devices/apdu.ts";
import { simulatedDevice } from "../devices/device.ts";
import { asksForMessage, confirmAddress, decline, readAndSign } from "../devices/hands.ts";
import { SimulatedLedger } from "../devices/ledger-app.ts";
import type { Device } from "../devices/ledger-device.ts";
import type { AppVersion, Model } from "../devices/screen.ts";
import type { SimulatedApprovalDevice, Trouble } from "./approval-device.ts";
import type { Approver } from "./approver.ts";

const NAMES: Readonly<Record<Model, string>> = {
  nanosp: "Ledger Nano S Plus",
  nanox: "Ledger Nano X",
  flex: "Ledger Flex",
};
const TEN_MINUTES = 10 * 60_000;

/** Answers an APDU in the device's place; undefined lets the device answer. */
type Instead = (ins: number) => Uint8Array | undefined;

export function openLedger(model: Model, version: AppVersion): SimulatedApprovalDevice {
  const ledger = newLedger(model, version);
  const plain = simulatedDevice(ledger, "own");
  let instead: Instead = () => undefined;
  let prompts = 0;
  const usb: Device = {
    ...plain,
    exchange: async (apdu) => {
      const [cla, ins = 0, p1] = apdu;
      const other = instead(ins);
      if (other !== undefined) return other;
      if (cla === 0xe0 && ins === SIGN && p1 === 0) prompts += 1;
      return await plain.exchange(apdu);
    },
  };
  const ready = () => {
    ledger.openApp("Ethereum");
    ledger.unlock();
    instead = () => undefined;
  };
  const before = (spoil: (page: Page) => unknown, mend: () => unknown = ready): Trouble => ({
    asking: false,
    spoil,
    mend,
  });

  const troubles = (approver: Approver): ReturnType<SimulatedApprovalDevice["troubles"]> => {
    const { bus } = approver;
    const stranger = simulatedDevice(newLedger(model, version), "stranger");
    const first = bus.choose;
    const plugged = () => {
      ready();
      bus.choose = first;
      bus.plug(usb);
    };
    let letGo = (): void => undefined;
    return {
      "suite-missing": null,
      "local-network-blocked": null,
      "firmware-too-old": null,
      cancelled: null,
      "not-connected": {
        ...before(() => ledger.lock(), plugged),
        after: async (page) => {
          await page.getByRole("alert").getByText("Your Ledger is locked.").waitFor();
          bus.unplug(usb);
        },
      },
      "no-permission": before(() => {
        bus.unplug(usb);
        bus.choose = () => undefined;
      }, plugged),
      "in-use": before(
        () => {
          letGo = bus.holdElsewhere(usb);
        },
        () => letGo(),
      ),
      locked: before(() => ledger.lock()),
      dashboard: before(() => ledger.openApp("BOLOS")),
      "wrong-app": before(() => ledger.openApp("Bitcoin")),
      "app-too-old": before(() => {
        instead = (ins) => OLD_APP.get(ins);
      }),
      "wrong-device": before(
        () => {
          bus.unplug(usb);
          bus.plug(stranger);
        },
        () => {
          bus.unplug(stranger);
          plugged();
        },
      ),
      "too-long": before(() => {
        instead = (ins) => (ins === SIGN ? answer(0x6a84) : undefined);
      }),
      unknown: before(() => {
        instead = (ins) => (ins === SIGN ? answer(0x6f42) : undefined);
      }),
      declined: { asking: true, spoil: async () => await decline(plain.hands), mend: () => undefined },
      unplugged: { asking: true, spoil: () => bus.unplug(usb), mend: plugged },
      "timed-out": {
        asking: true,
        stillAsks: true,
        prepare: async (page) => await page.clock.install(),
        spoil: async (page) => await page.clock.runFor(TEN_MINUTES),
        mend: async (page) => await page.clock.setSystemTime(Date.now()),
      },
    };
  };

  return {
    vendor: "Ledger",
    model: NAMES[model],
    usb,
    suite: null,
    prompts: () => prompts,
    signatures: () => ledger.signatures,
    prompted: async () => await plain.hands.waitForScreen(asksForMessage),
    asking: () => ledger.reviewing,
    readAndSign: async () => await readAndSign(plain.hands),
    decline: async () => await decline(plain.hands),
    confirmAddress: async () => await confirmAddress(plain.hands),
    address: async () => await plain.address(),
    troubles,
    close: async () => undefined,
  };
}

const CONFIGURATION = 0x06;
const SIGN = 0x08;
const APP = 0x01;
const OK = 0x9000;

const text = (words: string) => new TextEncoder().encode(words);
/** The last version that does not show a whole message. */
const OLD_APP: ReadonlyMap<number, Uint8Array> = new Map([
  [APP, answer(OK, Uint8Array.of(0x01, ...counted(text("Ethereum"), text("1.9.19"), Uint8Array.of(0x02))))],
  [CONFIGURATION, answer(OK, Uint8Array.of(0x02, 1, 9, 19))],
]);

function newLedger(model: Model, appVersion: AppVersion): SimulatedLedger {
  return new SimulatedLedger({ model, appVersion, mnemonic: generateMnemonic(wordlist, 256) });
}
