/** One transaction a turn, and the latch: after the first failure of the store nothing is written or called durable. */
import { StatementSync } from "node:sqlite";
import { afterEach, expect, test, vi } from "vitest";
import { GroupCommit, type StoreFailure } from "./commit.ts";
import { deliveries, makeKey, newId, withRig } from "./testing.ts";

afterEach(() => vi.restoreAllMocks());

/** EIO of an fsync, as node:sqlite throws it. */
const EIO = Object.assign(new Error("disk I/O error at /secret/path"), { code: "ERR_SQLITE_ERROR", errcode: 1034 });

function makeGroup(failing: (sql: string) => boolean) {
  const statements: string[] = [];
  const ends: (() => void)[] = [];
  const failures: StoreFailure[] = [];
  const group = new GroupCommit(
    (sql) => {
      statements.push(sql);
      if (failing(sql)) throw EIO;
    },
    { later: (work) => void ends.push(work) },
  );
  group.onFailure = (failure) => failures.push(failure);
  const endTurn = () => {
    for (const end of ends.splice(0)) end();
  };
  return { group, statements, endTurn, failures };
}
const closed = expect.objectContaining({ code: "ERR_INTERNAL" }) as Error;

test("one transaction for a turn; who waits is told after the commit, in order", () => {
  const { group, statements, endTurn } = makeGroup(() => false);
  const told: string[] = [];
  group.durable(() => told.push("nothing was open"));
  group.write(() => undefined);
  group.durable(() => told.push("first"));
  group.write(() => undefined);
  group.durable(() => told.push("second"));
  expect(told).toEqual(["nothing was open"]);
  endTurn();
  expect(told).toEqual(["nothing was open", "first", "second"]);
  const work = ["SAVEPOINT work", "RELEASE work"];
  expect(statements).toEqual(["BEGIN IMMEDIATE", ...work, ...work, "COMMIT"]);
  endTurn();
  expect(group.commits).toBe(1);
});

test.each(["COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT work", "RELEASE work"])("a failed %s latches", (bad) => {
  const { group, statements, endTurn, failures } = makeGroup((sql) => sql === bad);
  const told = vi.fn<() => void>();
  try {
    group.write(() => undefined);
    group.durable(told);
  } catch (error) {
    expect(error).toEqual(closed);
  }
  endTurn();
  expect(failures).toEqual([{ errcode: 1034 }]);
  const before = statements.length;
  // SQLite would commit again as if nothing had been lost.
  expect(() => group.write(() => undefined)).toThrow(closed);
  expect(() => group.commit()).toThrow(closed);
  group.durable(told);
  endTurn();
  expect([told.mock.calls.length, statements.length, failures.length]).toEqual([0, before, 1]);
});

test("a write that the store refuses latches; a mistake of ours does not", () => {
  const { group, failures, endTurn } = makeGroup(() => false);
  const mistake = () => {
    throw new TypeError("ours");
  };
  expect(() => group.write(mistake)).toThrow("ours");
  endTurn();
  expect(failures).toEqual([]);
  const full = () => {
    throw Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode: 13 });
  };
  expect(() => group.write(full)).toThrow(closed);
  expect(failures).toEqual([{ errcode: 13 }]);
});

test("a bridge whose commit fails accepts nothing, says so, and sends everybody away", async () => {
  const [alice, bob] = [await makeKey(), await makeKey()];
  await withRig([alice, bob], async (rig) => {
    const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
    const stored = newId();
    expect(await agent.post(bob.id, "stored", stored)).toMatchObject({ t: "accepted" });
    expect(await member.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
    agent.send({ v: 1, t: "ack", seq: (await deliveries(agent, 1))[0]?.seq ?? 0 });
    expect(await agent.quiet()).toBe(true);
    // Held, and never acknowledged.
    member.send({ v: 1, t: "send", id: newId(), to: rig.agent.hsm.id, body: "held" });
    await deliveries(agent, 1);

    const run = Reflect.get(StatementSync.prototype, "run") as (
      ...given: unknown[]
    ) => ReturnType<StatementSync["run"]>;
    vi.spyOn(StatementSync.prototype, "run").mockImplementation(function (this: StatementSync, ...given: unknown[]) {
      if (this.sourceSQL === "COMMIT") throw EIO;
      return Reflect.apply(run, this, given);
    });
    agent.send({ v: 1, t: "send", id: newId(), to: bob.id, body: "lost" });
    for (const client of [agent, member]) {
      expect(await client.next()).toEqual({ v: 1, t: "error", code: "ERR_INTERNAL", id: null });
      expect(await client.closed).toBe(1011);
    }
    await rig.bridge.failed;
    const health = await fetch(`http://127.0.0.1:${rig.bridge.health}/healthz`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ storeFailed: true });
    const metrics = await (await fetch(`http://127.0.0.1:${rig.bridge.health}/metrics`)).text();
    expect(metrics).toContain("opencustody_bridge_store_failed 1");
    const late = rig.connect();
    expect(await late.closed).toBe(1006);
    const log = rig.log.join("");
    expect(log).toContain('"errcode":1034');
    expect(log).not.toContain("/secret/path");
    // What is held cannot be stored: an end in good order is none.
    await expect(rig.bridge.close()).rejects.toThrow(closed);

    vi.restoreAllMocks();
    rig.bridge = await rig.start();
    // Taken again by a new bridge: what was accepted is there, what was not is not.
    const other = await rig.member(bob);
    expect(await deliveries(other, 1)).toMatchObject([{ id: stored, body: "stored" }]);
    expect(await other.quiet()).toBe(true);
  });
});
