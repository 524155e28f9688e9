/**
 * What members send through the bridge. Each message is opened under the sender's enrolled key, acted on in one transaction,
 * and answered: by a receipt that names it, a welcome, or a signed refusal. README.md of protocol/, "Messages".
 */
import { randomBytes } from "node:crypto";
import { type Claims, type MessageType, openEnvelope, peekEnvelope, unseal } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import {
  APPROVAL,
  ENROLMENT,
  PAIR,
  type Pair,
  REFUSAL,
  REJECTION,
  type RequestRecord,
  SYNC,
  WITHDRAWAL,
} from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { stopRequest } from "./advance.ts";
import { currentPeople, type Desk, issue } from "./desk.ts";
import { changePeople } from "./directory.ts";
import { addDevice, addKey, findOwner, type Member, type People } from "./people.ts";
import { isOpen } from "./requests.ts";
import { type RequestRow } from "./rows.ts";
import { isStoreError } from "./store-error.ts";
import { checkApproval, readBack, readPeople } from "./verify.ts";
import { makeWelcome, requireMember, welcome } from "./welcome.ts";

/** What is to be driven further after a message: these requests, and the roster where people changed. */
export interface Consequence {
  readonly requests: readonly string[];
  readonly roster: boolean;
}
const NOTHING: Consequence = { requests: [], roster: false };

/** Messages that may wait for one receiver before answers to it are left out. */
const WAITING_MAX = 1_000;
const UNUSABLE = new Fault(
  "ERR_INTERNAL",
  "The agent cannot use this message; tell your operator, its log has the details.",
);

interface Sender {
  readonly kid: string;
  readonly member: Member;
  readonly jti: string;
  readonly jws: string;
  /** When it was opened. */
  readonly at: number;
}

/**
 * Handles one message; when this resolves it is durable and may be acknowledged to the bridge. A message whose signature does
 * not verify is dropped with a line in the log: nobody is known to answer to. Rejects only where the HSM is away or nothing can be stored.
 */
