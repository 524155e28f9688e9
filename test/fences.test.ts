/**
 * The import fences of .oxlintrc.json, attacked: for each kind of file what it may import passes, what it may not is an error,
 * and every part of every fence is needed: taken out, some line of the table changes its outcome. So a fence that is replaced,
 * misspelt or no longer understood by the linter fails here. In a temporary folder; the project's own files are not touched.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const RULES = ["no-restricted-imports", "no-restricted-globals", "no-restricted-properties"];

/** Specifiers are separated by spaces and become one import each; a line in `code` stands as it is. */
interface Row {
  file: string;
  allows?: string;
  refuses?: string;
  allowsCode?: string[];
  refusesCode?: string[];
}

const CLOCK_AND_CHANCE = ["Math.random();", "Date.now();", "crypto.randomUUID();", "crypto.getRandomValues(a);"];
const NOBLE = "@noble/hashes/sha2.js @noble/curves/nist.js";

/** A file in each of these folders, as imported from a file that is `up` from the top. */
const outside = (up: string, folders: string) =>
  folders
    .split(" ")
    .map((name) => `${up}${name}/main.ts`)
    .join(" ");

const TABLE: Row[] = [
  {
    file: "protocol/statement.ts",
    allows: `./error.ts ../protocol/error.ts jose valibot ${NOBLE}`,
    refuses: `node:fs node:crypto fs ws pino viem preact pkcs11js vitest ${outside("../", "bridge hsm-agent extension test scripts node_modules")}`,
    allowsCode: [
      "new Date(0).toISOString();",
      "await crypto.subtle.digest('SHA-256', a);",
      "import { SignJWT } from 'jose';",
    ],
    refusesCode: [
      "import type { Relay } from '../bridge/relay.ts';",
      "export * from '../bridge/relay.ts';",
      "await import('../bridge/relay.ts');",
      "import { generateKeyPair } from 'jose';",
      "import { generateSecret } from 'jose';",
      "import { createRemoteJWKSet } from 'jose';",
      "import { randomBytes } from '@noble/hashes/utils.js';",
      "import { randomBytes as bytes } from '@noble/curves/utils.js';",
      ...CLOCK_AND_CHANCE,
      "p256.utils.randomSecretKey();",
      "await crypto.subtle.generateKey(a, true, []);",
      "globalThis.fetch('https://example.org');",
      ..."process Buffer require fetch XMLHttpRequest WebSocket EventSource setTimeout setInterval setImmediate performance"
        .split(" ")
        .map((name) => `f(${name});`),
      ..."navigator document localStorage indexedDB chrome browser".split(" ").map((name) => `f(${name});`),
    ],
  },
  {
    file: "protocol/statement.test.ts",
    allows: "./statement.ts node:fs vitest fast-check ../test/devices/seed.ts",
    refuses: outside("../", "bridge hsm-agent extension scripts node_modules"),
    allowsCode: CLOCK_AND_CHANCE.concat("f(process);"),
  },
  {
    file: "protocol/vectors/generate.ts",
    allows: "../statement.ts node:fs",
    refuses: outside("../../", "bridge hsm-agent"),
    allowsCode: CLOCK_AND_CHANCE.concat("f(process);"),
  },
  {
    file: "bridge/server.ts",
    allows: `./relay.ts ../protocol/frame.ts node:http jose valibot ws pino prom-client ${NOBLE}`,
    refuses: `node:sqlite node:module viem pkcs11js micro-eth-signer ${outside("../", "hsm-agent extension test scripts node_modules")}`,
  },
  {
    file: "bridge/mailbox.ts",
    allows: "./relay.ts ../protocol/frame.ts node:sqlite node:path valibot",
    refuses: `ws jose node:module ${outside("../", "hsm-agent extension test scripts node_modules")}`,
  },
  {
    file: "bridge/server.test.ts",
    allows: "./server.ts vitest node:sqlite ../test/programs.ts",
    refuses: outside("../", "hsm-agent extension scripts node_modules"),
  },
  {
    file: "hsm-agent/link.ts",
    allows: `./policy.ts ../protocol/frame.ts node:net jose valibot ws pino prom-client commander ${NOBLE}`,
    refuses: `pkcs11js secp256k1 secp256k1/bindings.js micro-eth-signer micro-eth-signer/abi.js viem viem/accounts node:sqlite node:module preact ${outside("../", "bridge extension test scripts node_modules")}`,
    refusesCode: ["import type { Hex } from 'viem';", "await import('../bridge/relay.ts');"],
  },
  {
    file: "hsm-agent/hsm/signer.ts",
    allows: "./keys.ts ../policy.ts ../../protocol/error.ts node:child_process",
    refuses: `pkcs11js viem ${outside("../../", "bridge extension test")}`,
  },
  {
    file: "hsm-agent/hsm/pkcs11.ts",
    allows: `./keys.ts ../../protocol/error.ts pkcs11js node:fs ${NOBLE}`,
    refuses: `viem micro-eth-signer ws node:sqlite node:module ${outside("../../", "bridge extension test scripts node_modules")}`,
  },
  {
    file: "hsm-agent/secp256k1.ts",
    allows: `./policy.ts ../protocol/error.ts secp256k1/bindings.js node:worker_threads ${NOBLE}`,
    refuses: `secp256k1 secp256k1/elliptic.js secp256k1/index.js elliptic node:fs ws ${outside("../", "bridge extension test scripts node_modules")}`,
    refusesCode: ["await import('secp256k1');"],
  },
  {
    file: "hsm-agent/chains/ethereum.ts",
    allows: `./chain.ts ../../protocol/error.ts micro-eth-signer micro-eth-signer/core/rlp.js valibot ${NOBLE}`,
    refuses: `viem pkcs11js ws node:fs micro-eth-signer/net.js micro-eth-signer/net/tokens.js ${outside("../../", "bridge extension test scripts node_modules")}`,
  },
  {
    file: "hsm-agent/store.ts",
    allows: `./rows.ts ../protocol/error.ts node:sqlite node:fs valibot ${NOBLE}`,
    refuses: `ws viem pkcs11js node:module ${outside("../", "bridge extension test scripts node_modules")}`,
  },
  {
    file: "hsm-agent/hsm/signer.test.ts",
    allows: "./signer.ts vitest ../../test/softhsm.ts",
    refuses: outside("../../", "bridge extension scripts node_modules"),
  },
  {
    file: "extension/check.ts",
    allows: `./link.ts ../protocol/statement.ts jose valibot preact preact/hooks uqr buffer ${NOBLE}`,
    refuses: `viem micro-eth-signer webextension-polyfill @ledgerhq/hw-transport-webusb @trezor/connect-web/lib/impl/core-in-suite-desktop.js node:fs ws ${outside("../", "bridge hsm-agent test scripts node_modules")}`,
    allowsCode: ["new WebSocket('wss://example.org');"],
    refusesCode: [
      "window.fetch('https://example.org');",
      ..."fetch XMLHttpRequest EventSource chrome browser".split(" ").map((name) => `f(${name});`),
    ],
  },
  {
    file: "extension/browser.ts",
    allows: "./link.ts ../protocol/error.ts webextension-polyfill",
    refuses: `viem jose ${outside("../", "bridge hsm-agent test scripts node_modules")}`,
    refusesCode: ["f(chrome);"],
  },
  {
    file: "extension/devices/ledger.ts",
    allows: `./device.ts ../../protocol/error.ts @ledgerhq/hw-transport-webusb @ledgerhq/hw-transport @ledgerhq/errors buffer ${NOBLE}`,
    refuses: `@ledgerhq/hw-app-eth viem webextension-polyfill ${outside("../../", "bridge hsm-agent test scripts node_modules")}`,
  },
  {
    file: "extension/devices/trezor.ts",
    allows:
      "./device.ts ../../protocol/device-signature.ts valibot @trezor/connect-web/lib/impl/core-in-suite-desktop.js",
    refuses: `@trezor/connect-web @trezor/connect-web/lib/impl/core-in-suite-web.js @trezor/websocket-client @trezor/utils ws viem ${outside("../../", "bridge hsm-agent test scripts node_modules")}`,
  },
  {
    file: "extension/decode/ethereum.ts",
    allows: `./operation.ts ../../protocol/error.ts viem viem/utils ${NOBLE}`,
    refuses: `micro-eth-signer @ledgerhq/errors ${outside("../../", "bridge hsm-agent test scripts node_modules")}`,
  },
  {
    file: "extension/check.test.ts",
    allows: "./check.ts vitest viem fake-indexeddb node:fs ../test/devices/seed.ts",
    refuses: `micro-eth-signer micro-eth-signer/abi.js ${outside("../", "bridge hsm-agent scripts node_modules")}`,
    allowsCode: ["f(chrome);"],
  },
  {
    file: "test/payment.spec.ts",
    allows: "../protocol/statement.ts ./softhsm.ts vitest viem node:fs ../scripts/machine.mjs",
    refuses: outside("../", "bridge hsm-agent extension node_modules"),
    allowsCode: ["import type { Policy } from '../hsm-agent/policy.ts';"],
    refusesCode: ["await import('../hsm-agent/policy.ts');"],
  },
  { file: "scripts/run.mjs", allows: "./tasks.mjs node:fs", refuses: "ws vitest ../protocol/error.ts" },
  {
    file: "scripts/run.test.mjs",
    allows: "./tasks.mjs node:fs vitest",
    refuses: `../protocol/error.ts ${outside("../", "bridge hsm-agent extension test node_modules")}`,
  },
];

