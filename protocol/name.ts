/**
 * Names that appear in statements: people, vaults, networks, groups. README.md, "Names".
 * A name cannot look like a field, like an address, or like another name.
 */
import * as v from "valibot";

/** 1 to 24 of `[A-Za-z0-9._-]`, starting with a letter, not like an address. */
export const NameSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z][A-Za-z0-9._-]{0,23}$/, "a name is 1 to 24 of A-Z a-z 0-9 . _ - and starts with a letter"),
  v.check((name) => !looksLikeAddress(name), "a name must not look like an address"),
  v.check((name) => !isKeyword(name), "it is a word of the statement, not a name"),
);

/** A ticker as the policy gives it, e.g. `USDC`: 1 to 11 letters and digits, starting with a letter. */
export const SymbolSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z][A-Za-z0-9]{0,10}$/, "a symbol is 1 to 11 letters or digits and starts with a letter"),
  v.check((symbol) => !isKeyword(symbol), "it is a word of the statement, not a symbol"),
);

/** The words between the names of a statement: `SEND 5 TO TO …` would read as something else. */
function isKeyword(name: string): boolean {
  return /^(to|on|from|as|by|all|device|browser|key|role)$/i.test(name);
}

function looksLikeAddress(name: string): boolean {
  return (
    /^0x[0-9a-f]{6}/.test(name.toLowerCase().replaceAll("o", "0").replaceAll(/[il]/g, "1")) ||
    /^(bc1|tb1|bcrt1|ltc1|addr1|cosmos1)/i.test(name) ||
    /^[A-Fa-f0-9]{16,}$/.test(name) ||
    /^[1-9A-HJ-NP-Za-km-z]{24,}$/.test(name)
  );
}

/** The form under which two names are the same to a hurried eye: case, 0/O and 1/l/I folded. */
export function foldName(name: string): string {
  return name.toLowerCase().replaceAll("0", "o").replaceAll(/[1i]/g, "l");
}

/** The first two names that a person could take for each other, or undefined. */
export function findLookAlikes(names: readonly string[]): [string, string] | undefined {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(foldName(name));
    if (other !== undefined) return [other, name];
    seen.set(foldName(name), name);
  }
  return undefined;
}
