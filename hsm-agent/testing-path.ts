/**
 * The whole path of a transfer as a program of its own, for the bench (test/bench/path.ts), which may not import the agent: approvals that
 * are opened, counted under the policy, durable, signed by the real HSM, verified, stored, and shown as receipts. Not part of what the
 * agent runs.
 *
 * First line of standard input: the HSM's options. Each further line `{ fill, requests }`: so many finished requests are put into the
 * record, and then so many are carried out; answered by one line of figures. Ends with its input.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { APPROVAL } from "../protocol/message.ts";
import { requestIdOf } from "../protocol/primitive.ts";
import { seal, unseal } from "../protocol/seal.ts";
import { advance } from "./advance.ts";
import type { Sender } from "./answers.ts";
import { type Hsm, type HsmOptions, openHsm } from "./hsm/owner.ts";
import type { HsmKey } from "./hsm/wire.ts";
import { takeApproval } from "./inbound.ts";
import { sourceOf, verifyLog } from "./log-verify.ts";
import { openOnce } from "./opened.ts";
import { newestCheckpoint, showLog } from "./showing.ts";
import { Office } from "./testing.ts";
import { MemoryHsm } from "./testing-hsm.ts";
import { makePerson, newJti, type Person, VAULT } from "./testing-people.ts";

/** Open requests that one initiator may have at a time, and requests that are driven at a time. */
const BATCH = 150;
const IN_FLIGHT = 16;

/** The real HSM where the office expects one in memory. */
class TokenHsm extends MemoryHsm {
  readonly #real: Hsm;

  constructor(real: Hsm) {
    super();
    this.#real = real;
    this.keys = () => real.keys();
    this.random = (bytes) => real.random(bytes);
  }

  override async generateKey(request: Parameters<Hsm["generateKey"]>[0]): Promise<HsmKey> {
    return await this.#real.generateKey(request);
  }
  override async sign(id: string, digest: Uint8Array): Promise<Uint8Array> {
    return await this.#real.sign(id, digest);
  }
  override async findKey(id: string): Promise<HsmKey> {
    return await this.#real.findKey(id);
  }
  override async readAnchor(): Promise<string | undefined> {
    return await this.#real.readAnchor();
  }
  override async writeAnchor(text: string): Promise<void> {
    await this.#real.writeAnchor(text);
  }
}

