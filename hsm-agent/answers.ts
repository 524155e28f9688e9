/** Records what somebody answered to a request, once, and sends again what was answered before. README.md of protocol/, "Messages". */
import { randomBytes } from "node:crypto";
import { Fault } from "../protocol/error.ts";
import type { RequestRecord } from "../protocol/message.ts";
import type { RequestPayload } from "../protocol/request.ts";
import { type Consequence, type Desk, NOTHING } from "./desk.ts";
import { isOpen } from "./requests.ts";
import type { RequestRow } from "./rows.ts";
import { readBack } from "./verify.ts";

/** Messages that may wait for one receiver before answers to it are left out. */
const WAITING_MAX = 1_000;

/** Who sent a message, and the message. */
export interface Sender {
  readonly kid: string;
  readonly name: string;
  /** False for somebody who is pairing and counts for nothing yet, but for the founding. */
  readonly isMember: boolean;
  readonly jti: string;
  readonly jws: string;
  /** When it was opened. */
  readonly at: number;
}

type Answer = Pick<RequestRecord, "kind" | "vendor" | "address" | "reason">;

/** Adds a record to an open request on which the sender decides. The same message again changes nothing. @throws Fault */
export function recordAnswer(
  desk: Desk,
  sender: Sender,
  message: { request: string; digest: string; jti: string; reason?: unknown },
  judge: (row: RequestRow, name: string) => Answer,
): Consequence {
  const { journal } = desk;
  return journal.transaction(() => {
    const row = journal.request(message.request);
    if (row === undefined)
      throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${message.request}; it may be another agent's.`);
    const known = journal.recordOf(message.jti);
    if (known !== undefined) {
      if (known.request !== row.id || known.person !== sender.name)
        throw new Fault("ERR_ENVELOPE_REPLAYED", "The message has the name of another one; it was not used.");
      resend(desk, row, sender.kid);
      return NOTHING;
    }
    if (message.digest !== row.digest)
      throw new Fault(
        "ERR_APPROVAL_DIGEST",
        "The message is for other bytes than this request's; open the request again.",
      );
    const { payload } = readBack(row);
    if (sender.name === payload.initiator)
      throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request, so somebody else must decide on it.");
    const isStop = "reason" in message;
    if (isStop && payload.verb === "REMOVE" && payload.change.name === sender.name)
      throw new Fault("ERR_APPROVAL_NOT_ELIGIBLE", "It is about you, so others decide whether it is stopped.");
    if (!payload.aud.includes(sender.kid) || !(decides(payload, sender) || (isStop && mayStop(desk, payload, sender))))
      throw new Fault(
        "ERR_APPROVAL_NOT_ELIGIBLE",
        "You are not among the people who decide on this; nothing is needed from you.",
      );
    if (isOpen(row.state) && row.expires <= desk.now())
      throw new Fault("ERR_REQUEST_EXPIRED", "The request expired before your answer came.");
    if (!isOpen(row.state) || row.state === "proposed")
      throw new Fault("ERR_REQUEST_STATE", `The request is ${row.state} already; your answer changes nothing.`);
    const answer = judge(row, sender.name);
    if (answer.kind !== "rejection") journal.changeRequest(row.id, {});
    journal.addRecord(row.id, { ...answer, person: sender.name, of: message.jti, at: sender.at, jws: sender.jws });
    return { requests: [row.id], roster: false };
  });
}

/** Somebody who is pairing decides on the founding, and on nothing else. */
function decides({ verb, quorum }: RequestPayload, { name, isMember }: Sender): boolean {
  return quorum.people.includes(name) && (isMember || verb === "FOUND");
}

/** A recovery can be stopped by every admin as well: it is for the day when they cannot. */
function mayStop(desk: Desk, payload: RequestPayload, { name, isMember }: Sender): boolean {
  if (!isMember || payload.verb === "SEND" || payload.notBefore === null) return false;
  return desk.charter.require().people.members.some((m) => m.name === name && m.roles.includes("admin"));
}

/** A frame of its own: the bridge delivers one id once, and this is asked for again. */
export function frameId(): string {
  return randomBytes(16).toString("base64url");
}

/** Answers a resent message with the newest entry about its request, which names it. */
export function resend(desk: Desk, row: RequestRow, kid: string): void {
  if (row.entry === null || !hasRoom(desk, kid)) return;
  desk.journal.oweView(kid, row.id);
  desk.wake();
}

/** Answers that can be asked for again are not piled up for somebody who does not fetch them. */
export function hasRoom(desk: Desk, kid: string): boolean {
  return desk.journal.waitingFor(kid, WAITING_MAX) < WAITING_MAX;
}
