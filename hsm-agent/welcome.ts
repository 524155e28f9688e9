/** Tells extensions who they are to the agent, and what their devices count. README.md of protocol/, "Messages". */
import { Fault } from "../protocol/error.ts";
import { WELCOME } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { currentPeople, type Desk, issue } from "./desk.ts";
import { findMember, findOwner, type Member, type People } from "./people.ts";

/** Sends the extension `kid` its welcome. @throws Fault ERR_MEMBER_UNKNOWN, ERR_HSM_* */
export async function welcome(desk: Desk, kid: string): Promise<void> {
  const { jti, jws } = await makeWelcome(desk, currentPeople(desk.journal), kid);
  desk.journal.post(jti, [kid], jws);
  desk.wake();
}

/** The welcome of an extension under `people`, which need not be in force yet. */
export async function makeWelcome(desk: Desk, people: People, kid: string): Promise<{ jti: string; jws: string }> {
  const { name, roles, devices } = requireMember(people, kid);
  return await issue(desk, WELCOME, [kid], { hsm: desk.identity.jwk, name, roles, devices });
}

/** Every extension of a person learns that a device of theirs counts now. */
export async function welcomePerson(desk: Desk, name: string): Promise<void> {
  for (const key of findMember(currentPeople(desk.journal), name).extensions) await welcome(desk, thumbprint(key));
}

/** Whose key this is. @throws Fault ERR_MEMBER_UNKNOWN */
export function requireMember(people: People, kid: string): Member {
  const owner = findOwner(people, kid);
  if (owner === undefined)
    throw new Fault("ERR_MEMBER_UNKNOWN", "This browser is not enrolled any more; pair it again with a new invite.");
  return owner.member;
}
