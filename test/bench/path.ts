/**
 * The whole path of a transfer that two of three approved, against raw HSM signatures: from opened approvals to receipts, everything real
 * but the people. Both in signatures for each second of CPU, of one run. The program is hsm-agent/testing-path.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../harness/program.ts";
import { makeSoftHsm } from "../softhsm.ts";
import { openRaw, start } from "./raw.ts";

const REQUESTS = 150;
const ROUNDS = 3;
/** Rounds before the first that counts: an agent that has worked for a second, its code compiled. */
const WARM = 10;

interface Figures {
  readonly requests: number;
  readonly cpu: number;
  readonly wall: number;
  readonly stored: number;
  readonly logEntries: number;
  readonly sealing: number;
  /** Milliseconds of verifying the whole log; microseconds of one proof. */
  readonly verifying: number;
  readonly proving: number;
}

/** `whole_path_ratio`; `path_10x_ratio`, `path_100x_ratio`: the cost with so many times the requests stored, of that with few; `sealing_us`. */
export async function measure(): Promise<{ lines: string[]; figures: Record<string, number> }> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-bench-path-"));
  const token = makeSoftHsm("path", folder);
  try {
    const raw = await openRaw(folder);
    const path = start(process.execPath, [join(ROOT, "hsm-agent/testing-path.ts")], token);
    const run = async (fill: number): Promise<Figures> =>
      JSON.parse(await path.ask(JSON.stringify({ fill, requests: REQUESTS }))) as Figures;
    try {
      const { module, tokenLabel: label, pin, env } = token;
      path.say(JSON.stringify({ module, token: { label }, pin, env }));
      // The HSM's threads start as there is work for them, and cost what a start costs.
      for (let warm = 0; warm < WARM; warm += 1) await run(0);
      const ratios: number[] = [];
      const costs: number[] = [];
      let first: Figures | undefined;
      for (let round = 0; round < ROUNDS; round += 1) {
        const perSecond = await raw.perCpuSecond(1_000);
        const figures = await run(0);
        ratios.push(figures.requests / figures.cpu / perSecond);
        costs.push((figures.cpu / figures.requests) * perSecond);
        first = figures;
      }
      if (first === undefined) throw new Error("nothing was measured");
      const { stored, sealing } = first;
      const few = median(costs);
      const grown: number[] = [];
      let last = first;
      for (const times of [10, 100]) {
        const perSecond = await raw.perCpuSecond(1_000);
        last = await run(stored * (times === 10 ? 9 : 90));
        grown.push(((last.cpu / last.requests) * perSecond) / few);
      }
      const [ten = Number.NaN, hundred = Number.NaN] = grown;
      const ratio = median(ratios);
      return {
        lines: [
          `Whole path of a transfer, 2 of 3, against raw C_Sign, per CPU second: ${ratio.toFixed(2)}`,
          `  with 10 and 100 times ${stored} stored requests its cost is ${ten.toFixed(2)} and ${hundred.toFixed(2)} times that`,
          `  log of ${last.logEntries} entries: verified whole in ${(last.verifying / 1000).toFixed(1)} s, ` +
            `${((last.verifying / last.logEntries) * 1000).toFixed(0)} \u00b5s an entry (${((first.verifying / first.logEntries) * 1000).toFixed(0)} \u00b5s with ${first.logEntries}); ` +
            `one proof ${last.proving.toFixed(0)} \u00b5s (${first.proving.toFixed(0)} \u00b5s)`,
          `  sealing and opening one approval (ES256 twice, JWE twice): ${Math.round(sealing)} \u00b5s`,
        ],
        figures: {
          whole_path_ratio: round2(ratio),
          path_10x_ratio: round2(ten),
          path_100x_ratio: round2(hundred),
          log_entries: last.logEntries,
          log_verify_us_per_entry: Math.round((last.verifying / last.logEntries) * 1000),
          log_proof_growth: round2(last.proving / first.proving),
          sealing_us: Math.round(sealing),
        },
      };
    } finally {
      await path.end();
      await raw.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
