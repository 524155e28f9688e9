/**
 * Which licences a dependency may carry: of what is bundled into the extension (vite.config.ts asks for each module's package) and of
 * what an HSM host installs (package-lock.json; `node scripts/licences.ts` checks that). Reads licence fields and texts as packages give
 * them; whether a text is what its field says is for a person to read when a dependency is added.
 */
import { readFileSync } from "node:fs";

/** SPDX names. Each allows distribution, and together with code under GPL-3.0-only, as this project's is. */
const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MPL-2.0",
  "Unlicense",
]);

/** A package, as Vite's `build.license` lists it. */
export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** The `license` field of its package.json: an SPDX expression, if it keeps to the rules. */
  readonly identifier?: string;
  /** Its licence file. */
  readonly text?: string;
}

/** Whether an SPDX expression can be satisfied with allowed licences only: OR needs one side, AND both. Anything else is not. */
export function isAllowed(expression: string): boolean {
  const words = expression.replaceAll(/[()]/g, " $& ").trim().split(/\s+/);
  let at = 0;
  const operand = (): boolean => {
    const word = words[at++];
    if (word !== "(") return word !== undefined && ALLOWED.has(word);
    const inner = either();
    return words[at++] === ")" && inner;
  };
  const both = (): boolean => {
    let allowed = operand();
    while (words[at] === "AND") {
      at += 1;
      allowed = operand() && allowed;
    }
    return allowed;
  };
  const either = (): boolean => {
    let allowed = both();
    while (words[at] === "OR") {
      at += 1;
      allowed = both() || allowed;
    }
    return allowed;
  };
  return either() && at === words.length;
}

/** One sentence for each package that may not be distributed. */
export function refusedLicences(packages: readonly LicensedPackage[]): string[] {
  return packages
    .filter(({ identifier }) => identifier === undefined || !isAllowed(identifier))
    .map(({ name, version, identifier }) =>
      identifier === undefined
        ? `${name} ${version} names no licence`
        : `${name} ${version} is under "${identifier}", which is not in the list of scripts/licences.ts`,
    );
}

/**
 * Adds the general text of the Apache licence (`apache`), which is the same for everybody, to packages that name it without giving it:
 * some have no licence file at all, and some of Ledger's have one with another licence, which stays.
 */
export function withApacheText(packages: readonly LicensedPackage[], apache: string): LicensedPackage[] {
  return packages.map((one) => {
    const { identifier, text = "" } = one;
    if (identifier !== "Apache-2.0" || /apache license/i.test(text)) return one;
    return { ...one, text: text === "" ? apache : `${text}\n\n${apache}` };
  });
}

/** One sentence for each package whose licence could not be shipped with it, as all of them demand. */
export function missingTexts(packages: readonly LicensedPackage[]): string[] {
  return packages
    .filter(({ text }) => text === undefined || text === "")
    .map(({ name, version }) => `${name} ${version} comes without the text of its licence`);
}

/** The notices that the extension ships: our own licence, then each package's name, version, licence and its full text. Markdown. */
export function renderNotices(packages: readonly LicensedPackage[], ours: string): string {
  const sections = packages.map(
    ({ name, version, identifier = "", text = "" }) => `## ${name} ${version} (${identifier})\n\n${fenced(text)}\n`,
  );
  return [
    "# Licences\n",
    "The OpenCustody extension is free software under the GNU General Public License, version 3 only. Its text stands at the end.",
    "It contains the packages below, unchanged, each under its own licence; their source code is at <https://www.npmjs.com/> under the",
    "names and versions given here.\n",
    ...sections,
    "## The EFF long wordlist (CC BY 3.0 US)\n\nThe 7,776 words from which six are read aloud are by the Electronic Frontier Foundation, unchanged, from <https://www.eff.org/dice>,",
    "under the Creative Commons Attribution 3.0 United States licence, <https://creativecommons.org/licenses/by/3.0/us/>.\n",
    `## OpenCustody (GPL-3.0-only)\n\n${fenced(ours)}\n`,
  ].join("\n");
}

/** As code, so that nothing in a licence's text is taken for Markdown. */
function fenced(text: string): string {
  return `~~~text\n${text.trim()}\n~~~`;
}

/** What an HSM host installs: every entry of a package-lock.json that is not for development only. @throws where it is no lock */
export function installedPackages(lock: unknown): LicensedPackage[] {
  if (typeof lock !== "object" || lock === null || !("packages" in lock)) throw new Error("not a package-lock.json");
  const entries = Object.entries(lock.packages as Record<string, Record<string, unknown>>);
  return entries
    .filter(([path, entry]) => path !== "" && entry["dev"] !== true)
    .map(([path, { version, license }]) => ({
      name: path.replace(/^.*node_modules\//, ""),
      version: String(version),
      ...(typeof license === "string" ? { identifier: license } : {}),
    }));
}

if (import.meta.main) {
  const file = new URL("../package-lock.json", import.meta.url);
  const packages = installedPackages(JSON.parse(readFileSync(file, "utf8")));
  const refused = refusedLicences(packages);
  for (const sentence of refused) process.stderr.write(`${sentence}\n`);
  if (refused.length > 0) process.exitCode = 1;
  else process.stdout.write(`licences: ${packages.length} packages of an HSM host are under allowed ones.\n`);
}
