/**
 * What members send through the bridge. Each message is unsealed, opened under the sender's key, acted on in one transaction, and
 * answered: by a receipt that names it, or by what owed.ts signs later. Nothing here needs the HSM, so that a stop never waits for it.
 * README.md of protocol/, "Messages".
 */

import { checkApproval } from "../protocol/approving.ts";
import type { TreeHead } from "../protocol/checkpoint.ts";
import { type Claims, type MessageType, peekEnvelope } from "../protocol/envelope.ts";
import { type ErrorCode, Fault, isFault } from "../protocol/error.ts";
import {
  APPROVAL,
  type Approval,
  ENROLMENT,
  type Enrolment,
  FREEZE,
  type Freeze,
  PAIR,
  REJECTION,
  SYNC,
  WITHDRAWAL,
} from "../protocol/message.ts";
import { findOwner } from "../protocol/people.ts";
import { type PublicJwk } from "../protocol/primitive.ts";
import type { RequestPayload } from "../protocol/request.ts";
import { unseal } from "../protocol/seal.ts";
import { hasRoom, recordAnswer, type Sender } from "./answers.ts";
import { type Consequence, type Desk, NOTHING } from "./desk.ts";
import { alreadyFrozen, freeze, isFrozen, isFrozenBy, owedFreezes } from "./freeze.ts";
import { openOnce } from "./opened.ts";
import { enrolDevice, pair } from "./pairing.ts";
import { signerOf } from "./recovered.ts";
import { waitsForRestore } from "./restoring.ts";
import type { SealKeys } from "./sealing.ts";
import { stopRequest } from "./stops.ts";
import { isStoreError } from "./store-error.ts";
import { oweWelcome, sync } from "./sync.ts";
import { peopleFor, readBack } from "./verify.ts";
import { findPairing } from "./welcome.ts";
import { notThere, openWitness } from "./witnesses.ts";

const UNUSABLE = new Fault(
  "ERR_INTERNAL",
  "The agent cannot use this message; tell your operator, its log has the details.",
);

/** A freeze that was used is remembered as long as it could be played again. Seconds. */
const FREEZE_LIFE = 8 * 86_400;
const MARK = "freeze ";
/** Freezes of one browser that are remembered one by one; beyond, all that were sent up to then are taken as used. */
const FREEZES_MAX = 50;
const FLOOR = "freezes-until ";
/** Enrolments of one browser that are remembered at a time. */
const ENROLMENTS_MAX = 50;

type SealReader = Pick<SealKeys, "get" | "isFresh">;

/** A frame as the bridge delivered it; `from` is what the bridge stamped. */
export interface Delivered {
  readonly from: string;
  readonly id: string;
  readonly body: string;
}

/**
 * Handles one message; when this resolves it is durable and may be acknowledged to the bridge. A message whose signature does not verify
 * is dropped with a line in the log: nobody is known to answer to. Rejects only where nothing can be stored.
 */
export async function receive(desk: Desk, keys: SealReader, delivered: Delivered): Promise<Consequence> {
  const jws = await open(desk, (to) => keys.get(to), delivered);
  return jws === undefined ? NOTHING : await handle(desk, keys, delivered.from, jws);
}

/** The JWS inside; undefined where it does not open. What was sealed to a key that is gone is asked for again. */
async function open(
  desk: Desk,
  sealKeyOf: SealKeys["get"],
  { from, id, body }: Delivered,
): Promise<string | undefined> {
  try {
    return await unseal(body, sealKeyOf);
  } catch (error) {
    if (!isFault(error)) throw error;
    desk.log.warn({ from, code: error.code }, "message not opened");
    if (error.code !== "ERR_SEAL_KEY" || keyOf(desk, false)(from) === undefined || !hasRoom(desk, from))
      return undefined;
    // One is enough: it has everything that waits sealed anew.
    if (desk.journal.owed().some(({ what, receiver }) => what === "reseal" && receiver === from)) return undefined;
    desk.journal.owe({ what: "reseal", receiver: from, body: JSON.stringify({ of: id }), seal: null });
    desk.wake();
    return undefined;
  }
}

