/** Receipts that the log does not have, and a log that is not what was signed: planted in the record, and shown by the agent itself. */
import type { DatabaseSync } from "node:sqlite";
import { leafHash } from "../../protocol/merkle.ts";
import { makeKey, newJti } from "../harness/bridge-client.ts";
import { receiptsIn, viewForgeries } from "../harness/forged-view.ts";
import { until } from "../harness/retry.ts";
import type { Attack } from "./attack.ts";
import { identity, person, propose } from "./company.ts";
import type { Disk } from "./disk.ts";
import { eachEdited, mustNotStart, start, whileEdited } from "./record.ts";
import { linesOf, relog } from "./relog.ts";

const LIE = { n: 99, state: "signed", hash: `0x${"11".repeat(32)}` } as const;

export const RECEIPTS: readonly Attack<Disk>[] = [
  {
    id: "planted-mail",
    by: "hostile disk",
    what: "Receipts that say signed are put into the outbox, in views that the HSM did not sign, and in ones that it signed and that do not have them",
    tries: 11,
    refused: ["ERR_LOG"],
    run: async (disk, tally) => {
      const bob = person(disk, "Bob");
      const { id } = await answered(disk);
      const genuine = bob.mail.views.findLast((view) => receiptsIn(view).some(({ request }) => request === id)) ?? "";
      const { hsm } = await bob.mail.card();
      const forged: string[] = [];
      for (const [, forge] of viewForgeries(await makeKey(), hsm, await identity(disk.world), LIE))
        forged.push(await forge(genuine));
      const plant = (db: DatabaseSync) => {
        const write = db.prepare("INSERT INTO outbox (id, receiver, jws, seal) VALUES (?, ?, ?, NULL)");
        for (const view of forged) write.run(newJti(), bob.kid, view);
      };
      await whileEdited(disk, tally, plant, async () => {
        const { length } = bob.mail.refused;
        await start(disk);
        await until(() => bob.mail.refused.length >= length + forged.length);
        for (const code of bob.mail.refused.slice(length)) tally.refused(code);
        if (believed(disk, id)) tally.through("a planted receipt was believed");
      });
    },
  },
  {
    id: "receipt-without-record",
    by: "hostile disk",
    what: "A receipt is owed by the record of what the log has not: of a request that is not there, of one that nobody answered, of another's entry, and of an entry that was altered to say signed",
    tries: 4,
    refused: ["no receipt", "ERR_LOG"],
    run: async (disk, tally) => {
      const bob = person(disk, "Bob");
      const { id, entry } = await answered(disk);
      const { id: open } = await propose(disk);
      const owe = (db: DatabaseSync, request: string) =>
        db.prepare("INSERT OR REPLACE INTO owed_views (receiver, request) VALUES (?, ?)").run(bob.kid, request);
      const edits: readonly ((db: DatabaseSync) => unknown)[] = [
        (db) => owe(db, "0".repeat(16)),
        (db) => owe(db, open),
        (db) => {
          owe(db, open);
          const other = linesOf(db).findLastIndex((line) => line.includes(entry));
          db.prepare("UPDATE requests SET entry = ? WHERE id = ?").run(other, open);
        },
        (db) => {
          owe(db, id);
          const at = linesOf(db).findLastIndex((line) => line.includes(entry));
          const lie = entry.replace(/"n":[0-9]+,"state":"pending"/, '"n":99,"state":"signed"');
          db.prepare("UPDATE log SET entry = ? WHERE n = ?").run(lie, at);
        },
      ];
      const told = async () => {
        const [views, codes] = [bob.mail.views.length, bob.mail.refused.length];
        await start(disk);
        // The view that answers his sync comes at the earliest with what is owed.
        await until(() => bob.mail.views.length > views);
        await bob.sync();
        await until(() => bob.mail.views.length > views + 1);
        if (believed(disk, id) || bob.mail.receipts.some(({ request }) => request === open))
          tally.through("a receipt that the log does not have was believed");
        else tally.refused(bob.mail.refused[codes] ?? "no receipt");
      };
      await eachEdited(
        disk,
        tally,
        edits.map((edit) => [edit, told] as const),
      );
    },
  },
  {
    id: "edited-log",
    by: "hostile disk",
    what: 'Lines of the log are altered, exchanged and left out, and hashes of it altered; "log verify" is asked; all of it is put together anew under hashes that fit',
    tries: 6,
    refused: ["ERR_LOG", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const altered = (line: string) => line.replace(/"at":[0-9]+/, '"at":1');
      const write = (db: DatabaseSync, n: number, line: string) =>
        db.prepare("UPDATE log SET entry = ? WHERE n = ?").run(line, n);
      const hash = (db: DatabaseSync, level: number, at: number, text: string) =>
        db.prepare("UPDATE log_nodes SET hash = ? WHERE level = ? AND at = ?").run(text, level, at);
      const edits: readonly ((db: DatabaseSync, lines: readonly string[]) => unknown)[] = [
        (db, lines) => write(db, 4, altered(lines[4] ?? "")),
        (db, lines) => {
          write(db, 4, altered(lines[4] ?? ""));
          hash(db, 0, 4, leafHash(new TextEncoder().encode(altered(lines[4] ?? ""))));
        },
        (db, lines) => {
          write(db, 2, lines[3] ?? "");
          write(db, 3, lines[2] ?? "");
        },
        (db) => db.exec("DELETE FROM log WHERE n = 5"),
        (db) => hash(db, 1, 0, "11".repeat(32)),
      ];
      const verified = async () => {
        await start(disk);
        await tally.mustThrow(async () => await world.json("log", "verify"));
      };
      await eachEdited(
        disk,
        tally,
        edits.map((edit) => [(db: DatabaseSync) => edit(db, linesOf(db)), verified] as const),
      );
      await mustNotStart(disk, tally, (db) => relog(db, linesOf(db).with(0, altered(linesOf(db)[0] ?? ""))));
    },
  },
];

/** A request that Alice approved, and the log's entry about that. */
async function answered(disk: Disk): Promise<{ id: string; entry: string }> {
  const { id } = await propose(disk);
  await person(disk, "Alice").decide(id);
  const bob = person(disk, "Bob");
  const receipt = await bob.receipt(id);
  return { id, entry: JSON.stringify(receipt) };
}

function believed(disk: Disk, id: string): boolean {
  return person(disk, "Bob").mail.receipts.some(({ request, state }) => request === id && state === "signed");
}
