/**
 * A founded company behind a bridge that was taken over: agent, SoftHSM and bridge are real processes, and between them and the people
 * stands a relay that keeps every frame and may change, drop, repeat or invent some. Two of Ada, Bob and Dan must approve; Olga proposes.
 * Every try is held to what the agent's record says before and after it.
 */
import { type Claims, type MessageType, signEnvelope } from "../../protocol/envelope.ts";
import {
  APPROVAL,
  type Approval,
  MOTION,
  type MotionMessage,
  PROPOSAL,
  type Proposal,
  WITHDRAWAL,
} from "../../protocol/message.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { type Key, newJti, now } from "../harness/bridge-client.ts";
import { enact } from "../harness/company.ts";
import { sealAnything } from "../harness/forgery.ts";
import type { Frame, HostileRelay, Wire } from "../harness/hostile-relay.ts";
import type { Arrived, Member } from "../harness/member.ts";
import { message } from "../harness/message.ts";
import { NETWORK, VAULT } from "../harness/policy-plan.ts";
import { DESTINATION, type RequestView, showRequest, waitForRequest } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";
import { assemble, type Options, type Parts } from "./assemble.ts";
import type { Tally } from "./attack.ts";

export const VAULT_2 = "Treasury-2";
export const NETWORK_2 = "eip155:10";

/** What is noted of a try that the agent took for what it was, and after which its record was the same. */
export const NOTHING = "nothing changed";

export class Stage implements Parts {
  readonly world: World;
  readonly relay: HostileRelay;
  readonly ada: Member;
  readonly bob: Member;
  readonly dan: Member;
  readonly olga: Key;
  readonly stranger: Key;
  readonly marker: Key;

  private constructor(parts: Parts) {
    this.world = parts.world;
    this.relay = parts.relay;
    this.ada = parts.ada;
    this.bob = parts.bob;
    this.dan = parts.dan;
    this.olga = parts.olga;
    this.stranger = parts.stranger;
    this.marker = parts.marker;
  }

  static async open(options: Options = {}): Promise<Stage> {
    const stage = new Stage(await assemble(options));
    try {
      await stage.#addVaultAndNetwork();
      return stage;
    } catch (error) {
      await stage.end();
      throw error;
    }
  }

  /** Thumbprint of the HSM identity. */
  get hsm(): string {
    return this.ada.hsm;
  }

  async end(): Promise<void> {
    for (const member of [this.ada, this.bob, this.dan]) member.close();
    await this.world.dispose();
    await this.relay.close();
  }

  /** Olga proposes; resolves once everybody, or whom `who` names, has the request. */
  async propose(change: Partial<Proposal> = {}, who = [this.ada, this.bob, this.dan]): Promise<Asked> {
    const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
    const body = { vault: VAULT, network: NETWORK, asset: "ETH", amount: "1.5", to: DESTINATION, gas, ...change };
    const jws = await message(PROPOSAL, this.olga, this.hsm, body);
    const { request: id } = await this.world.ask<{ request: string }>({ command: "request.propose", jws });
    return await this.#asked(id, who);
  }

  /** Olga proposes a change; resolves once everybody has the request. */
  async move(motion: MotionMessage["motion"]): Promise<Asked> {
    const jws = await message(MOTION, this.olga, this.hsm, { motion, recovery: false });
    const { request: id } = await this.world.ask<{ request: string }>({ command: "motion", jws });
    return await this.#asked(id);
  }

  /** As `move`, and Ada and Bob approve it. */
  async enact(motion: MotionMessage["motion"]): Promise<void> {
    await enact(this.world, (await this.move(motion)).id);
  }

  /** The policy in force, as it could be proposed. */
  async policy(): Promise<PolicyText> {
    const shown = await this.world.ask<Shown>({ command: "policy.show", n: null });
    const { digest: _digest, n: _n, ...policy } = shown;
    return policy;
  }

  /** Resolves once the agent has dealt with all that somebody sent before. */
  async settled(member: Member): Promise<void> {
    const of = await member.post(WITHDRAWAL, { request: "0".repeat(16), digest: "0".repeat(64) });
    await member.refusal(of);
  }

  /** Resolves once the agent is at the bridge, and everybody whose connection has ended is back. */
  async online(): Promise<void> {
    for (const { mail } of [this.ada, this.bob, this.dan]) if (!mail.isOpen) await mail.reconnect();
    while ((await this.world.ask<{ bridge: { state: string } }>({ command: "status" })).bridge.state !== "online")
      await new Promise((resolve) => setTimeout(resolve, 50));
  }

  /** Kills the agent and starts it anew; resolves once it is at the bridge again. */
  async restartAgent(): Promise<void> {
    await this.world.restartAgent();
    await this.world.agent().logged("bridge connection ready");
  }

  async show(id: string): Promise<RequestView> {
    return await showRequest(this.world, id);
  }

  /** Throws where an honest request is not signed any more. */
  async requireHonest(): Promise<void> {
    const asked = await this.propose();
    // What the forgers start from counts, and so does what comes through the real bridge.
    await this.strikeWith(await this.approval(asked, this.bob), this.bob.kid);
    await this.dan.decide(asked.id);
    await waitForRequest(this.world, asked.id, ({ state }) => state === "signed");
  }

  /** A message of a key as the agent would take it. */
  async sign<T extends Claims>(key: Key, type: MessageType<T>, body: Omit<T, keyof Claims>): Promise<string> {
    return await message(type, key, this.hsm, body);
  }

