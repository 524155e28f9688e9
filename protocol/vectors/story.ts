/** Stories for proof.json: a request from its proposal to its end, as an agent's log tells it and as a proof shows it. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Hex } from "viem";
import { parseTransaction, serializeTransaction } from "viem/utils";
import { payloadText, signPayload } from "../envelope.ts";
import type { Receipt } from "../log-entry.ts";
import { APPROVAL, CANCELLATION, MOTION, PROPOSAL, REJECTION, type RequestRecord, WITHDRAWAL } from "../message.ts";
import { extensionsOf } from "../people.ts";
import { requestIdOf, sha256Hex } from "../primitive.ts";
import type { Proof } from "../proof-form.ts";
import { REQUEST, type RequestPayload, type TransferRequest, withStatement } from "../request.ts";
import { referencesOf } from "../governance.ts";
import type { Link } from "./chain.ts";
import { bytesOf, HSM, OLGA, VAULT, type VectorDevice, type VectorKey } from "./keys.ts";
import { approve, written } from "./motion.ts";
import { claims, NOW, REQUEST_PAYLOAD } from "./sample.ts";
import { VectorTree } from "./tree.ts";
import type { Person } from "./world.ts";

/** What somebody answers, and what the record of it says otherwise. */
export interface Answer {
  readonly kind: RequestRecord["kind"];
  readonly by: Person;
  /** Replaces members of the message, before it is signed. */
  readonly message?: object;
  /** Replaces members of the record. */
  readonly record?: object;
}

export interface Story {
  /** The acts in the file, and after how many of them it was asked. */
  readonly links: readonly Link[];
  readonly request: RequestPayload;
  readonly proposal: string | null;
  readonly answers: readonly Answer[];
  readonly state: Receipt["state"];
  readonly by?: VectorKey;
  readonly founder?: VectorKey;
  readonly noteBy?: VectorKey;
  /** Who proposed it, as the log says; the initiator where it is left out. */
  readonly proposer?: string;
  /** When it was asked for, as the log says; the request's own time where it is left out. */
  readonly issuedAt?: number;
  /** Replaces members of the last state. */
  readonly receipt?: object;
  readonly signed?: string;
  /** The act that it became. */
  readonly act?: Link;
}

const TYPES = { approval: APPROVAL, rejection: REJECTION, withdrawal: WITHDRAWAL, cancellation: CANCELLATION };

/** A transfer like the example's under the documents after a link. `change` replaces members before the statement is made. */
export function transfer(name: string, { charter }: Link, change: Partial<TransferRequest> = {}, by = HSM, at = NOW) {
  const rule = charter.policy.rules[0];
  if (rule === undefined) throw new RangeError("the policy has no rule");
  const group = charter.policy.groups.find((one) => one.name === rule.approvers)?.members ?? [];
  const people = group.filter((one) => charter.people.members.some((member) => member.name === one));
  const { statement: _statement, ...example } = REQUEST_PAYLOAD;
  return withStatement({
    ...example,
    ...claims(`request to ${name}`, by, extensionsOf(charter.people, [...people, "Eve"])),
    iat: at,
    exp: at + rule.expiresAfter * 60,
    request: requestIdOf(bytesOf(`request id to ${name}`, 10)),
    payee: "Acme",
    quorum: { threshold: rule.threshold, people, vendors: rule.vendors },
    ...referencesOf(charter),
    ...change,
  });
}

/** Olga's proposal of the example's transfer. */
export async function proposalOf(request: RequestPayload, change: object = {}, key: VectorKey = OLGA): Promise<string> {
  const payload = {
    ...claims(`proposal of ${request.request}`, key, [request.iss]),
    iat: request.iat,
    exp: request.iat + 300,
    vault: "Treasury-1",
    network: "eip155:1",
    asset: "USDC",
    amount: "250000",
    to: REQUEST_PAYLOAD.effect.to,
    gas: { limit: "60000", maxFeePerGas: "150000000000", maxPriorityFeePerGas: "1000000000" },
  };
  return await signPayload(PROPOSAL, JSON.stringify({ ...payload, ...change }), key.signer);
}

/** The motion that a governance request was made from. */
export async function motionFor(request: RequestPayload, change: object = {}, key: VectorKey = OLGA): Promise<string> {
  if (request.verb === "SEND") throw new TypeError("not a motion");
  const payload = {
    ...claims(`motion of ${request.request}`, key, [request.iss]),
    iat: request.iat,
    exp: request.iat + 300,
    motion: { verb: request.verb, change: request.change },
    recovery: request.notBefore !== null,
  };
  return await signPayload(MOTION, JSON.stringify({ ...payload, ...change }), key.signer);
}

