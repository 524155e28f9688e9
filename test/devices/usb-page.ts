/**
 * `navigator.usb` as a page sees it, over a binding to usb.ts. The function is sent to the page as source text: it may use nothing
 * from outside itself but types. Implements what WebUSB programs call on a Ledger, with Chromium's errors.
 */

import type { UsbAnswer, UsbDescription, UsbRequest, UsbValue } from "./usb-wire.ts";

/** Replaces `navigator.usb` in a secure context; elsewhere there is none, as in Chromium. */
export function installPageUsb(binding: string): void {
  if (!globalThis.isSecureContext) return;
  const client = crypto.randomUUID();
  const bind = (Reflect.get(globalThis, binding) as (client: string, request: UsbRequest) => Promise<UsbAnswer>).bind(
    globalThis,
  );

  async function ask(on: string, request: UsbRequest): Promise<UsbValue> {
    const answer = await bind(client, request);
    if ("value" in answer) return answer.value;
    throw new DOMException(`Failed to execute '${on}' on 'USBDevice': ${answer.error.message}`, answer.error.name);
  }

  const endpoints = (number: number) =>
    (["in", "out"] as const).map((direction) => ({
      endpointNumber: number,
      direction,
      type: "interrupt",
      packetSize: 64,
    }));
  const usbInterface = (interfaceNumber: number, interfaceClass: number, endpoint: number) => {
    const alternate = {
      alternateSetting: 0,
      interfaceClass,
      interfaceSubclass: 0,
      interfaceProtocol: 0,
      endpoints: endpoints(endpoint),
    };
    return { interfaceNumber, alternate, alternates: [alternate], claimed: false };
  };

  class Device {
    readonly vendorId: number;
    readonly productId: number;
    readonly productName: string;
    readonly serialNumber: string;
    readonly manufacturerName = "Ledger";
    readonly usbVersionMajor = 2;
    readonly usbVersionMinor = 1;
    readonly deviceClass = 0;
    readonly configurations = [
      { configurationValue: 1, configurationName: null, interfaces: [usbInterface(0, 3, 2), usbInterface(1, 255, 3)] },
    ];
    readonly configuration = this.configurations[0];
    opened = false;
    readonly #id: string;

    constructor(description: UsbDescription) {
      this.#id = description.id;
      this.vendorId = description.vendorId;
      this.productId = description.productId;
      this.productName = description.productName;
      this.serialNumber = description.serialNumber;
    }

    async open() {
      await ask("open", { do: "open", id: this.#id });
      this.opened = true;
    }

    async close() {
      if (!this.opened) return;
      await ask("close", { do: "close", id: this.#id });
      this.opened = false;
      this.#mark(1, false);
    }

    async reset() {
      await ask("reset", { do: "reset", id: this.#id });
    }

    async selectConfiguration(value: number) {
      if (value !== 1)
        throw new DOMException("The configuration value provided is not supported by the device.", "NotFoundError");
    }

    async claimInterface(number: number) {
      await ask("claimInterface", { do: "claim", id: this.#id, interface: number });
      this.#mark(number, true);
    }

    async releaseInterface(number: number) {
      await ask("releaseInterface", { do: "release", id: this.#id, interface: number });
      this.#mark(number, false);
    }

    async transferOut(endpoint: number, data: BufferSource) {
      const view = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data);
      await ask("transferOut", { do: "out", id: this.#id, endpoint, bytes: [...view] });
      return { status: "ok", bytesWritten: view.length };
    }

    async transferIn(endpoint: number, length: number) {
      const value = await ask("transferIn", { do: "in", id: this.#id, endpoint, length });
      const bytes = "bytes" in value ? value.bytes : [];
      return { status: "ok", data: new DataView(Uint8Array.from(bytes).buffer) };
    }

    #mark(number: number, claimed: boolean) {
      const found = this.configurations[0]?.interfaces.find(({ interfaceNumber }) => interfaceNumber === number);
      if (found) found.claimed = claimed;
    }
  }

  const devices = new Map<string, Device>();
  function device(description: UsbDescription): Device {
    const known = devices.get(description.id) ?? new Device(description);
    devices.set(description.id, known);
    return known;
  }
  const devicesIn = (value: UsbValue) => ("devices" in value ? value.devices.map(device) : []);

  class Usb extends EventTarget {
    onconnect: ((event: Event) => void) | null = null;
    ondisconnect: ((event: Event) => void) | null = null;

    async getDevices() {
      return devicesIn(await ask("getDevices", { do: "list" }));
    }

    async requestDevice({ filters }: { filters: { vendorId?: number; productId?: number }[] }) {
      if (!navigator.userActivation.isActive) {
        throw new DOMException("Must be handling a user gesture to show a permission request.", "SecurityError");
      }
      return devicesIn(await ask("requestDevice", { do: "choose", filters }))[0];
    }
  }

  const usb = new Usb();

  async function listen(): Promise<void> {
    for (;;) {
      const value = await ask("addEventListener", { do: "event" });
      if (!("event" in value)) continue;
      const changed = device(value.device);
      if (value.event === "disconnect") changed.opened = false;
      const event = Object.assign(new Event(value.event), { device: changed });
      usb.dispatchEvent(event);
      usb[`on${value.event}`]?.(event);
    }
  }
  // Ends with the page, or when the test closes its browser.
  listen().catch(() => undefined);

  Object.defineProperty(navigator, "usb", { configurable: true, value: usb });
}
