/**
 * Builds the extension: the background script and the pages, to dist/extension-chromium, or with `--mode firefox` to
 * dist/extension-firefox; they differ in the manifest and in the language level only. Not minified and without source maps, so that a
 * reviewer reads what runs; the same sources give the same bytes. The build fails where its output could run remote code, and where
 * it holds a package that may not be distributed.
 */
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";
import { firefoxManifest } from "./extension/manifest.ts";
import {
  type LicensedPackage,
  missingTexts,
  refusedLicences,
  renderNotices,
  withApacheText,
} from "./scripts/licences.ts";

const ROOT = new URL("extension/", import.meta.url).pathname;
const COPIED = [16, 32, 48, 128].map((size) => `icons/${size}.png`);
/** What Vite's `build.license` lists, for us only: the extension ships what `notices` makes of it. */
const LISTED = "licences.json";

/** Web addresses that stand in the output, and why they may. None is ever opened: the content security policy forbids it too. */
const ADDRESSES: readonly (readonly [RegExp, string])[] = [
  [/^ws:\/\/127\.0\.0\.1:8787\/?$/, "protocol/invite.ts: the development bridge, which the policy names"],
  [/^wss:\/\/host\/?$/, "protocol/invite.ts: words of a sentence"],
  [
    /^http:\/\/www\.w3\.org\/(2000\/svg|1998\/Math\/MathML|1999\/xhtml|1999\/xlink)$/,
    "preact: names of XML namespaces",
  ],
  [/^ws:\/\/127\.0\.0\.1:21335\/connect-ws$/, "Trezor's client: Trezor Suite on this computer, which the policy names"],
  [/^https:\/\/node\.trezor\.io$/, "Trezor's client: an option of Node's sockets, which a browser's ignore"],
  [/^https:\/\/github\.com\/trezor\/trezor-suite\//, "Trezor's client: the text of an error"],
  [/^https:\/\/(oxlib\.sh|viem\.sh|github\.com\/wevm\/viem)/, "viem: the text of its errors"],
];
const DYNAMIC_CODE = /\beval\s*\(|\bnew\s+Function\s*\(|\bimport\s*\(\s*["'`]https?:|\bimportScripts\s*\(/;
/** Only device pages may hold these; the service worker runs without a person watching. */
const NOT_IN_WORKER = /@ledgerhq|@trezor/;

type Browser = "chromium" | "firefox";

function copyManifest(browser: Browser): Plugin {
  return {
    name: "opencustody-copy",
    generateBundle() {
      const manifest = readFileSync(`${ROOT}manifest.json`, "utf8");
      const source =
        browser === "chromium" ? manifest : `${JSON.stringify(firefoxManifest(JSON.parse(manifest)), null, 2)}\n`;
      this.emitFile({ type: "asset", fileName: "manifest.json", source });
      for (const fileName of COPIED) {
        this.emitFile({ type: "asset", fileName, source: readFileSync(ROOT + fileName) });
      }
    },
  };
}

/** Refuses packages that may not be distributed, and ships the licences of all others. */
function notices(): Plugin {
  return {
    name: "opencustody-notices",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const listed = bundle[LISTED];
        if (listed?.type !== "asset") return this.error(`Vite's build.license gave no ${LISTED}`);
        delete bundle[LISTED];
        const apache = readFileSync(new URL("node_modules/typescript/LICENSE", import.meta.url), "utf8");
        const packages = withApacheText(JSON.parse(String(listed.source)) as LicensedPackage[], apache);
        const refused = [...refusedLicences(packages), ...missingTexts(packages)];
        if (refused.length > 0) this.error(`what is bundled may not be distributed:\n${refused.join("\n")}`);
        const ours = readFileSync(new URL("LICENSE", import.meta.url), "utf8");
        this.emitFile({ type: "asset", fileName: "LICENSES.md", source: renderNotices(packages, ours) });
        this.info(`licences: ${packages.map(({ name, identifier }) => `${name} ${identifier}`).join(", ")}`);
      },
    },
  };
}

/** Refuses remote code and unknown addresses, keeps the devices' code out of the worker, and prints what is big. */
function audit(): Plugin {
  return {
    name: "opencustody-audit",
    generateBundle(_options, bundle) {
      const modules = new Map<string, number>();
      const refused: string[] = [];
      let total = 0;
      for (const [fileName, file] of Object.entries(bundle)) {
        const text = file.type === "chunk" ? file.code : file.source;
        total += Buffer.byteLength(text);
        if (file.type === "chunk") {
          for (const [id, { renderedLength }] of Object.entries(file.modules)) {
            const name = id.replace(/^.*\/node_modules\//, "").replace(`${process.cwd()}/`, "");
            modules.set(name, (modules.get(name) ?? 0) + renderedLength);
          }
        }
        if (!/\.(js|html|css)$/.test(fileName) || typeof text !== "string") continue;
        if (DYNAMIC_CODE.test(text)) refused.push(`${fileName} makes code at run time`);
        // Libraries' comments link to their documentation; only what runs can open anything.
        const live = file.type === "chunk" ? stringsOf(this.parse(text)).join("\n") : text;
        for (const [address] of live.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`),;\\<>]+/g)) {
          if (!ADDRESSES.some(([known]) => known.test(address))) refused.push(`${fileName} names ${address}`);
        }
      }
      for (const id of modulesOf("background.js", bundle)) {
        if (NOT_IN_WORKER.test(id)) refused.push(`the service worker holds ${id}`);
      }
      if (refused.length > 0) this.error(`not on the list in vite.config.ts:\n${refused.join("\n")}`);
      const largest = [...modules].sort(([, a], [, b]) => b - a).slice(0, 10);
      const lines = largest.map(([name, length]) => `  ${kilobytes(length)}  ${name}`);
      this.info(`extension: ${kilobytes(total).trim()}; its ten largest modules:\n${lines.join("\n")}`);
    },
  };
}

/** All strings and template texts of a syntax tree. */
function stringsOf(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  const own = "type" in node && node.type === "TemplateElement" && "value" in node ? [JSON.stringify(node.value)] : [];
  if ("type" in node && node.type === "Literal" && "value" in node && typeof node.value === "string")
    own.push(node.value);
  return [...own, ...Object.values(node).flatMap(stringsOf)];
}

type Bundle = Parameters<Extract<NonNullable<Plugin["generateBundle"]>, (...args: never[]) => unknown>>[1];

/** Every module that loading `entry` loads, static and dynamic imports included. */
function modulesOf(entry: string, bundle: Bundle): Set<string> {
  const modules = new Set<string>();
  const seen = new Set<string>();
  const waiting = [entry];
  for (let fileName = waiting.pop(); fileName !== undefined; fileName = waiting.pop()) {
    const chunk = bundle[fileName];
    if (seen.has(fileName) || chunk?.type !== "chunk") continue;
    seen.add(fileName);
    for (const id of Object.keys(chunk.modules)) modules.add(id);
    waiting.push(...chunk.imports, ...chunk.dynamicImports);
  }
  return modules;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`.padStart(9);
}

export default defineConfig(({ mode }) => {
  const browser: Browser = mode === "firefox" ? "firefox" : "chromium";
  return {
    root: ROOT,
    publicDir: false,
    plugins: [copyManifest(browser), audit(), notices()],
    build: {
      outDir: new URL(`dist/extension-${browser}`, import.meta.url).pathname,
      emptyOutDir: true,
      target: browser === "firefox" ? "firefox142" : "chrome120",
      minify: false,
      sourcemap: false,
      modulePreload: false,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      license: { fileName: LISTED },
      rolldownOptions: {
        input: {
          background: `${ROOT}background.ts`,
          ...Object.fromEntries(
            ["inbox", "approval", "pair", "enrol", "people", "help", "proof"].map((page) => [
              page,
              `${ROOT}pages/${page}.html`,
            ]),
          ),
        },
        output: {
          entryFileNames: (chunk) => (chunk.name === "background" ? "background.js" : "assets/[name].js"),
          chunkFileNames: "assets/[name].js",
          assetFileNames: "assets/[name][extname]",
        },
      },
    },
  };
});
