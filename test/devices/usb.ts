/**
 * A USB bus with simulated (or emulated) Ledgers, and how it gets behind `navigator.usb` of a browser's pages. Reaches pages, extension
 * pages included, not service workers. Shipped code runs unmodified against it.
 */

import type { BrowserContext } from "playwright-core";
import { installPageUsb } from "./usb-page.ts";
import { DISCONNECTED, UsbError, UsbPort } from "./usb-port.ts";
import type { UsbAnswer, UsbFilter, UsbRequest, UsbValue } from "./usb-wire.ts";

export const LEDGER_VENDOR = 0x2c97;

/** What the bus needs of a device. */
export interface UsbDevice {
  readonly productId: number;
  readonly productName: string;
  readonly serial: string;
  exchange(apdu: Uint8Array): Promise<Uint8Array>;
  /** Called when the cable is pulled. */
  unplugged?(): void;
}

interface Client {
  readonly events: UsbValue[];
  wake: ((event: UsbValue) => void) | undefined;
}

const ANOTHER_PROGRAM = "another program";

export class UsbBus {
  readonly #ports = new Map<UsbDevice, UsbPort>();
  readonly #permitted = new Set<UsbDevice>();
  readonly #clients = new Map<string, Client>();
  /** How transfers to a device that is gone fail, by id: a read that a page had begun may reach us after the cable was pulled. */
  readonly #gone = new Map<string, UsbError>();
  #pluggings = 0;

  /**
   * Whom the person picks in the browser's chooser among the plugged devices that match; undefined closes it.
   * By default the first one plugged.
   */
  choose: (devices: readonly UsbDevice[]) => UsbDevice | undefined = (devices) => devices[0];

  constructor(devices: readonly UsbDevice[] = []) {
    for (const device of devices) this.plug(device);
  }

