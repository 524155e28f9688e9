/**
 * The Trezor that end-to-end tests and the demo use: a simulated Suite on a port of its own, to which a browser's switches map the port
 * that the shipped extension has; or, with `TREZOR_SUITE=1`, whatever listens on Suite's port of this machine, and a person's hands.
 */

import { generateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { humanTrezorHands, simulatedTrezorHands, type TrezorHands } from "./hands.ts";
import type { TrezorModel } from "./review.ts";
import { SimulatedSuite, SUITE_PORT } from "./suite.ts";
import { SimulatedTrezor } from "./trezor.ts";

export interface TrezorSetup {
  readonly hands: TrezorHands;
  readonly port: number;
  /** The simulated ones, for what only they can do; undefined where a real Suite is used. */
  readonly suite: SimulatedSuite | undefined;
  readonly trezor: SimulatedTrezor | undefined;
  close(): Promise<void>;
}

/** A simulated Trezor with a new seed unless one is given. All options are ignored with `TREZOR_SUITE=1`. */
export async function openTrezor(
  options: { model?: TrezorModel; mnemonic?: string; firmware?: string } = {},
): Promise<TrezorSetup> {
  if (process.env["TREZOR_SUITE"] === "1") {
    const hands = humanTrezorHands((text) => void process.stderr.write(`\n>>> ${text}\n`));
    return { hands, port: SUITE_PORT, suite: undefined, trezor: undefined, close: async () => undefined };
  }
  const trezor = new SimulatedTrezor({
    model: options.model ?? "T1B1",
    mnemonic: options.mnemonic ?? generateMnemonic(wordlist, 256),
    ...(options.firmware === undefined ? {} : { firmware: options.firmware }),
  });
  const suite = await SimulatedSuite.open(trezor);
  return { hands: simulatedTrezorHands(trezor), port: suite.port, suite, trezor, close: () => suite.stop() };
}

/** What Chromium's `--host-resolver-rules` needs so that Suite's fixed address leads to `port`. */
export function suiteRule(port: number): string {
  return `MAP 127.0.0.1:${SUITE_PORT} 127.0.0.1:${port}`;
}
