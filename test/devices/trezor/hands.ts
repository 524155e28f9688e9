/**
 * A person's hands and eyes on a Trezor: reads its screens, presses, and knows how to sign, decline and confirm an address. On a
 * simulated one they press by themselves; on a real one they say what to press, and a person does it.
 */

import type { TrezorModel } from "./review.ts";
import type { SimulatedTrezor } from "./trezor.ts";

const PATIENCE_MS = 120_000;

export interface TrezorHands {
  /** Undefined where a person says so by what is in their hand. */
  readonly model: TrezorModel | undefined;
  /** The lines shown now: a title, text, then what the buttons say; none from a real device. */
  screen(): string[];
  /** Resolves with the first screen that `accept` takes. @throws when none comes in two minutes. */
  waitForScreen(accept: (lines: string[]) => boolean): Promise<string[]>;
  press(button: "left" | "right"): void;
  tap(label: string): void;
  /**
   * Waits for a message, reads every page and signs. With `skip`, leaves out what the device lets one leave out. Returns the screens read.
   */
  readAndSign(options?: { skip?: boolean }): Promise<string[][]>;
  /** Declines what is asked, or will be. */
  decline(): Promise<void>;
  /** Reads the address on the screen and confirms it. Returns 0x and 40 hex digits; "" where only the person has read it. */
  confirmAddress(): Promise<string>;
}

/** The first screen of a message's review. */
export const asksForMessage = (lines: string[]): boolean =>
  /^(Confirm message signing\?|Signing address)$/.test(lines[0] ?? "");
/** The screen of an address. */
export const asksForAddress = (lines: string[]): boolean => lines[0] === "Confirm address?";
const asks = (lines: string[]) => lines.includes("Cancel");

/** The text of the message among screens that were read, without titles and buttons, as it ran over the pages. */
export function messageText(screens: readonly string[][]): string {
  return screens
    .filter(([title]) => /^(Sign|Confirm) (binary )?message\??$/.test(title ?? ""))
    .flatMap((lines) => lines.slice(1, lines.indexOf("Cancel")).filter((line) => line !== "Skip"))
    .join("");
}

export function simulatedTrezorHands(trezor: SimulatedTrezor): TrezorHands {
  const waitForScreen = (accept: (lines: string[]) => boolean) =>
    new Promise<string[]>((resolve, reject) => {
      const look = () => {
        const lines = trezor.screen();
        if (!accept(lines)) return;
        stop();
        clearTimeout(patience);
        resolve(lines);
      };
      const stop = trezor.onChange(look);
      const patience = setTimeout(() => {
        stop();
        reject(new Error(`the device still shows: ${trezor.screen().join(" | ")}`));
      }, PATIENCE_MS);
      look();
    });
  return {
    model: trezor.model,
    screen: () => trezor.screen(),
    waitForScreen,
    press: (button) => trezor.press(button),
    tap: (label) => trezor.tap(label),
    readAndSign: async ({ skip = false } = {}) => {
      const read = [await waitForScreen(asksForMessage)];
      for (;;) {
        const lines = read.at(-1) ?? [];
        const last = ["Sign", "Hold to sign"].includes(lines.at(-1) ?? "");
        if (skip && lines.includes("Skip")) trezor.tap("Skip");
        else trezor.press("right");
        if (last) return read;
        read.push(trezor.screen());
      }
    },
    decline: async () => {
      await waitForScreen(asks);
      trezor.press("left");
    },
    confirmAddress: async () => {
      const lines = await waitForScreen(asksForAddress);
      trezor.press("right");
      return lines.slice(1, lines.indexOf("Cancel")).join("");
    },
  };
}

/** Hands for a Trezor behind whatever listens on Suite's port: `say` is how the person learns what to do. */
export function humanTrezorHands(say: (text: string) => void): TrezorHands {
  return {
    model: undefined,
    screen: () => [],
    waitForScreen: async () => {
      say("Wait until your Trezor asks.");
      return [];
    },
    press: (button) => say(`Press the ${button} button of your Trezor.`),
    tap: (label) => say(`Touch "${label}" on your Trezor.`),
    readAndSign: async () => {
      say("Allow it in Trezor Suite; read every page on your Trezor, and sign.");
      return [];
    },
    decline: async () => say("Allow it in Trezor Suite; then cancel on your Trezor."),
    confirmAddress: async () => {
      say("Allow it in Trezor Suite; read the address on your Trezor, and confirm it.");
      return "";
    },
  };
}
