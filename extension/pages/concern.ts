/**
 * What could be wrong with a transfer, worst first, from the request itself and from what this browser saw before.
 * Advice for the reader: nothing here permits or refuses. Pure. It knows no prices and asks nobody.
 */
import type { Receipt } from "../../protocol/log-entry.ts";
import type { TransferRequest } from "../../protocol/request.ts";
import type { StoredRequest } from "../store.ts";
import { momentOf } from "./clock.ts";
import { compareDecimals, scaled } from "./decimal.ts";
import { groupAmount, reasonClause } from "./wording.ts";

export interface Concern {
  readonly level: "warning" | "note";
  readonly text: string;
}

export interface Appraisal {
  readonly concerns: readonly Concern[];
  /** What was looked at, for the reader who sees that nothing stands out. */
  readonly checked: readonly string[];
}

/** A transfer that this browser verified. */
export interface Seen {
  readonly payload: TransferRequest;
  readonly receipt: Receipt | null;
  /** It ended when the agent went back to an older record. */
  readonly restored?: NonNullable<StoredRequest["restored"]>;
}

/** Above this multiple of the largest earlier value an amount or a fee stands out. */
const UNUSUAL = 3n;
const SOON = 600;
const ENDED_UNSIGNED: ReadonlySet<string> = new Set(["rejected", "cancelled", "expired", "void", "failed"]);

/** Appraises `subject` for `me` against `others` (every other request that this browser holds). `now` in seconds. */
export function appraise(
  subject: Seen,
  vaultAddress: string,
  others: readonly Seen[],
  now: number,
  me = "",
): Appraisal {
  const sameVault = others.filter((other) => isSameVault(other, subject));
  const concerns = [
    ...aboutDestination(subject, vaultAddress, sameVault),
    ...aboutPeople(subject, sameVault, me),
    ...aboutRepetition(subject, sameVault),
    ...aboutAmount(subject, sameVault),
    ...aboutFee(subject, sameVault),
    ...aboutTime(subject, now),
  ];
  return {
    // Sorting is stable: within a level the order above is the order of weight.
    concerns: concerns.sort((a, b) => weight(a) - weight(b)),
    checked: [
      "destination and amount against this browser's earlier requests from the vault",
      "fee",
      "time left",
      "repeated or rejected requests",
    ],
  };
}

function weight(concern: Concern): number {
  return concern.level === "warning" ? 0 : 1;
}

function aboutDestination({ payload }: Seen, vaultAddress: string, sameVault: readonly Seen[]): Concern[] {
  const { to } = payload.effect;
  if (to === payload.token?.contract) {
    return [
      warning(`The destination is the contract of ${payload.token.symbol} itself: what is sent there is usually lost.`),
    ];
  }
  if (to === vaultAddress) return [warning("The destination is the vault itself.")];
  const signed = sameVault.filter(isSigned);
  if (signed.some((other) => other.payload.effect.to === to)) return [];
  const first = "This browser has not seen a signed payment to this destination before.";
  return [signed.length === 0 ? note(first) : warning(`${first} Check it with whoever asked for the payment.`)];
}

function aboutPeople(subject: Seen, sameVault: readonly Seen[], me: string): Concern[] {
  const withdrawn = (subject.receipt?.records ?? [])
    .filter((record) => record.kind === "withdrawal" && record.person !== me)
    .map((record) => warning(`${record.person} withdrew while approving this request: ask why.`));
  const similar = sameVault.flatMap((other) => {
    if (other.payload.effect.to !== subject.payload.effect.to) return [];
    const rejection = other.receipt?.records.find((record) => record.kind === "rejection");
    return rejection === undefined ? [] : [rejection];
  });
  const latest = similar.sort((a, b) => b.at - a.at)[0];
  if (latest === undefined) return withdrawn;
  const when = momentOf(latest.at).local;
  return [
    ...withdrawn,
    warning(
      `A request to this destination was rejected by ${latest.person} on ${when}: ${reasonClause(latest.reason)}.`,
    ),
  ];
}

function aboutRepetition({ payload }: Seen, sameVault: readonly Seen[]): Concern[] {
  const same = sameVault.find(
    (other) =>
      other.payload.effect.to === payload.effect.to &&
      other.payload.effect.amount === payload.effect.amount &&
      isSameAsset(other.payload, payload) &&
      (other.restored !== undefined || !ENDED_UNSIGNED.has(other.receipt?.state ?? "pending")),
  );
  if (same === undefined) return [];
  if (same.restored !== undefined && !isSigned(same)) {
    return [
      warning(
        `The same was requested before the agent went back to an older record (request ${same.payload.request}). It may have been sent: ask your operator.`,
      ),
    ];
  }
  const what = isSigned(same) ? "was already signed" : "is requested a second time";
  return [
    warning(
      `The same amount to the same destination ${what} (request ${same.payload.request}): could it be a duplicate?`,
    ),
  ];
}

function aboutAmount({ payload }: Seen, sameVault: readonly Seen[]): Concern[] {
  const { amount, asset } = payload.effect;
  const earlier = sameVault.filter((other) => isSigned(other) && isSameAsset(other.payload, payload));
  const largest = earlier
    .map((other) => other.payload.effect.amount)
    .sort(compareDecimals)
    .at(-1);
  if (largest === undefined) {
    return [
      note(
        `No ${asset} from ${payload.vault.name} was signed in this browser before: no earlier amount to compare with.`,
      ),
    ];
  }
  if (scaled(amount) <= UNUSUAL * scaled(largest)) return [];
  return [
    warning(
      `The amount is more than three times the largest that this browser saw from ${payload.vault.name} (${groupAmount(largest)} ${asset}).`,
    ),
  ];
}

function aboutFee({ payload }: Seen, sameVault: readonly Seen[]): Concern[] {
  const fee = scaled(feeAmount(payload));
  const amount = scaled(payload.effect.amount);
  if (payload.token === null && fee * 100n > amount) {
    const much = amount === 0n || fee >= amount ? "as much as the amount itself" : "more than 1% of the amount";
    return [warning(`The fee may reach ${payload.effect.maxFee}: ${much}.`)];
  }
  const highest = sameVault
    .filter((other) => (other.payload.token === null) === (payload.token === null) && isSigned(other))
    .map((other) => feeAmount(other.payload))
    .sort(compareDecimals)
    .at(-1);
  if (highest === undefined || fee <= UNUSUAL * scaled(highest)) return [];
  return [
    warning(
      `The fee may reach ${payload.effect.maxFee}, more than three times the highest before (${highest} ${payload.network.symbol}).`,
    ),
  ];
}

function aboutTime({ payload }: Seen, now: number): Concern[] {
  return payload.exp - now <= SOON
    ? [warning("It expires in less than ten minutes: take the time, or ask for it again.")]
    : [];
}

function isSameVault(other: Seen, subject: Seen): boolean {
  return (
    other.payload.request !== subject.payload.request &&
    other.payload.vault.id === subject.payload.vault.id &&
    other.payload.network.id === subject.payload.network.id
  );
}

function isSameAsset(a: TransferRequest, b: TransferRequest): boolean {
  return a.token?.contract === b.token?.contract;
}

function isSigned(seen: Seen): boolean {
  return seen.receipt?.state === "signed";
}

function feeAmount(payload: TransferRequest): string {
  return payload.effect.maxFee.split(" ", 1)[0] ?? "0";
}

function warning(text: string): Concern {
  return { level: "warning", text };
}

function note(text: string): Concern {
  return { level: "note", text };
}
