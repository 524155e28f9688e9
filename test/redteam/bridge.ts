/** A bridge that was taken over, and the agent behind it. What it does to browsers is in browser.ts. */
import type { Group } from "./attack.ts";
import { FRAMES } from "./bridge-frames.ts";
import { LINKS } from "./bridge-link.ts";
import { REPLAYS } from "./bridge-replay.ts";
import { TRANSPLANTS } from "./bridge-transplant.ts";
import type { Bridged } from "./setting.ts";
import { Stage } from "./stage.ts";

export const BRIDGE: Group<Bridged> = {
  name: "Hostile bridge",
  open: async () => {
    const stage = await Stage.open();
    try {
      const second = await Stage.open({ devicesOf: stage });
      return { stage, second, asked: await stage.propose() };
    } catch (error) {
      await stage.end();
      throw error;
    }
  },
  close: async ({ stage, second }) => {
    try {
      await stage.requireHonest();
      await second.requireHonest();
    } finally {
      await second.end();
      await stage.end();
    }
  },
  attacks: [...FRAMES, ...LINKS, ...TRANSPLANTS, ...REPLAYS],
};
