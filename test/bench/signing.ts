/**
 * How close the agent's signing layer comes to the HSM itself, and how fast signatures are verified. Raw is raw-sign.c: a loop around
 * C_Sign, one thread a core. The signing layer is owner, watchdog, child and pool with 8 signatures in flight, none verified, as a
 * process of its own. Bursts of both alternate in one run on one token, and a ratio is the median of the bursts' ratios.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT } from "../harness/program.ts";
import { makeSoftHsm, type SoftHsm } from "../softhsm.ts";
import { compile, type Started, start } from "./raw.ts";

const ROUNDS = 15;
/** Milliseconds of one burst. */
const BURST = 500;
const FEW = 3;
const MANY = 503;

interface Speeds {
  readonly [name: string]: number;
}

/** Seconds: about 60. Throws a sentence that names the program that is missing. */
export async function measure(): Promise<{ lines: string[]; figures: Record<string, number> }> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-bench-signing-"));
  const tokens = [makeSoftHsm("few", folder), makeSoftHsm("many", folder)] as const;
  const started: Started[] = [];
  try {
    const raw = compile(folder);
    const [few, many] = await Promise.all([open(tokens[0], FEW), open(tokens[1], MANY)]);
    started.push(few.layer, many.layer);
    const loop = start(raw, [tokens[0].module, tokens[0].tokenLabel, few.id, `${availableParallelism()}`], tokens[0]);
    started.push(loop);
    loop.say(tokens[0].pin);
    // The first signatures start threads and look keys up.
    for (const warming of [few.layer, many.layer]) await burst(warming);
    const rawBursts: number[] = [];
    const [layer, keys]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [signatures = Number.NaN, nanoseconds = Number.NaN] = (await loop.ask(`${BURST}`)).split(" ").map(Number);
      const rawSpeed = (signatures / nanoseconds) * 1e9;
      const fewSpeed = await burst(few.layer);
      const manySpeed = await burst(many.layer);
      rawBursts.push(rawSpeed);
      layer.push(fewSpeed / rawSpeed);
      keys.push(manySpeed / fewSpeed);
    }
    const speeds = JSON.parse(await verifierProgram(tokens[0], started)) as Speeds;
    return report(median(rawBursts), median(layer), median(keys), speeds);
  } finally {
    await Promise.all(started.map((each) => each.end()));
    for (const token of tokens) token.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(raw: number, layer: number, keys: number, speeds: Speeds) {
  const perSecond = (value: number) => `${Math.round(value).toLocaleString("en")} a second`;
  const { native_recover = Number.NaN, noble_recover = Number.NaN, p256_verify = Number.NaN } = speeds;
  return {
    lines: [
      `Raw C_Sign, secp256k1, ${availableParallelism()} threads: ${perSecond(raw)}`,
      `Signing layer, 8 in flight: ${layer.toFixed(2)} of raw (aim 0.90)`,
      `Signing layer with ${MANY} keys in the token: ${keys.toFixed(2)} of that with ${FEW} (aim 0.95)`,
      `Recovering a signer, one thread: ${perSecond(native_recover)} (the agent's), ${perSecond(noble_recover)} (reference)`,
      `Verifying ES256, one thread: ${perSecond(p256_verify)}`,
    ],
    figures: {
      raw_signatures_per_second: raw,
      signing_layer_ratio: layer,
      keys_503_ratio: keys,
      recover_native_per_second: native_recover,
      recover_noble_per_second: noble_recover,
      recover_native_ratio: native_recover / noble_recover,
      verify_es256_per_second: p256_verify,
    },
  };
}

/** The signing layer on a token with so many key pairs, and the one that signs. */
async function open(token: SoftHsm, keys: number): Promise<{ layer: Started; id: string }> {
  const layer = start(process.execPath, [join(ROOT, "hsm-agent/testing-signing.ts")], token);
  const { module, tokenLabel, pin, env } = token;
  const files = join(dirname(env.SOFTHSM2_CONF), "tokens");
  const options = { module, token: { label: tokenLabel }, pin, env, files };
  const { id } = JSON.parse(await layer.ask(JSON.stringify({ options, keys }))) as { id: string };
  return { layer, id };
}

async function burst(layer: Started): Promise<number> {
  const { signatures, nanoseconds } = JSON.parse(await layer.ask(`${BURST}`)) as Record<string, number>;
  return ((signatures ?? Number.NaN) / (nanoseconds ?? Number.NaN)) * 1e9;
}

async function verifierProgram(token: SoftHsm, started: Started[]): Promise<string> {
  const program = start(process.execPath, [join(ROOT, "hsm-agent/testing-signing.ts"), "verifiers"], token);
  started.push(program);
  return await program.ask("");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
