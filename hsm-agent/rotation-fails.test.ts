/** A ROTATE whose COMMIT fails, in a whole agent: real record, link and socket, an HSM in memory, a bridge that takes everything. */
import sqlite, { type StatementSync } from "node:sqlite";
import { afterEach, expect, test, vi } from "vitest";
import { MOTION } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { type Agent, startAgent } from "./agent.ts";
import { type Config, socketPath } from "./config.ts";
import { callAgent } from "./control-client.ts";
import * as owner from "./hsm/owner.ts";
import { Journal } from "./journal.ts";
import { Office } from "./testing.ts";
import { LOG } from "./testing-agent.ts";
import { FakeBridge } from "./testing-bridge.ts";
import { approve, message, show, until } from "./testing-member.ts";
import { makePerson, START } from "./testing-people.ts";

vi.mock(import("./hsm/owner.ts"), async (original) => ({ ...(await original()), openHsm: vi.fn() }));

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const ends: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** From the next act on every COMMIT fails as on a disk that does not answer; `then` is called at that moment. */
function failAtAct(then: () => void): void {
  const act = vi.spyOn(Journal.prototype, "addAct").mockImplementation(function (this: Journal, ...values) {
    act.mockRestore();
    this.addAct(...values);
    then();
    for (const real of ["run", "all"] as const) fail(real);
  });
}

function fail(real: "run" | "all"): void {
  const { StatementSync } = sqlite;
  const call = StatementSync.prototype[real] as (...values: unknown[]) => unknown;
  vi.spyOn(StatementSync.prototype, real).mockImplementation(function (this: StatementSync, ...values) {
    if (this.sourceSQL === "COMMIT")
      throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 10 });
    return call.apply(this, values) as never;
  });
}

test("a ROTATE that could not be kept is none: the agent of before can be asked what is wrong", async () => {
  // The office's own.
  vi.useFakeTimers({ now: START * 1000, toFake: ["Date"] });
  const bridge = await FakeBridge.open();
  ends.push(() => bridge.close());
  const office = await Office.open([ALICE, BOB], 2, OLGA, { policy: { bridge: bridge.url } });
  ends.push(() => office.dispose());
  office.desk.journal.close();
  vi.mocked(owner.openHsm).mockResolvedValue(office.hsm);
  const config: Config = {
    data: office.folder,
    hsm: { module: "/nowhere.so", token: { label: "x" }, pin: { prompt: true } },
    bridge: { url: bridge.url },
  };
  const agent: Agent = await startAgent(config, "", LOG);
  ends.push(() => agent.stop().catch(() => {}));
  const ask = async (command: Parameters<typeof callAgent>[1]) =>
    (await callAgent(socketPath(config), command)) as Record<string, unknown>;
  await until(() => bridge.cards().length > 0 && bridge.rosters().length > 0);
  const before = agent.fingerprint;
  const { key } = await ask({ command: "rotate.prepare" });
  const motion = { verb: "ROTATE" as const, change: { to: key as PublicJwk } };
  const jws = await message(bridge, MOTION, OLGA.file, { motion, recovery: false });
  const { request } = await ask({ command: "motion", jws });
  for (const person of [ALICE, BOB]) await approve(bridge, person, String(request));
  let asked: unknown[] | undefined;
  failAtAct(() => {
    asked = vi.spyOn(office.hsm, "findKey").mock.calls;
  });
  for (const person of [ALICE, BOB]) await show(bridge, person);
  const problem = async () => ((await ask({ command: "status" }))["record"] as { problem: string | null }).problem;
  await until(async () => (await problem()) !== null);
  expect(await problem()).toContain("cannot be written");
  expect(agent.fingerprint).toBe(before);
  // Its end waits for all that the rotation set going: nobody looked for the next identity.
  await agent.stop();
  expect(asked).toEqual([]);
});
