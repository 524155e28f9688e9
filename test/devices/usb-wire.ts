/** What a page's `navigator.usb` and the bus behind it say to each other: JSON through a page binding. No behaviour. */

/** What a page asks. `client` is one document: a reload is another client. Bytes are numbers. */
export type UsbRequest =
  | { readonly do: "list" }
  | { readonly do: "choose"; readonly filters: readonly UsbFilter[] }
  | { readonly do: "open" | "close" | "reset"; readonly id: string }
  | { readonly do: "claim" | "release"; readonly id: string; readonly interface: number }
  | { readonly do: "out"; readonly id: string; readonly endpoint: number; readonly bytes: readonly number[] }
  | { readonly do: "in"; readonly id: string; readonly endpoint: number; readonly length: number }
  /** Answered when something is plugged or unplugged. */
  | { readonly do: "event" };

export interface UsbFilter {
  readonly vendorId?: number;
  readonly productId?: number;
}

/** What a page may know of a device. `id` is new with every plugging. */
export interface UsbDescription {
  readonly id: string;
  readonly vendorId: number;
  readonly productId: number;
  readonly productName: string;
  readonly serialNumber: string;
}

export type UsbValue =
  | { readonly devices: readonly UsbDescription[] }
  | { readonly bytes: readonly number[] }
  | { readonly event: "connect" | "disconnect"; readonly device: UsbDescription }
  | { readonly done: true };

/** `error` becomes a DOMException of that name. */
export type UsbAnswer =
  | { readonly value: UsbValue }
  | { readonly error: { readonly name: string; readonly message: string } };

/** The numbers of a Ledger's interfaces and endpoints; interface 0 is the HID one, which Chromium protects. */
export const INTERFACES = { hid: 0, webusb: 1 } as const;
export const ENDPOINT = 3;
