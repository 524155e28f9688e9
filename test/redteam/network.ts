/**
 * The bridge as the one that is attacked: strangers, members gone bad, stolen keys and a network that repeats what it saw. It is a real
 * process; the attackers' sockets are their own. Whoever is not attacking has to be served meanwhile.
 */
import type { Group } from "./attack.ts";
import { DOCUMENTS } from "./network-documents.ts";
import { FLOODS } from "./network-flood.ts";
import { FRAMES } from "./network-frames.ts";
import { LOGINS } from "./network-login.ts";
import { PEOPLE } from "./network-people.ts";
import type { Setting } from "./setting.ts";
import { Stage } from "./stage.ts";

export const NETWORK: Group<Setting> = {
  name: "Hostile network and members at the bridge",
  open: async () => {
    const stage = await Stage.open({ bridge: { proxy: { header: "x-forwarded-for", trusted: 1 } } });
    return { stage, asked: await stage.propose() };
  },
  close: async ({ stage }) => {
    try {
      await stage.requireHonest();
    } finally {
      await stage.end();
    }
  },
  attacks: [...LOGINS, ...FRAMES, ...DOCUMENTS, ...PEOPLE, ...FLOODS],
};
