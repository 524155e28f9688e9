/**
 * What members and everybody else send to the agent, through its own `receive`: over a real record in memory and the charter of the
 * vectors. A seal is random by nature, so an input that is changed after it was sealed comes out otherwise each time.
 */
import { importJWK } from "jose";
import { pino } from "pino";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { CharterBook, type Desk } from "../../../hsm-agent/desk.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { receive } from "../../../hsm-agent/inbound.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { Journal } from "../../../hsm-agent/journal.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { startOf, Witnesses } from "../../../hsm-agent/witnesses.ts";
import { applyAct } from "../../../protocol/charter.ts";
import { APPROVAL, ENROLMENT, FREEZE, PAIR, REJECTION, SYNC, WITHDRAWAL } from "../../../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../../../protocol/primitive.ts";
import { requestDigest, type TransferRequest } from "../../../protocol/request.ts";
import { seal } from "../../../protocol/seal.ts";
import { HSM, INVITE } from "../../../protocol/vectors/keys.ts";
import { KEYS, readVectors, signAnything } from "../corpus.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { given, require, requireSame, type Target } from "../target.ts";
import { JWS, mutateJws, NOW, SAMPLES } from "./envelope.ts";
import { mutated } from "./frame.ts";

const MEMBERS: readonly string[] = [APPROVAL, ENROLMENT, FREEZE, PAIR, REJECTION, SYNC, WITHDRAWAL].map(
  ({ typ }) => typ,
);
const SENT = SAMPLES.filter(({ type }) => MEMBERS.includes(type.typ));
const PAYLOADS = SENT.map(({ payload }) => payload);
const REQUEST = (readVectors("request") as { valid: { payload: string; jws: string }[] }).valid[0];
const ACTS = readVectors("charter") as { hsm: PublicJwk; rotatedByTheOld: { jws: string }[] };
const APPROVED = SENT.find(({ type }) => type.typ === APPROVAL.typ)?.payload ?? "{}";

export async function inbound(): Promise<Target> {
  const [founding] = ACTS.rotatedByTheOld;
  const { charter } = await applyAct(null, founding?.jws ?? "", ACTS.hsm);
  const problems: string[] = [];
  // What the agent calls a failure of its own is one: nothing that anybody sends may be. A record that is behind is none of its own.
  const write = (line: string) => void (line.includes("not the newest") ? undefined : problems.push(line));
  const log = pino({ level: "error" }, { write });
  const book = new CharterBook();
  book.current = charter;
  const { jwk, signer } = HSM;
  const rest = {
    identity: { jwk, signer },
    charter: book,
    bridgeUrl: "wss://bridge.example/",
    log,
    now: () => NOW,
    wake: () => undefined,
  };
  // Receiving needs no HSM, and here it would throw.
  const fresh = (): Desk => {
    const journal = freshJournal();
    return { ...rest, journal, witnesses: new Witnesses(journal, book, startOf(journal)) } as unknown as Desk;
  };
  let desk = fresh();
  const { receiver } = readVectors("seal") as { receiver: PublicJwk & { d: string } };
  const { d: _, ...card } = receiver;
  const opening = await importJWK(receiver, "ECDH-ES");
  if (opening instanceof Uint8Array) throw new TypeError("no private key");
  const keys = { get: (kid: string) => (kid === thumbprint(card) ? opening : undefined), isFresh: () => true };
  const untouched = stateOf(desk);
  return {
    attempt: async (random) => {
      const { from, body, jws } = await message(random, card);
      given({ from, jws: jws ?? body });
      await receive(desk, keys, { from, id: "A".repeat(22), body });
      require(problems.length === 0, `a failure of its own: ${problems.splice(0).join("")}`);
      require(book.current === charter && desk.journal.acts().length === 1, "other documents");
      const state = stateOf(desk);
      if (state === untouched) return clear(desk);
      const old = desk;
      desk = fresh();
      try {
        requireRightful(old, from, jws);
      } finally {
        old.journal.close();
      }
      return "accepted";
    },
    close: () => desk.journal.close(),
  };
}

