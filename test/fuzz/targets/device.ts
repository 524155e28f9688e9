/**
 * What devices answer, through the code that ships: Ledger's USB transport over packets of our making, and Trezor's client over a
 * socket of our making. loader.ts says how both are loaded outside of a browser.
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import type { ApprovalDevice } from "../../../extension/devices/device.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { DeviceFault } from "../../../extension/devices/device.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { connectLedger } from "../../../extension/devices/ledger.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { connectTrezor } from "../../../extension/devices/trezor.ts";
import { DeviceSignatureSchema, EthereumAddressSchema } from "../../../protocol/device-signature.ts";
import { NameSchema } from "../../../protocol/name.ts";
import { join, mutateBytes } from "../mutate-bytes.ts";
import { FakeSuite } from "../suite-socket.ts";
import { given, require, type Target } from "../target.ts";
import { usbDevice } from "../usb-device.ts";
import { mutated } from "./frame.ts";

const PATH = "m/44'/60'/7'/0/0";
const STATEMENT = `SEND 250000.00 USDC TO 0x52908400098527886E0F7030069857D2E4169EE7 ON Ethereum ${"x".repeat(150)}`;
const text = (said: string) => new Uint8Array(Buffer.from(said, "latin1"));
const OK = Uint8Array.of(0x90, 0);
const app = (name: string, version: string) =>
  join(
    Uint8Array.of(1, name.length),
    text(name),
    Uint8Array.of(version.length),
    text(version),
    Uint8Array.of(1, 0),
    OK,
  );
const APPS = [app("Ethereum", "1.22.0"), app("BOLOS", "1.1.0"), app("Bitcoin", "2.4.6")];
const CONFIGS = ["020116009000", "0e010a049000", "020109139000"].map(hexToBytes);
const DIGITS = "52908400098527886E0F7030069857D2E4169EE7";
const ADDRESS_ANSWER = join(Uint8Array.of(65, 4), new Uint8Array(64), Uint8Array.of(40), text(DIGITS), OK);
const SIGNATURE_ANSWER = join(Uint8Array.of(27), new Uint8Array(64).fill(7), OK);
const STATUS = ["6985", "6e00", "5515", "6511", "6a80", "", "90", "00"].map(hexToBytes);
const ANSWERS = [...APPS, ...CONFIGS, ADDRESS_ANSWER, SIGNATURE_ANSWER, ...STATUS, OK];

/** What a device says, and what the person is told: an outcome of the closed list, or a value of the one form. */
export function ledgers(): Target {
  return {
    attempt: async (random) => {
      const isSign = random.once(2);
      const good = [APPS[0], CONFIGS[0], ...(isSign ? [OK, SIGNATURE_ANSWER] : [ADDRESS_ANSWER])];
      const wrong = random.int(good.length + 1);
      const answers = given(
        good.map((answer = OK, at) => {
          if (at !== wrong) return answer;
          return random.once(4) ? random.pick(ANSWERS) : mutateBytes(random, answer, ANSWERS);
        }),
      );
      const usb = usbDevice(answers, random, random.once(4));
      Object.defineProperty(navigator, "usb", { value: usb.manager, configurable: true });
      return await asked(() => connectLedger({ choose: false }), isSign);
    },
  };
}

const FEATURES = { internal_model: "T3T1", major_version: 2, minor_version: 8, patch_version: 9, initialized: true };
const HEX = `${"ab".repeat(64)}1b`;
const SUITE = {
  getFeatures: [
    { success: true, payload: FEATURES },
    { success: true, payload: { ...FEATURES, internal_model: "T1B1" } },
  ],
  ethereumGetAddress: [{ success: true, payload: { address: `0x${DIGITS}` } }],
  ethereumSignMessage: [{ success: true, payload: { address: `0x${DIGITS}`, signature: HEX } }],
};
const FAILURES = ["Failure_ActionCancelled", "Device_Disconnected", "toString", "__proto__", ""].map((code) => ({
  success: false,
  error: { code, message: "no" },
}));
const SAID = [...Object.values(SUITE).flat(), ...FAILURES].map((answer) => JSON.stringify(answer));

export function trezors(): Target {
  return {
    attempt: async (random) => {
      const isSign = random.once(2);
      const wrong = random.int(3);
      let calls = 0;
      FakeSuite.answer = (method, id) => {
        const model = method === "" ? [{ success: true }] : (SUITE[method as keyof typeof SUITE] ?? FAILURES);
        const whole = JSON.stringify({ id, ...random.pick<object>(model) });
        calls += 1;
        if (calls !== wrong * 2 && !random.once(12)) return whole;
        return given(random.once(4) ? `{"id":"${id}",${random.pick(SAID).slice(1)}` : mutated(random, whole, SAID));
      };
      return await asked(connectTrezor, isSign);
    },
  };
}

/** Connects, asks one thing and closes. Whatever it was told, it fails in the one way that it may, or answers in the one form. */
async function asked(connect: () => Promise<ApprovalDevice>, isSign: boolean): Promise<"accepted" | "refused"> {
  let device: ApprovalDevice | undefined;
  try {
    device = await connect();
    require(v.is(NameSchema, device.model) && /^\d+(\.\d+){0,2}$/.test(device.appVersion), "a model of another form");
    const answer = isSign ? await device.signStatement(PATH, STATEMENT) : await device.address(PATH, { show: false });
    require(v.is(isSign ? DeviceSignatureSchema : EthereumAddressSchema, answer), "an answer of another form");
    return "accepted";
  } catch (error) {
    if (!(error instanceof DeviceFault)) throw error;
    require(error.detail.length <= 2_000, "small print that is not small");
    return "refused";
  } finally {
    await device?.close();
  }
}