/** The lines of a planted file, and those that must be refused, as `file:line`. */
function plant({ file, allows = "", refuses = "", allowsCode = [], refusesCode = [] }: Row) {
  const imports = (list: string) =>
    list
      .split(" ")
      .filter(Boolean)
      .map((name) => `import "${name}";`);
  const passing = [...imports(allows), ...allowsCode];
  const failing = [...imports(refuses), ...refusesCode];
  const refused = failing.map((line, index) => `${file}:${passing.length + index + 1} ${line}`);
  return { text: [...passing, ...failing].join("\n"), refused };
}

type Rule = ["error", ...unknown[]] | "off";
interface Config {
  overrides: { files: string[]; rules: Record<string, Rule> }[];
}

/** The project's fences, without the rest of its rules, which need types. */
function fences(): Config {
  const text = readFileSync(join(ROOT, ".oxlintrc.json"), "utf8").replaceAll(/^\s*\/\/.*$/gm, "");
  const { overrides } = JSON.parse(text) as Config;
  const only = (rules: Record<string, Rule>) =>
    Object.fromEntries(Object.entries(rules).filter(([name]) => RULES.includes(name)));
  const blocks = overrides.map(({ files, rules }) => ({ files, rules: only(rules) }));
  return { overrides: blocks.filter(({ rules }) => Object.keys(rules).length > 0) };
}

