/**
 * For the tests of this folder only: an agent without link, socket and timers, over a real record in a temporary folder. Messages reach it
 * sealed, as the bridge delivers them, and what it answers is signed when a test says so. Who uses it is in testing.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type Claims, type MessageType, signEnvelope } from "../protocol/envelope.ts";
import { isFault } from "../protocol/error.ts";
import type { Receipt } from "../protocol/log-entry.ts";
import { CARD } from "../protocol/message.ts";
import type { PolicyText } from "../protocol/policy.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { seal } from "../protocol/seal.ts";
import { isView, type OpenedView, openView } from "../protocol/view.ts";
import { advance } from "./advance.ts";
import { AnchorKeeper } from "./anchor.ts";
import { Backups } from "./backup.ts";
import { type Consequence, type Desk, issue } from "./desk.ts";
import { receive } from "./inbound.ts";
import { Journal } from "./journal.ts";
import { settleOne } from "./owed.ts";
import type { RequestRow } from "./rows.ts";
import { makeAgentSealKey, SealKeys } from "./sealing.ts";
import { openDesk } from "./session.ts";
import { showLog } from "./showing.ts";
import { MemoryHsm } from "./testing-hsm.ts";
import { type Key, makeKey, newJti, START } from "./testing-people.ts";
import { logOrigin, startOf } from "./witnesses.ts";

export const LOG = pino({ level: "silent" });
/** What overtakes a step, which is then begun again (driver.ts). */
const OVERTAKEN = ["ERR_REQUEST_STATE", "ERR_QUORUM", "ERR_REQUEST_EXPIRED", "ERR_FROZEN"];

interface Session {
  readonly desk: Desk;
  readonly keys: SealKeys;
  readonly seal: PublicJwk;
  readonly keeper: AnchorKeeper;
}

export class Running {
  readonly folder = mkdtempSync(join(tmpdir(), "opencustody-agent-"));
  readonly path = join(this.folder, "agent.db");
  protected readonly bridge: string;
  hsm = new MemoryHsm();
  now = START;
  /** Whether people's browsers are taken to be there at once after a start. */
  trusting = true;
  /** Told whenever something waits to be signed or sent. */
  onWake: () => void = () => {};
  #session: Session | undefined;

  constructor(bridge: string) {
    this.bridge = bridge;
  }

  get #open(): Session {
    if (this.#session === undefined) throw new Error("the agent is not running");
    return this.#session;
  }

  /** Another one after `reopen`. */
  get desk(): Desk {
    return this.#open.desk;
  }

  /** Without a folder of the agent's own. */
  get backups(): Backups {
    return new Backups(this.desk, this.folder, null);
  }

  get keys(): SealKeys {
    return this.#open.keys;
  }

