/** A proposal in the chain's own terms. README.md of protocol/, "Proposal". */
import type { Proposal } from "../protocol/message.ts";
import type { Transfer } from "./chains/chain.ts";
import type { Permission } from "./policy.ts";

/** What the chain's file builds: the proposal's words, with the policy's meanings and the agent's nonce. */
export function transferOf(
  proposal: Proposal,
  permission: Pick<Permission, "network" | "token">,
  nonce: number,
): Transfer {
  const { limit, maxFeePerGas, maxPriorityFeePerGas } = proposal.gas;
  return {
    network: permission.network,
    token: permission.token,
    to: proposal.to,
    amount: proposal.amount,
    nonce,
    gas: {
      limit: BigInt(limit),
      maxFeePerGas: BigInt(maxFeePerGas),
      maxPriorityFeePerGas: BigInt(maxPriorityFeePerGas),
    },
  };
}
