/**
 * Ledger's framing of APDUs in 64-byte USB packets, the device's end: channel u16, tag 05, sequence u16, then the data; the first
 * packet's data begins with the length u16. Works over any exchange function. Knows nothing of what the bytes mean.
 */

export const PACKET_SIZE = 64;
const TAG = 0x05;
const HEADER = 5;

/** One APDU or one answer, and the channel it travels on. */
export interface Transfer {
  readonly channel: number;
  readonly data: Uint8Array;
}

/** The packets, 64 bytes each, padded with zeros. */
export function toPackets({ channel, data }: Transfer): Uint8Array[] {
  const body = Uint8Array.from([data.length >> 8, data.length & 0xff, ...data]);
  const packets: Uint8Array[] = [];
  for (let sequence = 0; sequence * (PACKET_SIZE - HEADER) < body.length; sequence += 1) {
    const packet = new Uint8Array(PACKET_SIZE);
    packet.set([channel >> 8, channel & 0xff, TAG, sequence >> 8, sequence & 0xff]);
    packet.set(body.slice(sequence * (PACKET_SIZE - HEADER), (sequence + 1) * (PACKET_SIZE - HEADER)), HEADER);
    packets.push(packet);
  }
  return packets;
}

/** Collects packets into transfers. A packet out of order, or with another tag, starts from nothing, as on the device. */
export class Assembler {
  #channel = 0;
  #length = 0;
  #sequence = 0;
  #data: number[] = [];

  /** Returns the transfer that this packet completes. */
  push(packet: Uint8Array): Transfer | undefined {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    if (packet.length < HEADER + 2 || packet.length > PACKET_SIZE || view.getUint8(2) !== TAG) {
      this.reset();
      return undefined;
    }
    const sequence = view.getUint16(3);
    if (sequence === 0) {
      this.reset();
      this.#channel = view.getUint16(0);
      this.#length = view.getUint16(HEADER);
      this.#data.push(...packet.slice(HEADER + 2));
    } else if (sequence === this.#sequence && view.getUint16(0) === this.#channel && this.#length > 0) {
      this.#data.push(...packet.slice(HEADER));
    } else {
      this.reset();
      return undefined;
    }
    this.#sequence = sequence + 1;
    if (this.#data.length < this.#length) return undefined;
    const transfer = { channel: this.#channel, data: Uint8Array.from(this.#data.slice(0, this.#length)) };
    this.reset();
    return transfer;
  }

  /** Forgets what has been collected. */
  reset(): void {
    this.#length = 0;
    this.#sequence = 0;
    this.#data = [];
  }
}

/**
 * A device's pair of endpoints: packets in, packets out. `reset` is what a USB reset does: whatever is on its way is dropped, an
 * answer to an earlier APDU too. What the device's screen asks stays.
 */
export class HidPipe {
  readonly #exchange: (apdu: Uint8Array) => Promise<Uint8Array>;
  readonly #send: (packet: Uint8Array) => void;
  readonly #assembler = new Assembler();
  #generation = 0;

  /** `send` takes each packet that the device has for the host. */
  constructor(exchange: (apdu: Uint8Array) => Promise<Uint8Array>, send: (packet: Uint8Array) => void) {
    this.#exchange = exchange;
    this.#send = send;
  }

  /** A packet from the host. */
  receive(packet: Uint8Array): void {
    const transfer = this.#assembler.push(packet);
    if (transfer === undefined) return;
    this.#generation += 1;
    void this.#answer(transfer, this.#generation);
  }

  reset(): void {
    this.#assembler.reset();
    this.#generation += 1;
  }

  /** Of two APDUs without an answer between them only the later one is answered (the first one's review is dead). */
  async #answer({ channel, data }: Transfer, generation: number): Promise<void> {
    const answer = await this.#exchange(data);
    if (generation === this.#generation) for (const packet of toPackets({ channel, data: answer })) this.#send(packet);
  }
}
