/**
 * The people of a world: who founds it, who joins it, and what they change. Everything is proposed by a key file, over the CLI or as the
 * CLI does it at the agent's socket, and decided by extensions and devices, as in life. protocol/README.md, "Founding", "Pairing", "Governance".
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Claims, MessageType } from "../../protocol/envelope.ts";
import { DEVELOPMENT_BRIDGE, encodeInvite } from "../../protocol/invite.ts";
import { INVITATION, VOUCH } from "../../protocol/message.ts";
import { type Role, sortRoles } from "../../protocol/people.ts";
import type { Policy } from "../../protocol/policy.ts";
import { keyOfFile, makePrivateJwk, now } from "./bridge-client.ts";
import { Member, type MemberOptions } from "./member.ts";
import { message } from "./message.ts";
import type { Participant } from "./participant.ts";
import { type PolicyPlan, planPolicy } from "./policy-plan.ts";
import { type RequestView, waitForRequest } from "./requests.ts";
import { type Founder, makeWorld, type World, type WorldOptions } from "./world.ts";

/** Founds a world whose founders these are: all of them pair, enrol, say their words, and sign the founding. They are its board. */
export async function found(world: World, founders: readonly Participant[]): Promise<RequestView> {
  let id = "";
  const said = await Promise.all(
    founders.map(async (founder) => [founder.name, await founder.begin(inviteOf(world, founder.name))] as const),
  );
  for (const [name, words] of said) id = (await confirmFounder(world, name, words)).request ?? "";
  if (id === "") throw new Error("somebody who founds this world is missing");
  await Promise.all(founders.map(async (founder) => await founder.decide(id)));
  const enacted = await ended(world, id);
  await Promise.all(founders.map(async (founder) => await founder.counted()));
  world.board = [...founders];
  return enacted;
}

/** The operator types a founder's words. `request` is the founding's, once all are heard. */
export async function confirmFounder(
  world: World,
  name: string,
  words: string,
): Promise<{ readonly name: string; readonly request: string | null }> {
  return await world.ask({ command: "pairing.confirm", name, words });
}

/** Founds a world by scripts, one for each founder; returns them by name. */
export async function foundWithMembers(world: World): Promise<Map<string, Member>> {
  const members = [...world.invites.keys()].map((name) => new Member(world, name));
  await found(world, members);
  return new Map(members.map((member) => [member.name, member]));
}

const BOARD: readonly Founder[] = [
  { name: "Olga", roles: ["initiator"] },
  { name: "Ann", roles: ["admin"] },
  { name: "Zoe", roles: ["admin"] },
];

/**
 * A founded world in which Olga proposes, and two scripts, Ann and Zoe, are the admins and approve whatever changes. It has the vault and no
 * rule: approvers join, and a policy names them.
 */
export async function makeCompany(options: WorldOptions = {}): Promise<World> {
  const world = await makeWorld({ people: BOARD, ...options });
  const members = await foundWithMembers(world).catch(async (error: unknown) => {
    await world.dispose();
    throw error;
  });
  return {
    ...world,
    restartBridge: async (options) => {
      await world.restartBridge(options);
      // As a browser does by itself: after a restart the agent waits for what they know.
      for (const { mail } of members.values()) void mail.reconnect().catch(() => undefined);
    },
    dispose: async () => {
      for (const member of members.values()) member.close();
      await world.dispose();
    },
  };
}

export interface JoinOptions {
  readonly roles?: readonly Role[];
  /** Whose key file invites, and vouches for the words; Olga's where it is not named. */
  readonly key?: string;
}

/** An invite for somebody: the code. Without roles: a further browser of a member. */
export async function invite(
  world: World,
  name: string,
  { roles = ["approver"], key }: JoinOptions = {},
): Promise<string> {
  const { d, ...once } = await makePrivateJwk();
  const body = { name, roles: sortRoles(roles), key: once, until: now() + DAY };
  const { hsm } = await proposeBy(world, key, "invite", INVITATION, body);
  return encodeInvite({ v: 1, bridge: DEVELOPMENT_BRIDGE, hsm, key: once, d });
}

