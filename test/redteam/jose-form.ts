/** How an approval that would count is put into another form, and how a list of forms becomes an attack. protocol/README.md, "Envelopes". */
import type { Attack, Attacker } from "./attack.ts";
import { edited, resigned } from "./forge.ts";
import type { Josed } from "./setting.ts";

/** What is sealed and sent, made of an approval that would count. The sender is Ada where it is not named. */
export type Forge = (jws: string, to: Josed) => string | Promise<string> | Promise<{ text: string; from: string }>;

export function confusion(
  id: string,
  what: string,
  refused: readonly string[],
  forges: readonly Forge[],
  by: Attacker = "hostile computer",
): Attack<Josed> {
  return {
    id,
    by,
    what,
    tries: forges.length,
    refused,
    run: async (to, tally) => {
      const { stage, asked } = to;
      for (const [at, forge] of forges.entries()) {
        const made = await forge(await stage.approval(asked), to);
        const { text, from } = typeof made === "string" ? { text: made, from: stage.ada.kid } : made;
        await stage.attempt(tally, async () => await stage.strikeWith(text, from), `form ${at + 1}`);
      }
    },
  };
}

export const byAda =
  (change: Parameters<typeof resigned>[2]): Forge =>
  async (jws, { stage }) =>
    await resigned(jws, stage.ada.key, change);
export const header = (members: Record<string, unknown>): Forge => byAda({ header: edited(members) });
export const payload = (members: Record<string, unknown>): Forge => byAda({ payload: edited(members) });
export const replaced = (from: string | RegExp, to: string): Forge =>
  byAda({ payload: (text) => text.replace(from, to) });