async function handle(desk: Desk, keys: SealReader, from: string, jws: string): Promise<Consequence> {
  let answerTo: { jti: string; request: string | null; seal: PublicJwk | null } | undefined;
  // One moment for all: what was in time when it was opened is recorded as of then, and opens again later.
  const now = desk.now();
  try {
    const { typ, kid } = peekEnvelope(jws);
    // The bridge stamped `from`; the envelope proves it. Both name the same key, or it is not used.
    if (kid !== from)
      throw new Fault("ERR_ENVELOPE_KEY", "A message came through another connection than its signer's.");
    const opened = async <T extends Claims>(type: MessageType<T>): Promise<T> => {
      const payload = await openOnce(jws, {
        type,
        keyOf: keyOf(desk, typ === PAIR.typ),
        audience: desk.identity.signer.kid,
        now,
      });
      answerTo = {
        jti: payload.jti,
        request: "request" in payload && typeof payload.request === "string" ? payload.request : null,
        // An invite's key receives nothing: its refusal goes to the key that it brought.
        seal: "seal" in payload && typ === PAIR.typ ? (payload.seal as PublicJwk) : null,
      };
      return payload;
    };
    const sender = (jti: string): Sender => requireSender(desk, { kid, jti, jws, at: now });
    switch (typ) {
      case PAIR.typ: {
        const message = await opened(PAIR);
        desk.journal.transaction(() => pair(desk, kid, message));
        return { requests: [], roster: true };
      }
      case SYNC.typ: {
        const message = await opened(SYNC);
        const { witness, card } = message;
        const isMember = sender(message.jti).isMember;
        const shown = witness === null || !isMember ? null : await openWitness(desk, kid, witness, now);
        return sync(desk, sender(message.jti), message, shown, keys.isFresh(card));
      }
      case ENROLMENT.typ: {
        const message = await opened(ENROLMENT);
        desk.journal.transaction(() => {
          takeEnrolment(desk, sender(message.jti), message);
          // Whoever leaves that much unread is answered when there is room again; the extension sends it anew.
          if (hasRoom(desk, kid)) oweWelcome(desk, kid);
        });
        desk.wake();
        return NOTHING;
      }
      case FREEZE.typ: {
        const message = await opened(FREEZE);
        return takeFreeze(desk, sender(message.jti), message);
      }
      case APPROVAL.typ: {
        const message = await opened(APPROVAL);
        // What it says of the log may be of before this start: only a sync, which is made when it is sent, is a witness.
        return takeApproval(desk, sender(message.jti), message);
      }
      case REJECTION.typ: {
        const message = await opened(REJECTION);
        return recordAnswer(desk, sender(message.jti), message, (row) => {
          if (waitsForRestore(desk, row)) desk.witnesses.requireWritable();
          stopRequest(desk, row, "rejected");
          return { kind: "rejection", vendor: null, address: null, reason: message.reason };
        });
      }
      case WITHDRAWAL.typ: {
        const message = await opened(WITHDRAWAL);
        return recordAnswer(desk, sender(message.jti), message, (row, name) => {
          // Once is enough, and receipts hold all records: they must not grow without end.
          const again = desk.journal.records(row.id).some((r) => r.person === name && r.kind === "withdrawal");
          if (again)
            throw new Fault("ERR_APPROVAL_WITHDRAWN", "You cancelled this approval before; it stays cancelled.");
          return { kind: "withdrawal", vendor: null, address: null, reason: null };
        });
      }
      default:
        throw new Fault("ERR_ENVELOPE_TYPE", "A message of an unknown type came; both sides need the same version.");
    }
  } catch (error) {
    if (isStoreError(error)) throw error;
    // Whatever else this message does, it would do again each time that it came: it is answered like any other.
    const { code, message } = isFault(error) ? error : UNUSABLE;
    if (!isFault(error)) desk.log.error({ from, err: error }, "message failed");
    desk.log.warn({ from, code, request: answerTo?.request }, "message refused");
    if (answerTo !== undefined && hasRoom(desk, from)) refuse(desk, from, answerTo, code, message);
    return NOTHING;
  }
}

function refuse(
  desk: Desk,
  receiver: string,
  to: { jti: string; request: string | null; seal: PublicJwk | null },
  code: ErrorCode,
  message: string,
): void {
  const body = JSON.stringify({ of: to.jti, request: to.request, code, message: message.slice(0, 512) });
  desk.journal.owe({ what: "refusal", receiver, body, seal: to.seal });
  desk.wake();
}

/** An approval, opened: recorded where it counts. @throws Fault ERR_APPROVAL_*, ERR_REQUEST_*, ERR_FROZEN, ERR_LOG */
export function takeApproval(desk: Desk, sender: Sender, message: Approval): Consequence {
  return recordAnswer(desk, sender, message, (row, name) => {
    const judged = { ...readBack(row), digest: row.digest };
    requireKnown(desk, judged.payload, message.log);
    if (row.vault !== null && isFrozen(desk.journal, row.vault))
      throw new Fault("ERR_FROZEN", `Vault ${row.vault} is frozen; approve again once the admins have lifted that.`);
    const { vendor, address } = checkApproval(message, judged, peopleFor(judged.payload, desk.charter), signerOf);
    const earlier = desk.journal.records(row.id).filter(({ person }) => person === name);
    if (earlier.some(({ kind }) => kind === "approval"))
      throw new Fault("ERR_APPROVAL_DUPLICATE", "You have approved this request already; one person counts once.");
    if (earlier.length > 0)
      throw new Fault(
        "ERR_APPROVAL_WITHDRAWN",
        "You cancelled this approval before; this request cannot be approved by you any more.",
      );
    return { kind: "approval", vendor, address, reason: null };
  });
}

