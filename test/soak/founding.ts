/** Founds a world of very many at once: as company.ts does it, but over the socket, as fifty processes for fifty confirmations take long. */
import type { Member } from "../harness/member.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";

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
