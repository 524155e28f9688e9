/** Transfers as an initiator proposes them, by the CLI or at the agent's socket, and requests of every kind as the agent has them. */
import { PROPOSAL } from "../../protocol/message.ts";
import { keyOfFile } from "./bridge-client.ts";
import { message } from "./message.ts";
import { NETWORK, VAULT } from "./policy-plan.ts";
import type { World } from "./world.ts";

export const DESTINATION = "0x52908400098527886E0F7030069857D2E4169EE7";

export interface SendOptions {
  /** The proposer's key file; Olga's where it is not named. */
  readonly key?: string;
  readonly to?: string;
  readonly amount?: string;
  readonly asset?: string;
  readonly maxFee?: string;
}

/** Proposes a transfer; returns the request as `request show` has it. */
export async function send(world: World, options: SendOptions = {}): Promise<RequestView> {
  const asset = options.asset ?? "ETH";
  return await world.json<RequestView>(
    "request",
    "send",
    "--key",
    options.key ?? world.keyFile("Olga"),
    "--vault",
    VAULT,
    "--network",
    NETWORK,
    "--to",
    options.to ?? DESTINATION,
    "--amount",
    options.amount ?? "1.5",
    "--asset",
    asset,
    "--gas-limit",
    asset === "ETH" ? "21000" : "65000",
    "--max-fee",
    options.maxFee ?? "30",
    "--priority-fee",
    "1",
  );
}

/** The same proposal without a process of its own, for tests that are about something else: signed here, given to the agent's socket. */
export async function propose(world: Pick<World, "ask" | "keyFile">, options: SendOptions = {}): Promise<RequestView> {
  const asset = options.asset ?? "ETH";
  const { hsm } = await world.ask<{ hsm: { thumbprint: string } }>({ command: "status" });
  const jws = await message(PROPOSAL, await keyOfFile(options.key ?? world.keyFile("Olga")), hsm.thumbprint, {
    vault: VAULT,
    network: NETWORK,
    asset,
    amount: options.amount ?? "1.5",
    to: options.to ?? DESTINATION,
    gas: {
      limit: asset === "ETH" ? "21000" : "65000",
      maxFeePerGas: `${options.maxFee ?? "30"}000000000`,
      maxPriorityFeePerGas: "1000000000",
    },
  });
  const { request } = await world.ask<{ request: string }>({ command: "request.propose", jws });
  return await showRequest(world, request);
}

/** A request as the agent shows it. `nonce`, `signed` and `hash` are a transfer's only. */
export interface RequestView {
  readonly id: string;
  readonly verb: string;
  readonly state: string;
  readonly nonce: number;
  readonly digest: string;
  readonly statement: string;
  readonly threshold: number;
  readonly approvers: readonly string[];
  readonly records: readonly { readonly kind: string; readonly person: string; readonly reason: string | null }[];
  readonly signed: string | null;
  readonly hash: string | null;
  readonly problem: string | null;
}

export async function showRequest(world: Pick<World, "ask">, id: string): Promise<RequestView> {
  return await world.ask<RequestView>({ command: "request.show", id });
}

/** Looks until the request satisfies `until`. The test's own time-out bounds it. */
export async function waitForRequest(
  world: Pick<World, "ask">,
  id: string,
  until: (request: RequestView) => boolean,
): Promise<RequestView> {
  for (;;) {
    const request = await showRequest(world, id);
    if (until(request)) return request;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
