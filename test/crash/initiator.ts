/**
 * Somebody who proposes over the control socket, and asks again with the very same signed message until it is answered: the agent may
 * have been killed on either side of the answer. Signs with a key file, as the CLI does.
 */
import type { Command } from "../../hsm-agent/control.ts";
import type { Claims, MessageType } from "../../protocol/envelope.ts";
import {
  CANCELLATION,
  INVITATION,
  type Invitation,
  MOTION,
  type MotionMessage,
  PROPOSAL,
  VOUCH,
} from "../../protocol/message.ts";
import { type Key, keyOfFile } from "../harness/bridge-client.ts";
import { jtiOf, message } from "../harness/message.ts";
import { VAULT } from "../harness/policy-plan.ts";
import { DESTINATION, type RequestView } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";
import type { Ledger } from "./ledger.ts";

/** Milliseconds between two tries, and how long one question is asked at all. */
const PAUSE = 150;
const PATIENCE = 120_000;

/** Means that the agent cannot now, and that nothing was done. All else is a refusal. */
const AGAIN = [
  "ERR_HSM_DOWN",
  "ERR_HSM_TIMEOUT",
  "ERR_HSM_TOKEN",
  "ERR_FROZEN",
  "ERR_REQUEST_LIMIT",
  "ERR_RECORD",
  "ERR_INTERNAL",
  "ECONNRESET",
  "ECONNREFUSED",
  "ENOENT",
  "EPIPE",
];

export class Initiator {
  readonly name: string;
  /** Thumbprint of the identity that it proposes to. */
  readonly hsm: string;
  readonly #world: Pick<World, "ask">;
  readonly #ledger: Ledger;
  readonly #key: Key;

  private constructor(name: string, world: Pick<World, "ask">, ledger: Ledger, key: Key, hsm: string) {
    this.name = name;
    this.#world = world;
    this.#ledger = ledger;
    this.#key = key;
    this.hsm = hsm;
  }

  /** Somebody whose key file is in this world. `hsm`: thumbprint of the identity. */
  static async open(world: World, name: string, ledger: Ledger): Promise<Initiator> {
    const key = await keyOfFile(world.keyFile(name));
    const status = await world.ask<{ hsm: { thumbprint: string } }>({ command: "status" });
    return new Initiator(name, world, ledger, key, status.hsm.thumbprint);
  }

  /** Proposes a transfer of so much; resolves with its id once it was answered. `twice`: both halves of a doubled click. */
  async propose(transfer: { network: string; amount: string }, twice = false): Promise<string> {
    const jws = await this.#transfer(transfer);
    const asked = [this.#propose("request.propose", jws), ...(twice ? [this.#propose("request.propose", jws)] : [])];
    const [id = ""] = await Promise.all(asked);
    return id;
  }

  /** Proposes a transfer and asks once. Resolves with its id. @throws the agent's refusal */
  async proposeOnce(transfer: { network: string; amount: string }): Promise<string> {
    const jws = await this.#transfer(transfer);
    const { request } = await this.#world.ask<{ request: string }>({ command: "request.propose", jws });
    this.#ledger.proposed(jtiOf(jws), request);
    return request;
  }

  /** Proposes a change of what is governed. */
  async move(motion: MotionMessage["motion"]): Promise<string> {
    return await this.#propose("motion", await this.#sign(MOTION, { motion, recovery: false }));
  }

  /** Invites somebody with the public half of a one-time key. */
  async invite(invitation: Pick<Invitation, "name" | "roles" | "key" | "until">): Promise<void> {
    await this.ask({ command: "invite", jws: await this.#sign(INVITATION, invitation) });
  }

  /** "These six words were read aloud to me": resolves with the id of the ENROLL that is asked for then. */
  async vouch(name: string, words: string): Promise<string> {
    const jws = await this.#sign(VOUCH, { name, words, recovery: false });
    const { request } = await this.ask<{ request: string }>({ command: "pairing.vouch", jws });
    this.#ledger.proposed(jtiOf(jws), request);
    return request;
  }

  /** Takes a request back; it may have ended otherwise meanwhile. Where nobody was asked yet, nobody but its initiator is told. */
  async cancel(request: string): Promise<void> {
    const jws = await this.#sign(CANCELLATION, { request });
    try {
      const { state } = await this.ask<RequestView>({ command: "request.cancel", jws });
      this.#ledger.told(request, state);
    } catch (error) {
      if (codeOf(error) !== "ERR_REQUEST_STATE") throw error;
      // A cancellation that was done and not answered is refused when it is asked for again.
      this.#ledger.told(request, (await this.show(request)).state);
    }
  }

  /** A request as the agent shows it. @throws Fault ERR_REQUEST_UNKNOWN */
  async show(id: string): Promise<RequestView> {
    return await this.ask<RequestView>({ command: "request.show", id });
  }

  /** Asks until there is an answer. @throws the agent's refusal, where it is one of those that do not pass */
  async ask<T>(command: Command, again: readonly string[] = AGAIN): Promise<T> {
    const began = performance.now();
    for (;;) {
      try {
        return await this.#world.ask<T>(command);
      } catch (error) {
        const isOver = performance.now() - began > PATIENCE;
        // An answer that was cut short is none.
        if (isOver || !(error instanceof SyntaxError || again.includes(codeOf(error)))) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  async #transfer(transfer: { network: string; amount: string }): Promise<string> {
    const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
    return await this.#sign(PROPOSAL, { vault: VAULT, asset: "ETH", to: DESTINATION, gas, ...transfer });
  }

  async #propose(command: "request.propose" | "motion", jws: string): Promise<string> {
    // An act took effect while it was looked at, as the sentence says: the same proposal is as good as before.
    const { request } = await this.ask<{ request: string }>({ command, jws }, [...AGAIN, "ERR_REQUEST_STATE"]);
    this.#ledger.proposed(jtiOf(jws), request);
    return request;
  }

  async #sign<T extends Claims>(type: MessageType<T>, body: Omit<T, keyof Claims>): Promise<string> {
    return await message(type, this.#key, this.hsm, body);
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