/** The signed form of a transfer, by a vault's key. `change` replaces parts of the signature. */
export function signedForm(request: TransferRequest, device: VectorDevice = VAULT, change: object = {}): string {
  const [unsigned = ""] = request.sign;
  const [recovery = 0, ...rs] = device.signHash(keccak_256(hexToBytes(unsigned)));
  const hex = (bytes: number[]): Hex => `0x${bytesToHex(Uint8Array.from(bytes))}`;
  const signature = { yParity: recovery, r: hex(rs.slice(0, 32)), s: hex(rs.slice(32)), ...change };
  const transaction = parseTransaction(`0x${unsigned}`);
  if (transaction.type !== "eip1559") throw new TypeError("not EIP-1559");
  return serializeTransaction(transaction, signature);
}

async function answer(request: RequestPayload, { kind, by, message = {} }: Answer): Promise<string> {
  if (kind === "approval") return await approve(request, by, message);
  const { digest } = written(request);
  const payload = {
    ...claims(`${kind} by ${by.name} of ${request.request}`, by.key, [request.iss]),
    iat: request.iat,
    exp: request.exp + 3600,
    request: request.request,
    ...(kind === "cancellation" ? {} : { digest }),
    ...(kind === "rejection" ? { reason: "suspicious" } : {}),
  };
  return await signPayload(TYPES[kind], JSON.stringify({ ...payload, ...message }), by.key.signer);
}

function recordOf({ kind, by, record = {} }: Answer, jws: string, at: number): RequestRecord {
  const { jti } = JSON.parse(atob((jws.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"))) as { jti: string };
  const isApproval = kind === "approval";
  return {
    kind,
    person: by.name,
    of: jti,
    at,
    vendor: isApproval ? by.enrolled.vendor : null,
    address: isApproval ? by.device.address : null,
    reason: kind === "rejection" ? "suspicious" : null,
    ...record,
  };
}

/** The proof of a story, also of one whose entries no log would take. Its log has other entries before, between and after. */
export async function tell(story: Story): Promise<Proof> {
  const { links, request, proposal, answers, state, by = HSM, founder = HSM } = story;
  const { digest } = written(request);
  const id = request.request;
  const tree = new VectorTree();
  const other = requestIdOf(bytesOf("another request's id", 10));
  const noise = (at: number) => tree.append({ v: 1, kind: "request", at, request: other, digest: sha256Hex(bytesOf(`noise ${at}`, 8)) });
  const entryOf = ({ act, jws, charter }: Link) => {
    const { request: text, iat } = act;
    const { verb, request: of } = JSON.parse(text) as RequestPayload;
    if (verb === "SEND" || verb === "DRILL") throw new TypeError(`${jws.length} characters of no act`);
    return tree.append({ v: 1, kind: "act", at: iat, n: act.n, verb, request: of, head: charter.head });
  };
  for (const one of links) if (one !== story.act) entryOf(one);
  const of = proposal === null ? null : sha256Hex(new TextEncoder().encode(proposal));
  const person = story.proposer ?? request.initiator;
  const proposed = tree.add(JSON.stringify({ v: 1, kind: "proposal", at: request.iat, request: id, person, of }));
  noise(request.iat);
  const issued = tree.append({ v: 1, kind: "request", at: story.issuedAt ?? request.iat, request: id, digest });
  const messages: string[] = [];
  const records: RequestRecord[] = [];
  const tellState = ({ at, n, ...rest }: Pick<Receipt, "at" | "n" | "state" | "records" | "hash">, change = {}) =>
    tree.add(JSON.stringify({ v: 1, kind: "state", at, request: id, digest, n, ...rest, ...change }));
  for (const one of answers) {
    const jws = await answer(request, one);
    messages.push(jws);
    records.push(recordOf(one, jws, request.iat + 60));
    tellState({ at: request.iat + 60, n: messages.length, state: "pending", records, hash: null });
    noise(request.iat + 60);
  }
  const signed = story.signed ?? null;
  const hash = signed === null ? null : `0x${bytesToHex(keccak_256(hexToBytes(signed.slice(2))))}`;
  const act = story.act === undefined ? null : entryOf(story.act);
  const at = story.act?.act.iat ?? (state === "expired" ? request.exp : request.iat + 120);
  const last = tellState({ at, n: messages.length + 1, state, records, hash }, story.receipt);
  for (let after = 0; after < 5; after += 1) noise(at + after);
  const lastBy = story.noteBy ?? by;
  return {
    v: 1,
    kind: "OpenCustody proof",
    founder: founder.jwk,
    acts: links.map(({ jws }) => jws),
    proposal,
    request: await signPayload(REQUEST, payloadText(REQUEST, request), by.signer),
    messages,
    proposed: tree.prove(proposed),
    issued: tree.prove(issued),
    entry: tree.prove(last),
    act: act === null ? null : tree.prove(act),
    checkpoint: await tree.checkpoint(lastBy, founder),
    signed,
  };
}