  /** An approval as the agent would count it, but for what is changed. It lasts as long as its request. */
  async approval(asked: Arrived, by: Member = this.ada, change: Partial<Approval> = {}): Promise<string> {
    const { request, exp } = asked.payload;
    const { address } = by.device;
    const claims = { v: 1, iss: by.kid, aud: [this.hsm], jti: newJti(), iat: now(), exp } as const;
    const body = { request, digest: asked.digest, address, signature: by.device.sign(asked.statement), log: null };
    return await signEnvelope(APPROVAL, { ...claims, aud: [...claims.aud], ...body, ...change }, by.key.signer);
  }

  /** Any text sealed to the agent's newest card. */
  async seal(text: string): Promise<string> {
    return await sealAnything(text, (await this.dan.mail.card()).seal);
  }

  agentWire(): Wire {
    return this.relay.wire(({ isAgent }) => isAgent);
  }

  wireOf(member: Member): Wire {
    return this.relay.wire(({ key, isAgent }) => !isAgent && key === member.kid);
  }

  /** What somebody sends while `work` runs, as the bridge sees it: a frame with a sealed body. */
  async capture(member: Member, work: () => Promise<unknown>): Promise<Frame & { t: "send" }> {
    const since = this.relay.seen.length;
    await work();
    for (;;) {
      const found = this.relay.seen
        .slice(since)
        .find(({ frame, wire }) => frame.t === "send" && wire.key === member.kid);
      if (found?.frame.t === "send") return found.frame;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /**
   * The bridge delivers a body to the agent and names a sender. Resolves once the agent has dealt with it, with the code that it logged,
   * or NOTHING. A second frame that no agent can open marks where the answer ends: they are dealt with in order.
   */
  async strike(body: string, from: string = this.ada.kid): Promise<string> {
    const wire = this.agentWire();
    const { lines } = this.world.agent();
    const since = lines.length;
    const frame = { v: 1, t: "deliver", seq: 1 } as const;
    wire.pass("party", { ...frame, id: newJti(), from, body });
    wire.pass("party", { ...frame, id: newJti(), from: this.marker.signer.kid, body: "mark" });
    for (;;) {
      const said = lines.slice(since).map(parse);
      if (said.some((line) => line["from"] === this.marker.signer.kid)) {
        const answer = said.find((line) => line["from"] === from && /refused|not opened/.test(String(line["msg"])));
        return answer === undefined ? NOTHING : String(answer["code"]);
      }
      if (!wire.isOpen) throw new Error("the agent ended the connection");
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** Seals a message and strikes with it. */
  async strikeWith(jws: string, from?: string): Promise<string> {
    return await this.strike(await this.seal(jws), from);
  }

  /** One try: refused with what `work` returns, if the agent's record is the same afterwards; else it is through. */
  async attempt(tally: Tally, work: () => Promise<string>, what = "a try"): Promise<void> {
    const before = await this.state();
    const code = await work();
    const after = await this.state();
    const at = after.findIndex((line, index) => line !== before[index]);
    if (before.length === after.length && at < 0) tally.refused(code);
    else
      tally.through(`${what}, answered with ${code}, changed ${before[at] ?? "nothing"} to ${after[at] ?? "nothing"}`);
  }

  /** All that the agent's record says of people, policy, freezes and requests, a line each. */
  async state(): Promise<string[]> {
    const { act, policy, people, frozen, open, clock, behind } = await this.world.ask<Line>({ command: "status" });
    const members = await this.world.ask<Line>({ command: "members.list" });
    const document = await this.world.ask<Line>({ command: "policy.show", n: null });
    const requests = await this.world.ask<{ id: string }[]>({ command: "request.list" });
    const shown: unknown[] = [];
    for (const { id } of requests) shown.push(await this.show(id));
    const status = { act, policy, people, frozen, open, clock, behind };
    return [status, members, document, ...shown].map((value) => JSON.stringify(value));
  }

  async #asked(id: string, who = [this.ada, this.bob, this.dan]): Promise<Asked> {
    await waitForRequest(this.world, id, ({ state }) => state === "pending");
    const [first] = await Promise.all(who.map(async (member) => await member.request(id)));
    if (first === undefined) throw new Error("nobody was asked");
    return { id, ...first };
  }

  async #addVaultAndNetwork(): Promise<void> {
    const nonces = [NETWORK, NETWORK_2].map((network) => ({ network, nonce: 7 }));
    await this.world.ask({ command: "vault.nonce", name: VAULT, network: NETWORK_2, nonce: 7 });
    await this.world.ask({ command: "vault.create", name: VAULT_2, backup: "none", nonces });
    const policy = await this.policy();
    const made = await this.world.ask<PolicyText["vaults"]>({ command: "vault.list" });
    const vaults = made.map(({ name, id, publicKey }) => ({ name, id, publicKey }));
    const networks = [...policy.networks, { id: NETWORK_2, name: "Optimism", symbol: "ETH", decimals: 18 }];
    const [rule] = policy.rules;
    if (rule === undefined) throw new Error("the policy has no rule");
    const rules = vaults.flatMap(({ name: vault }) => networks.map(({ id: network }) => ({ ...rule, vault, network })));
    await this.enact({ verb: "POLICY", change: { policy: { ...policy, networks, vaults, rules } } });
  }
}

/** A request that everybody has. */
export interface Asked extends Arrived {
  readonly id: string;
}

type Shown = PolicyText & { readonly digest: string; readonly n: number };
type Line = Readonly<Record<string, unknown>>;

function parse(line: string): Line {
  try {
    return Object(JSON.parse(line)) as Line;
  } catch {
    return {};
  }
}
