/**
 * An agent that lies: an HSM identity of its own, whose fingerprint people have compared and pinned, at a real bridge. It pairs and
 * enrols whoever comes, signs whatever request it is told to, and answers approvals with a receipt. It has no vault and no policy.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import {
  type Claims,
  type MessageType,
  openEnvelope,
  peekEnvelope,
  seal,
  signEnvelope,
  signPayload,
  unseal,
} from "../../protocol/envelope.ts";
import { DEVELOPMENT_BRIDGE, encodeInvite } from "../../protocol/invite.ts";
import {
  APPROVAL,
  type Approval,
  CARD,
  ENROLMENT,
  PAIR,
  RECEIPT,
  type RequestRecord,
  ROSTER,
  WELCOME,
} from "../../protocol/message.ts";
import { fingerprint, type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { REQUEST, type RequestPayload } from "../../protocol/request.ts";
import { BridgeClient, type Key, makeKey, newJti, now } from "./bridge-client.ts";
import { type Program, startProgram } from "./program.ts";

type Welcomed = { readonly address: string; readonly vendor: "Ledger" | "Trezor"; readonly model: string };

export class RogueAgent {
  readonly hsm: Key;
  readonly port: number;
  /** Approvals that came, verified under the member's key. */
  readonly approvals: Approval[] = [];
  readonly #bridge: Program;
  readonly #client: BridgeClient;
  readonly #folder: string;
  readonly #name: string;
  #invite: PublicJwk | undefined;
  #member: PublicJwk | undefined;
  #device: Welcomed | undefined;
  #rosters = 0;
  #inForce: (n: number) => void = () => {};
  #failure: unknown;

  private constructor(
    parts: { hsm: Key; port: number; bridge: Program; client: BridgeClient; folder: string },
    name: string,
  ) {
    this.hsm = parts.hsm;
    this.port = parts.port;
    this.#bridge = parts.bridge;
    this.#client = parts.client;
    this.#folder = parts.folder;
    this.#name = name;
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
    const card = await signed(hsm, CARD, DEVELOPMENT_BRIDGE, { n: 1, hsm: hsm.jwk, link: link.jwk });
    const client = await BridgeClient.connect(port, hsm.signer.kid, link, card);
    const agent = new RogueAgent({ hsm, port, bridge, client, folder }, name);
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

  /** Thumbprint of the browser that was paired. */
  get member(): string {
    if (this.#member === undefined) throw new Error("nobody is paired");
    return thumbprint(this.#member);
  }

  /** Signs a payload as it is, schema or not, and sends it. */
  async sendRequest(payload: RequestPayload | Record<string, unknown>): Promise<void> {
    await this.#send(this.member, await signPayload(REQUEST, JSON.stringify(payload), this.hsm.signer));
  }

  /** Throws what went wrong while it was serving. */
  check(): void {
    if (this.#failure !== undefined) throw new Error("the rogue agent failed", { cause: this.#failure });
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#bridge.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(): Promise<void> {
    for (;;) {
      const frame = await this.#client.take(() => true).catch(() => undefined);
      if (frame === undefined) return;
      if (frame.t === "error") throw new Error(`the bridge says ${frame.code}`);
      if (frame.t === "enrolled") this.#inForce(frame.n);
      if (frame.t !== "deliver") continue;
      await this.#answer(frame.from, unseal(frame.body));
      this.#client.send({ v: 1, t: "ack", seq: frame.seq });
    }
  }

  async #answer(from: string, jws: string): Promise<void> {
    switch (peekEnvelope(jws).typ) {
      case PAIR.typ:
        this.#member = (await this.#open(PAIR, jws)).key;
        // The welcome first: the roster that follows has the invite no more.
        await this.#welcome(from);
        this.#invite = undefined;
        return await this.#publishRoster();
      case ENROLMENT.typ: {
        const { address, vendor, model } = await this.#open(ENROLMENT, jws);
        this.#device = { address, vendor, model };
        return await this.#welcome(from);
      }
      case APPROVAL.typ: {
        const approval = await this.#open(APPROVAL, jws);
        this.approvals.push(approval);
        const { jti: of, request, digest, iat: at } = approval;
        const record: RequestRecord = { kind: "approval", person: this.#name, of, at, vendor: "Ledger", reason: null };
        const body = { request, digest, n: 1, state: "pending" as const, records: [record], hash: null };
        return await this.#send(from, await signed(this.hsm, RECEIPT, from, body));
      }
      default:
        return await this.#welcome(from);
    }
  }

  async #open<T extends Claims>(type: MessageType<T>, jws: string): Promise<T> {
    const keys = [this.#invite, this.#member].filter((key) => key !== undefined);
    const keyOf = (kid: string) => keys.find((key) => thumbprint(key) === kid);
    return (await openEnvelope(jws, { type, keyOf, audience: this.hsm.signer.kid, now: now() })).payload;
  }

  async #welcome(to: string): Promise<void> {
    const devices = this.#device === undefined ? [] : [{ ...this.#device, state: "enrolled" as const }];
    const body = { hsm: this.hsm.jwk, name: this.#name, roles: ["approver" as const], devices };
    const audience = this.#member === undefined ? to : thumbprint(this.#member);
    await this.#send(to, await signed(this.hsm, WELCOME, audience, body));
  }

  async #publishRoster(): Promise<void> {
    this.#rosters += 1;
    const members = this.#member === undefined ? [] : [this.#member];
    const invites = this.#invite === undefined ? [] : [{ key: this.#invite, exp: now() + 3600 }];
    const jws = await signed(this.hsm, ROSTER, DEVELOPMENT_BRIDGE, { n: this.#rosters, members, invites });
    this.#client.send({ v: 1, t: "roster", jws });
  }

  async #send(to: string, jws: string): Promise<void> {
    this.#client.send({ v: 1, t: "send", id: newJti(), to, body: seal(jws) });
  }
}

async function signed<T extends Claims>(
  key: Key,
  type: MessageType<T>,
  audience: string,
  body: Omit<T, keyof Claims>,
): Promise<string> {
  const iat = now();
  const claims: Claims = { v: 1, iss: key.signer.kid, aud: [audience], jti: newJti(), iat, exp: iat + 3600 };
  return await signEnvelope(type, { ...claims, ...body } as unknown as T, key.signer);
}
