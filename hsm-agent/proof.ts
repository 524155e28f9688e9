/**
 * Makes the proof of one request out of the record. README.md of protocol/, "Proof". What it says is verified here as anybody else will,
 * before it is given out. A signed transaction that nobody has read yet is handed out with it, and only where `request show` would.
 */
import * as v from "valibot";
import { ACT } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import { parseEntry } from "../protocol/log-entry.ts";
import { fingerprint, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import { type Verdict, verifyProof } from "../protocol/proof.ts";
import { encodeProof, type Proof, payloadOf } from "../protocol/proof-form.ts";
import { type Effect, isTransfer, REQUEST, type RequestPayload, type TransferRequest } from "../protocol/request.ts";
import { ethereum } from "./chains/ethereum.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { backToPending, collect, requireRow } from "./recheck.ts";
import type { RequestRow } from "./rows.ts";
import { newestCheckpoint } from "./showing.ts";
import { showRequest } from "./views.ts";

/** Checkpoints that are signed while the request goes on changing. */
const TRIES = 5;
/** Entries that are read at a time. */
const CHUNK = 64;

/** What a transfer's bytes do, by the agent's chain library. @throws Fault ERR_TX_* */
export function effectOf({ sign: [unsigned = ""], network, token }: TransferRequest): Effect {
  const { amount, asset, to, maxFee, nonce } = ethereum.describe(unsigned, network, token);
  return { amount, asset, to, maxFee, nonce };
}

/** Verifies a proof file under a fingerprint, with nothing but the two. */
export async function verifyFile(file: Uint8Array, hsm: string): Promise<Verdict> {
  return await verifyProof(file, { fingerprint: hsm, decode: effectOf });
}

/**
 * The proof of a request as it stands, up to a checkpoint that is signed now where the last one does not cover it.
 * @throws Fault ERR_REQUEST_UNKNOWN; ERR_PROOF where there is nothing to prove yet; ERR_FROZEN, ERR_STATE where its transaction is kept
 * back; ERR_HSM_*
 */
export async function exportProof(desk: Desk, id: string): Promise<Proof> {
  for (let left = TRIES; left > 0; left -= 1) {
    await requireReleased(desk, requireRow(desk, id));
    const { note, size } = await newestCheckpoint(desk);
    const row = requireRow(desk, id);
    // It changed while the HSM signed; what was signed meanwhile has to be handed out before it stands in a file.
    if ((row.entry !== null && row.entry >= size) || isKept(row)) continue;
    // Somebody withdrew, and a freeze keeps it from being looked at: it is no longer what its last entry says.
    if (row.state === "approved" && backToPending(desk, row, await collect(desk, row))) continue;
    const proof = compose(desk.journal, row, note, size);
    const founder = fingerprint(thumbprint(proof.founder));
    const { ok, steps } = await verifyFile(new TextEncoder().encode(encodeProof(proof)), founder);
    if (!ok) {
      const last = steps.at(-1);
      throw new Fault("ERR_PROOF", `The record does not prove request ${id}: ${last?.name ?? ""}: ${last?.said ?? ""}`);
    }
    return proof;
  }
  throw new Fault("ERR_PROOF", `Request ${id} goes on changing; ask for its proof again.`);
}

/** Signed, and nobody has read it yet. */
function isKept({ state, released }: RequestRow): boolean {
  return state === "signed" && released === null;
}

/** What is signed is handed out as `request show` does, or not at all. */
async function requireReleased(desk: Desk, row: RequestRow): Promise<void> {
  if (!isKept(row)) return;
  const shown = await showRequest(desk, row.id);
  if ("signed" in shown && shown.signed !== null) return;
  throw new Fault(
    "ERR_STATE",
    `The signed transaction of request ${row.id} is not handed out now; see "opencustody request show".`,
  );
}

function compose(journal: Journal, row: RequestRow, checkpoint: string, size: number): Proof {
  const { jws, issued, entry } = row;
  if (jws === null || issued === null)
    throw new Fault(
      "ERR_PROOF",
      `The HSM never signed request ${row.id}, so nobody was asked and nothing is to be proved.`,
    );
  if (entry === null)
    throw new Fault("ERR_PROOF", `Nobody has answered request ${row.id} yet, so there is nothing to prove.`);
  const payload = v.parse(REQUEST.schema, JSON.parse(row.payload));
  const acts = journal.acts();
  const isAct = row.state === "enacted" && payload.verb !== "DRILL";
  const own = isAct ? acts.findIndex((act) => requestIn(act).request === row.id) + 1 : 0;
  return {
    v: 1,
    kind: "OpenCustody proof",
    founder: v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder"))),
    acts: acts.slice(0, Math.max(own, neededFor(payload, acts))),
    proposal: row.proposalJws,
    request: jws,
    messages: journal.records(row.id).map((record) => record.jws),
    proposed: journal.prove(proposalBefore(journal, issued, row.id), size),
    issued: journal.prove(issued, size),
    entry: journal.prove(entry, size),
    act: own === 0 ? null : journal.prove(journal.entryOfAct(own), size),
    checkpoint,
    signed: isTransfer(payload) ? row.signed : null,
  };
}

/** How many acts lead to the documents that a request names, and to the identity that signs the log now. */
function neededFor({ verb, policy, people }: RequestPayload, acts: readonly string[]): number {
  const documents = acts.findIndex((jws) => {
    const act = actIn(jws);
    return act.policy.digest === policy.digest && act.people.digest === people.digest;
  });
  const rotation = acts.findLastIndex((jws) => requestIn(jws).verb === "ROTATE");
  return Math.max(verb === "FOUND" ? 0 : documents + 1, rotation + 1);
}

function actIn(jws: string) {
  return v.parse(ACT.schema, payloadOf(jws));
}

function requestIn(act: string): RequestPayload {
  return v.parse(REQUEST.schema, JSON.parse(actIn(act).request));
}

/** Index of the entry about a request's proposal: shortly before it was issued. */
function proposalBefore(journal: Journal, issued: number, id: string): number {
  for (let end = issued; end > 0; end -= CHUNK) {
    const begin = Math.max(0, end - CHUNK);
    const found = journal.logLines(begin, end - begin).findLastIndex((line) => {
      const entry = parseEntry(line);
      return entry?.kind === "proposal" && entry.request === id;
    });
    if (found >= 0) return begin + found;
  }
  throw new Fault("ERR_PROOF", `The log has no proposal of request ${id}.`);
}