  /** Plugs a device. Pages that it is permitted to get a `connect` event. */
  plug(device: UsbDevice): void {
    if (this.#ports.has(device)) return;
    this.#pluggings += 1;
    const description = {
      id: `${this.#pluggings}`,
      vendorId: LEDGER_VENDOR,
      productId: device.productId,
      productName: device.productName,
      serialNumber: device.serial,
    };
    this.#ports.set(device, new UsbPort(description, (apdu) => device.exchange(apdu)));
    if (this.#permitted.has(device)) this.#tell({ event: "connect", device: description });
  }

  /**
   * Pulls the cable: transfers under way fail, then `disconnect` is fired. Chromium fails them with "A transfer error has occurred."
   * (NetworkError) or, where it notices the device's end first, "The device was disconnected." (NotFoundError): `late` is the second.
   */
  unplug(device: UsbDevice, { late = false }: { late?: boolean } = {}): void {
    const port = this.#ports.get(device);
    if (port === undefined) return;
    this.#ports.delete(device);
    const failure = late ? DISCONNECTED : new UsbError("NetworkError", "A transfer error has occurred.");
    this.#gone.set(port.description.id, failure);
    port.unplugged(failure);
    device.unplugged?.();
    if (this.#permitted.has(device)) this.#tell({ event: "disconnect", device: port.description });
  }

  /** Permits a device to the pages without the chooser, as if it had been chosen on another day. */
  permit(device: UsbDevice): void {
    this.#permitted.add(device);
  }

  /** Another program takes the device's interface, until the returned function is called. */
  holdElsewhere(device: UsbDevice): () => void {
    const port = this.#ports.get(device);
    if (port === undefined) throw new Error("the device is not plugged");
    port.open(ANOTHER_PROGRAM);
    port.claim(ANOTHER_PROGRAM, 1);
    return () => port.close(ANOTHER_PROGRAM);
  }

  /** Answers a page. */
  async handle(client: string, request: UsbRequest): Promise<UsbAnswer> {
    try {
      return { value: await this.#do(client, request) };
    } catch (error) {
      if (error instanceof UsbError) return { error: { name: error.name, message: error.message } };
      throw error;
    }
  }

  /** A page is gone, or has been loaded again: whatever it held is let go. */
  leave(client: string): void {
    this.#clients.delete(client);
    for (const port of this.#ports.values()) port.close(client);
  }

  async #do(client: string, request: UsbRequest): Promise<UsbValue> {
    switch (request.do) {
      case "list":
        return { devices: this.#plugged((device) => this.#permitted.has(device)) };
      case "choose":
        return this.#chosen(request.filters);
      case "event":
        return this.#event(client);
      case "open":
        this.#port(request.id).open(client);
        return { done: true };
      case "close":
        this.#port(request.id).close(client);
        return { done: true };
      case "reset":
        this.#port(request.id).reset(client);
        return { done: true };
      case "claim":
        this.#port(request.id).claim(client, request.interface);
        return { done: true };
      case "release":
        this.#port(request.id).release(client, request.interface);
        return { done: true };
      case "out":
        this.#port(request.id).out(client, request.endpoint, Uint8Array.from(request.bytes));
        return { done: true };
      case "in":
        return { bytes: [...(await this.#read(client, request.id, request.endpoint, request.length))] };
    }
  }

  #read(client: string, id: string, endpoint: number, length: number): Promise<Uint8Array> {
    const failure = this.#gone.get(id);
    if (failure !== undefined) throw failure;
    return this.#port(id).in(client, endpoint, length);
  }

  #plugged(accept: (device: UsbDevice) => boolean) {
    return [...this.#ports].filter(([device]) => accept(device)).map(([, port]) => port.description);
  }

  #chosen(filters: readonly UsbFilter[]): UsbValue {
    const matches = ({ productId }: UsbDevice) =>
      filters.some(
        (filter) =>
          (filter.vendorId ?? LEDGER_VENDOR) === LEDGER_VENDOR && (filter.productId ?? productId) === productId,
      );
    const device = this.choose([...this.#ports.keys()].filter(matches));
    const port = device === undefined ? undefined : this.#ports.get(device);
    if (device === undefined || port === undefined) throw new UsbError("NotFoundError", "No device selected.");
    this.#permitted.add(device);
    return { devices: [port.description] };
  }

  #port(id: string): UsbPort {
    const port = [...this.#ports.values()].find(({ description }) => description.id === id);
    if (port === undefined) throw DISCONNECTED;
    return port;
  }

  #client(name: string): Client {
    const client = this.#clients.get(name) ?? { events: [], wake: undefined };
    this.#clients.set(name, client);
    return client;
  }

  #event(name: string): UsbValue | Promise<UsbValue> {
    const client = this.#client(name);
    return (
      client.events.shift() ??
      new Promise((wake) => {
        client.wake = wake;
      })
    );
  }

  #tell(event: UsbValue): void {
    for (const client of this.#clients.values()) {
      const wake = client.wake;
      client.wake = undefined;
      if (wake === undefined) client.events.push(event);
      else wake(event);
    }
  }
}

/**
 * Puts the bus behind `navigator.usb` of every page that the context opens from now on. One context, one person's computer: what is
 * permitted to one page is permitted to all.
 */
export async function installUsb(context: BrowserContext, bus: UsbBus): Promise<void> {
  const binding = "__usb";
  const clients = new WeakMap<object, Set<string>>();
  await context.exposeBinding(binding, ({ page, frame }, client: string, request: UsbRequest) => {
    let known = clients.get(frame);
    if (known === undefined) {
      known = new Set();
      clients.set(frame, known);
      const all = known;
      page.on("close", () => all.forEach((gone) => bus.leave(gone)));
    }
    for (const earlier of known) {
      if (earlier === client) continue;
      known.delete(earlier);
      bus.leave(earlier);
    }
    known.add(client);
    return bus.handle(client, request);
  });
  await context.addInitScript(installPageUsb, binding);
}
