/** What the ledger keeps in memory of its rows is what is in the record, whatever was done and whatever was taken back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Journal } from "./journal.ts";
import type { RecordRow } from "./rows.ts";
import { newJti } from "./testing-people.ts";

const IDS = ["0123456789ABCDEF", "0123456789ABCDEG"] as const;

const propose =
  (length: number) =>
  (journal: Journal, id: string): void => {
    if (journal.request(id) !== undefined) return;
    const common = {
      verb: "DRILL",
      state: "proposed",
      vault: null,
      network: null,
      nonce: null,
      notBefore: null,
    } as const;
    const times = { expires: 100, at: 1, policy: 1, people: 1 };
    const payload = JSON.stringify({ aud: ["x"], jti: id, rest: "y".repeat(length) });
    const made = { proposal: newJti(), proposalJws: "a.b.c", initiator: "Olga", payload, digest: "ab".repeat(32) };
    journal.addRequest({ id, ...common, ...times, ...made });
  };

const answer =
  (length: number) =>
  (journal: Journal, id: string): void => {
    const of = newJti();
    const row: RecordRow = {
      vendor: null,
      kind: "withdrawal",
      person: "Bob",
      of,
      at: 1_800_000_000,
      address: null,
      reason: null,
      jws: of.padEnd(length, "x"),
    };
    journal.addRecord(id, row);
  };

const DEEDS = {
  propose: propose(0),
  proposeMuch: propose(9_000),
  answer: answer(0),
  answerMuch: answer(20_000),
  issue: (journal: Journal, id: string) =>
    journal.issueRequest({ id, digest: "ab".repeat(32) }, "pending", `jws ${newJti()}`),
  approve: (journal: Journal, id: string) => journal.changeRequest(id, { state: "approved" }),
  fail: (journal: Journal, id: string) => journal.changeRequest(id, { state: "failed", problem: newJti() }),
  touch: (journal: Journal, id: string) => journal.changeRequest(id, {}),
  sign: (journal: Journal, id: string) =>
    journal.changeRequest(id, { state: "signed", signed: `0x${newJti()}`, hash: `0x${"cd".repeat(32)}` }),
  release: (journal: Journal, id: string) => journal.release({ id, hash: `0x${"cd".repeat(32)}` }, 7),
  look: (journal: Journal, id: string) => void [journal.request(id), journal.records(id)],
};
type Deed = keyof typeof DEEDS;

const work = fc.record({
  deeds: fc.array(
    fc.record({ deed: fc.constantFrom(...(Object.keys(DEEDS) as Deed[])), id: fc.constantFrom(...IDS) }),
    { minLength: 1, maxLength: 6 },
  ),
  isTakenBack: fc.boolean(),
  isFlushed: fc.boolean(),
});

test("rows and records are read as they were written", () => {
  fc.assert(
    fc.property(fc.array(work, { minLength: 1, maxLength: 12 }), (works) => {
      const folder = mkdtempSync(join(tmpdir(), "opencustody-ledger-"));
      let journal = new Journal(join(folder, "agent.db"));
      const open = () => {
        journal.now = () => 1_800_000_000;
      };
      const seen = () => [
        IDS.map((id) => journal.request(id)),
        IDS.map((id) => journal.records(id)),
        journal.logHead(),
        journal.logLines(0, 1_000).length,
      ];
      try {
        open();
        for (const { deeds, isTakenBack, isFlushed } of works) {
          try {
            journal.transaction(() => {
              for (const { deed, id } of deeds)
                if (deed.startsWith("propose") || journal.request(id) !== undefined) DEEDS[deed](journal, id);
              if (isTakenBack) throw new Error("taken back");
            });
          } catch (error) {
            expect(error).toHaveProperty("message", "taken back");
          }
          if (isFlushed) journal.flush();
          // The list is read from the record each time.
          const listed = journal.requests();
          for (const id of IDS) expect(journal.request(id)).toEqual(listed.find((row) => row.id === id));
        }
        const before = seen();
        journal.close();
        journal = new Journal(join(folder, "agent.db"));
        open();
        // To the order of members: somebody may print them.
        expect(JSON.stringify(seen())).toBe(JSON.stringify(before));
      } finally {
        journal.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
});

describe("one record", () => {
  let folder: string;
  let journal: Journal;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "opencustody-ledger-"));
    journal = new Journal(join(folder, "agent.db"));
  });
  afterEach(() => {
    journal.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("what is long is not kept in memory: not a row, not records that grew", () => {
    const [short, long] = IDS;
    DEEDS.propose(journal, short);
    DEEDS.proposeMuch(journal, long);
    DEEDS.answer(journal, short);
    const same = (read: () => unknown) => read() === read();
    expect(same(() => journal.request(short))).toBe(true);
    expect(same(() => journal.request(long))).toBe(false);
    expect(same(() => journal.records(short))).toBe(true);
    DEEDS.answerMuch(journal, short);
    expect(same(() => journal.records(short))).toBe(true);
    DEEDS.answerMuch(journal, short);
    expect(same(() => journal.records(short))).toBe(false);
    expect(journal.records(short)).toHaveLength(3);
  });

  test("the newest are listed, and of the older ones those that are open; what changed the rules is found by its verb", () => {
    const ids = Array.from({ length: 6 }, (_, n) => `${n}`.padStart(16, "0"));
    for (const id of ids) DEEDS.propose(journal, id);
    const [oldest = "", ended = "", open = "", ...newest] = ids.toReversed();
    for (const id of [oldest, ended, ...newest]) journal.changeRequest(id, { state: "rejected" });
    expect(journal.newest(3, ["proposed", "pending"]).map(({ id }) => id)).toEqual([...newest.toReversed(), open]);
    expect(journal.requestsOf(["DRILL"])).toHaveLength(6);
    expect(journal.requestsOf(["POLICY", "FOUND"])).toEqual([]);
  });

  test("a hand-out that cannot be told to the log did not happen", () => {
    const [id] = IDS;
    DEEDS.propose(journal, id);
    journal.request(id);
    const before = journal.logHead();
    expect(() => journal.release({ id, hash: null }, 7)).toThrow("damaged");
    expect(journal.request(id)?.released).toBeNull();
    expect(journal.requests()[0]?.released).toBeNull();
    expect(journal.logHead()).toEqual(before);
    // Nothing of it comes with the next that is written either.
    journal.setMeta("next", "1");
    journal.flush();
    expect(journal.request(id)?.released).toBeNull();
  });
});
