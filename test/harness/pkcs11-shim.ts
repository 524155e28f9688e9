/**
 * An HSM that fails on command: SoftHSM behind pkcs11-shim.c, which is compiled here. For what a killed `p11-kit server` cannot
 * show: one call that fails in a certain way, hangs, ends the process, or gives a wrong signature. Nothing of it is in the product.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SoftHsm } from "../softhsm.ts";

const SOURCE = fileURLToPath(new URL("pkcs11-shim.c", import.meta.url));
const MISSING =
  "A C compiler with its headers is not installed. Install the packages gcc and libc6-dev (Debian, Ubuntu: apt install gcc libc6-dev).";

/**
 * What a call does instead: return this CK_RV, never return, end the process, sign wrongly (C_Sign only), say that one try of the PIN is
 * left (C_GetTokenInfo only), find that the login is gone (calls on a session); or as always, and is only counted.
 */
export type Order = number | "hang" | "crash" | "wrong" | "final" | "logout" | "note";

export interface Shim {
  readonly module: string;
  readonly env: Readonly<Record<string, string>>;
  /** From now on exactly these calls, e.g. `{ C_Sign: 0x30 }`, do not do what they should. */
  order(orders: Readonly<Record<string, Order>>): void;
  /** How often orders for this call, or for any, were carried out so far. A test that sees no more than before has tested nothing. */
  carriedOut(call?: string): number;
  dispose(): void;
}

/** The module that the shim stands before, and the environment that it needs. */
type Real = Pick<SoftHsm, "module"> & { readonly env: Readonly<Record<string, string>> };

/** Compiles the shim into a temporary folder under `parent`. Throws a sentence that names the packages where that cannot be. */
export function makeShim(real: Real, parent = tmpdir()): Shim {
  const folder = mkdtempSync(join(parent, "opencustody-shim-"));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  const module = join(folder, "pkcs11-shim.so");
  const words = ["-std=gnu11", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", module, SOURCE, "-ldl"];
  const result = spawnSync("gcc", words, { encoding: "utf8" });
  if (result.error !== undefined || result.status !== 0) {
    dispose();
    throw new Error(result.error === undefined ? `${result.stderr}\n${MISSING}` : MISSING, { cause: result.error });
  }
  const orders = join(folder, "orders");
  const log = join(folder, "log");
  return {
    module,
    env: { ...real.env, SHIM_MODULE: real.module, SHIM_ORDERS: orders, SHIM_LOG: log },
    order: (wanted) => {
      const lines = Object.entries(wanted).map(([call, what]) =>
        typeof what === "number" ? `${call} fail ${what}\n` : `${call} ${what}\n`,
      );
      // Renamed into place, so that no call reads half of it.
      writeFileSync(`${orders}.new`, lines.join(""));
      renameSync(`${orders}.new`, orders);
    },
    carriedOut: (call) => {
      const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
      return lines.filter((line) => call === undefined || line === call).length;
    },
    dispose,
  };
}