export async function receive(desk: Desk, from: string, body: string): Promise<Consequence> {
  let answerTo: { jti: string; request: string | null } | undefined;
  // One moment for all: what was in time when it was opened is recorded as of then, and opens again later.
  const now = desk.now();
  try {
    const jws = unseal(body);
    const { typ, kid } = peekEnvelope(jws);
    // The bridge stamped `from`; the envelope proves it. Both name the same key, or it is not used.
    if (kid !== from)
      throw new Fault("ERR_ENVELOPE_KEY", "A message came through another connection than its signer's.");
    const opened = async <T extends Claims>(type: MessageType<T>): Promise<T> => {
      const { payload } = await openEnvelope(jws, {
        type,
        keyOf: keyOf(desk, typ === PAIR.typ),
        audience: desk.identity.signer.kid,
        now,
      });
      answerTo = {
        jti: payload.jti,
        request: "request" in payload && typeof payload.request === "string" ? payload.request : null,
      };
      return payload;
    };
    const sender = (jti: string): Sender => ({
      kid,
      member: requireMember(currentPeople(desk.journal), kid),
      jti,
      jws,
      at: now,
    });
    switch (typ) {
      case PAIR.typ:
        return await pair(desk, kid, await opened(PAIR));
      case SYNC.typ: {
        const { jti, known } = await opened(SYNC);
        return await sync(desk, sender(jti), known);
      }
      case ENROLMENT.typ: {
        const { jti, address, vendor, model } = await opened(ENROLMENT);
        const { member } = sender(jti);
        // Whoever leaves that much unread is answered when there is room again; the extension sends it anew.
        if (!hasRoom(desk, kid)) return NOTHING;
        const add = (people: People) => addDevice(people, member.name, { address, vendor, model });
        const answer = await makeWelcome(desk, add(currentPeople(desk.journal)), kid);
        return { requests: change(desk, add, () => desk.journal.post(answer.jti, [kid], answer.jws)), roster: false };
      }
      case APPROVAL.typ: {
        const message = await opened(APPROVAL);
        return record(desk, sender(message.jti), message, (row, name) => {
          const people = readPeople(desk.journal.document("people", row.people), {
            n: row.people,
            digest: readBack(row).payload.people.digest,
          });
          const { vendor } = checkApproval(message, { ...readBack(row), digest: row.digest }, people);
          const earlier = desk.journal.records(row.id).filter(({ person }) => person === name);
          if (earlier.some(({ kind }) => kind === "approval"))
            throw new Fault(
              "ERR_APPROVAL_DUPLICATE",
              "You have approved this request already; one person counts once.",
            );
          if (earlier.length > 0)
            throw new Fault(
              "ERR_APPROVAL_WITHDRAWN",
              "You cancelled this approval before; this request cannot be approved by you any more.",
            );
          return { kind: "approval", vendor, reason: null };
        });
      }
      case REJECTION.typ: {
        const message = await opened(REJECTION);
        return record(desk, sender(message.jti), message, (row) => {
          stopRequest(desk, row, "rejected");
          return { kind: "rejection", vendor: null, reason: message.reason };
        });
      }
      case WITHDRAWAL.typ: {
        const message = await opened(WITHDRAWAL);
        return record(desk, sender(message.jti), message, (row, name) => {
          // Once is enough, and receipts hold all records: they must not grow without end.
          const again = desk.journal.records(row.id).some((r) => r.person === name && r.kind === "withdrawal");
          if (again)
            throw new Fault("ERR_APPROVAL_WITHDRAWN", "You cancelled this approval before; it stays cancelled.");
          return { kind: "withdrawal", vendor: null, reason: null };
        });
      }
      default:
        throw new Fault("ERR_ENVELOPE_TYPE", "A message of an unknown type came; both sides need the same version.");
    }
  } catch (error) {
    if (isStoreError(error) || (isFault(error) && error.code.startsWith("ERR_HSM_"))) throw error;
    // Whatever else this message does, it would do again each time that it came: it is answered like any other.
    const { code, message } = isFault(error) ? error : UNUSABLE;
    if (!isFault(error)) desk.log.error({ from, err: error }, "message failed");
    desk.log.warn({ from, code, request: answerTo?.request }, "message refused");
    if (answerTo !== undefined && hasRoom(desk, from)) {
      const { jti, jws } = await issue(desk, REFUSAL, [from], {
        of: answerTo.jti,
        request: answerTo.request,
        code,
        message: message.slice(0, 512),
      });
      desk.journal.post(jti, [from], jws);
      desk.wake();
    }
    return NOTHING;
  }
}

/** Adds a record to an open request of which the sender is an approver. The same message again changes nothing. */
function record(
  desk: Desk,
  sender: Sender,
  message: { request: string; digest: string; jti: string },
  judge: (row: RequestRow, name: string) => Pick<RequestRecord, "kind" | "vendor" | "reason">,
): Consequence {
  const { journal } = desk;
  return journal.transaction(() => {
    const row = journal.request(message.request);
    if (row === undefined)
      throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${message.request}; it may be another agent's.`);
    const known = journal.recordOf(message.jti);
    if (known !== undefined) {
      if (known.request !== row.id || known.person !== sender.member.name)
        throw new Fault("ERR_ENVELOPE_REPLAYED", "The message has the name of another one; it was not used.");
      resend(desk, row, sender.kid);
      return NOTHING;
    }
    if (message.digest !== row.digest)
      throw new Fault(
        "ERR_APPROVAL_DIGEST",
        "The message is for other bytes than this request's; open the request again.",
      );
    const { name } = sender.member;
    const { payload } = readBack(row);
    if (name === payload.initiator)
      throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request, so somebody else must decide on it.");
    if (!payload.quorum.people.includes(name) || !payload.aud.includes(sender.kid)) {
      throw new Fault(
        "ERR_APPROVAL_NOT_ELIGIBLE",
        "You are not among the approvers of this vault; nothing is needed from you.",
      );
    }
    if (isOpen(row.state) && row.expires <= desk.now())
      throw new Fault("ERR_REQUEST_EXPIRED", "The request expired before your answer came.");
    if (!isOpen(row.state) || row.state === "proposed")
      throw new Fault("ERR_REQUEST_STATE", `The request is ${row.state} already; your answer changes nothing.`);
    const judged = judge(row, name);
    if (judged.kind !== "rejection") journal.changeRequest(row.id, {});
    journal.addRecord(row.id, { ...judged, person: name, of: message.jti, at: sender.at, jws: sender.jws });
    return { requests: [row.id], roster: false };
  });
}

