/**
 * JOSE confusion: an approval that would count, in a signed envelope of any form but the one that is specified. Whoever tries has Ada's
 * computer and her keys, or a bridge that stamps whatever sender it likes.
 */
import type { Group } from "./attack.ts";
import { HEADERS } from "./jose-header.ts";
import { PAYLOADS, SIGNATURES } from "./jose-payload.ts";
import { SEALS } from "./jose-seal.ts";
import { TYPES } from "./jose-typ.ts";
import type { Josed } from "./setting.ts";
import { Stage } from "./stage.ts";

export const JOSE: Group<Josed> = {
  name: "JOSE confusion",
  open: async () => {
    const stage = await Stage.open();
    return { stage, asked: await stage.propose(), other: await stage.propose({ amount: "2.5" }) };
  },
  close: async ({ stage }) => {
    try {
      await stage.requireHonest();
    } finally {
      await stage.end();
    }
  },
  attacks: [...HEADERS, ...TYPES, ...PAYLOADS, ...SIGNATURES, ...SEALS],
};
