/**
 * The words in which a request, a person's reasons and a device are put on the pages.
 * Pure. It renders for reading; the exact text is the statement's alone. Design, section 3.
 */
import type { RejectReason, RequestState } from "../../protocol/message.ts";
import type { RequestPayload } from "../../protocol/request.ts";
import type { DeviceModel } from "../devices/device.ts";

/** `250000.00` as `250,000.00`: whole digits in threes; the fraction stays as it is, nothing is rounded. */
export function groupAmount(amount: string): string {
  const [whole = "", fraction] = amount.split(".");
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A text in pieces of four characters; the last may be shorter. */
export function inFours(text: string): string[] {
  return text.match(/.{1,4}/g) ?? [];
}

/** What is needed of a payload to say in one sentence what it asks for. */
export interface SendSentence {
  readonly effect: { readonly amount: string; readonly asset: string; readonly to: string };
  readonly vault: { readonly name: string };
}

/** "Send 1.50 ETH to 0x… from Treasury-1", the address whole. */
export function sentenceOf(request: SendSentence): string {
  const { amount, asset, to } = request.effect;
  return `Send ${groupAmount(amount)} ${asset} to ${to} from ${request.vault.name}`;
}

const REASONS: Record<RejectReason, string> = {
  "wrong-destination": "Wrong destination",
  "wrong-amount": "Wrong amount",
  "not-expected": "I did not expect this request",
  suspicious: "Something is suspicious",
  other: "Another reason",
};

/** The reasons for which a person may reject, in the order of the list. */
export const REJECT_REASONS = Object.keys(REASONS) as RejectReason[];

/** A reason as the list names it. */
export function reasonLabel(reason: RejectReason): string {
  return REASONS[reason];
}

/** A reason after a colon: "Rejected by bob: wrong destination". */
export function reasonClause(reason: RejectReason | null): string {
  if (reason === null) return "no reason given";
  return reason === "not-expected" ? "did not expect this request" : reasonLabel(reason).toLowerCase();
}

const STATES: Record<RequestState, string> = {
  proposed: "Proposed",
  pending: "Waiting for approvals",
  approved: "Approved, being signed",
  signed: "Signed",
  enacted: "In force",
  rejected: "Rejected",
  cancelled: "Cancelled",
  expired: "Expired",
  void: "Void",
  failed: "Failed",
};

/** A state in two or three words. */
export function stateLabel(state: RequestState, verb: RequestPayload["verb"]): string {
  if (verb !== "SEND" && state === "approved") return verb === "DRILL" ? "Quorum reached" : "Approved";
  if (verb === "DRILL" && state === "enacted") return "Drill done";
  return STATES[state];
}

const MODELS: Record<DeviceModel, string> = {
  "nano-s": "Ledger Nano S",
  "nano-s-plus": "Ledger Nano S Plus",
  "nano-x": "Ledger Nano X",
  flex: "Ledger Flex",
  stax: "Ledger Stax",
  "trezor-one": "Trezor One",
  "trezor-t": "Trezor Model T",
  "trezor-safe-3": "Trezor Safe 3",
  "trezor-safe-5": "Trezor Safe 5",
  "trezor-safe-7": "Trezor Safe 7",
};

/** The name that stands on the box. */
export function modelName(model: DeviceModel): string {
  return MODELS[model];
}

/** The name on the box of a device that others stated; one that is not known here keeps what they wrote. */
export function statedDevice({ vendor, model }: { vendor: string; model: string }): string {
  return Object.entries(MODELS).find(([known]) => known === model)?.[1] ?? `${vendor} ${model}`;
}

/** `a`, `a and b`, `a, b and c`; `conjunction` is "and" or "or". */
export function listWords(words: readonly string[], conjunction = "and"): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words.at(-1) ?? ""}`;
}

/** Whom so many approvals come from: `a and b` where it takes all of them, `a, b or c` where some will do. */
export function askedWords(people: readonly string[], needed: number): string {
  return listWords(people, needed < people.length ? "or" : "and");
}
