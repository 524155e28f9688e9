/** The table of SECURITY.md, made from the declarations of the attacks: `UPDATE=1 vitest run test/redteam/table.test.ts` writes it. */
import type { Listed } from "./groups.ts";

const BEGIN = "<!-- redteam: begin -->";
const END = "<!-- redteam: end -->";

/** SECURITY.md with the table of today between its two marks. @throws where the marks are missing */
export function withTable(text: string, groups: readonly Listed[]): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`SECURITY.md needs ${BEGIN} and ${END}`);
  return `${text.slice(0, from + BEGIN.length)}\n${tableOf(groups)}\n${text.slice(to)}`;
}

function tableOf(groups: readonly Listed[]): string {
  const rows = groups
    .flatMap(({ attacks }) => attacks)
    .map(
      ({ by, what, tries, refused, id }) =>
        `| ${by} | ${what} | ${tries} | ${refused.map(codeText).join(", ")} | \`${id}\` |`,
    );
  const heading = ["| attacker | what is tried | tries | refused with | attack |", "| --- | --- | --- | --- | --- |"];
  return [`${rows.length} attacks, none through.`, "", ...heading, ...rows].join("\n");
}

function codeText(code: string): string {
  return code.startsWith("ERR_") ? `\`${code}\`` : code;
}
