/** A machine that starts no process: out of memory, which Node throws, or of file descriptors, which it tells later. */
import type * as ChildProcesses from "node:child_process";
import { ChildProcess, type ForkOptions } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { CheckProcess } from "./check-process.ts";
import { type Hsm, openHsm } from "./owner.ts";

const machine = vi.hoisted((): { lacks: "memory" | "descriptors" | undefined; refused: number } => ({
  lacks: undefined,
  refused: 0,
}));

vi.mock("node:child_process", async (original) => {
  const real = await original<typeof ChildProcesses>();
  const fork = (path: string, args: string[], options: ForkOptions): ChildProcess => {
    if (machine.lacks === undefined) return real.fork(path, args, options);
    machine.refused += 1;
    if (machine.lacks === "memory") throw Object.assign(new Error("spawn ENOMEM"), { code: "ENOMEM" });
    // As Node leaves it: no pid, no streams, no channel.
    const none = new ChildProcess();
    process.nextTick(() => none.emit("error", Object.assign(new Error("spawn EMFILE"), { code: "EMFILE" })));
    return none;
  };
  return { ...real, fork };
});

let soft: SoftHsm;
const open: Hsm[] = [];

beforeAll(() => {
  soft = makeSoftHsm();
});

afterEach(async () => {
  machine.lacks = undefined;
  machine.refused = 0;
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
});

afterAll(() => soft.dispose());

async function start(backoff: { first: number; most: number }): Promise<Hsm> {
  const { module, tokenLabel, pin, env } = soft;
  const hsm = await openHsm({ module, token: { label: tokenLabel }, pin, env, backoff });
  open.push(hsm);
  return hsm;
}

function pidOf(hsm: Hsm): number {
  const pid = hsm.pid();
  if (pid === undefined) throw new Error("the HSM has no process");
  return pid;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

test.each(["memory", "descriptors"] as const)(
  "without %s for a process the HSM is down, and tried as rarely as for any other cause",
  async (lacks) => {
    const hsm = await start({ first: 600_000, most: 600_000 });
    machine.lacks = lacks;
    process.kill(pidOf(hsm), "SIGKILL");
    await until(() => machine.refused > 0 && hsm.state() === "down");
    // Each turn of the loop would have been a try.
    for (let turn = 0; turn < 20; turn += 1) await sleep(2);
    expect(machine.refused).toBe(1);
    expect(hsm.health()).toMatchObject({ state: "down", failures: 2, lastFault: { code: "ERR_HSM_DOWN" } });
    await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  },
);

test.each(["memory", "descriptors"] as const)("once there are %s again, it comes back by itself", async (lacks) => {
  const hsm = await start({ first: 1, most: 1 });
  const before = pidOf(hsm);
  machine.lacks = lacks;
  process.kill(before, "SIGKILL");
  await until(() => machine.refused >= 3);
  machine.lacks = undefined;
  await until(() => hsm.state() === "up" && hsm.pid() !== before);
  expect(await hsm.random(8)).toHaveLength(8);
});

test.each(["memory", "descriptors"] as const)(
  "the first start without %s says so, and leaves nothing behind",
  async (lacks) => {
    machine.lacks = lacks;
    await expect(start({ first: 1, most: 1 })).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
    expect(machine.refused).toBe(1);
  },
);

test.each(["memory", "descriptors"] as const)(
  "the check without %s for a process says why it has no answers",
  async (lacks) => {
    machine.lacks = lacks;
    const process = new CheckProcess({});
    const heard = await process.ask({ ask: "step", step: "library" }, 1_000);
    expect(heard).toMatchObject({ ok: false, usable: false });
    expect(heard.ok ? "" : heard.reason).toContain("No process could be started");
    await process.end();
  },
);
