/**
 * An agent that lies: an HSM identity of its own, whose fingerprint people have compared and pinned, at a real bridge. It pairs and
 * enrols whoever comes, founds a company of that person and three puppets, signs whatever request it is told to, and answers approvals
 * with a receipt in its log. Its founding is honest, or nothing that comes after would be believed; it has no vault.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { ACT, ACT_EXP, applyAct, type Charter } from "../../protocol/charter.ts";
import {
  type Claims,
  type MessageType,
  openEnvelope,
  payloadText,
  peekEnvelope,
  signPayload,
} from "../../protocol/envelope.ts";
import { DEVELOPMENT_BRIDGE, encodeInvite } from "../../protocol/invite.ts";
import {
  APPROVAL,
  type Approval,
  CARD,
  ENROLMENT,
  FREEZES,
  PAIR,
  type Pair,
  type RequestRecord,
  ROSTER,
  SYNC,
  type Sync,
  WELCOME,
} from "../../protocol/message.ts";
import type { Device } from "../../protocol/people.ts";
import { fingerprint, type PublicJwk, sha256Hex, thumbprint } from "../../protocol/primitive.ts";
import { REQUEST, type RequestPayload } from "../../protocol/request.ts";
import { makeSealKey, publicSealJwk, seal, unseal } from "../../protocol/seal.ts";
import { BridgeClient, type Key, makeKey, newJti, now } from "./bridge-client.ts";
import { message } from "./message.ts";
import { type Program, startProgram } from "./program.ts";
import { foundingOf, makePuppets, type Puppet } from "./rogue-founding.ts";
import { RogueLog } from "./rogue-log.ts";

interface Parts {
  readonly bridge: Program;
  readonly client: BridgeClient;
  readonly folder: string;
  /** Opens what is sealed to its card. */
  readonly secret: CryptoKey;
  readonly puppets: readonly Puppet[];
}

export class RogueAgent {
  readonly hsm: Key;
  readonly port: number;
  /** Approvals that came, verified under the member's key. */
  readonly approvals: Approval[] = [];
  /** Syncs that came. */
  readonly syncs: Sync[] = [];
  readonly log: RogueLog;
  /** The size of the log that the browser was shown. */
  shown = 0;
  readonly #parts: Parts;
  readonly #name: string;
  #invite: PublicJwk | undefined;
  #paired: Pair | undefined;
  #device: Device | undefined;
  #founding: { payload: RequestPayload; text: string } | undefined;
  #charter: { act: string; charter: Charter } | undefined;
  #rosters = 0;
  #inForce: (n: number) => void = () => {};
  #failure: unknown;

  private constructor(hsm: Key, port: number, name: string, parts: Parts) {
    this.hsm = hsm;
    this.log = new RogueLog(hsm);
    this.port = port;
    this.#name = name;
    this.#parts = parts;
  }

