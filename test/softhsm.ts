/**
 * A SoftHSM token in a temporary folder, for tests and the demo. The product knows nothing of SoftHSM: it gets a module's path, a
 * token's label, a PIN file and an environment for its HSM process.
 *
 * PINs are random and worthless; softhsm2-util takes them as arguments, which no real token's PIN may ever be.
 */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where Debian and Ubuntu, Fedora, Arch, and Homebrew put the module. */
const MODULES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/lib/pkcs11/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

const MISSING =
  "SoftHSM 2 is not installed. Install the package softhsm2 (Debian, Ubuntu: apt install softhsm2), softhsm (Fedora, Arch, Homebrew).";

/** One folder of tokens. `dispose` removes it; whoever uses the tokens must have ended. */
export interface SoftHsm {
  readonly module: string;
  readonly tokenLabel: string;
  readonly pin: string;
  /** Mode 0600. */
  readonly pinFile: string;
  readonly env: { readonly SOFTHSM2_CONF: string };
  /** Adds a token, by default a second one with the same PIN. */
  addToken(label: string): void;
  /** False while a token's file is empty: SoftHSM writes it anew in place. */
  isWhole(): boolean;
  dispose(): void;
}

/** Makes the folder under `parent` with one token. Throws a sentence that names the package where SoftHSM is missing. */
export function makeSoftHsm(tokenLabel = "opencustody-test", parent = tmpdir()): SoftHsm {
  const module = MODULES.find((path) => existsSync(path));
  if (module === undefined) throw new Error(MISSING);
  const folder = mkdtempSync(join(parent, "opencustody-softhsm-"));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  try {
    const tokens = join(folder, "tokens");
    mkdirSync(tokens, { mode: 0o700 });
    const conf = join(folder, "softhsm2.conf");
    const lines = [`directories.tokendir = ${tokens}`, "objectstore.backend = file", "log.level = ERROR"];
    writeFileSync(conf, `${lines.join("\n")}\n`);
    const pin = randomBytes(8).toString("hex");
    const pinFile = join(folder, "pin");
    writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
    const env = { SOFTHSM2_CONF: conf };
    const addToken = (label: string) => initToken(label, pin, env);
    addToken(tokenLabel);
    const isWhole = () => readdirSync(tokens).every((token) => statSync(join(tokens, token, "token.object")).size > 0);
    return { module, tokenLabel, pin, pinFile, env, addToken, isWhole, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function initToken(label: string, pin: string, env: Readonly<Record<string, string>>): void {
  const soPin = randomBytes(8).toString("hex");
  const result = spawnSync(
    "softhsm2-util",
    ["--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", soPin],
    { env: { ...process.env, ...env }, encoding: "utf8" },
  );
  if (result.error !== undefined) throw new Error(MISSING, { cause: result.error });
  if (result.status !== 0) throw new Error(`softhsm2-util could not make a token: ${result.stderr.trim()}`);
}

/** True while a process with this id exists and is not a zombie that waits for its parent. */
export function isAlive(pid: number): boolean {
  try {
    // The state is the first field after the name, which stands in parentheses and may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