interface Figures {
  readonly requests: number;
  /** Of this process and of the HSM's, in seconds. */
  readonly cpu: number;
  readonly wall: number;
  readonly stored: number;
  readonly logEntries: number;
  /** Microseconds for one message of an approval: JWS signed and opened, JWE sealed and opened. */
  readonly sealing: number;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const real = await openHsm(JSON.parse((await lines.next()).value ?? "{}") as HsmOptions);
const [olga, alice, bob, carol] = [makePerson("Olga"), makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const { office, invites } = await Office.draft([alice, bob, carol], 2, olga, { hsm: new TokenHsm(real) });
try {
  await office.found(invites);
  await office.settle();
  office.forget();
  for await (const line of lines) {
    const { fill, requests } = JSON.parse(line) as { fill: number; requests: number };
    fillRecord(fill);
    const figures = await carryOut(requests);
    process.stdout.write(`${JSON.stringify({ ...figures, ...(await logFigures()) })}\n`);
  }
} finally {
  office.dispose();
  await real.close();
}

/** Expired requests as the record keeps them, with their entries of the log: proposed, issued, approved by two, over. */
function fillRecord(count: number): void {
  const { journal } = office.desk;
  const sample = journal.requests(["signed"])[0];
  const jws = sample?.jws ?? null;
  if (sample === undefined || jws === null) return;
  const { aud } = JSON.parse(sample.payload) as { aud: string[] };
  for (let n = 0; n < count; n += 1) {
    const id = requestIdOf(randomBytes(10));
    journal.transaction(() => {
      journal.addRequest({ ...sample, id, proposal: newJti(), state: "proposed", nonce: null });
      journal.issueRequest({ id, digest: sample.digest }, "pending", jws);
    });
    for (const { name: person, address } of [alice, bob])
      journal.transaction(() => {
        journal.changeRequest(id, {});
        const common = { kind: "approval", vendor: "Ledger", reason: null, jws } as const;
        journal.addRecord(id, { ...common, person, address, of: newJti(), at: office.now });
      });
    journal.transaction(() => journal.changeRequest(id, { state: "expired", problem: null }));
    for (const receiver of aud) journal.removeOwedView(receiver, id);
  }
}

async function carryOut(requests: number): Promise<Figures> {
  let [cpu, wall, carried] = [0, 0, 0];
  while (carried < requests) {
    const count = Math.min(BATCH, requests - carried);
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const id = await office.propose(olga, "1.5", VAULT);
      await advance(office.desk, id);
      ids.push(id);
    }
    await office.settle();
    office.forget();
    const approvals = await Promise.all(
      ids.map(async (id) => await Promise.all([alice, bob].map((by) => opened(by, id)))),
    );
    await office.desk.journal.durable();
    const began = { cpu: cpuSeconds(), wall: performance.now() };
    for (const both of approvals) for (const { sender, message } of both) takeApproval(office.desk, sender, message);
    const left = [...ids];
    const worker = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) await advance(office.desk, id);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    await showLog(office.desk);
    await office.desk.journal.durable();
    cpu += cpuSeconds() - began.cpu;
    wall += (performance.now() - began.wall) / 1000;
    for (const id of ids) if (office.row(id).state !== "signed") throw new Error(`request ${id} was not signed`);
    for (const id of ids) office.desk.journal.release(office.row(id), office.now);
    office.forget();
    carried += count;
  }
  const { journal } = office.desk;
  const stored = journal.requests().length;
  return { requests: carried, cpu, wall, stored, logEntries: journal.logSize(), sealing: await sealingOf() };
}

/** Milliseconds that the verification of the whole log takes, and microseconds of one proof that an entry is in it. */
async function logFigures(): Promise<{ readonly verifying: number; readonly proving: number }> {
  const { journal } = office.desk;
  await newestCheckpoint(office.desk);
  let began = performance.now();
  await verifyLog(sourceOf(journal), null);
  const verifying = performance.now() - began;
  const size = journal.logSize();
  const times = 1_000;
  began = performance.now();
  for (let n = 0; n < times; n += 1) journal.prove(Math.floor((n / times) * size), size);
  return { verifying, proving: ((performance.now() - began) / times) * 1000 };
}

/** An approval as inbound.ts has it after opening it. */
async function opened(by: Person, id: string) {
  const jws = await office.approval(by, id);
  const { desk, now } = office;
  const keyOf = (kid: string) => (kid === by.key.kid ? by.key.jwk : undefined);
  const message = await openOnce(jws, { type: APPROVAL, keyOf, audience: desk.identity.signer.kid, now });
  const sender: Sender = { kid: by.key.kid, name: by.name, isMember: true, jti: message.jti, jws, at: now };
  return { sender, message };
}

async function sealingOf(): Promise<number> {
  const id = await office.propose(olga, "1.5", VAULT);
  await advance(office.desk, id);
  const times = 100;
  const began = performance.now();
  for (let n = 0; n < times; n += 1) {
    const jws = await office.approval(alice, id);
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
    const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const body = await seal(jws, { kty: "EC", crv: "P-256", x, y });
    await unseal(body, () => pair.privateKey);
  }
  return ((performance.now() - began) / times) * 1000;
}

/** Of this process and of the HSM's. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  const pid = real.pid();
  if (pid === undefined) throw new Error("the HSM is away");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime and stime, in ticks of a hundredth of a second.
  return (user + system) / 1e6 + (Number(fields[11]) + Number(fields[12])) / 100;
}