/** A frame of its own: the bridge delivers one id once, and this is asked for again. */
function frameId(): string {
  return randomBytes(16).toString("base64url");
}

/** Answers a resent message with the last receipt, which names it. */
function resend(desk: Desk, row: RequestRow, kid: string): void {
  if (row.receipt === null || row.receiptN === 0 || !hasRoom(desk, kid)) return;
  desk.journal.post(frameId(), [kid], row.receipt);
  desk.wake();
}

async function pair(desk: Desk, kid: string, message: Pair): Promise<Consequence> {
  const { journal } = desk;
  const findInvite = () => {
    const invite = journal.invites().find((row) => row.kid === kid);
    if (invite === undefined || invite.exp <= desk.now()) {
      throw new Fault("ERR_INVITE", "This invite was used or has expired; ask for a new one.");
    }
    return invite;
  };
  const add = (people: People): People => {
    const { name, roles } = findInvite();
    return addKey(people, name, roles, "extensions", message.key);
  };
  const newKid = thumbprint(message.key);
  const welcome = await makeWelcome(desk, add(currentPeople(journal)), newKid);
  // One transaction: a roster signed from now on has the key and not the invite, and the outbox goes before the roster.
  const requests = change(desk, add, () => {
    journal.removeInvite(kid);
    journal.post(welcome.jti, [kid], welcome.jws);
  });
  return { requests, roster: true };
}

/** Changes people, and what goes with it, in one transaction. Returns the requests that became void. */
function change(desk: Desk, people: (before: People) => People, also: () => void): string[] {
  return desk.journal.transaction(() => {
    const voided = changePeople(desk, people);
    also();
    return voided;
  });
}

/** Answers that can be asked for again are not piled up for somebody who does not fetch them. */
function hasRoom(desk: Desk, kid: string): boolean {
  return desk.journal.waitingFor(kid) < WAITING_MAX;
}

async function sync(desk: Desk, sender: Sender, known: readonly string[]): Promise<Consequence> {
  if (!hasRoom(desk, sender.kid)) return NOTHING;
  await welcome(desk, sender.kid);
  const { journal } = desk;
  journal.transaction(() => {
    for (const row of journal.requests(["pending", "approved"])) {
      const { payload } = readBack(row);
      if (!payload.aud.includes(sender.kid) || row.jws === null) continue;
      if (!known.includes(row.id)) journal.post(frameId(), [sender.kid], row.jws);
      resend(desk, row, sender.kid);
    }
    for (const id of known) {
      const row = journal.request(id);
      if (row !== undefined && !isOpen(row.state) && readBack(row).payload.aud.includes(sender.kid))
        resend(desk, row, sender.kid);
    }
  });
  return NOTHING;
}

function keyOf(desk: Desk, pairing: boolean): (kid: string) => PublicJwk | undefined {
  return (kid) => {
    if (pairing) return desk.journal.invites().find((invite) => invite.kid === kid)?.key;
    const owner = findOwner(currentPeople(desk.journal), kid);
    return owner?.kind === "extensions" ? owner.key : undefined;
  };
}
