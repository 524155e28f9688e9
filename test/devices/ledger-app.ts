/**
 * A simulated Ledger with its Ethereum app, at the level of APDUs, screens and gestures. Status words, screens and signatures are
 * those of vectors/; what is not measured says so where it stands. It has a key of its own, and signs only the bytes from which the
 * screens of the accepted review were made. It does not frame USB packets (hid.ts, usb.ts).
 */

import { type Apdu, answer, counted, parseApdu, Refusal, STATUS } from "./apdu.ts";
import { EthereumApp } from "./ethereum-app.ts";
import { homeScreen, type OpenApp } from "./home.ts";
import { Prompt } from "./prompt.ts";
import type { Gesture } from "./review.ts";
import { type AppVersion, arrowAt, type Button, labelAt, type Model, type Screen, textOf } from "./screen.ts";
import { Wallet } from "./wallet.ts";

export interface LedgerOptions {
  readonly model: Model;
  readonly appVersion: AppVersion;
  readonly mnemonic: string;
}

export class SimulatedLedger {
  readonly model: Model;
  readonly version: AppVersion;
  readonly #prompt = new Prompt(() => this.#changed());
  readonly #ethereum: EthereumApp;
  readonly #listeners = new Set<() => void>();
  #app: OpenApp = { name: "Ethereum", refusal: STATUS.otherApp };
  #locked = false;

  /** @throws when 1.10.4 is asked of a Flex, which never ran it, or the mnemonic is wrong. */
  constructor({ model, appVersion, mnemonic }: LedgerOptions) {
    if (model === "flex" && appVersion !== "1.22.0") throw new Error("no Flex ever ran Ethereum app 1.10.4");
    this.model = model;
    this.version = appVersion;
    this.#ethereum = new EthereumApp(model, appVersion, new Wallet(mnemonic), this.#prompt);
  }

  /** The screens that were opened since the last prompt came up, in order, a screen revisited once more. */
  get visited(): readonly (readonly string[])[] {
    return this.#prompt.visited;
  }

  /** How many signatures this device has made. */
  get signatures(): number {
    return this.#ethereum.signatures;
  }

  get reviewing(): boolean {
    return this.#prompt.screen() !== undefined;
  }

  /** What the glass shows, with places. */
  labels(): Screen {
    return this.#prompt.screen() ?? homeScreen(this.model, this.version, this.#locked ? "locked" : this.#app.name);
  }

  /** What the glass shows, as lines of text. */
  screen(): string[] {
    return textOf(this.labels());
  }

  /** Calls `listener` after every change of the screen. Returns what stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The person.

  press(button: Button): void {
    if (this.model !== "flex") this.#gesture({ kind: "press", button });
  }

  tap(label: string): void {
    this.#gesture({ kind: "tap", label });
  }

  hold(label: string): void {
    this.#gesture({ kind: "hold", label });
  }

  /** `back` leaves the text behind More. */
  turn(to: "next" | "previous" | "back"): void {
    this.#gesture({ kind: "turn", to });
  }

  /** A finger on the glass for so many seconds; 2 and more is a hold. */
  finger(x: number, y: number, seconds = 0): void {
    if (this.model !== "flex") return;
    const label = labelAt(this.labels(), x, y);
    const arrow = arrowAt(x, y);
    if (label !== undefined && label.touch !== "none") {
      this.#gesture({ kind: seconds >= 2 ? "hold" : "tap", label: label.text });
    } else if (arrow !== undefined) {
      this.turn(arrow);
    }
  }

  /** Opens an app, or the dashboard ("BOLOS"). An app that is left forgets what it was asked. */
  openApp(name: OpenApp["name"], refusal: OpenApp["refusal"] = STATUS.otherApp): void {
    this.#ethereum.drop(STATUS.underReview);
    this.#app = { name, refusal };
    this.#changed();
  }

  /** Not measured: what a review under way is answered when the device locks. */
  lock(): void {
    this.#ethereum.drop(STATUS.locked);
    this.#locked = true;
    this.#changed();
  }

  unlock(): void {
    this.#locked = false;
    this.#changed();
  }

  /** The cable is out: the app forgets what it was asked, and nobody hears an answer. */
  unplugged(): void {
    this.#ethereum.drop(STATUS.underReview);
  }

  // The host.

  /** One APDU; resolves with data and status word, after the person has decided where that is asked. Never rejects. */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#handle(parseApdu(bytes, this.#badLength()));
    } catch (error) {
      if (error instanceof Refusal) return answer(error.status);
      throw error;
    }
  }

  #badLength(): number {
    return this.version === "1.22.0" ? STATUS.badLength : STATUS.badLengthOlder;
  }

  #handle(apdu: Apdu): Uint8Array | Promise<Uint8Array> {
    if (this.#locked) throw new Refusal(STATUS.locked);
    if (apdu.cla === 0xb0 && apdu.ins === 0x01) return this.#appName();
    if (this.#app.name === "BOLOS") {
      throw new Refusal(this.version === "1.22.0" ? STATUS.dashboard : STATUS.dashboardOlder);
    }
    if (this.#app.name !== "Ethereum") throw new Refusal(this.#app.refusal);
    return this.#ethereum.handle(apdu);
  }

  #appName(): Uint8Array {
    const version = { Ethereum: this.version, Bitcoin: "2.4.6", BOLOS: "1.5.1" }[this.#app.name];
    const text = new TextEncoder();
    const parts = counted(text.encode(this.#app.name), text.encode(version), Uint8Array.of(0x02));
    return answer(STATUS.ok, Uint8Array.of(0x01, ...parts));
  }

  #gesture(gesture: Gesture): void {
    if (this.#locked || this.#prompt.screen() === undefined) return;
    if (this.#prompt.handle(gesture, this.#ethereum.complete) !== undefined) this.#ethereum.forget();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
