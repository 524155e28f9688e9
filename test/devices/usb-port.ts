/**
 * One plugged device's USB side: who holds its interface, the packets that wait for a reader, the readers that wait for a packet. Fails in
 * the words of Chromium. Which page may see the device is for usb.ts.
 */

import { HidPipe, PACKET_SIZE } from "./hid.ts";
import { ENDPOINT, INTERFACES, type UsbDescription } from "./usb-wire.ts";

/** Becomes a DOMException in the page. */
export class UsbError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

interface Reader {
  readonly client: string;
  resolve(packet: Uint8Array): void;
  reject(error: UsbError): void;
}

export const DISCONNECTED = new UsbError("NotFoundError", "The device was disconnected.");

export class UsbPort {
  readonly description: UsbDescription;
  readonly #pipe: HidPipe;
  readonly #opened = new Set<string>();
  readonly #waiting: Uint8Array[] = [];
  #readers: Reader[] = [];
  #holder: string | undefined;

  constructor(description: UsbDescription, exchange: (apdu: Uint8Array) => Promise<Uint8Array>) {
    this.description = description;
    this.#pipe = new HidPipe(exchange, (packet) => this.#deliver(packet));
  }

  open(client: string): void {
    this.#opened.add(client);
  }

  /** Closing lets go of the interface; closing twice is no fault. */
  close(client: string): void {
    this.#letGo(client);
    this.#opened.delete(client);
  }

  claim(client: string, number: number): void {
    this.#requireOpened(client);
    if (number === INTERFACES.hid) {
      throw new UsbError("SecurityError", "The requested interface implements a protected class.");
    }
    if (number !== INTERFACES.webusb) {
      throw new UsbError(
        "NotFoundError",
        "The interface number provided is not supported by the device in its current configuration.",
      );
    }
    if (this.#holder !== undefined && this.#holder !== client) {
      throw new UsbError("NetworkError", "Unable to claim interface.");
    }
    this.#holder = client;
  }

  release(client: string, number: number): void {
    this.#requireOpened(client);
    if (number === INTERFACES.webusb) this.#letGo(client);
  }

  /** Drops every packet on its way; reads that wait are cancelled. A page that does not hold the interface resets nothing. */
  reset(client: string): void {
    this.#requireOpened(client);
    if (this.#holder !== undefined && this.#holder !== client) {
      throw new UsbError("NetworkError", "Unable to reset the device.");
    }
    this.#pipe.reset();
    this.#waiting.length = 0;
    this.#failReaders(new UsbError("AbortError", "The transfer was cancelled."));
  }

  out(client: string, endpoint: number, bytes: Uint8Array): void {
    this.#requireHeld(client, endpoint);
    this.#pipe.receive(bytes);
  }

  in(client: string, endpoint: number, length: number): Promise<Uint8Array> {
    this.#requireHeld(client, endpoint);
    if (length < PACKET_SIZE) throw new UsbError("NetworkError", "A transfer error has occurred.");
    const packet = this.#waiting.shift();
    if (packet !== undefined) return Promise.resolve(packet);
    return new Promise((resolve, reject) => this.#readers.push({ client, resolve, reject }));
  }

  /** The device is gone: transfers under way fail with `failure`. */
  unplugged(failure: UsbError): void {
    this.#failReaders(failure);
    this.#opened.clear();
    this.#holder = undefined;
    this.#pipe.reset();
  }

  #deliver(packet: Uint8Array): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#waiting.push(packet);
    else reader.resolve(packet);
  }

  #letGo(client: string): void {
    if (this.#holder !== client) return;
    this.#holder = undefined;
    this.#failReaders(new UsbError("AbortError", "The transfer was cancelled."));
  }

  #failReaders(error: UsbError): void {
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) reader.reject(error);
  }

  #requireOpened(client: string): void {
    if (!this.#opened.has(client)) throw new UsbError("InvalidStateError", "The device must be opened first.");
  }

  #requireHeld(client: string, endpoint: number): void {
    this.#requireOpened(client);
    if (this.#holder !== client || endpoint !== ENDPOINT) {
      throw new UsbError(
        "NotFoundError",
        "The specified endpoint is not part of a claimed and selected alternate interface.",
      );
    }
  }
}
