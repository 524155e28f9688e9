/** How a try is judged: it must be refused with a code, or change nothing, and the agent must show that it did. */
import type { Command } from "../../hsm-agent/control.ts";
import type { Member } from "../harness/member.ts";
import { showRequest } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";
import type { Tally } from "./attack.ts";
import type { Company } from "./company.ts";

type Running = Pick<Company, "world">;

/** All that only a quorum may change, and what is frozen, as the agent tells it. */
export async function governed(world: World): Promise<string> {
  const { act, policy, people, frozen } = await world.ask<Record<string, unknown>>({ command: "status" });
  const { members } = await world.ask<{ members: Record<string, unknown>[] }>({ command: "members.list" });
  const { digest } = await world.ask<{ digest: string }>({ command: "policy.show", n: null });
  // When a device last signed is nothing that is governed.
  const said = JSON.stringify({ act, policy, people, frozen, members, digest });
  return said.replaceAll(/"lastSigned":(null|[0-9]+)/g, "");
}

/** A try that throws a code, after which all that is governed is as it was. */
export async function mustRefuse({ world }: Running, tally: Tally, work: () => Promise<unknown>): Promise<void> {
  const before = await governed(world);
  await tally.mustThrow(async () => await work().catch(refuseSlip));
  if ((await governed(world)) !== before) tally.through("people, policy or freezes changed");
}

/** A try that is refused for how it is spelled shows nothing. */
function refuseSlip(error: unknown): never {
  const isSlip = error instanceof Error && error.message.includes("canonical form");
  throw isSlip ? new Error("the try is not in canonical form", { cause: error }) : error;
}

/** A command that the socket does not know, or not in this form. */
export async function askAnything({ world }: Running, command: Readonly<Record<string, unknown>>): Promise<unknown> {
  return await world.ask(command as unknown as Command);
}

/** A member's message about request `id`: it must be refused with a code, and the request be as it was. `post` returns its `jti`. */
export async function mustNotCount(
  { world }: Running,
  tally: Tally,
  sender: Member,
  id: string,
  post: () => Promise<string>,
): Promise<void> {
  const before = await showRequest(world, id);
  const governedBefore = await governed(world);
  const of = await post();
  let code: string | undefined;
  void sender.refusal(of).then((refusal) => {
    code = refusal.code;
  });
  // Whatever the message does, it does it before it is answered.
  for (;;) {
    const after = await showRequest(world, id);
    if (
      after.state !== before.state ||
      after.records.length !== before.records.length ||
      after.signed !== before.signed
    )
      return tally.through(`${sender.name} made ${id} ${after.state}`);
    if (code !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if ((await governed(world)) === governedBefore) tally.refused(code);
  else tally.through(`${sender.name} changed people, policy or freezes`);
}

/** Codes of the messages from `kid` that the agent dropped or refused, oldest first. */
export function droppedFrom({ world }: Running, kid: string): string[] {
  return world
    .agent()
    .lines.filter((line) => line.includes(`"from":"${kid}"`) && line.includes("message"))
    .map((line) => /"code":"(\w+)"/.exec(line)?.[1] ?? "");
}

/** A message that nobody answers: the agent's log says why it was dropped. */
export async function mustDrop(
  company: Running,
  tally: Tally,
  sender: Member,
  post: () => Promise<unknown>,
): Promise<void> {
  const before = await governed(company.world);
  const known = droppedFrom(company, sender.kid).length;
  await post();
  while (droppedFrom(company, sender.kid).length === known) await new Promise((resolve) => setTimeout(resolve, 20));
  if ((await governed(company.world)) === before) tally.refused(droppedFrom(company, sender.kid)[known] ?? "");
  else tally.through(`${sender.name} changed people, policy or freezes`);
}

/** A request on which too few decided: still open, with nothing signed and nothing in force. */
export async function mustStay(
  { world }: { world: Pick<World, "ask"> },
  tally: Tally,
  id: string,
  state: string,
): Promise<void> {
  const view = await showRequest(world, id);
  if (view.state === state && (view.signed ?? null) === null) tally.refused(`stays ${state}`);
  else tally.through(`${id} is ${view.state}`);
}

/** A member's message that is about no request: it must be answered with a code, and nothing that is governed change. */
export async function mustBeRefused(
  { world }: Running,
  tally: Tally,
  sender: Member,
  post: () => Promise<string>,
): Promise<void> {
  const before = await governed(world);
  const { code } = await sender.refusal(await post());
  if ((await governed(world)) === before) tally.refused(code);
  else tally.through(`${sender.name} changed people, policy or freezes`);
}

/** The bridge cuts off whoever is not on the roster any more. */
export async function untilShutOut(member: Member): Promise<void> {
  while (member.mail.isOpen) await new Promise((resolve) => setTimeout(resolve, 20));
}
