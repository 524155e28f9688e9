/**
 * README.md against the code: what the code cites exists, what the tables list is what the code has, and the example is the
 * vectors'. The table of states is driven by hsm-agent/requests.states.test.ts, which may import both.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ACT } from "./charter.ts";
import { ERROR_CODES } from "./error.ts";
import { GOVERNANCE_VERBS } from "./governance.ts";
import * as messages from "./message.ts";
import { GOVERNANCE } from "./vectors/governance.ts";
import { REQUESTS } from "./vectors/request.ts";
import { APPROVAL_PAYLOAD, samples } from "./vectors/sample.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const spec = readFileSync(new URL("README.md", import.meta.url), "utf8");

/** Sections that are the operator's and stand in the README.md at the root. */
const OF_ROOT = ["Configure", "Configure the bridge", "Health and metrics", "The control socket", "Development"];

interface Citation {
  readonly file: string;
  readonly section: string;
}

/** Every `README.md, "A" and "B"` of the code's comments; a line break with its asterisk may stand anywhere between. */
function citations(): Citation[] {
  const files = globSync("{protocol,bridge,hsm-agent,extension,scripts,test}/**/*.{ts,tsx,mjs}", { cwd: root });
  return files.flatMap((file) => {
    const text = readFileSync(`${root}/${file}`, "utf8").replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, " ");
    const cited = text.matchAll(/README\.md(?: of protocol\/)?,((?:(?:,| and)? "[^"]+")+)/g);
    return [...cited].flatMap(([, names = ""]) =>
      [...names.matchAll(/"([^"]+)"/g)].map(([, section = ""]) => ({ file, section })),
    );
  });
}

function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#{2,4} (.+)$/gm)].map(([, heading = ""]) => heading);
}

const cited = citations().filter(({ file }) => file !== "protocol/citations.test.ts");

test("every section of this specification that the code cites exists", () => {
  const headings = headingsOf(spec);
  expect(cited.length).toBeGreaterThan(50);
  expect(cited.filter(({ section }) => !OF_ROOT.includes(section) && !headings.includes(section))).toEqual([]);
  expect(new Set(headings).size).toBe(headings.length);
});

test("so does every section of the README.md at the root", () => {
  const path = `${root}/README.md`;
  if (!existsSync(path)) return;
  const headings = headingsOf(readFileSync(path, "utf8"));
  expect(cited.filter(({ section }) => OF_ROOT.includes(section) && !headings.includes(section))).toEqual([]);
});

test("a section that this specification names in its own text exists", () => {
  const named = [...spec.matchAll(/\bsee "([^"]+)"/g)].map(([, section = ""]) => section);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((section) => !headingsOf(spec).includes(section))).toEqual([]);
});

/** The text from a heading to the next. */
function sectionOf(heading: string): string {
  return spec.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
}

test("the table of errors lists exactly the codes, each once, with a sentence", () => {
  const rows = [...sectionOf("Errors").matchAll(/^\| `(ERR_[A-Z_0-9]+)` \| (.+) \|$/gm)];
  expect(rows.map(([, code = ""]) => code).toSorted()).toEqual([...ERROR_CODES].toSorted());
  expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
  expect(rows.filter(([, , sentence = ""]) => !/^[A-Z].{15,}[.?]$/.test(sentence))).toEqual([]);
});

test("every code is given by some part of the program", () => {
  const files = globSync("{protocol,bridge,hsm-agent,extension}/**/*.{ts,tsx}", { cwd: root }).filter(
    (file) => !file.endsWith(".test.ts") && file !== "protocol/error.ts" && !file.startsWith("protocol/vectors/"),
  );
  const code = files.map((file) => readFileSync(`${root}/${file}`, "utf8")).join("\n");
  expect(ERROR_CODES.filter((name) => !code.includes(`"${name}"`))).toEqual([]);
});

test("every code that is named here or in the vectors is one of them", () => {
  const known: readonly string[] = ERROR_CODES;
  expect([...spec.matchAll(/ERR_[A-Z_0-9]+/g)].map(([code]) => code).filter((code) => !known.includes(code))).toEqual(
    [],
  );
});

test("the table of messages lists exactly the types", () => {
  const rows = [...sectionOf("Messages").matchAll(/^\| `([a-z]+)` \|/gm)].map(([, name]) => `oc-${name}+jws`);
  const types = Object.values(messages).flatMap((one) => (typeof one === "object" && "typ" in one ? [one.typ] : []));
  expect(rows.toSorted()).toEqual(["oc-request+jws", ACT.typ, ...types].toSorted());
});

test("the example is the vectors'", async () => {
  const [request] = REQUESTS.valid;
  const approval = (await samples()).find(({ typ }) => typ === "oc-approval+jws");
  const shown = new Map(
    [...spec.matchAll(/```([a-z-]+)\n([^`]+)\n```/g)].map(([, what = "", text = ""]) => [
      what,
      text.replaceAll("\n", ""),
    ]),
  );
  expect(Object.fromEntries(shown)).toEqual({
    statement: request?.statement,
    payload: request?.payload,
    digest: request?.digest,
    request: request?.jws,
    "device-signature": APPROVAL_PAYLOAD.signature,
    "approval-payload": approval?.payload,
    approval: approval?.jws,
  });
  expect(spec).toContain(`\`${APPROVAL_PAYLOAD.address}\``);
  expect(spec.split("\n").findIndex((line) => line.startsWith("SEND "))).toBeLessThan(18);
});

test("so is an example of a statement of each verb of governance", () => {
  const shown = sectionOf("Statement").match(/^ {4}[A-Z]+ .+$/gm) ?? [];
  const statements = GOVERNANCE.valid.map(({ statement }) => `    ${statement}`);
  expect(shown.filter((line) => !statements.includes(line))).toEqual([]);
  expect(new Set(shown.map((line) => line.trim().split(" ")[0]))).toEqual(new Set(GOVERNANCE_VERBS));
});

test("the table of governance has each verb", () => {
  const rows = [...sectionOf("Governance").matchAll(/^\| `([A-Z]+)` \|/gm)].map(([, verb]) => verb);
  expect(rows).toEqual(GOVERNANCE_VERBS);
});
