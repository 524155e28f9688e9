/**
 * What became of this person's own message, step by step. A tick stands only where something was verified, and says what.
 * Pure.
 */
import { isTransfer, type RequestPayload } from "../../protocol/request.ts";
import { RESTORE } from "../log-alarm.ts";
import type { Mine, OutboxItem, StoredRequest } from "../store.ts";
import { momentOf, timeOfDay } from "./clock.ts";
import type { Standing } from "./standing.ts";
import { askedWords } from "./wording.ts";

export interface Step {
  readonly state: "done" | "now" | "later" | "late";
  readonly label: string;
  /** What was verified, or what is being waited for. */
  readonly detail: string;
  /** A long value to stand below, in groups of four. */
  readonly value?: string;
}

/** What becomes of messages that were not received yet. */
export interface Post {
  readonly online: boolean;
  readonly outbox: readonly Pick<OutboxItem, "jti" | "exp">[];
  /** An alarm about the agent's record stands: no approval leaves, but of what ends it. */
  readonly alarmed: boolean;
}

/** Without a receipt for this long a person is told to call. Seconds. */
export const RECEIPT_PATIENCE = 10;

/** The steps after approving, or none while this person has not approved. `now` in seconds. */
export function approvalSteps(stored: StoredRequest, standing: Standing, post: Post, now: number): Step[] {
  const mine = latest(stored.mine, "approval");
  if (mine === undefined || mine.refusal !== null) return [];
  const { threshold } = stored.payload.quorum;
  const device = mine.vendor ?? "device";
  const given = standing.approvals.length;
  const done = standing.state === "signed" || standing.state === "enacted";
  const enough = standing.stillNeeded === 0;
  const reached = mine.received || done;
  const own: Step[] = [
    {
      state: "done",
      label: `Signed on your ${device}`,
      detail: `${timeOfDay(mine.at)}: the signature was verified against your enrolled device and is kept in this browser.`,
    },
    deliveryStep(stored, mine, post, now),
  ];
  // It is over without a signature: nothing comes after these.
  if (!standing.open && !done && standing.state !== "approved") return own;
  return [
    ...own,
    {
      state: enough ? "done" : reached ? "now" : "later",
      label: `Approved by ${given} of ${threshold}`,
      detail: enough ? "The agent's record, signed by the HSM, names them." : waitingDetail(standing, reached),
    },
    { state: done ? "done" : enough && standing.state === "approved" ? "now" : "later", ...lastStep(stored, done) },
  ];
}

function lastStep({ payload, receipt }: StoredRequest, done: boolean): Omit<Step, "state"> {
  if (isTransfer(payload)) {
    const hash = receipt?.hash ?? null;
    return {
      label: "Signed by the HSM",
      detail: done ? "The HSM's signed receipt names the transaction:" : "The transaction's hash will stand here.",
      ...(hash === null ? {} : { value: hash }),
    };
  }
  const label = payload.verb === "DRILL" ? "Drill done" : "In force";
  if (done) return { label, detail: "The HSM's signed receipt says so." };
  const { notBefore } = payload;
  return {
    label,
    detail: notBefore === null ? "As soon as enough people have approved." : `Not before ${momentOf(notBefore).local}.`,
  };
}

function waitingDetail({ waitingFor, stillNeeded }: Standing, reached: boolean): string {
  if (!reached) return "Every person counts once.";
  return waitingFor.length === 0
    ? "Nobody is left who could approve."
    : `Waiting for ${askedWords(waitingFor, stillNeeded)}.`;
}

/** Whether this person's rejection or withdrawal has reached the agent, or none. */
export function deliverySteps(stored: StoredRequest, post: Post, now: number): Step[] {
  return (["withdrawal", "rejection"] as const).flatMap((kind) => {
    const mine = latest(stored.mine, kind);
    if (mine === undefined || mine.refusal !== null) return [];
    return [deliveryStep(stored, mine, post, now)];
  });
}

function deliveryStep({ payload }: StoredRequest, mine: Mine, { online, outbox, alarmed }: Post, now: number): Step {
  const { kind } = mine;
  if (mine.received) {
    return {
      state: "done",
      label: "Received by the agent",
      detail: `Its receipt, signed by the HSM, names your ${kind}.`,
    };
  }
  if (!outbox.some(({ jti, exp }) => jti === mine.jti && exp > now)) {
    return {
      state: "late",
      label: "Not received",
      detail: `No receipt came before the request was over, and your ${kind} is not sent any more. Ask your operator whether it arrived.`,
    };
  }
  if (alarmed && isStoppedByAlarm(mine, payload)) {
    return {
      state: "late",
      label: "Held back",
      detail:
        "While the alarm stands your approval stays in this browser. Once it is over, approve again if you are still asked.",
    };
  }
  if (now - mine.at >= RECEIPT_PATIENCE) {
    return {
      state: "late",
      label: "Not received yet",
      // A record that does not go on from what is known is not believed, and its receipts with it.
      detail: alarmed
        ? `Your ${kind} is kept in this browser and sent again by itself. While the alarm stands a receipt may not be believed here: ask your operator whether it has arrived.`
        : `Your ${kind} is kept in this browser and sent again by itself; call your operator if it stays so.`,
    };
  }
  return {
    state: "now",
    label: online ? "Sent, waiting for the agent's receipt" : "Kept, waiting for the connection",
    detail: `Your ${kind} counts once the agent's receipt is here.`,
  };
}

/** Whether this person's approval stays in this browser because an alarm stands. */
export function isHeldBack({ mine, payload }: StoredRequest, { alarmed }: Post): boolean {
  const approval = latest(mine, "approval");
  return alarmed && approval !== undefined && approval.refusal === null && isStoppedByAlarm(approval, payload);
}

function isStoppedByAlarm({ kind, received }: Mine, { verb }: RequestPayload): boolean {
  return kind === "approval" && !received && verb !== RESTORE;
}

function latest(mine: readonly Mine[], kind: Mine["kind"]): Mine | undefined {
  return mine.filter((one) => one.kind === kind).sort((a, b) => b.at - a.at)[0];
}
