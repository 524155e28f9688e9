/**
 * What this machine has and lacks: system programs, the way to install them, SoftHSM, and browsers that run.
 * Looks only, except `install`. Does not know npm packages: packages.mjs.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runQuietly } from "./command.mjs";

/** Debian's packages for what may be missing. */
export const SYSTEM_PACKAGES = {
  compiler: ["build-essential"],
  make: ["build-essential"],
  python3: ["python3"],
  softhsm: ["softhsm2"],
  "p11-kit": ["p11-kit", "p11-kit-modules"],
  gcc: ["gcc", "libc6-dev"],
  chromium: ["chromium"],
  firefox: ["firefox-esr"],
};

/** google-chrome is not among them: branded builds no longer load an unpacked extension from the command line. */
export const CHROMIUM_NAMES = ["chromium", "chromium-browser"];
export const FIREFOX_NAMES = ["firefox-esr", "firefox"];

/** The one apt-get command for all that is missing, each package once, as arguments. */
export function aptArguments(missing) {
  return ["install", "-y", "--no-install-recommends", ...new Set(missing.flatMap((what) => SYSTEM_PACKAGES[what]))];
}

/** What a person is told to run when this program may not. */
export function installSentence(missing) {
  const command = `apt-get ${aptArguments(missing).join(" ")}`;
  return `Missing on this machine: ${missing.join(", ")}. Run this, then try again:\n\n  sudo apt-get update && sudo ${command}\n`;
}

/** The first `name` on `path` that may be executed, or undefined. */
export function findProgram(name, path = process.env.PATH ?? "") {
  for (const folder of path.split(delimiter)) {
    if (folder === "") continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** What building a native module takes: the programs, of which one is enough. */
const BUILD_TOOLS = { compiler: ["g++", "c++", "clang++"], make: ["make"], python3: ["python3"] };

/** The build tools that are not on `path`, by the names of SYSTEM_PACKAGES. */
export function missingBuildTools(path = process.env.PATH) {
  return Object.keys(BUILD_TOOLS).filter((tool) => !BUILD_TOOLS[tool].some((name) => findProgram(name, path)));
}

/** Where Debian and Ubuntu, Fedora, Arch, and Homebrew put SoftHSM's module: the places where test/softhsm.ts looks. */
const SOFTHSM_MODULES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/lib/pkcs11/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/** SoftHSM's module, or undefined when it or softhsm2-util is absent. */
export function findSoftHsm(path = process.env.PATH, modules = SOFTHSM_MODULES) {
  if (findProgram("softhsm2-util", path) === undefined) return undefined;
  return modules.find((file) => existsSync(file));
}

/** Where Debian and Ubuntu, Fedora and Arch put p11-kit's client module: the places where test/harness/p11-kit.ts looks. */
const P11_KIT_CLIENTS = [
  "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
  "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
  "/usr/lib64/pkcs11/p11-kit-client.so",
  "/usr/lib/pkcs11/p11-kit-client.so",
];

/** p11-kit's client module, or undefined when it or the program p11-kit is absent. Tests lose an HSM by it. */
export function findP11Kit(path = process.env.PATH, clients = P11_KIT_CLIENTS) {
  if (findProgram("p11-kit", path) === undefined) return undefined;
  return clients.find((file) => existsSync(file));
}

/** gcc, by which tests compile their shims, or undefined when it or the C library's headers are absent. */
export function findGcc(path = process.env.PATH, headers = ["/usr/include/stdio.h"]) {
  return headers.some((file) => existsSync(file)) ? findProgram("gcc", path) : undefined;
}

/**
 * A Chromium that answers `--version`, or what is wrong with the one that is there. CHROMIUM names one.
 * @returns {{ file: string } | { broken: string } | undefined}
 */
export function findChromium(env = process.env) {
  return findBrowser("CHROMIUM", CHROMIUM_NAMES, env);
}

/** A Firefox that answers `--version`, likewise. FIREFOX names one. */
export function findFirefox(env = process.env) {
  return findBrowser("FIREFOX", FIREFOX_NAMES, env);
}

function findBrowser(variable, names, env) {
  const file = env[variable] || names.map((name) => findProgram(name, env.PATH)).find(Boolean);
  if (!file) return undefined;
  const answer = spawnSync(file, ["--version"], { env, encoding: "utf8", timeout: 60_000 });
  if (answer.status === 0) return { file };
  const said = (answer.error?.message ?? `${answer.stderr}${answer.stdout}`).trim().split("\n").at(-1);
  return {
    broken: `${file} does not run (${said || "no answer to --version"}). On Ubuntu this is often a stub for a snap: install one that runs by itself, and name it with ${variable}=/path/to/it.`,
  };
}

/** How apt-get may be called here without asking anybody: its leading words, or undefined. */
export function aptCommand(env = process.env) {
  const apt = findProgram("apt-get", env.PATH);
  if (apt === undefined) return undefined;
  if (process.getuid?.() === 0) return [apt];
  const sudo = findProgram("sudo", env.PATH);
  if (sudo === undefined || spawnSync(sudo, ["-n", "true"], { stdio: "ignore" }).status !== 0) return undefined;
  return [sudo, "-n", "DEBIAN_FRONTEND=noninteractive", apt];
}

/** Installs what is missing where that is allowed. Resolves to undefined, or to the sentence for a person. */
export async function install(missing, env = process.env) {
  if (missing.length === 0) return undefined;
  const apt = aptCommand(env);
  if (apt === undefined) return installSentence(missing);
  const [file, ...words] = apt;
  const quiet = { env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  process.stderr.write(`Installing ${missing.join(", ")} with apt-get …\n`);
  // An index that cannot be refreshed (one dead source among many) need not stop what the present one can give.
  await runQuietly(file, [...words, "update"], quiet);
  const status = await runQuietly(file, [...words, ...aptArguments(missing)], quiet);
  return status === 0 ? undefined : `apt-get ended with status ${status}. ${installSentence(missing)}`;
}
