/**
 * Builds the Chromium extension: the service worker and four pages, to dist/extension-chromium. Not minified and without source maps,
 * so that a reviewer reads what runs; the same sources give the same bytes. The build fails where its output could run remote code.
 */
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const ROOT = new URL("extension/", import.meta.url).pathname;
const COPIED = ["manifest.json", ...[16, 32, 48, 128].map((size) => `icons/${size}.png`)];

/** Web addresses that stand in the output, and why they may. None is ever opened: the content security policy forbids it too. */
const ADDRESSES: readonly (readonly [RegExp, string])[] = [
  [/^ws:\/\/127\.0\.0\.1:8787\/?$/, "protocol/invite.ts: the development bridge, which the policy names"],
  [/^wss:\/\/host\/?$/, "protocol/invite.ts: words of a sentence"],
  [
    /^http:\/\/www\.w3\.org\/(2000\/svg|1998\/Math\/MathML|1999\/xhtml|1999\/xlink)$/,
    "preact: names of XML namespaces",
  ],
  [/^https:\/\/(oxlib\.sh|viem\.sh|github\.com\/wevm\/viem)/, "viem: the text of its errors"],
];
const DYNAMIC_CODE = /\beval\s*\(|\bnew\s+Function\s*\(|\bimport\s*\(\s*["'`]https?:|\bimportScripts\s*\(/;
/** Only device pages may hold these; the service worker runs without a person watching. */
const NOT_IN_WORKER = "@ledgerhq";

function copyManifest(): Plugin {
  return {
    name: "opencustody-copy",
    generateBundle() {
      for (const fileName of COPIED) {
        this.emitFile({ type: "asset", fileName, source: readFileSync(ROOT + fileName) });
      }
    },
  };
}

/** Refuses remote code and unknown addresses, keeps Ledger's code out of the worker, and prints what is big. */
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
        if (id.includes(NOT_IN_WORKER)) refused.push(`the service worker holds ${id}`);
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

export default defineConfig({
  root: ROOT,
  publicDir: false,
  plugins: [copyManifest(), audit()],
  build: {
    outDir: new URL("dist/extension-chromium", import.meta.url).pathname,
    emptyOutDir: true,
    target: "chrome120",
    minify: false,
    sourcemap: false,
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        background: `${ROOT}background.ts`,
        ...Object.fromEntries(
          ["inbox", "approval", "pair", "enrol"].map((page) => [page, `${ROOT}pages/${page}.html`]),
        ),
      },
      output: {
        entryFileNames: (chunk) => (chunk.name === "background" ? "background.js" : "assets/[name].js"),
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
});
