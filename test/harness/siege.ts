/**
 * A company whose bridge was taken over: agent, a browser (Alice) and a script (Bob) are connected through a hostile relay, which a spy
 * tells what every message says. Both must approve; Bob does so only where a test has him, so that whatever happens to what Alice sends,
 * nothing may be signed.
 */
import type { Page } from "playwright-core";
import { openDevices } from "../devices/device.ts";
import { type Device } from "../devices/ledger-device.ts";
import { Approver } from "./approver.ts";
import { changePolicy, enact, invite, joinMember, makeCompany, vouch } from "./company.ts";
import { sealAnything } from "./forgery.ts";
import { carries, HostileRelay, type Passing, type Wire } from "./hostile-relay.ts";
import type { Member } from "./member.ts";
import { propose, type RequestView, showRequest } from "./requests.ts";
import { Spy } from "./spy.ts";
import { type World } from "./world.ts";

type Forge = (jws: string) => string | Promise<string>;

export class Siege {
  readonly world: World;
  readonly relay: HostileRelay;
  readonly spy: Spy;
  readonly alice: Approver;
  readonly bob: Member;
  /** How often Alice's device was asked to sign a message, by whatever page. */
  readonly prompts: () => number;

  private constructor(parts: {
    world: World;
    relay: HostileRelay;
    spy: Spy;
    alice: Approver;
    bob: Member;
    prompts: () => number;
  }) {
    this.world = parts.world;
    this.relay = parts.relay;
    this.spy = parts.spy;
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.prompts = parts.prompts;
  }

  /** Bob is a member with a device; Alice has a browser and nothing else yet. */
  static async lay(): Promise<Siege> {
    const endings: (() => unknown)[] = [];
    try {
      let relay: HostileRelay | undefined;
      const spy = new Spy();
      endings.push(() => spy.close());
      const world = await makeCompany({
        spy,
        between: async (port) => {
          relay = await HostileRelay.open(port, spy);
          endings.push(async () => await relay?.close());
          return relay.port;
        },
      });
      endings.push(async () => await world.dispose());
      const [device] = await openDevices(1, { models: ["nanosp"] });
      if (relay === undefined || device === undefined) throw new Error("no relay or no device");
      const prompts = countPrompts(device);
      const alice = await Approver.open(world, "Alice", { device, port: relay.port });
      endings.push(async () => await alice.close());
      const bob = await joinMember({ ...world, port: relay.port }, "Bob");
      return new Siege({ world, relay, spy, alice, bob, prompts });
    } catch (error) {
      // Nobody else can end what had begun.
      for (const end of endings.toReversed()) await end();
      throw error;
    }
  }

  /** Alice, who is paired, enrols her device and counts; she and Bob approve together. */
  async join(): Promise<void> {
    const words = await this.alice.enrolAndSay();
    await enact(this.world, await vouch(this.world, "Alice", words));
    await this.alice.counted();
    await changePolicy(this.world, { approvers: ["Alice", "Bob"], threshold: 2 });
  }

  async invite(): Promise<string> {
    return await invite(this.world, "Alice");
  }

  isAlices(wire: Wire): boolean {
    return !wire.isAgent && wire.key !== this.bob.kid;
  }

  wireOf(who: "Alice" | "Bob"): Wire {
    const isBobs = (wire: Wire) => wire.key === this.bob.kid;
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
      const { frame, jws } = passing;
      if (frame.t !== "deliver" || jws === undefined || !this.concerns(passing, "to Alice", type)) return [frame];
      return [{ ...frame, body: await this.sealToAlice(await forge(jws), passing.wire) }];
    };
  }

  /** Any text sealed to the key that Alice's browser receives with: no bridge knows it, this one does. */
  async sealToAlice(text: string, wire: Wire = this.wireOf("Alice")): Promise<string> {
    return await sealAnything(text, this.spy.sealOf(wire.key));
  }

  /** Any text sealed to the agent's card, as everybody can who is shown it. */
  async sealToAgent(text: string): Promise<string> {
    return await sealAnything(text, (await this.bob.mail.card()).seal);
  }

  async deliverToAlice(text: string): Promise<void> {
    this.wireOf("Alice").deliver(await this.sealToAlice(text));
  }

  async propose(): Promise<RequestView> {
    return await propose(this.world);
  }

  /** The agent's record of an open request, of which nothing was signed. Throws where it is anything else. */
  async requireOpen(id: string): Promise<RequestView> {
    const request = await showRequest(this.world, id);
    if (request.state !== "pending" || request.signed !== null) throw new Error(`${id} is ${request.state}`);
    return request;
  }

  /** The codes with which the agent has dropped messages so far: those that do not open, and those that are refused. */
  refusals(): string[] {
    const refused = this.world.agent().lines.filter((line) => /"msg":"message (refused|not opened)"/.test(line));
    return refused.map((line) => /"code":"(\w+)"/.exec(line)?.[1] ?? "");
  }

  async end(): Promise<void> {
    await this.alice.close();
    this.bob.close();
    this.spy.close();
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
