/** The policies of the tests: one vault on one network, one token, one group. What is left unsaid is as small as it can be. */
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import type { Role } from "../../protocol/people.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import type { VendorDemand } from "../../protocol/vendor.ts";

export const NETWORK = "eip155:1";
export const VAULT = "Treasury-1";
export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
/** Whom the pages say to call. */
export const CONTACT = "Operations, +41 44 555 01 02";

export interface PolicyPlan {
  /** Who approves transfers; without any there is no rule, and nothing can be sent. At the founding: all approvers. */
  readonly approvers?: readonly string[];
  readonly threshold?: number;
  readonly vendors?: readonly VendorDemand[];
  readonly destinations?: "any" | "book";
  readonly addressBook?: PolicyText["addressBook"];
  readonly maxFee?: string;
  /** Minutes. */
  readonly expiresAfter?: number;
  /** How many admins decide; by default two. */
  readonly admins?: number;
  readonly recovery?: PolicyText["governance"]["recovery"];
  readonly contact?: string;
}

/** A policy without its vaults. */
export function planPolicy(
  people: readonly { readonly name: string; readonly roles: readonly Role[] }[],
  plan: PolicyPlan = {},
): Omit<PolicyText, "vaults"> {
  const able = people.filter(({ roles }) => roles.includes("approver")).map(({ name }) => name);
  const members = [...(plan.approvers ?? able)];
  const rule = {
    vault: VAULT,
    network: NETWORK,
    approvers: "Treasury",
    threshold: plan.threshold ?? Math.min(2, members.length),
    vendors: [...(plan.vendors ?? [])],
    destinations: plan.destinations ?? "any",
    maxFee: plan.maxFee ?? "0.012",
    expiresAfter: plan.expiresAfter ?? 60,
  };
  return {
    v: 1,
    bridge: DEVELOPMENT_BRIDGE,
    contact: plan.contact ?? CONTACT,
    networks: [{ id: NETWORK, name: "Ethereum", symbol: "ETH", decimals: 18 }],
    tokens: [{ network: NETWORK, contract: USDC, symbol: "USDC", decimals: 6 }],
    addressBook: [...(plan.addressBook ?? [])],
    groups: members.length === 0 ? [] : [{ name: "Treasury", members }],
    rules: members.length === 0 ? [] : [rule],
    governance: { threshold: plan.admins ?? 2, vendors: [], expiresAfter: 60, recovery: plan.recovery ?? null },
  };
}
