/**
 * The CLI's `hsm check`: what a PKCS#11 module can do, and what of this product would work with it. Needs no agent, no record, and no
 * configuration where module, token and PIN are named. README.md, "Configure".
 */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { Fault } from "../protocol/error.ts";
import type { Shell } from "./cli-shell.ts";
import type { Config } from "./config.ts";
import { checkHsm } from "./hsm/check.ts";
import { printReport } from "./hsm/check-print.ts";
import { type PinSource, readPin } from "./hsm/pin.ts";
import type { TokenChoice } from "./hsm/pkcs11.ts";

/** What ends the check early; what it put into the token is removed first. */
const STOPS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

interface CheckFlags {
  readonly module?: string;
  readonly tokenLabel?: string;
  readonly tokenSerial?: string;
  readonly pinFile?: string;
}

/** Adds `hsm` and its subcommand. `config` reads the configuration that the program's --config names. */
export function addHsmCommands(program: Command, { out, command }: Shell, config: () => Config): void {
  const hsm = command(program, "hsm", "the HSM, without an agent", "opencustody hsm check");
  command(
    hsm,
    "check",
    "what a PKCS#11 module can do and what of this product would work; leaves nothing in the token",
    "opencustody hsm check --module /usr/lib/softhsm/libsofthsm2.so --token-label Treasury",
  )
    .option("--module <path>", "the PKCS#11 module; that of the configuration where it is not named")
    .option("--token-label <label>", "the token by its label; that of the configuration where none is named")
    .option("--token-serial <serial>", "the token by its serial number")
    .option("--pin-file <file>", "a file with mode 0600 that holds the PIN; never the PIN itself")
    .action(async (flags: CheckFlags) => {
      const { config: file } = program.opts<{ config: string }>();
      const { module, token, pin } = settle(flags, existsSync(file) ? config : undefined, config);
      const secret = await readPin(pin);
      const stop = new AbortController();
      const abort = () => stop.abort();
      for (const signal of STOPS) process.on(signal, abort);
      try {
        const report = await checkHsm({ module, token, pin: secret, signal: stop.signal, onStep: progress });
        progress(undefined);
        out(report, printReport);
        if (!report.works)
          throw new Fault(
            "ERR_HSM_UNSUPPORTED",
            "This HSM cannot do all that the product needs; the report says what, and why.",
          );
      } finally {
        for (const signal of STOPS) process.off(signal, abort);
      }
    });
}

interface Settled {
  readonly module: string;
  readonly token: TokenChoice;
  readonly pin: PinSource;
}

/**
 * What is asked, and by which PIN. The configured PIN is for the configured token only: with another one it would cost that token a try.
 * @throws Fault ERR_CONFIG where something is not named and there is no configuration
 */
function settle(flags: CheckFlags, configured: (() => Config) | undefined, config: () => Config): Settled {
  const { module, tokenLabel: label, tokenSerial: serial, pinFile } = flags;
  const named = label !== undefined || serial !== undefined;
  const hsm = configured?.().hsm ?? (module !== undefined && named ? undefined : config().hsm);
  const own: TokenChoice = hsm?.token ?? {};
  const token = named ? { label, serial } : own;
  const isOwn = (label ?? own.label) === own.label && (serial ?? own.serial) === own.serial;
  const path = module ?? hsm?.module;
  if (path === undefined) throw new Fault("ERR_USAGE", "Name the PKCS#11 module with --module.");
  if (pinFile !== undefined) return { module: path, token, pin: { file: pinFile } };
  return { module: path, token, pin: hsm !== undefined && isOwn ? hsm.pin : { prompt: true } };
}

/** On a terminal, a line that is overwritten: a step may take its whole limit. */
function progress(step: string | undefined): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${step === undefined ? "" : `checking: ${step}`}`);
}