/** The log holds what the approver's browser knows of it, or it is just that which they give up. @throws Fault ERR_LOG */
function requireKnown({ journal }: Desk, payload: RequestPayload, log: TreeHead | null): void {
  if (log === null || journal.hasBeen(log)) return;
  if (payload.verb === "RESTORE" && log.size <= (payload.change.seen?.size ?? 0)) return;
  throw notThere(log.size);
}

/** Once: what was removed, or not chosen, does not come back with an old message. */
function takeEnrolment(desk: Desk, { kid, at }: Sender, message: Enrolment): void {
  const { journal } = desk;
  const marks = `enrolment ${kid} `;
  journal.removeMarksUntil(marks, at);
  if (journal.meta(marks + message.jti) !== undefined) return;
  if (journal.countMarks(marks) >= ENROLMENTS_MAX)
    throw new Fault(
      "ERR_DEVICE_LIMIT",
      "This browser has enrolled many devices lately; wait, or have the right one proposed.",
    );
  enrolDevice(desk, kid, message);
  journal.setMeta(marks + message.jti, String(message.exp));
}

/** Approvers and admins may stop everything; the same message again changes nothing. */
function takeFreeze(desk: Desk, sender: Sender, message: Freeze): Consequence {
  const { vault, jti, exp } = message;
  const member = desk.charter.require().people.members.find(({ name }) => name === sender.name);
  // A further browser that is pairing has the name of a member already, and counts for nothing yet.
  if (
    !sender.isMember ||
    member === undefined ||
    !(member.roles.includes("approver") || member.roles.includes("admin"))
  )
    throw new Fault("ERR_MEMBER_ROLE", "An approver or an admin can freeze; call one of them, or the operator.");
  if (exp > sender.at + FREEZE_LIFE)
    throw new Fault("ERR_ENVELOPE_EXPIRED", "A freeze is valid for at most eight days; send a new one.");
  const requests = desk.journal.transaction(() => {
    desk.journal.removeMarksUntil(MARK, sender.at);
    const done = `${MARK}${sender.kid} ${jti}`;
    if (desk.journal.meta(done) === undefined) {
      useFreeze(desk, sender.kid, message);
      desk.journal.setMeta(done, String(exp));
      // Marked all the same: played again after the admins lifted it, it would freeze anew.
      if (isFrozenBy(desk.journal, { vault, by: sender.name })) return null;
      return freeze(desk, { vault, by: sender.name, of: jti });
    }
    if (!desk.journal.freezes().some(({ of }) => of === jti))
      throw new Fault("ERR_REQUEST_STATE", "Your freeze was received, and the admins have lifted it since.");
    if (hasRoom(desk, sender.kid)) owedFreezes(desk, sender.kid);
    return [];
  });
  if (requests === null) throw alreadyFrozen();
  desk.wake();
  return { requests, roster: false };
}

/** Once each, and however many somebody sends, they are remembered in little room. @throws Fault ERR_REQUEST_STATE */
function useFreeze({ journal }: Desk, kid: string, { iat }: Freeze): void {
  const [marks, floor] = [`${MARK}${kid} `, FLOOR + kid];
  const [last = 0, until = 0] = (journal.meta(floor) ?? "").split(" ").map(Number);
  if (iat <= until)
    throw new Fault("ERR_REQUEST_STATE", "Your browser has sent many freezes, and this is an old one; freeze again.");
  const newest = Math.max(last, iat);
  const isFull = journal.countMarks(marks) >= FREEZES_MAX;
  if (isFull) journal.removeMarksUntil(marks, Number.MAX_SAFE_INTEGER);
  journal.setMeta(floor, `${newest} ${isFull ? last : until}`);
}

/** Whose message it is: a member's, or somebody's who is pairing. @throws Fault ERR_MEMBER_UNKNOWN */
function requireSender(desk: Desk, message: Pick<Sender, "kid" | "jti" | "jws" | "at">): Sender {
  const people = desk.charter.current?.people;
  const owner = people === undefined ? undefined : findOwner(people, message.kid);
  const name = owner?.member.name ?? findPairing(desk, message.kid)?.name;
  if (name === undefined)
    throw new Fault("ERR_MEMBER_UNKNOWN", "This browser is not enrolled any more; pair it again with a new invite.");
  return { ...message, name, isMember: owner !== undefined };
}

function keyOf(desk: Desk, pairing: boolean): (kid: string) => PublicJwk | undefined {
  return (kid) => {
    if (pairing) return desk.journal.invites().find((invite) => invite.kid === kid)?.key;
    const people = desk.charter.current?.people;
    const owner = people === undefined ? undefined : findOwner(people, kid);
    return owner?.kind === "extensions" ? owner.key : findPairing(desk, kid)?.key;
  };
}
