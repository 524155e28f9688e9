/**
 * A program that writes a record until its disk fails or it kills itself, and says on standard output what is durable: for store.test.ts.
 * Each transaction `n` writes two values, `n:a` and `n:b`.
 *
 *   node testing-store.ts PATH until-refused BYTES
 *   node testing-store.ts PATH kill TURNS POINT
 */
import { readSync, writeSync } from "node:fs";
import { isFault } from "../protocol/error.ts";
import { Store } from "./store.ts";

const POINTS = ["in the work", "written", "waiting", "durable", "said"] as const;
export type KillPoint = (typeof POINTS)[number];
export const KILL_POINTS: readonly KillPoint[] = POINTS;

const AFTER_REFUSAL = 5;

/** At once: what stands in a stream's buffer would die with the process. */
function say(what: string, n: number | string): void {
  writeSync(1, `${what} ${n}\n`);
}

function kill(): void {
  process.kill(process.pid, "SIGKILL");
}

function write(store: Store, n: number, value: string, between: () => void = () => {}): void {
  store.transaction(() => {
    store.setMeta(`${n}:a`, value);
    between();
    store.setMeta(`${n}:b`, value);
  });
}

/** Writes `turns` turns of three transactions, and dies in the last. */
async function killAfter(store: Store, turns: number, point: string): Promise<void> {
  let n = Number(store.meta("last") ?? 0);
  for (let turn = 1; ; turn++) {
    const at = (here: KillPoint) => {
      if (turn === turns && here === point) kill();
    };
    const first = n + 1;
    for (const _ of [1, 2, 3]) {
      n += 1;
      write(store, n, "v", () => at("in the work"));
    }
    store.setMeta("last", String(n));
    at("written");
    const durable = store.durable();
    at("waiting");
    await durable;
    at("durable");
    for (let said = first; said <= n; said++) say("durable", said);
    at("said");
  }
}

/** Says "open", waits for a byte, says "durable N" until it is refused, then tries some more, each time both ways. */
async function untilRefused(store: Store, bytes: number): Promise<void> {
  say("open", 0);
  readSync(0, new Uint8Array(1));
  store.onFailure(({ code }) => say("failed", code));
  const value = "v".repeat(bytes);
  let refusals = 0;
  for (let n = 1; refusals < AFTER_REFUSAL && n <= 2000; n++) {
    try {
      write(store, n, value);
      await store.durable();
      say("durable", n);
    } catch (error) {
      refusals += 1;
      say("refused", isFault(error) ? error.code : String(error));
      const second = await store.durable().catch((again: unknown) => again);
      say("waited", second === error ? "the same" : String(second));
    }
  }
}

const [path, what, number, point] = process.argv.slice(2);
if (import.meta.main && path !== undefined) {
  const store = new Store(path);
  if (what === "kill") await killAfter(store, Number(number), point ?? "");
  else await untilRefused(store, Number(number));
}
