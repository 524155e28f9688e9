/**
 * The npm packages of package-lock.json and the pinned Node among them: are they installed, and install them.
 * No package's install script runs, except that pkcs11js, the one native module, is built, against the pinned Node's headers.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { runQuietly } from "./command.mjs";
import { findProgram } from "./machine.mjs";

const OLDEST_NODE = 24;
const NO_NPM = "npm is not on PATH: install it (on Debian: sudo apt-get install -y npm), then try again.";

/**
 * Whether what npm says it installed (node_modules/.package-lock.json) is what package-lock.json asks for. Compared entry by
 * entry, not by date or hash: a copied, moved or touched tree stays installed. Optional packages are those of some machines
 * only: on others they are absent, and the lock may not know them all.
 */
export function isInstalled(lock, installed) {
  const wanted = lock?.packages ?? {};
  const present = installed?.packages ?? {};
  return (
    Object.entries(present).every(([path, entry]) => isWanted(entry, wanted[path])) &&
    Object.entries(wanted).every(([path, entry]) => path === "" || entry.optional === true || path in present)
  );
}

function isWanted(entry, wanted) {
  if (wanted === undefined) return entry.optional === true;
  return entry.version === wanted.version && entry.integrity === wanted.integrity;
}

/** Whether the lock was made from this package.json: the same versions of the same packages. */
export function isLockOf(manifest, lock) {
  const root = lock?.packages?.[""] ?? {};
  return ["dependencies", "devDependencies", "optionalDependencies"].every((key) =>
    isDeepStrictEqual(manifest[key] ?? {}, root[key] ?? {}),
  );
}

/** The folder of the pinned Node's package for a platform, or undefined where none is pinned. */
export function pinnedFolder(root, platform, arch) {
  if (platform !== "linux" || !["x64", "arm64"].includes(arch)) return undefined;
  return join(root, "node_modules", `node-linux-${arch}`);
}

/** The first of the folders that holds Node's headers (`include/node/node_api.h`), or undefined. */
export function findHeaders(folders) {
  return folders.find((folder) => existsSync(join(folder, "include", "node", "node_api.h")));
}

/**
 * The Node that runs this project: the pinned one, elsewhere the machine's where it is new enough.
 * @returns {{ file: string } | { fault: string }}
 */
export function chooseNode(root, { platform, arch, execPath, version } = process) {
  const folder = pinnedFolder(root, platform, arch);
  if (folder !== undefined) {
    const file = join(folder, "bin", "node");
    return existsSync(file) ? { file } : { fault: `${file} is absent: remove node_modules and try again.` };
  }
  if (Number.parseInt(version.slice(1), 10) >= OLDEST_NODE) return { file: execPath };
  return {
    fault: `There is no pinned Node for ${platform}-${arch}: install Node ${OLDEST_NODE} or later (this is ${version}).`,
  };
}

/** The environment of every command: the pinned Node and the tools of node_modules come first. */
export function environment(root, node, env = process.env) {
  const path = [dirname(node), join(root, "node_modules", ".bin"), env.PATH ?? ""].join(delimiter);
  return { ...env, PATH: path };
}

/** Whether node_modules is as package-lock.json says and pkcs11js loads: nothing to install or build. */
export function isReady(root) {
  const node = chooseNode(root);
  return "file" in node && hasPackages(root) && loadPkcs11(root, node.file) === undefined;
}

function hasPackages(root) {
  return isInstalled(
    readJson(join(root, "package-lock.json")),
    readJson(join(root, "node_modules", ".package-lock.json")),
  );
}

/**
 * Installs the packages if they are absent or differ. Resolves to undefined, or to the sentence for a person.
 * Not by `npm ci`: it demands that the lock holds the optional packages of every platform, and ours holds those that can run here.
 * What makes it exact is asked before and after: the lock belongs to package.json, and what was installed is what it says.
 */
export async function installPackages(root) {
  if (hasPackages(root) && "file" in chooseNode(root)) return undefined;
  if (!isLockOf(readJson(join(root, "package.json")) ?? {}, readJson(join(root, "package-lock.json"))))
    return "package-lock.json was not made from this package.json: run `npm install --package-lock-only`, look at what changed, and try again.";
  const [file, ...words] = npmCommand(process.execPath);
  if (file === undefined) return NO_NPM;
  process.stderr.write("Installing the npm packages of package-lock.json …\n");
  const flags = ["--ignore-scripts", "--no-save", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  const status = await runQuietly(file, [...words, "install", ...flags], { cwd: root });
  if (status !== 0) return `\`npm install\` ended with status ${status}: see above.`;
  if (hasPackages(root)) return undefined;
  return "npm installed other packages than package-lock.json names: remove node_modules and try again.";
}

/** Builds pkcs11js if that Node cannot load it. Resolves to undefined, or to the sentence for a person. */
export async function buildPkcs11(root, node) {
  if (loadPkcs11(root, node) === undefined) return undefined;
  const pinned = pinnedFolder(root, process.platform, process.arch);
  const headers = findHeaders([...(pinned ? [pinned] : []), dirname(dirname(process.execPath)), "/usr"]);
  if (headers === undefined)
    return "Node's headers, with which pkcs11js is built, are absent: remove node_modules and try again, or run `sudo apt-get install -y libnode-dev`.";
  const [file, ...words] = npmCommand(node);
  if (file === undefined) return NO_NPM;
  process.stderr.write("Building pkcs11js …\n");
  const env = { ...environment(root, node), npm_config_nodedir: headers };
  const status = await runQuietly(file, [...words, "rebuild", "pkcs11js"], { cwd: root, env });
  if (status !== 0) return `Building pkcs11js ended with status ${status}: see above.`;
  const fault = loadPkcs11(root, node);
  return fault === undefined ? undefined : `pkcs11js was built, but ${node} cannot load it: ${fault}`;
}

/** Why that Node cannot load pkcs11js; undefined if it can. */
function loadPkcs11(root, node) {
  const answer = spawnSync(node, ["-e", 'require("pkcs11js")'], { cwd: root, encoding: "utf8" });
  if (answer.status === 0) return undefined;
  return answer.error?.message ?? /^.*Error: .*$/m.exec(answer.stderr)?.[0] ?? "no reason given";
}

/** npm as the words to start it with: the one that started us, run by `node`, else the one on PATH. Empty if there is none. */
function npmCommand(node) {
  const started = process.env.npm_execpath;
  if (started?.endsWith("npm-cli.js") && existsSync(started)) return [node, started];
  const found = findProgram("npm");
  return found === undefined ? [] : [found];
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // absent, or cut short by an interrupted install: install again
  }
}
