/** Somebody who does not fetch their messages costs nobody else anything: neither room without end, nor a look at each of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { hasRoom } from "./answers.ts";
import type { Desk } from "./desk.ts";
import { Journal } from "./journal.ts";
import { SCHEMA } from "./schema.ts";

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-mail-"));
  journal = new Journal(join(folder, "agent.db"));
});
afterEach(() => {
  vi.restoreAllMocks();
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

const fill = (receiver: string, count: number) =>
  journal.transaction(() => {
    for (let n = 0; n < count; n += 1) journal.post(`${receiver}${n}`, [receiver], "x");
  });
const named = (most: number, except: readonly string[]) => journal.outbox(most, except).map(({ id }) => id);

/** What SQLite does for the statements that `work` prepares. */
function plansOf(work: () => void): string[] {
  const prepare = vi.spyOn(DatabaseSync.prototype, "prepare");
  work();
  const statements = prepare.mock.calls.map(([sql]) => sql);
  vi.restoreAllMocks();
  expect(statements.length).toBeGreaterThan(0);
  const database = new DatabaseSync(":memory:");
  database.exec(SCHEMA);
  const plans = statements.flatMap((sql) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => String(row["detail"])),
  );
  database.close();
  return plans;
}

test("without some receivers, the oldest of all others, in their order", () => {
  fill("a", 3);
  fill("b", 2);
  fill("c", 2);
  fill("b", 4);
  expect(named(9, ["a"])).toEqual(["b0", "b1", "c0", "c1", "b2", "b3"]);
  expect(named(3, ["a"])).toEqual(["b0", "b1", "c0"]);
  expect(named(9, ["a", "b", "c"])).toEqual([]);
  expect(named(2, [])).toEqual(["a0", "a1"]);
  expect(named(9, ["nobody", "b"])).toEqual(["a0", "a1", "a2", "c0", "c1"]);
});

test("what waits for somebody absent is not looked at to find what waits for others", () => {
  fill("absent", 200);
  fill("present", 1);
  const plans = plansOf(() => expect(named(64, ["absent"])).toEqual(["present0"]));
  expect(plans.filter((plan) => plan === "SCAN outbox")).toEqual([]);
  expect(plans.filter((plan) => plan.startsWith("SEARCH outbox"))).not.toEqual([]);
});

test("whom the log is owed is found by the index as well, in turn", () => {
  journal.transaction(() => {
    for (const receiver of ["a", "b", "c"]) for (let n = 0; n < 100; n += 1) journal.oweView(receiver, `${n}`);
  });
  const plans = plansOf(() => expect(journal.owedViews(2)).toEqual(["a", "b"]));
  expect(journal.owedViews(2, "b")).toEqual(["c"]);
  expect(journal.owedViews(2, "c")).toEqual([]);
  expect(plans.filter((plan) => /^SCAN (owed_views|outbox)/.test(plan))).toEqual([]);
});

test("what is owed of the log takes nobody's room for answers: whoever was away for long is answered", () => {
  journal.transaction(() => {
    for (let n = 0; n < 1_500; n += 1) journal.oweView("away", `${n}`);
  });
  expect(hasRoom({ journal } as Desk, "away")).toBe(true);
  fill("away", 999);
  expect(hasRoom({ journal } as Desk, "away")).toBe(true);
  fill("away", 1_000);
  expect(hasRoom({ journal } as Desk, "away")).toBe(false);
});

test("with so many unsent, nothing of the log is put beside them; with room again it is", () => {
  journal.oweView("absent");
  fill("absent", 31);
  expect(journal.owedViews(9)).toEqual(["absent"]);
  journal.post("one more", ["absent"], "x");
  journal.oweView("present");
  expect(journal.owedViews(9)).toEqual(["present"]);
  journal.removeFromOutbox(journal.outbox(1)[0]?.n ?? 0);
  expect(journal.owedViews(9)).toEqual(["absent", "present"]);
});