  /** Starts a bridge that serves this agent, and logs in. `name` is what it calls whoever pairs. */
  static async open(name: string): Promise<RogueAgent> {
    const hsm = await makeKey();
    const folder = mkdtempSync(join(tmpdir(), "opencustody-rogue-"));
    const config = join(folder, "bridge.json");
    mkdirSync(join(folder, "bridge"), { mode: 0o700 });
    const listen = { host: "127.0.0.1", port: 0 };
    const agents = [fingerprint(hsm.signer.kid)];
    writeFileSync(config, JSON.stringify({ url: DEVELOPMENT_BRIDGE, listen, data: "bridge", agents }));
    const bridge = startProgram("bridge/main.ts", ["--config", config]);
    const port = Number((await bridge.logged("listening"))["port"]);
    const link = await makeKey();
    const pair = await makeSealKey(true);
    const body = { n: 1, hsm: hsm.jwk, link: link.jwk, seal: await publicSealJwk(pair) };
    const card = await message(CARD, hsm, DEVELOPMENT_BRIDGE, body);
    const client = await BridgeClient.connect(port, hsm.signer.kid, link, card);
    const parts = { bridge, client, folder, secret: pair.privateKey, puppets: await makePuppets() };
    const agent = new RogueAgent(hsm, port, name, parts);
    agent.#serve().catch((error: unknown) => {
      agent.#failure = error;
    });
    return agent;
  }

  /** A code for the one browser of this agent. */
  async invite(): Promise<string> {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const { x = "", y = "", d = "" } = await exportJWK(privateKey);
    this.#invite = { kty: "EC", crv: "P-256", x, y };
    const inForce = new Promise<number>((resolve) => {
      this.#inForce = resolve;
    });
    await this.#publishRoster();
    await inForce;
    return encodeInvite({ v: 1, bridge: DEVELOPMENT_BRIDGE, hsm: this.hsm.signer.kid, key: this.#invite, d });
  }

  /** Asks the person, who has paired and enrolled, for the founding; the puppets sign whatever they are given. Returns its request's id. */
  async askFounding(): Promise<string> {
    if (this.#device === undefined) throw new Error("no device is enrolled");
    const person = { name: this.#name, extension: this.#member(), device: this.#device };
    const payload = foundingOf(this.hsm.signer.kid, person, this.#parts.puppets);
    const text = payloadText(REQUEST, payload);
    this.#founding = { payload, text };
    await this.#send(this.member, await signPayload(REQUEST, text, this.hsm.signer));
    return payload.request;
  }

  /** Thumbprint of the browser that was paired. */
  get member(): string {
    return thumbprint(this.#member());
  }

  /** What is in force since the founding. */
  get charter(): Charter {
    if (this.#charter === undefined) throw new Error("nothing is founded");
    return this.#charter.charter;
  }

  /** The people whose browsers and devices it has itself. */
  get puppets(): readonly Puppet[] {
    return this.#parts.puppets;
  }

  /** Shows the browser anything at all: a view, or what is none. */
  async show(text: string): Promise<void> {
    await this.#send(this.member, text);
  }

  /** Sends a message that the HSM identity signs. */
  async tell<T extends Claims>(type: MessageType<T>, body: Omit<T, keyof Claims>): Promise<void> {
    await this.show(await message(type, this.hsm, this.member, body));
  }

  /** Shows the log honestly, with these entries. */
  async showLog(entries: readonly number[] = []): Promise<void> {
    const from = this.shown;
    this.shown = this.log.tree.leaves.length;
    await this.show(await this.log.view(from, entries));
  }

  /** Its answer to a sync; honest until a test says otherwise. */
  onSync: (sync: Sync) => Promise<void> = async ({ log }) => {
    this.shown = log?.size ?? 0;
    if (this.log.tree.leaves.length > 0) await this.showLog();
  };

  /** Signs a payload as it is, schema or not, and sends it. */
  async sendRequest(payload: RequestPayload | Record<string, unknown>): Promise<void> {
    await this.#send(this.member, await signPayload(REQUEST, JSON.stringify(payload), this.hsm.signer));
  }

  /** Throws what went wrong meanwhile. */
  check(): void {
    if (this.#failure !== undefined) throw new Error("the rogue agent failed", { cause: this.#failure });
  }

  async close(): Promise<void> {
    this.#parts.client.close();
    await this.#parts.bridge.stop();
    rmSync(this.#parts.folder, { recursive: true, force: true });
  }

  async #serve(): Promise<void> {
    const { client, secret } = this.#parts;
    for (;;) {
      const frame = await client.take(() => true).catch(() => undefined);
      if (frame === undefined) return;
      if (frame.t === "error") throw new Error(`the bridge says ${frame.code}`);
      if (frame.t === "enrolled") this.#inForce(frame.n);
      if (frame.t !== "deliver") continue;
      await this.#answer(frame.from, await unseal(frame.body, () => secret));
      client.send({ v: 1, t: "ack", seq: frame.seq });
    }
  }

  async #answer(from: string, jws: string): Promise<void> {
    switch (peekEnvelope(jws).typ) {
      case PAIR.typ:
        this.#paired = await this.#open(PAIR, jws);
        this.#invite = undefined;
        return await this.#publishRoster();
      case ENROLMENT.typ: {
        const { address, vendor, model } = await this.#open(ENROLMENT, jws);
        this.#device = { address, vendor, model };
        return await this.#welcome(from);
      }
      case SYNC.typ: {
        const sync = await this.#open(SYNC, jws);
        await this.#welcome(from);
        if (this.#charter !== undefined && sync.charter === 0) await this.#send(from, this.#charter.act);
        this.syncs.push(sync);
        await this.onSync(sync);
        return await this.#send(from, await message(FREEZES, this.hsm, from, { n: 1, freezes: [] }));
      }
      case APPROVAL.typ: {
        const approval = await this.#open(APPROVAL, jws);
        this.approvals.push(approval);
        const isFounding = approval.request === this.#founding?.payload.request;
        if (isFounding) await this.#found(jws);
        return await this.#receipt(approval, isFounding ? "enacted" : "pending");
      }
      default:
        throw new Error(`a ${peekEnvelope(jws).typ} came`);
    }
  }

  async #receipt(approval: Approval, state: "enacted" | "pending"): Promise<void> {
    const { jti: of, request, digest, iat: at, address } = approval;
    const person = this.#name;
    const record: RequestRecord = { kind: "approval", person, of, at, vendor: "Ledger", address, reason: null };
    const common = { v: 1, at, request, digest } as const;
    const index = this.log.append({ ...common, kind: "state", n: 1, state, records: [record], hash: null });
    await this.showLog([index]);
  }

  /** With the person's own approval and the puppets' the founding takes effect. */
  async #found(approval: string): Promise<void> {
    if (this.#founding === undefined) throw new Error("nothing was asked for");
    const { payload, text } = this.#founding;
    const digest = sha256Hex(new TextEncoder().encode(text));
    const statement = payload.statement.replace("{digest}", digest);
    const approvals = [approval];
    for (const { key, device } of this.#parts.puppets) {
      const signature = device.sign(statement);
      const body = { request: payload.request, digest, address: device.address, signature, log: null };
      approvals.push(await message(APPROVAL, key, this.hsm.signer.kid, body, payload.exp));
    }
    const { policy, people } = payload;
    const body = { n: 1, previous: null, request: text, approvals, policy, people };
    const act = await message(ACT, this.hsm, this.hsm.signer.kid, body, ACT_EXP);
    this.#charter = { act, charter: (await applyAct(null, act, this.hsm.jwk)).charter };
    await this.#send(this.member, act);
    await this.#welcome(this.member);
  }

  async #open<T extends Claims>(type: MessageType<T>, jws: string): Promise<T> {
    const keys = [this.#invite, this.#paired?.key].filter((key) => key !== undefined);
    const keyOf = (kid: string) => keys.find((key) => thumbprint(key) === kid);
    return (await openEnvelope(jws, { type, keyOf, audience: this.hsm.signer.kid, now: now() })).payload;
  }

  async #welcome(to: string): Promise<void> {
    const isMember = this.#charter !== undefined;
    const state = isMember ? ("enrolled" as const) : ("pending" as const);
    const devices = this.#device === undefined ? [] : [{ ...this.#device, state }];
    const standing = isMember ? ("member" as const) : ("pending" as const);
    const roles = ["initiator" as const, "approver" as const, "admin" as const];
    const founder = this.hsm.signer.kid;
    const body = { hsm: this.hsm.jwk, founder, founding: null, name: this.#name, roles, devices, standing };
    await this.#send(to, await message(WELCOME, this.hsm, to, body));
  }

  async #publishRoster(): Promise<void> {
    this.#rosters += 1;
    const members = this.#paired === undefined ? [] : [this.#paired.key];
    const invites = this.#invite === undefined ? [] : [{ key: this.#invite, exp: now() + 3600 }];
    const jws = await message(ROSTER, this.hsm, DEVELOPMENT_BRIDGE, { n: this.#rosters, members, invites });
    this.#parts.client.send({ v: 1, t: "roster", jws });
  }

  async #send(to: string, jws: string): Promise<void> {
    if (this.#paired === undefined) throw new Error("nobody is paired");
    this.#parts.client.send({ v: 1, t: "send", id: newJti(), to, body: await seal(jws, this.#paired.seal) });
  }

  #member(): PublicJwk {
    if (this.#paired === undefined) throw new Error("nobody is paired");
    return this.#paired.key;
  }
}
