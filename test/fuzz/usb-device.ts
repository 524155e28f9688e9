/** A USB device behind Ledger's own transport: packets of 64 bytes that carry the answers it is given, some of them broken. */
import { join, mutateBytes } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

/** `manager` stands for `navigator.usb`. `isBroken`: packets are changed, lost or repeated. */
export function usbDevice(answers: readonly Uint8Array[], random: Random, isBroken: boolean): { manager: object } {
  let channel = new Uint8Array(2);
  let packets: Uint8Array[] = [];
  let at = 0;
  const device = {
    vendorId: 0x2c97,
    productId: random.once(20) ? random.int(65_536) : 0x5011,
    configuration: {},
    configurations: [{ interfaces: [{ interfaceNumber: 2, alternates: [{ interfaceClass: 255 }] }] }],
    open: async () => undefined,
    reset: async () => undefined,
    claimInterface: async () => undefined,
    releaseInterface: async () => undefined,
    close: async () => undefined,
    transferOut: async (_endpoint: number, data: Uint8Array) => {
      channel = data.slice(0, 2);
      // A command may take several packets; the first of it, number 0, is when the answer is made ready.
      if (data[3] !== 0 || data[4] !== 0) return;
      packets = framed(channel, answers[at] ?? new Uint8Array());
      at += 1;
      if (isBroken) packets = broken(random, packets);
    },
    transferIn: async () => {
      const packet = packets.shift();
      // It was pulled out: a device that says nothing more is waited for, as long as a person reads.
      if (packet === undefined)
        throw Object.assign(new Error("The device was disconnected."), { name: "NetworkError" });
      return { data: new DataView(Uint8Array.from(packet).buffer) };
    },
  };
  const manager = {
    getDevices: async () => [device],
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  };
  return { manager };
}

function framed(channel: Uint8Array, answer: Uint8Array): Uint8Array[] {
  const data = join(Uint8Array.of(answer.length >> 8, answer.length & 255), answer);
  const packets: Uint8Array[] = [];
  for (let from = 0; from < data.length; from += 59) {
    const piece = data.subarray(from, from + 59);
    const number = packets.length;
    packets.push(join(channel, Uint8Array.of(5, number >> 8, number & 255), piece, new Uint8Array(59 - piece.length)));
  }
  return packets;
}

function broken(random: Random, packets: readonly Uint8Array[]): Uint8Array[] {
  const made = [...packets];
  const at = random.int(made.length);
  const packet = made[at] ?? new Uint8Array();
  if (random.once(4)) made.splice(at, 1);
  else if (random.once(3)) made.splice(at, 0, packet);
  else made[at] = mutateBytes(random, packet, packets);
  return made;
}