/** Refusals pile up; nobody reads them here. */
function clear({ journal }: Desk): "refused" {
  for (const key of ["behind", "restore-base"]) journal.removeMeta(key);
  for (const kid of KEYS.keys()) journal.removeMailOf(kid);
  for (const { n } of journal.owed()) journal.removeOwed(n);
  return "refused";
}

/** What counts was said by whom it names, in the words that were signed; and no approval is new. */
function requireRightful({ journal }: Desk, from: string, jws: string | undefined): void {
  require(jws !== undefined && KEYS.has(from), "a message of nobody");
  const said = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  require(said["iss"] === from, "another sender than the one who signed");
  for (const record of journal.records(requestId())) {
    require(record.jws === jws && record.of === said["jti"], "a record of another message");
    if (record.kind !== "approval") continue;
    const { digest, signature, address } = JSON.parse(APPROVED) as Record<string, unknown>;
    requireSame(
      [said["digest"], said["signature"], said["address"]],
      [digest, signature, address],
      "an approval that no device gave",
    );
  }
}

function stateOf({ journal }: Desk): string {
  const { state, revision } = journal.request(requestId()) ?? {};
  const seals = [...KEYS.keys()].map((kid) => journal.memberSeal(kid));
  const waits = [journal.pairings(), journal.invites(), journal.waitingDevices(), journal.freezes()];
  return JSON.stringify([state, revision, journal.records(requestId()), seals, waits]);
}

function requestId(): string {
  return (JSON.parse(REQUEST?.payload ?? "{}") as TransferRequest).request;
}

/** A record with a request under way, an invite, and nothing else. */
function freshJournal(): Journal {
  const journal = new Journal(":memory:");
  const { payload = "", jws = "" } = REQUEST ?? {};
  const { request, exp, iat, vault, network, effect, initiator, policy, people } = JSON.parse(
    payload,
  ) as TransferRequest;
  const numbers = { nonce: effect.nonce, expires: exp, notBefore: null, at: iat, policy: policy.n, people: people.n };
  const digest = requestDigest(Buffer.from(payload));
  const row = {
    id: request,
    proposal: "A".repeat(22),
    proposalJws: null,
    verb: "SEND",
    state: "pending",
    vault: vault.name,
    network: network.id,
  } as const;
  journal.transaction(() => {
    journal.setMeta("founder", JSON.stringify(HSM.jwk));
    journal.addAct({ n: 1, verb: "FOUND", request, head: "00".repeat(32) }, ACTS.rotatedByTheOld[0]?.jws ?? "");
    journal.addRequest({ ...row, ...numbers, initiator, payload, digest });
    journal.issueRequest({ id: request, digest }, "pending", jws);
    const invite = {
      kid: INVITE.signer.kid,
      key: INVITE.jwk,
      name: "Zoe",
      roles: ["approver"],
      inviter: "Olga",
    } as const;
    journal.addInvite({ ...invite, exp: NOW + 3600 });
  });
  return journal;
}

/** A frame as the bridge delivers it: of anybody, sealed or not. `jws` is what is inside, where something is. */
async function message(random: Random, card: PublicJwk): Promise<{ from: string; body: string; jws?: string }> {
  const { payload, jws, type } = random.pick(SENT);
  const { iss } = JSON.parse(payload) as { iss: string };
  const from = random.once(15) ? random.pick([...KEYS.keys()]) : iss;
  if (random.once(10)) return { from, body: random.text(random.length()) };
  if (random.once(8)) {
    const sealed = await seal(jws, card);
    const body = mutateText(random, sealed, JWS);
    return body === sealed ? { from, body, jws } : { from, body };
  }
  const made = random.once(3) ? mutateJws(random, jws, JWS) : resigned(random, payload, type.typ, from);
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(made) || made.length > 60_000) return { from, body: made };
  return { from, body: await seal(made, card), jws: made };
}

function resigned(random: Random, payload: string, typ: string, from: string): string {
  const key = KEYS.get(from);
  if (key === undefined) return payload;
  const said = random.once(20) ? payload : mutated(random, payload, PAYLOADS);
  return signAnything(JSON.stringify({ alg: "ES256", typ, kid: from }), said, key);
}