/** Types the words that somebody read aloud; returns the id of the ENROLL that is asked for then. */
export async function vouch(world: World, name: string, words: string, { key }: JoinOptions = {}): Promise<string> {
  const { result } = await proposeBy(world, key, "pairing.vouch", VOUCH, { name, words, recovery: false });
  return (result as { request: string }).request;
}

const DAY = 24 * 3600;

/** Gives the agent what the key in `file`, or Olga's, signs; with its result, the thumbprint of the identity that it was signed for. */
async function proposeBy<T extends Claims>(
  world: World,
  file: string | undefined,
  command: "invite" | "pairing.vouch",
  type: MessageType<T>,
  body: Omit<T, keyof Claims>,
): Promise<{ readonly hsm: string; readonly result: unknown }> {
  const { hsm } = await world.ask<{ hsm: { thumbprint: string } }>({ command: "status" });
  const jws = await message(type, await keyOfFile(file ?? world.keyFile("Olga")), hsm.thumbprint, body);
  return { hsm: hsm.thumbprint, result: await world.ask({ command, jws }) };
}

/** Invites somebody, who pairs, enrols and says the words, and has the board approve it. Resolves once they count. */
export async function joinCompany(world: World, person: Participant, options: JoinOptions = {}): Promise<void> {
  const words = await person.begin(await invite(world, person.name, options));
  await world.alone(async () => await enact(world, await vouch(world, person.name, words, options)));
  await person.counted();
}

/** A script that joins. */
export async function joinMember(
  world: World,
  name: string,
  options: JoinOptions & MemberOptions = {},
): Promise<Member> {
  const member = new Member(world, name, options);
  await joinCompany(world, member, options);
  return member;
}

/** Proposes a change by Olga's key: the arguments are the CLI's, e.g. `members remove Bob`. */
export async function motion(world: World, ...args: string[]): Promise<RequestView> {
  return await world.json<RequestView>(...args, "--key", world.keyFile("Olga"));
}

/** So many of `people` as it needs approve a change, one after the other; resolves once it is in force. Throws where it ends otherwise. */
export async function enact(
  world: World,
  id: string,
  people: readonly Participant[] = world.board,
): Promise<RequestView> {
  const { threshold, approvers } = await waitForRequest(world, id, ({ state }) => state !== "proposed");
  const able = people.filter(({ name }) => approvers.includes(name)).slice(0, threshold);
  for (const person of able) await person.decide(id);
  return await ended(world, id);
}

async function ended(world: World, id: string): Promise<RequestView> {
  const request = await waitForRequest(world, id, ({ state }) => !["proposed", "pending", "approved"].includes(state));
  if (request.state !== "enacted") throw new Error(`${request.statement} is ${request.state}: ${request.problem}`);
  return request;
}

/** Proposes a change and has the board approve it. */
export async function change(world: World, ...args: string[]): Promise<RequestView> {
  return await world.alone(async () => await enact(world, (await motion(world, ...args)).id));
}

/** Puts a policy in force for the one vault. The approvers must be members already. */
export async function changePolicy(world: World, plan: PolicyPlan): Promise<RequestView> {
  return await change(world, "policy", "propose", await writePolicy(world, plan));
}

/** Writes a policy that could be proposed; returns the file. */
export async function writePolicy(world: World, plan: PolicyPlan): Promise<string> {
  const { vaults } = await world.ask<Policy>({ command: "policy.show", n: null });
  const file = join(world.folder, "policy.json");
  writeFileSync(file, JSON.stringify({ ...planPolicy([], plan), vaults }));
  return file;
}

/** Adds somebody who proposes with a key file; returns the file. */
export async function addInitiator(world: World, name: string): Promise<string> {
  const file = world.keyFile(name);
  await world.json("key", "new", file);
  await change(world, "members", "enroll", name, "--role", "initiator", "--file", file);
  return file;
}

function inviteOf(world: World, name: string): string {
  const code = world.invites.get(name);
  if (code === undefined) throw new Error(`${name} is no founder of this world`);
  return code;
}
