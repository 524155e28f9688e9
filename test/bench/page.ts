/**
 * How long it takes from opening the approval page to the prompt on the device, without what the device itself takes to answer, and how
 * big the extension is. Everything but the devices is real; the driver's own messages, which stand for the USB cable, are counted in.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Holder, makeStage, type SimulatedApprovalDevice } from "../harness/approval-device.ts";
import { openLedger } from "../harness/approval-ledger.ts";
import { openTrezorDevice } from "../harness/approval-trezor.ts";
import { changePolicy } from "../harness/company.ts";
import { ROOT } from "../harness/program.ts";
import { send } from "../harness/requests.ts";
import { pressWhenReady } from "./press.ts";

const RUNS = 15;
/** Milliseconds. */
const AIM = 300;
const EXTENSION = join(ROOT, "dist/extension-chromium");

interface Run {
  /** From the beginning of the navigation, each in milliseconds: the button can be pressed; the device asks; spent in the device. */
  readonly pressed: number;
  readonly prompted: number;
  readonly device: number;
}

interface Timing {
  readonly device: string;
  readonly runs: number;
  readonly pressed: number;
  readonly prompted: number;
  readonly ownAnswers: number;
  /** `prompted` without the device's own answers: median, and the slowest of all runs. */
  readonly ours: number;
  readonly slowest: number;
}

/** `page_ledger_ms`, `page_trezor_ms`: medians; `extension_kb`: all files. */
export async function measure(): Promise<{ lines: string[]; figures: Record<string, number> }> {
  const ledger = await timingOf("Ledger Nano S Plus 1.22.0", openLedger("nanosp", "1.22.0"));
  const trezor = await timingOf("Trezor One", await openTrezorDevice("T1B1"));
  const size = sizeOf(EXTENSION);
  const figures = {
    page_ledger_ms: Math.round(ledger.ours),
    page_trezor_ms: Math.round(trezor.ours),
    extension_kb: Math.round(size.total / 1000),
  };
  return { lines: linesOf([ledger, trezor], size), figures };
}

async function timingOf(label: string, plain: SimulatedApprovalDevice): Promise<Timing> {
  const { device, spent } = timed(plain);
  const stage = await makeStage();
  const holder = await Holder.open(stage.world, "Alice", device);
  try {
    await holder.join();
    await changePolicy(stage.world, { approvers: ["Alice"], threshold: 1 });
    const { id } = await send(stage.world);
    await (await holder.openRequest(id)).close();
    const runs: Run[] = [];
    for (let run = 0; run < RUNS; run += 1) runs.push(await timeOne(holder, id, spent));
    const ours = runs.map(({ prompted, device }) => prompted - device);
    return {
      device: label,
      runs: runs.length,
      pressed: median(runs.map(({ pressed }) => pressed)),
      prompted: median(runs.map(({ prompted }) => prompted)),
      ownAnswers: median(runs.map(({ device }) => device)),
      ours: median(ours),
      slowest: Math.max(...ours),
    };
  } finally {
    await holder.close();
    await stage.world.dispose();
  }
}

/** The device, and how long it has taken to answer so far, in milliseconds. Of a Trezor nothing is subtracted. */
function timed(plain: SimulatedApprovalDevice): { device: SimulatedApprovalDevice; spent: () => number } {
  let spent = 0;
  const exchange = async (apdu: Uint8Array): Promise<Uint8Array> => {
    const began = performance.now();
    const answer = await plain.usb.exchange(apdu);
    spent += performance.now() - began;
    return answer;
  };
  return { device: { ...plain, usb: { ...plain.usb, exchange } }, spent: () => spent };
}

/** One run; the device's owner declines, so that the request stays for the next one. */
async function timeOne(holder: Holder, id: string, spent: () => number): Promise<Run> {
  const { approver, device } = holder;
  const page = await approver.context.newPage();
  await page.addInitScript(pressWhenReady, `Confirm on ${device.vendor}`);
  const before = spent();
  const began = performance.now();
  const opening = page.goto(holder.addressOf(id));
  await device.prompted();
  const prompted = performance.now() - began;
  // What the device takes over the prompt itself is not answered yet, and so is not in `spent`.
  const own = spent() - before;
  await opening;
  const pressed = await page.evaluate(() => performance.getEntriesByName("pressed")[0]?.startTime ?? Number.NaN);
  await device.decline();
  await page.getByRole("alert").getByText("declined", { exact: true }).waitFor();
  await page.close();
  return { pressed, prompted, device: own };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Bytes of all files, and of the scripts among them. */
function sizeOf(folder: string): { total: number; scripts: number } {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => ({ name, stat: statSync(join(folder, name)) }))
    .filter(({ stat }) => stat.isFile());
  const sum = (of: typeof files) => of.reduce((all, { stat }) => all + stat.size, 0);
  return { total: sum(files), scripts: sum(files.filter(({ name }) => name.endsWith(".js"))) };
}

function linesOf(timings: readonly Timing[], size: ReturnType<typeof sizeOf>): string[] {
  const ms = (value: number) => `${Math.round(value)} ms`;
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  return [
    "From opening the approval page to the device's prompt, without the device's own answers (median):",
    ...timings.map(
      ({ device, runs, pressed, prompted, ownAnswers, ours, slowest }) =>
        `  ${device}: ${ms(ours)}, ${(ours / AIM).toFixed(2)} of the ${AIM} ms aimed at; slowest of ${runs} ${ms(slowest)} ` +
        `(the button after ${ms(pressed)}, the prompt after ${ms(prompted)}, the device's answers ${ownAnswers.toFixed(1)} ms)`,
    ),
    `Size of the extension: ${kilobytes(size.total)}, of it scripts ${kilobytes(size.scripts)}`,
  ];
}
