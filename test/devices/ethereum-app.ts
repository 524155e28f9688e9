/**
 * The Ethereum app's commands: configuration, address, signature of a message. Status words are the measured ones; what is not measured
 * says so. It signs only the bytes from which the screens of the accepted review were made.
 */

import { type Apdu, answer, counted, parsePath, parseU32, Refusal, STATUS } from "./apdu.ts";
import { shownText, shownTextOlder } from "./clear-text.ts";
import type { Prompt } from "./prompt.ts";
import { flexAddress, flexMessage } from "./review-flex.ts";
import { nanoAddress, nanoMessage } from "./review-nano.ts";
import { StreamedReview } from "./review-streamed.ts";
import type { AppVersion, Model } from "./screen.ts";
import type { Account, Wallet } from "./wallet.ts";

/** A message that is arriving or under review. */
interface Signing {
  readonly account: Account;
  readonly length: number;
  readonly bytes: number[];
}

const CONFIGURATION: Readonly<Record<AppVersion, readonly number[]>> = {
  "1.22.0": [0x02, 1, 22, 0],
  "1.10.4": [0x0e, 1, 10, 4],
};
/** Where 1.22.0 answers 6a84 ("from about 8 kB"). */
const MAX_MESSAGE = 8192;

export class EthereumApp {
  readonly #model: Model;
  readonly #version: AppVersion;
  readonly #wallet: Wallet;
  readonly #prompt: Prompt;
  #signing: Signing | undefined;
  #signatures = 0;

  constructor(model: Model, version: AppVersion, wallet: Wallet, prompt: Prompt) {
    this.#model = model;
    this.#version = version;
    this.#wallet = wallet;
    this.#prompt = prompt;
  }

  /** How many signatures have been made. */
  get signatures(): number {
    return this.#signatures;
  }

  /** Whether the message on the screen has arrived whole. */
  get complete(): boolean {
    return this.#signing === undefined || this.#signing.bytes.length === this.#signing.length;
  }

  /** @throws {Refusal} */
  handle(apdu: Apdu): Uint8Array | Promise<Uint8Array> {
    if (apdu.cla !== 0xe0) throw new Refusal(STATUS.otherApp);
    switch (apdu.ins) {
      case 0x06:
        return answer(STATUS.ok, Uint8Array.from(CONFIGURATION[this.#version]));
      case 0x02:
        return this.#address(apdu);
      case 0x08:
        return this.#sign(apdu);
      default:
        throw new Refusal(STATUS.otherAppOlder);
    }
  }

  /** Forgets the message and the question; who waits gets `status`. */
  drop(status: number): void {
    this.#signing = undefined;
    this.#prompt.drop(status);
  }

  /** After the person has decided. */
  forget(): void {
    this.#signing = undefined;
  }

  #address({ p1, p2, data }: Apdu): Uint8Array | Promise<Uint8Array> {
    if (p1 > 1 || p2 !== 0) throw new Refusal(STATUS.badParameter);
    const { path, rest } = parsePath(data);
    if (rest.length > 0) throw new Refusal(STATUS.badData);
    const account = this.#wallet.account(path);
    const result = answer(STATUS.ok, counted(account.publicKey, new TextEncoder().encode(account.address)));
    if (p1 === 0) return result;
    this.#refuseSecond();
    const address = `0x${account.address}`;
    const review = this.#model === "flex" ? flexAddress(address) : nanoAddress(address, this.#version);
    this.#prompt.ask(review, () => result);
    return this.#prompt.answered();
  }

  #sign({ p1, p2, data }: Apdu): Uint8Array | Promise<Uint8Array> {
    if ((p1 !== 0x00 && p1 !== 0x80) || p2 !== 0) throw new Refusal(STATUS.badParameter);
    const waitsForMore = this.#signing !== undefined && this.#signing.bytes.length < this.#signing.length;
    let chunk = data;
    if (p1 === 0x00) {
      this.#refuseSecond();
      chunk = this.#begin(data);
    } else if (!waitsForMore) {
      if (this.#prompt.screen() !== undefined) this.#refuseSecond();
      throw new Refusal(STATUS.badData);
    }
    const signing = this.#signing;
    if (signing === undefined) throw new Refusal(STATUS.badData);
    if (signing.bytes.length + chunk.length > signing.length) {
      this.drop(STATUS.badData);
      throw new Refusal(STATUS.badData);
    }
    signing.bytes.push(...chunk);
    return this.#version === "1.22.0" ? this.#review(signing) : this.#reviewOlder(signing, chunk);
  }

  #begin(data: Uint8Array): Uint8Array {
    const { path, rest } = parsePath(data);
    const { value: length, rest: chunk } = parseU32(rest);
    if (length === 0) throw new Refusal(STATUS.badData);
    if (length > MAX_MESSAGE && this.#version === "1.22.0") throw new Refusal(STATUS.tooLarge);
    this.#signing = { account: this.#wallet.account(path), length, bytes: [] };
    return chunk;
  }

  #review(signing: Signing): Uint8Array | Promise<Uint8Array> {
    if (signing.bytes.length < signing.length) return answer(STATUS.ok);
    const text = shownText(signing.bytes);
    const review = this.#model === "flex" ? flexMessage(text) : nanoMessage(text);
    this.#prompt.ask(review, () => this.#signature(signing));
    return this.#prompt.answered();
  }

  #reviewOlder(signing: Signing, chunk: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const under = this.#prompt.review;
    const review = under instanceof StreamedReview ? under : new StreamedReview();
    const final = signing.bytes.length === signing.length;
    if (under === undefined) {
      review.feed(shownTextOlder(chunk), final);
      this.#prompt.ask(review, () => this.#signature(signing));
    } else {
      review.feed(shownTextOlder(chunk), final);
      this.#prompt.show();
    }
    return final || !review.hungry() ? this.#prompt.answered() : answer(STATUS.ok);
  }

  #signature({ account, bytes }: Signing): Uint8Array {
    this.#signatures += 1;
    return answer(STATUS.ok, account.signMessage(Uint8Array.from(bytes)));
  }

  /** A request that needs the person while another one is under review kills that review (measured on 1.22.0). */
  #refuseSecond(): void {
    if (this.#prompt.screen() !== undefined) {
      this.drop(STATUS.underReview);
      throw new Refusal(STATUS.underReview);
    }
    this.drop(STATUS.badData);
  }
}
