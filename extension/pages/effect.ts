/**
 * What a new policy means, in words, worst first: what each changed value does to who approves what, and to what a word means. Every
 * changed value is named: by its words, or as another change, which sends the reader to the lines (difference.ts). Pure.
 */
import type { PolicyText } from "../../protocol/policy.ts";
import { type Consequence, isSame, otherChange, replaced } from "./consequence.ts";
import { governanceChanges, groupChanges, ruleChanges } from "./effect-deciding.ts";
import { addressBookChanges, networkChanges, tokenChanges, vaultChanges } from "./effect-naming.ts";

type Section = (before: PolicyText, after: PolicyText) => readonly Consequence[];

const SECTIONS: { readonly [Name in keyof PolicyText]: Section } = {
  v: () => [],
  bridge: (before, after) => [
    replaced(
      "The bridge changes: every browser and the agent must reach the new one, or nobody can approve anything.",
      before.bridge,
      after.bridge,
    ),
  ],
  contact: (before, after) => [
    replaced("Whom these pages tell people to call changes.", before.contact, after.contact),
  ],
  networks: networkChanges,
  tokens: tokenChanges,
  vaults: vaultChanges,
  addressBook: addressBookChanges,
  groups: groupChanges,
  rules: ruleChanges,
  governance: governanceChanges,
};

/** What changes from one policy to the next. Empty only where nothing but the number does. */
export function effectsOf(before: PolicyText, after: PolicyText): Consequence[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PolicyText>;
  // A policy in force carries its number, and its successor gets another: no change of its own.
  (names as Set<string>).delete("n");
  const all = [...names].flatMap((name): readonly Consequence[] => {
    if (isSame(before[name], after[name])) return [];
    const section: Section | undefined = SECTIONS[name];
    const said = section?.(before, after) ?? [];
    return said.length === 0 ? [otherChange(name)] : said;
  });
  return all.sort((a, b) => Number(a.level === "note") - Number(b.level === "note"));
}
