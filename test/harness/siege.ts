/**
 * A company whose bridge was taken over: agent, a browser (Alice) and a script (Bob) are connected through a hostile relay. Both
 * must approve; Bob does so only where a test has him, so that whatever happens to what Alice sends, nothing may be signed.
 */
import type { Page } from "playwright-core";
import { openDevices } from "../devices/device.ts";
import { type Device } from "../devices/ledger-device.ts";
import { Approver } from "./approver.ts";
import { carries, HostileRelay, type Passing, type Wire } from "./hostile-relay.ts";
import { Member } from "./member.ts";
import { addInitiator, makeWorld, type RequestView, send, showRequest, type World } from "./world.ts";

type Forge = (jws: string) => string | Promise<string>;

export class Siege {
  readonly world: World;
  readonly relay: HostileRelay;
  readonly alice: Approver;
  readonly bob: Member;
  /** How often Alice's device was asked to sign. */
  readonly prompts: () => number;
  readonly #olga: string;

  private constructor(parts: {
    world: World;
    relay: HostileRelay;
    alice: Approver;
    bob: Member;
    olga: string;
    prompts: () => number;
  }) {
    this.world = parts.world;
    this.relay = parts.relay;
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.prompts = parts.prompts;
    this.#olga = parts.olga;
  }

  /** Bob is paired and enrolled; Alice has a browser and nothing else yet. */
  static async lay(): Promise<Siege> {
    const endings: (() => unknown)[] = [];
    try {
      let relay: HostileRelay | undefined;
      const world = await makeWorld({
        between: async (port) => {
          relay = await HostileRelay.open(port);
          endings.push(async () => await relay?.close());
          return relay.port;
        },
      });
      endings.push(async () => await world.dispose());
      const [device] = await openDevices(1, { models: ["nanosp"] });
      if (relay === undefined || device === undefined) throw new Error("no relay or no device");
      const prompts = countPrompts(device);
      const olga = await addInitiator(world, "Olga");
      const alice = await Approver.open(world, "Alice", { device, port: relay.port });
      endings.push(async () => await alice.close());
      const bob = await Member.join({ ...world, port: relay.port }, "Bob");
      return new Siege({ world, relay, alice, bob, olga, prompts });
    } catch (error) {
      // Nobody else can end what had begun.
      for (const end of endings.toReversed()) await end();
      throw error;
    }
  }

  isAlices(wire: Wire): boolean {
    return !wire.isAgent && wire.key !== this.bob.key.signer.kid;
  }

  wireOf(who: "Alice" | "Bob"): Wire {
    const isBobs = (wire: Wire) => wire.key === this.bob.key.signer.kid;
    return this.relay.wire(who === "Bob" ? isBobs : (wire) => this.isAlices(wire));
  }

  /** True for a message of this type on the way to Alice, or from her. */
  concerns(passing: Passing, way: "to Alice" | "from Alice", type: { readonly typ: string }): boolean {
    const to = way === "to Alice" ? "party" : "bridge";
    return passing.to === to && this.isAlices(passing.wire) && carries(passing, type);
  }

  /** Replaces every message of a type on its way to Alice. */
  forgeToAlice(type: { readonly typ: string }, forge: Forge): void {
    this.relay.rule = async (passing) => {
      const { frame } = passing;
      if (frame.t !== "deliver" || !this.concerns(passing, "to Alice", type)) return [frame];
      return [{ ...frame, body: await forge(frame.body) }];
    };
  }

  async propose(): Promise<RequestView> {
    return await send(this.world, { key: this.#olga });
  }

  /** The agent's record of an open request, of which nothing was signed. Throws where it is anything else. */
  async requireOpen(id: string): Promise<RequestView> {
    const request = await showRequest(this.world, id);
    if (request.state !== "pending" || request.signed !== null) throw new Error(`${id} is ${request.state}`);
    return request;
  }

  /** The codes with which the agent has dropped messages so far. */
  refusals(): string[] {
    const refused = this.world.agent().lines.filter((line) => line.includes('"msg":"message refused"'));
    return refused.map((line) => /"code":"(\w+)"/.exec(line)?.[1] ?? "");
  }

  async end(): Promise<void> {
    await this.alice.close();
    this.bob.close();
    await this.world.dispose();
    await this.relay.close();
  }
}

/** Counts the commands to sign a message (E0 08, first block) that reach a device from now on. */
export function countPrompts(device: Device): () => number {
  const exchange = device.exchange.bind(device);
  let prompts = 0;
  Object.assign(device, {
    exchange: async (apdu: Uint8Array) => {
      if (apdu[0] === 0xe0 && apdu[1] === 0x08 && apdu[2] === 0) prompts += 1;
      return await exchange(apdu);
    },
  });
  return () => prompts;
}

/** Looks until it is so. The test's own time-out bounds it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Looks until the inbox says that a message failed verification, and why; then dismisses it. */
export async function told(inbox: Page, code: string): Promise<void> {
  // A page in the background is not drawn, and a click waits until it is.
  await inbox.bringToFront();
  const box = inbox.getByRole("region", { name: "Refused messages" });
  await box.getByText("claims to come from your HSM failed verification").first().waitFor();
  await box.getByText(code, { exact: true }).waitFor();
  await box.getByRole("button", { name: "Dismiss" }).click();
  await box.waitFor({ state: "detached" });
}
