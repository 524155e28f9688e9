/**
 * A simulated Trezor, as Suite drives it: one question at a time on its screen, a key of its own, and a signature over the bytes whose
 * pages were shown and accepted, nothing else. It speaks no USB: that is Suite's side of it.
 */

import { Wallet } from "../wallet.ts";
import { addressPages, linesOf, messagePages, type Page, Review, type TrezorModel } from "./review.ts";

/** What the device answers to a call: a result, or a failure with the code that Suite passes on. */
export type Result =
  | { readonly success: true; readonly payload: Readonly<Record<string, unknown>> }
  | { readonly success: false; readonly code: string; readonly message: string };

export interface TrezorOptions {
  readonly model: TrezorModel;
  readonly mnemonic: string;
  /** Default: 1.14.2 for a Trezor One, 2.8.9 for others. */
  readonly firmware?: string;
}

/** Above it a Trezor One fails with nothing shown (measured). Bytes. */
const MAX_MESSAGE_ONE = 1024;
const HARDENED = 0x80000000;

export class SimulatedTrezor {
  readonly model: TrezorModel;
  readonly firmware: string;
  /** Every screen that was opened since the last question came up, in order. */
  visited: string[][] = [];
  /** How many questions came up on the screen, and how many signatures were made. */
  prompts = 0;
  signatures = 0;
  readonly #mnemonic: string;
  readonly #listeners = new Set<() => void>();
  #wallet: Wallet;
  #state: "ready" | "locked" | "unplugged" = "ready";
  #review: Review | undefined;
  #shown: Page | undefined;
  #decide: ((decision: "accept" | "reject" | Result) => void) | undefined;

  constructor({ model, mnemonic, firmware }: TrezorOptions) {
    this.model = model;
    this.firmware = firmware ?? (model === "T1B1" ? "1.14.2" : "2.8.9");
    this.#mnemonic = mnemonic;
    this.#wallet = new Wallet(mnemonic);
  }

  /** What the glass shows, as lines: a title, text, then what the buttons say. */
  screen(): string[] {
    const page = this.#review?.page();
    if (page !== undefined) return linesOf(page);
    return this.#state === "locked" ? ["Please enter PIN"] : [this.#state === "unplugged" ? "" : "Trezor"];
  }

  get asking(): boolean {
    return this.#review !== undefined;
  }

  /** Calls `listener` after every change of the screen. Returns what stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The person.

  /** A Trezor One's buttons; on others, a touch of the label on that side. */
  press(button: "left" | "right"): void {
    const page = this.#review?.page();
    if (page !== undefined) this.tap(page[button]);
  }

  /** A touch of a label; on a Trezor One, the button below it. A label that is not there does nothing. */
  tap(label: string): void {
    const decision = this.#review?.handle(label);
    if (decision === undefined) this.#show();
    else this.#decide?.(decision);
  }

  /** The wallet of these words and this passphrase: another address for every passphrase. */
  usePassphrase(passphrase: string): void {
    this.#wallet = new Wallet(this.#mnemonic, passphrase);
  }

  /** Not measured: what a question under way is answered. */
  lock(): void {
    this.#become("locked", "Failure_PinCancelled", "PIN entry cancelled");
  }

  unlock(): void {
    this.#become("ready", "Failure_ActionCancelled", "Action cancelled by user");
  }

  unplug(): void {
    this.#become("unplugged", "Device_Disconnected", "Device disconnected");
  }

  plug(): void {
    this.#become("ready", "Device_Disconnected", "Device disconnected");
  }

  // Suite.

  features(): Result {
    if (this.#state === "unplugged") return failure("Device_NotFound", "Device not found");
    const [major, minor, patch] = this.firmware.split(".").map(Number);
    return {
      success: true,
      payload: {
        vendor: "trezor.io",
        internal_model: this.model,
        major_version: major,
        minor_version: minor,
        patch_version: patch,
        bootloader_mode: null,
        initialized: true,
        unlocked: this.#state === "ready",
      },
    };
  }

  async getAddress(path: string, show: boolean): Promise<Result> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return refusal;
    const address = `0x${this.#account(path).address}`;
    const result: Result = { success: true, payload: { address, path: indices(path), serializedPath: path } };
    return show ? await this.#ask(new Review(addressPages(this.model, address)), () => result) : result;
  }

  async signMessage(path: string, text: string): Promise<Result> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return refusal;
    const message = new TextEncoder().encode(text);
    if (this.model === "T1B1" && message.length > MAX_MESSAGE_ONE)
      return failure("Failure_DataError", "bytes overflow");
    const account = this.#account(path);
    const address = `0x${account.address}`;
    return await this.#ask(new Review(messagePages(this.model, address, message)), () => {
      this.signatures += 1;
      const [v = 0, ...rs] = account.signMessage(message);
      return { success: true, payload: { address, signature: Buffer.from([...rs, v]).toString("hex") } };
    });
  }

  /** Suite takes the question back. */
  cancel(code = "Method_Interrupted"): void {
    this.#decide?.(failure(code, "Popup closed"));
  }

  /** The address at `path` under the passphrase in use: 0x and 40 hex digits with EIP-55 capitals. */
  address(path = "m/44'/60'/7'/0/0"): string {
    return `0x${this.#account(path).address}`;
  }

  #account(path: string) {
    return this.#wallet.account(indices(path));
  }

  #refusal(): Result | undefined {
    if (this.#state === "unplugged") return failure("Device_NotFound", "Device not found");
    if (this.#state === "locked") return failure("Failure_PinExpected", "PIN expected");
    return this.asking ? failure("Device_CallInProgress", "Device call in progress") : undefined;
  }

  async #ask(review: Review, onAccept: () => Result): Promise<Result> {
    this.visited = [];
    this.prompts += 1;
    this.#review = review;
    const decision = await new Promise<"accept" | "reject" | Result>((resolve) => {
      this.#decide = resolve;
      this.#show();
    });
    this.#review = undefined;
    this.#decide = undefined;
    this.#show();
    if (decision === "accept") return onAccept();
    return decision === "reject" ? failure("Failure_ActionCancelled", "Action cancelled by user") : decision;
  }

  #become(state: "ready" | "locked" | "unplugged", code: string, message: string): void {
    this.#state = state;
    this.#decide?.(failure(code, message));
    this.#show();
  }

  #show(): void {
    // Two pages may read alike: pages are told apart by identity.
    const page = this.#review?.page();
    if (page !== undefined && page !== this.#shown) this.visited.push(linesOf(page));
    this.#shown = page;
    for (const listener of this.#listeners) listener();
  }
}

function failure(code: string, message: string): Result {
  return { success: false, code, message };
}

/** `m/44'/60'/7'/0/0` as u32, hardened ones with bit 31 set. */
function indices(path: string): number[] {
  return path
    .split("/")
    .slice(1)
    .map((step) => Number.parseInt(step, 10) + (step.endsWith("'") ? HARDENED : 0));
}