  /** Thumbprint of the receiving key that people seal to now. */
  get sealedTo(): string {
    return thumbprint(this.#open.seal);
  }

  get policy(): PolicyText {
    const { n: _n, ...text } = this.desk.charter.require().policy;
    return text;
  }

  protected async start(): Promise<void> {
    const journal = new Journal(this.path);
    try {
      const wake = () => {
        this.#session?.keeper.keep();
        this.onWake();
      };
      const config = { bridge: { url: this.bridge } };
      const { desk, anchor } = await openDesk(
        { config, log: LOG, journal, hsm: this.hsm, start: startOf(journal), wall: () => this.now },
        wake,
      );
      const keys = await SealKeys.load(journal);
      this.#session = { desk, keys, seal: await renewSeal(keys, desk), keeper: new AnchorKeeper(desk, anchor ?? "") };
      if (this.trusting) this.trustRecord();
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /** The agent was killed and starts again; `meanwhile` may change its record. @throws Fault where it refuses to start */
  async reopen(meanwhile: (path: string) => void = () => {}): Promise<void> {
    await this.#session?.keeper.settled();
    this.#session?.desk.journal.close();
    this.#session = undefined;
    meanwhile(this.path);
    await this.start();
  }

  /** Resolves when the token's anchor is written as far as it is due. */
  async anchored(): Promise<void> {
    await this.#session?.keeper.settled();
  }

  dispose(): void {
    this.#session?.desk.journal.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A signed message to the agent. */
  async message<T extends Claims>(
    type: MessageType<T>,
    key: Key,
    body: Omit<T, keyof Claims>,
    claims: Partial<Claims> = {},
  ): Promise<string> {
    const aud = [this.desk.identity.signer.kid];
    const own = { v: 1, iss: key.kid, aud, jti: newJti(), iat: this.now, exp: this.now + 86_400, ...claims };
    return await signEnvelope(type, { ...own, ...body } as unknown as T, key.signer);
  }

  /** A signed message, sealed and delivered as the bridge does it. */
  async deliver(from: string, jws: string, id = newJti()): Promise<Consequence> {
    const { desk, keys, seal: to } = this.#open;
    return await receive(desk, keys, { from, id, body: await seal(jws, to) });
  }

  /** The same; answers are signed, if the HSM is there. Returns the code of its refusal, or undefined where it was accepted. */
  async receive(from: Key, jws: string): Promise<string | undefined> {
    await this.deliver(from.kid, jws);
    const { jti } = payloadOf(jws);
    const owed = this.desk.journal.owed().map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    await this.settle().catch((error: unknown) => ignoreHsm(error));
    const refusal = [...owed, ...this.sent("oc-refusal+jws")].find((one) => one["of"] === jti);
    return typeof refusal?.["code"] === "string" ? refusal["code"] : undefined;
  }

  /** Signs all that is owed, and shows what is new in the log. */
  async settle(): Promise<void> {
    const { journal } = this.desk;
    for (let rows = journal.owed(); rows.length > 0; rows = journal.owed())
      for (const row of rows) await settleOne(this.desk, row, row.what === "reseal" ? await this.card() : undefined);
    await showLog(this.desk);
  }

  /** A card of this agent, signed now. */
  async card(): Promise<string> {
    const { desk, seal: key } = this.#open;
    const body = { n: 1, hsm: desk.identity.jwk, link: makeKey().jwk, seal: key };
    return (await issue(desk, CARD, [desk.bridgeUrl], body)).jws;
  }

  /** Payloads of this type in the outbox, oldest first. */
  sent(typ: string): (Record<string, unknown> & { receiver: string })[] {
    return this.desk.journal
      .outbox(100_000)
      .filter(({ jws }) => typOf(jws) === typ)
      .map(({ jws, receiver }) => ({ ...payloadOf(jws), receiver }));
  }

  /** Views of the log in the outbox, oldest first, opened as their receivers would. */
  async views(): Promise<(OpenedView & { readonly receiver: string })[]> {
    await this.settle();
    const { journal, identity, charter } = this.desk;
    const rows = journal.outbox(100_000).filter(({ jws }) => isView(jws));
    const expected = { origin: logOrigin(journal), keys: [identity.jwk, ...charter.identities] };
    return await Promise.all(rows.map(async ({ jws, receiver }) => ({ ...(await openView(jws, expected)), receiver })));
  }

  /** The receipts in them. */
  async receipts(): Promise<(Receipt & { readonly receiver: string })[]> {
    return (await this.views()).flatMap(({ entries, receiver }) =>
      entries.flatMap((entry) => (entry.kind === "state" ? [{ ...entry, receiver }] : [])),
    );
  }

  /** As if the browsers of all members had shown what they know since this start. */
  protected trustRecord(): void {
    const { charter, witnesses } = this.desk;
    for (const { name } of charter.current?.people.members ?? []) witnesses.show(name);
  }

  /** Empties the outbox. */
  forget(): void {
    for (const { n } of this.desk.journal.outbox(100_000)) this.desk.journal.removeFromOutbox(n);
  }

  row(id: string): RequestRow {
    const row = this.desk.journal.request(id);
    if (row === undefined) throw new Error(`no request ${id}`);
    return row;
  }

  /** As the driver does it: a step that was overtaken is begun again, and what follows is done. */
  async drive(id: string): Promise<void> {
    for (let left = 6; left > 0; left -= 1) {
      try {
        const { requests, rotated } = await advance(this.desk, id);
        if (rotated === true) await this.reopen();
        for (const next of requests) await this.drive(next);
        return;
      } catch (error) {
        if (!isFault(error) || !OVERTAKEN.includes(error.code)) throw error;
      }
    }
    throw new Error("it does not come to rest");
  }
}

/** The next receiving key, as a new card brings it. */
export async function renewSeal(keys: SealKeys, desk: Desk): Promise<PublicJwk> {
  const { jwk, keep } = await makeAgentSealKey();
  keep(keys, desk, () => {});
  return jwk;
}

/** The payload of a JWS, not verified. */
export function payloadOf(jws: string): Record<string, unknown> {
  return decode(jws.split(".")[1]);
}

/** The type that a message claims. */
export function typOf(jws: string): string {
  if (isView(jws)) return "oc-view";
  return String(decode(jws.split(".")[0])["typ"]);
}

function decode(part = ""): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as Record<string, unknown>;
}

function ignoreHsm(error: unknown): void {
  if (!isFault(error) || !error.code.startsWith("ERR_HSM_")) throw error;
}
