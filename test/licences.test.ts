/** Licences: what may be bundled or installed, and that a build with something else in it fails. scripts/licences.ts, vite.config.ts. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  installedPackages,
  isAllowed,
  missingTexts,
  refusedLicences,
  renderNotices,
  withApacheText,
} from "../scripts/licences.ts";
import configOf from "../vite.config.ts";

test.each(["MIT", "(MIT OR GPL-2.0-only)", "SSPL-1.0 OR (ISC AND 0BSD)", "MIT AND (BSD-3-Clause OR X)", "MPL-2.0"])(
  "%s is allowed",
  (expression) => expect(isAllowed(expression)).toBe(true),
);

test.each([
  "",
  "GPL-2.0-only",
  "UNLICENSED",
  "SEE LICENSE IN LICENSE.md",
  "mit",
  "MIT OR",
  "OR MIT",
  "(MIT",
  "MIT)",
  "()",
  "MIT ISC",
  "MIT AND SSPL-1.0",
  "(X OR Y) AND MIT",
  "Apache-2.0 WITH LLVM-exception",
  "BSD-4-Clause",
  "MIT/X11",
])("%j is not", (expression) => expect(isAllowed(expression)).toBe(false));

test("what is refused is named, with why", () => {
  const packages = [
    { name: "good", version: "1.0.0", identifier: "MIT", text: "words" },
    { name: "silent", version: "2.0.0", text: "words" },
    { name: "bad", version: "3.0.0", identifier: "T-RSL" },
  ];
  expect(refusedLicences(packages)).toEqual([
    "silent 2.0.0 names no licence",
    'bad 3.0.0 is under "T-RSL", which is not in the list of scripts/licences.ts',
  ]);
  expect(missingTexts(packages)).toEqual(["bad 3.0.0 comes without the text of its licence"]);
});

test("the Apache licence's text is added where it is named and absent; a package's own file stays", () => {
  const apache = { version: "1.0.0", identifier: "Apache-2.0" };
  const packages = [
    { ...apache, name: "none" },
    { ...apache, name: "other", text: "The MIT License" },
    { ...apache, name: "own", text: "Apache License, Copyright them" },
    { name: "mit", version: "1.0.0", identifier: "MIT" },
  ];
  expect(withApacheText(packages, "GENERAL").map(({ text }) => text)).toEqual([
    "GENERAL",
    "The MIT License\n\nGENERAL",
    "Apache License, Copyright them",
    undefined,
  ]);
});

test("the notices hold every text, and ours", () => {
  const notices = renderNotices(
    [{ name: "a", version: "1.2.3", identifier: "ISC", text: "# words of a" }],
    "our words",
  );
  expect(notices).toContain("## a 1.2.3 (ISC)\n\n~~~text\n# words of a\n~~~");
  expect(notices).toContain("our words");
});

describe("an HSM host", () => {
  const entry = { version: "1.0.0", license: "MIT" };
  const packagesOf = (packages: object) => installedPackages({ packages: { "": {}, ...packages } });

  test("installs everything but what is for development, however deep", () => {
    const installed = packagesOf({
      "node_modules/a": entry,
      "node_modules/b": { ...entry, dev: true },
      "node_modules/a/node_modules/@x/c": { ...entry, license: "GPL-2.0-only", optional: true },
      "node_modules/d": { version: "4.0.0" },
    });
    expect(installed.map(({ name }) => name)).toEqual(["a", "@x/c", "d"]);
    expect(refusedLicences(installed)).toHaveLength(2);
  });

  test("of ours installs nothing that may not be distributed", () => {
    const installed = installedPackages(JSON.parse(readFileSync("package-lock.json", "utf8")));
    expect(installed.map(({ name }) => name)).toContain("pkcs11js");
    expect(refusedLicences(installed)).toEqual([]);
  });

  test("what is no lock is refused, not found empty", () =>
    expect(() => installedPackages({})).toThrow("not a package-lock"));
});

describe("a build", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "opencustody-licences-"));
    writeFileSync(join(folder, "main.js"), 'import { planted } from "planted"; globalThis.planted = planted;');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Builds a program of one package, with the project's own configuration; resolves with the notices. */
  async function buildWith(manifest: object, licenceFile?: string): Promise<string> {
    const planted = join(folder, "node_modules/planted");
    mkdirSync(planted, { recursive: true });
    const whole = { name: "planted", version: "6.6.6", type: "module", main: "index.js", ...manifest };
    writeFileSync(join(planted, "package.json"), JSON.stringify(whole));
    writeFileSync(join(planted, "index.js"), "export function planted() { return Math.random(); }");
    if (licenceFile !== undefined) writeFileSync(join(planted, "LICENSE"), licenceFile);
    const config = configOf({ command: "build", mode: "chromium" });
    const options = { ...config.build, write: false, rolldownOptions: { input: join(folder, "main.js") } };
    const built = await build({ ...config, configFile: false, root: folder, logLevel: "silent", build: options });
    const output = "output" in built ? built.output : [];
    const notices = output.find(({ fileName }) => fileName === "LICENSES.md");
    return notices?.type === "asset" ? String(notices.source) : "";
  }

  test("ships the text of what it bundles", async () => {
    expect(await buildWith({ license: "MIT" }, "planted words")).toContain("## planted 6.6.6 (MIT)");
  });

  test("fails on a package that may not be distributed, or that names no licence", async () => {
    const text = "TREZOR REFERENCE SOURCE LICENSE";
    await expect(buildWith({ license: "SEE LICENSE IN LICENSE.md" }, text)).rejects.toThrow(/planted 6\.6\.6 is under/);
    await expect(buildWith({}, text)).rejects.toThrow("planted 6.6.6 names no licence");
  });

  test("fails on a package without the text of its licence", async () => {
    await expect(buildWith({ license: "MIT" })).rejects.toThrow("planted 6.6.6 comes without the text of its licence");
  });
});
