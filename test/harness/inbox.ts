/**
 * The messages that came for a script: kept for whoever asks for them later, and given to whoever follows them as they come. Each is
 * verified when somebody takes it; what nobody takes is not. What a type means is not known here. protocol/README.md, "Messages".
 */
import { type Claims, type MessageType, type Opened as OpenedEnvelope, peekEnvelope } from "../../protocol/envelope.ts";
import { isPast } from "./message.ts";

/** A message that came, opened. */
export interface Opened<T> extends OpenedEnvelope<T> {
  readonly jws: string;
}

/** Verifies a message as one of this type. */
export type Open = <T extends Claims>(type: MessageType<T>, jws: string) => Promise<OpenedEnvelope<T>>;

export class Inbox {
  /** Every envelope that came and was unsealed, oldest first. Nothing of it is verified here. */
  readonly messages: string[] = [];
  readonly #open: Open;
  readonly #followers = new Map<string, (jws: string) => Promise<void>>();
  readonly #waiting = new Set<() => void>();
  #keeps = true;

  constructor(open: Open) {
    this.#open = open;
  }

  /** Keeps a message, and resolves when whoever follows its type has had it. Rejects where it does not verify. */
  async add(jws: string): Promise<void> {
    if (this.#keeps) this.messages.push(jws);
    await this.#followers.get(peekEnvelope(jws).typ)?.(jws);
  }

  /** Nothing is kept from now on, and what was is let go of: for whoever follows all that they want to know, and asks for nothing later. */
  keepNothing(): void {
    this.#keeps = false;
    this.messages.length = 0;
  }

  /** Gives each message of a type to `take`, those that came already first. One follower a type. */
  async follow<T extends Claims>(type: MessageType<T>, take: (opened: Opened<T>) => void): Promise<void> {
    if (this.#followers.has(type.typ)) throw new Error(`${type.typ} has a follower`);
    const give = async (jws: string): Promise<void> => {
      if (!isPast(jws)) take({ ...(await this.#open(type, jws)), jws });
    };
    const before = this.messages.filter((jws) => peekEnvelope(jws).typ === type.typ);
    this.#followers.set(type.typ, give);
    for (const jws of before) await give(jws);
  }

  /** Waits for a message of a type of which `pick` makes something. All that came are looked at, oldest first. */
  async find<T extends Claims, R>(type: MessageType<T>, pick: (opened: Opened<T>) => R | undefined): Promise<R> {
    for (let at = 0; ; at += 1) {
      while (at >= this.messages.length) await this.news();
      const jws = this.messages[at] ?? "";
      if (peekEnvelope(jws).typ !== type.typ || isPast(jws)) continue;
      const picked = pick({ ...(await this.#open(type, jws)), jws });
      if (picked !== undefined) return picked;
    }
  }

  /** Resolves when something more has come. */
  async news(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Something more has come. */
  tell(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }
}