/** Every way to take one element out of a list of the configuration, or one folder out of a pattern, with its name. */
function* weakened(value: unknown, name = ""): Generator<{ name: string; value: unknown }> {
  if (typeof value === "string") {
    const folders = /^(.*\()([\w-]+(?:\|[\w-]+)+)(\).*)$/.exec(value);
    if (folders === null) return;
    const [, before = "", list = "", after = ""] = folders;
    for (const folder of list.split("|")) {
      const rest = list.split("|").filter((other) => other !== folder);
      yield { name: `${name} ${folder}`, value: `${before}${rest.join("|")}${after}` };
    }
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (item === "error") continue;
      yield { name: `${name} ${JSON.stringify(item).slice(0, 70)}`, value: value.toSpliced(index, 1) };
      for (const inner of weakened(item, `${name}[${index}]`)) {
        yield { name: inner.name, value: value.with(index, inner.value) };
      }
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (key === "files" || key === "message") continue;
      for (const inner of weakened(item, `${name}.${key}`))
        yield { name: inner.name, value: { ...value, [key]: inner.value } };
    }
  }
}

let folder = "";
let refused: string[] = [];
let lines: Map<string, string[]>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-fences-"));
  const planted = TABLE.map((row) => ({ row, ...plant(row) }));
  for (const { row, text } of planted) {
    mkdirSync(dirname(join(folder, row.file)), { recursive: true });
    writeFileSync(join(folder, row.file), text);
  }
  lines = new Map(planted.map(({ row, text }) => [row.file, text.split("\n")]));
  refused = planted.flatMap((each) => each.refused).toSorted();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the linter refuses in the planted files under these fences, as `file:line text`, sorted. */
async function lint(config: Config, name: string): Promise<string[]> {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...config, categories: { correctness: "off" } }));
  const output = await new Promise<string>((resolve, reject) => {
    execFile(
      join(ROOT, "node_modules", ".bin", "oxlint"),
      ["--config", file, "--format", "unix", "--threads", "1", "."],
      { cwd: folder, maxBuffer: 1 << 24 },
      (error, stdout, stderr) =>
        error !== null && stdout === "" ? reject(new Error(stderr, { cause: error })) : resolve(stdout),
    );
  });
  const found = new Set<string>();
  for (const [, path = "", line = "", rule = ""] of output.matchAll(/^(.+?):(\d+):\d+: .*\[(.*)\]$/gm)) {
    if (!RULES.some((known) => rule.includes(known)))
      throw new Error(`The planted ${path}:${line} fails for another reason: ${rule}`);
    found.add(`${path}:${line} ${lines.get(path)?.[Number(line) - 1] ?? "?"}`);
  }
  return [...found].toSorted();
}

test("every forbidden import is refused, and nothing else", async () => {
  expect(await lint(fences(), "whole")).toEqual(refused);
});

test("no part of a fence is idle: without it, the table above changes", { timeout: 240_000 }, async () => {
  const whole = fences();
  const queue = [...weakened(whole.overrides)].map(({ name, value }) => ({
    name,
    value: { overrides: value } as Config,
  }));
  expect(queue.length).toBeGreaterThan(200);
  const idle: string[] = [];
  const expected = refused.join("\n");
  const worker = async (id: number) => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if ((await lint(next.value, `weakened-${id}`)).join("\n") === expected) idle.push(next.name);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, (_, id) => worker(id)));
  expect(idle).toEqual([]);
});
