/** The company that several groups of attacks share, and what an attacker says to its agent. How a try is judged: tries.ts. */
import { type MessageType, signPayload } from "../../protocol/envelope.ts";
import { parseInvite } from "../../protocol/invite.ts";
import { MOTION } from "../../protocol/message.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { BridgeClient, type Key, keyOf, keyOfFile, newJti, now } from "../harness/bridge-client.ts";
import { foundWithMembers } from "../harness/company.ts";
import type { Member } from "../harness/member.ts";
import {
  DESTINATION,
  propose as proposeTransfer,
  type RequestView,
  type SendOptions,
  waitForRequest,
} from "../harness/requests.ts";
import { type Founder, makeWorld, type World, type WorldOptions } from "../harness/world.ts";

/** Two of three admins govern, two of four approvers approve. Olga and Otto propose; Audrey only sees. */
const FOUNDERS: readonly Founder[] = [
  { name: "Olga", roles: ["initiator"] },
  { name: "Otto", roles: ["initiator", "approver"] },
  { name: "Ann", roles: ["admin"] },
  { name: "Ben", roles: ["admin"], key: true },
  { name: "Cat", roles: ["admin"] },
  { name: "Alice", roles: ["approver"] },
  { name: "Bob", roles: ["approver"] },
  { name: "Carol", roles: ["approver"] },
  { name: "Audrey", roles: ["auditor"] },
];

export const PAYEE = { name: "Payroll", network: "eip155:1", address: DESTINATION };
/** In nobody's address book. */
export const ELSEWHERE = "0xde709f2102306220921060314715629080e2fb77";

export const PLAN = {
  destinations: "book",
  addressBook: [PAYEE],
  recovery: { people: ["Alice", "Bob", "Carol"], threshold: 2, delay: 24 },
} as const satisfies WorldOptions["policy"];

export interface Company {
  readonly world: World;
  readonly members: ReadonlyMap<string, Member>;
}

/** Nobody has paired yet. */
export async function makeUnfounded(options: WorldOptions = {}): Promise<World> {
  return await makeWorld({ people: FOUNDERS, policy: { ...PLAN, addressBook: [PAYEE] }, ...options });
}

export async function openCompany(options: WorldOptions = {}): Promise<Company> {
  const world = await makeUnfounded(options);
  try {
    return { world, members: await foundWithMembers(world) };
  } catch (error) {
    await world.dispose();
    throw error;
  }
}

/** After all attacks an honest request is still signed; then everything ends. */
export async function closeCompany({ world, members }: Company): Promise<void> {
  try {
    await signHonestly({ world, members });
  } finally {
    for (const member of members.values()) member.close();
    await world.dispose();
  }
}

export async function signHonestly(company: Company): Promise<RequestView> {
  const { id } = await propose(company);
  await person(company, "Alice").decide(id);
  await person(company, "Bob").decide(id);
  return await waitForRequest(company.world, id, ({ signed }) => signed !== null);
}

export function person({ members }: Pick<Company, "members">, name: string): Member {
  const member = members.get(name);
  if (member === undefined) throw new Error(`nobody is called ${name}`);
  return member;
}

/** A transfer that people may decide on. */
export async function propose({ world }: Company, options: SendOptions = {}): Promise<RequestView> {
  const { id } = await proposeTransfer(world, options);
  return await waitForRequest(world, id, ({ state }) => state !== "proposed");
}

/** As many as a motion still needs approve it; resolves once it is in force. */
export async function carry(company: Company, id: string): Promise<void> {
  const { world } = company;
  const { approvers, threshold, records } = await waitForRequest(world, id, ({ state }) => state === "pending");
  const able = approvers.filter((name) => !records.some((record) => record.person === name));
  for (const name of able.slice(0, threshold - records.length)) await person(company, name).decide(id);
  await waitForRequest(world, id, ({ state }) => state === "enacted");
}

/** The key of somebody's file. */
export async function fileKey(world: World, name: string): Promise<Key> {
  return await keyOfFile(world.keyFile(name));
}

/** A message as a hostile program makes it: no schema has looked at it. */
export async function forged(
  type: MessageType,
  key: Key,
  audience: string,
  body: Readonly<Record<string, unknown>>,
): Promise<string> {
  const iat = now();
  const claims = { v: 1, iss: key.signer.kid, aud: [audience], jti: newJti(), iat, exp: iat + 300 };
  return await signPayload(type, JSON.stringify({ ...claims, ...body }), key.signer);
}

/** Asks the agent for a motion over its socket, past the CLI; returns the request's id. */
export async function move(
  { world }: Company,
  motion: Readonly<Record<string, unknown>>,
  { by = "Olga", recovery = false }: { by?: string; recovery?: boolean } = {},
): Promise<string> {
  const jws = await forged(MOTION, await fileKey(world, by), await identity(world), { motion, recovery });
  const { request } = await world.ask<{ request: string }>({ command: "motion", jws });
  await waitForRequest(world, request, ({ state }) => state !== "proposed");
  return request;
}

/** Thumbprint of the HSM identity. */
export async function identity(world: World): Promise<string> {
  return (await world.ask<{ hsm: { thumbprint: string } }>({ command: "status" })).hsm.thumbprint;
}

/** The policy in force, as it could be proposed again. */
export async function policyText(world: World): Promise<PolicyText> {
  const {
    digest: _digest,
    n: _n,
    ...text
  } = await world.ask<PolicyText & { digest: string; n: number }>({
    command: "policy.show",
    n: null,
  });
  return text;
}

/** Logs in at the bridge with an invite's key, as whoever has the code can. */
export async function connectInvited({ world }: Company, code: string): Promise<BridgeClient> {
  const { key, d, hsm } = parseInvite(code);
  return await BridgeClient.connect(world.port, hsm, await keyOf({ ...key, d }));
}
