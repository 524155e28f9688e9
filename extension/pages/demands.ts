/**
 * What a quorum asks of the devices' vendors, in words, and whether one more approval brings it nearer. The agent decides; this is for
 * reading. The vendor is what the enrolling people stated. Pure. protocol/README.md, "Request".
 */
import { unmetDemands, type Vendor, type VendorDemand } from "../../protocol/vendor.ts";
import { listWords } from "./wording.ts";

interface Quorum {
  readonly threshold: number;
  readonly vendors: readonly VendorDemand[];
}

/** How many approvals are missing, and which kinds among them. `used`: the vendor of each approval given. */
export function missingOf(
  { threshold, vendors }: Quorum,
  used: readonly (Vendor | null)[],
): { readonly count: number; readonly kinds: VendorDemand[] } {
  const kinds = unmetDemands(vendors, used);
  const ofKinds = kinds.reduce((sum, { atLeast }) => sum + atLeast, 0);
  return { count: Math.max(0, threshold - used.length, ofKinds), kinds };
}

/** True where an approval on a device of `vendor` leaves less to be done. */
export function helps(quorum: Quorum, used: readonly (Vendor | null)[], vendor: Vendor): boolean {
  return missingOf(quorum, [...used, vendor]).count < missingOf(quorum, used).count;
}

/** "a Trezor", "2 Ledgers", "a Ledger and a Trezor"; empty where any device will do. */
export function kindWords(kinds: readonly VendorDemand[]): string {
  return listWords(kinds.map(({ vendor, atLeast }) => (atLeast === 1 ? `a ${vendor}` : `${atLeast} ${vendor}s`)));
}

/** "at least 1 Ledger and 1 Trezor"; empty where any device will do. */
export function demandWords(demands: readonly VendorDemand[]): string {
  if (demands.length === 0) return "";
  return `at least ${listWords(demands.map(({ vendor, atLeast }) => `${atLeast} ${vendor}${atLeast === 1 ? "" : "s"}`))}`;
}

/** What is still needed, for the list of people: "Still needed: a Trezor.", or that both kinds are; empty where any device will do. */
export function stillNeededWords(kinds: readonly VendorDemand[]): string {
  if (kinds.length === 0) return "";
  if (kinds.length === 1) return `Still needed: ${kindWords(kinds)}.`;
  const words = kindWords(kinds);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} are both needed.`;
}

/**
 * After "one more approval signs it" or "2 more approvals are needed": ", on a Trezor"; ", on a Ledger and a Trezor"; ", among them
 * one on a Trezor"; empty where any device will do.
 */
export function onWords({ count, kinds }: ReturnType<typeof missingOf>): string {
  if (kinds.length === 0) return "";
  const ofKinds = kinds.reduce((sum, { atLeast }) => sum + atLeast, 0);
  if (ofKinds === count) return `, on ${kindWords(kinds)}`;
  return `, among them ${listWords(kinds.map(({ vendor, atLeast }) => `${atLeast === 1 ? "one" : atLeast} on a ${vendor}`))}`;
}

/**
 * What to tell a person none of whose devices brings the request nearer; empty where one does. `mine`: the vendors of their devices;
 * `others`: who else could approve.
 */
export function wrongKindWords(
  quorum: Quorum,
  used: readonly (Vendor | null)[],
  mine: readonly Vendor[],
  others: readonly string[],
): string {
  const own = [...new Set(mine)];
  const missing = missingOf(quorum, used);
  if (own.length === 0 || missing.count === 0 || own.some((vendor) => helps(quorum, used, vendor))) return "";
  const ask = others.length === 0 ? "Enrol" : `Ask ${listWords(others, "or")}, or enrol`;
  const needed = kindWords(missing.kinds);
  const have = listWords(own.map((vendor) => `a ${vendor}`));
  return `This request still needs ${needed}, and you have ${have}: your approval would not bring it nearer. ${ask} ${needed}.`;
}

/**
 * What to tell a person whose chosen device does not bring the request nearer while `better` would; empty where it does. Each person
 * approves once: it cannot be made good afterwards.
 */
export function betterKindWords(
  quorum: Quorum,
  used: readonly (Vendor | null)[],
  chosen: Vendor,
  better: { readonly vendor: Vendor; readonly name: string } | undefined,
): string {
  if (better === undefined || helps(quorum, used, chosen) || !helps(quorum, used, better.vendor)) return "";
  return `This request still needs ${kindWords(missingOf(quorum, used).kinds)}: an approval on a ${chosen} would not bring it nearer, and you can approve once only. Use ${better.name}.`;
}
