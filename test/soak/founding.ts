/**
 * Founds a world of very many, and enrols the rest: as company.ts does it, but over the socket, as fifty processes for fifty confirmations
 * take long. protocol/README.md, "Founding", "Pairing".
 */
import { exportJWK, generateKeyPair } from "jose";
import { DEVELOPMENT_BRIDGE, encodeInvite } from "../../protocol/invite.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import type { Initiator } from "../crash/initiator.ts";
import type { Ledger } from "../crash/ledger.ts";
import type { Person } from "../crash/person.ts";
import { now } from "../harness/bridge-client.ts";
import type { Member } from "../harness/member.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";

/** The act of a founding holds everybody's approval, and has to fit one message: of more people the others are enrolled. */
export const FOUNDERS_MAX = 40;
/** Seconds. */
const INVITE_LIFE = 3_600;
/** Invites of one person that may be open. */
const INVITES_MAX = 10;

export async function foundQuickly(world: World, founders: readonly Member[]): Promise<void> {
  const said = await Promise.all(
    founders.map(async (founder) => {
      const code = world.invites.get(founder.name);
      if (code === undefined) throw new Error(`${founder.name} is no founder of this world`);
      return [founder.name, await founder.begin(code)] as const;
    }),
  );
  let id: string | null = null;
  for (const [name, words] of said) {
    const command = { command: "pairing.confirm", name, words } as const;
    ({ request: id } = await world.ask<{ request: string | null }>(command));
  }
  if (id === null) throw new Error("somebody who founds this world is missing");
  const founding = id;
  await Promise.all(founders.map(async (founder) => await founder.decide(founding)));
  await waitForRequest(world, founding, ({ state }) => state === "enacted");
  await Promise.all(founders.map(async (founder) => await founder.counted()));
}

/** Has approvers join a founded world whose admins answer by themselves. One ENROLL after the other: an act makes the others void. */
export async function enrol(initiator: Initiator, ledger: Ledger, people: readonly Person[]): Promise<void> {
  for (let at = 0; at < people.length; at += INVITES_MAX) {
    const some = people.slice(at, at + INVITES_MAX);
    const said = await Promise.all(
      some.map(async (person) => [person, await person.begin(await invite(initiator, person.name))] as const),
    );
    for (const [person, words] of said) {
      const id = await initiator.vouch(person.name, words);
      await ledger.ended(id);
      if (ledger.ends.get(id) !== "enacted") throw new Error(`${person.name} was not enrolled: ${ledger.ends.get(id)}`);
    }
    await Promise.all(some.map(async (person) => await person.counted()));
  }
}

async function invite(initiator: Initiator, name: string): Promise<string> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { x = "", y = "", d = "" } = await exportJWK(privateKey);
  const key: PublicJwk = { kty: "EC", crv: "P-256", x, y };
  await initiator.invite({ name, roles: ["approver"], key, until: now() + INVITE_LIFE });
  return encodeInvite({ v: 1, bridge: DEVELOPMENT_BRIDGE, hsm: initiator.hsm, key, d });
}
