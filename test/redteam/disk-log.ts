/**
 * The record taken back, with everything that the token remembers: files on the same disk. What the agent cannot know of itself its
 * people's browsers know. protocol/README.md, "Rollback".
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { seal } from "../../protocol/seal.ts";
import { askAgent } from "../harness/control-socket.ts";
import type { Arrived, Member } from "../harness/member.ts";
import { startProgram } from "../harness/program.ts";
import { waitForRequest } from "../harness/requests.ts";
import { until } from "../harness/retry.ts";
import type { World } from "../harness/world.ts";
import type { Attack, Tally } from "./attack.ts";
import { person, propose } from "./company.ts";
import type { Disk } from "./disk.ts";
import { type Copy, copyOf, goOnFrom, numbers, onRecord, putBack, start, whileEdited } from "./record.ts";
import { linesOf, relog } from "./relog.ts";
import { mustStay } from "./tries.ts";

export const DISK_LOG: readonly Attack<Disk>[] = [
  {
    id: "older-record-and-token",
    by: "hostile disk",
    what: "Record and token of before a rejection are restored together, and a second approver approves: while nobody's browser is heard, after all have said what they know, and after another start",
    tries: 6,
    refused: ["stays approved", "ERR_LOG"],
    run: async (disk, tally) => {
      const { world } = disk;
      const bob = person(disk, "Bob");
      await afterRejection(disk, tally, async ({ id, request, goBack }) => {
        await whileEdited(disk, tally, goBack, async () => {
          await alone(disk);
          await bob.approve(request, { log: null });
          await mustStayApproved(disk, tally, id);
          for (const name of ["Alice", "Bob", "Ann"]) await heard(tally, person(disk, name));
          await mustStayApproved(disk, tally, id);
          await world.agent().stop();
          await alone(disk);
          await mustStayApproved(disk, tally, id);
        });
      });
    },
  },
  {
    id: "replayed-syncs",
    by: "hostile bridge",
    what: "Record and token of before a rejection are restored together, and the bridge repeats what everybody's browsers had said of the log until then, as it was and, opened by the keys on the disk, sealed anew to the card of today, and an approval of that time that it had kept back",
    tries: 2,
    refused: ["stays approved", "nobody heard"],
    run: async (disk, tally) => {
      const { world } = disk;
      const bob = person(disk, "Bob");
      await afterRejection(disk, tally, async ({ id, request, recorded, keptBack, goBack }) => {
        await whileEdited(disk, tally, goBack, async () => {
          await alone(disk);
          for (const [member, jws, body] of recorded)
            for (const again of [body, await seal(jws, (await member.mail.card()).seal)]) {
              const { length } = member.mail.messages;
              member.mail.send(again);
              // It is answered, as it was then.
              await until(() => member.mail.messages.length > length);
            }
          bob.mail.send(keptBack);
          await waitForRequest(world, request.payload.request, ({ records }) => records.length === 2);
          await mustStayApproved(disk, tally, id);
          const { witnesses } = await world.ask<{ witnesses: { seen: number } }>({ command: "status" });
          if (witnesses.seen === 0) tally.refused("nobody heard");
          else tally.through(`${witnesses.seen} people were believed to have been heard`);
        });
      });
    },
  },
  {
    id: "cloned-record",
    by: "hostile disk",
    what: "A copy of record and token of before a rejection is run beside the agent, takes its place at the bridge, and a second approver approves there",
    tries: 5,
    refused: ["stays approved", "ERR_LOG"],
    run: async (disk, tally) => {
      const bob = person(disk, "Bob");
      await afterRejection(disk, tally, async ({ id, request, before }) => {
        await whileEdited(
          disk,
          tally,
          () => undefined,
          async () => {
            const used = numbers(disk.world);
            await start(disk);
            const clone = await runClone(disk, before, used);
            try {
              for (const name of ["Alice", "Bob", "Ann"]) await heard(tally, person(disk, name));
              const { code } = await bob.refusal(await bob.approve(request));
              tally.refused(code);
              await bob.approve(request, { log: null });
              await mustStayApproved({ world: { ask: clone.ask } }, tally, id);
            } finally {
              await clone.stop();
            }
          },
        );
      });
    },
  },
  {
    id: "rejection-deleted",
    by: "hostile disk",
    what: "A rejection is deleted with everything that tells of it, the log put together anew under hashes that fit, the token's anchor set back: its entry left out, and another in its place",
    tries: 8,
    refused: ["stays approved", "ERR_LOG"],
    run: async (disk, tally) => {
      const bob = person(disk, "Bob");
      for (const keepsPlace of [false, true])
        await afterRejection(disk, tally, async ({ id, request, before }) => {
          const edit = (db: DatabaseSync) => {
            putBack(disk.world, before, ["token"]);
            forgetRejection(db, id, keepsPlace);
          };
          await whileEdited(disk, tally, edit, async () => {
            await alone(disk);
            await bob.approve(request, { log: null });
            await mustStayApproved(disk, tally, id);
            for (const name of ["Alice", "Ann"]) await heard(tally, person(disk, name));
            await mustStayApproved(disk, tally, id);
          });
        });
    },
  },
];

interface Rejected {
  readonly id: string;
  /** As Bob has it. */
  readonly request: Arrived;
  /** Record and token when Alice had approved. */
  readonly before: Copy;
  /** What the browsers would have said then, sealed to the card of then. */
  readonly recorded: readonly (readonly [Member, string, string])[];
  /** Bob's approval of then, which the bridge did not deliver. */
  readonly keptBack: string;
  /** Puts back what was before. */
  readonly goBack: () => void;
}

/** A request that Alice approved and Carol rejected; everybody's browser has seen that. */
export async function afterRejection(
  disk: Disk,
  tally: Tally,
  work: (rejected: Rejected) => Promise<void>,
): Promise<void> {
  // An agent that signs on an old record is enough to know.
  if (tally.breaches.length > 0) return;
  const { world } = disk;
  const [bob, carol] = [person(disk, "Bob"), person(disk, "Carol")];
  const { id } = await propose(disk);
  const [request, seen] = [await bob.request(id), await carol.request(id)];
  await person(disk, "Alice").decide(id);
  await everybodySaw(disk);
  const recorded: [Member, string, string][] = [];
  for (const member of disk.members.values()) {
    const card = await member.mail.card();
    const jws = await member.mail.makeSync([], card);
    recorded.push([member, jws, await seal(jws, card.seal)]);
  }
  const keptBack = await seal(await bob.approval(request), (await bob.mail.card()).seal);
  await world.agent().stop();
  const before = copyOf(world);
  await start(disk);
  await carol.reject(seen);
  await waitForRequest(world, id, ({ state }) => state === "rejected");
  await everybodySaw(disk);
  const goBack = (): void => {
    const used = numbers(world);
    putBack(world, before, ["record", "token"]);
    onRecord(world, (db) => goOnFrom(db, used));
  };
  await work({ id, request, before, recorded, keptBack, goBack });
}

/** Every browser knows the newest state of the log. */
async function everybodySaw({ world, members }: Disk): Promise<void> {
  const { log } = await world.ask<{ log: { size: number } }>({ command: "status" });
  for (const member of members.values()) {
    await member.sync();
    await until(() => (member.mail.log.head?.size ?? 0) >= log.size);
  }
}

/** The agent starts, and no browser says anything to it. */
async function alone(disk: Disk): Promise<void> {
  for (const { mail } of disk.members.values()) mail.isQuiet = true;
  await start(disk);
}

/** Somebody's browser says what it knows, and is told that the log does not hold it. */
async function heard(tally: Tally, member: Member): Promise<void> {
  const { code } = await member.refusal(await member.sync());
  tally.refused(code);
}

/** With its quorum, and not signed, though there was time for it. */
async function mustStayApproved({ world }: { world: Pick<World, "ask"> }, tally: Tally, id: string): Promise<void> {
  await waitForRequest(world, id, ({ state }) => state !== "pending");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await mustStay({ world }, tally, id, "approved");
}

/** The rejection is the last thing that happened. */
function forgetRejection(db: DatabaseSync, id: string, keepsPlace: boolean): void {
  const lines = linesOf(db);
  const last = lines.findLastIndex((line) => line.includes(`"request":"${id}"`));
  const earlier = lines.findLastIndex(
    (line, at) => at < last && line.includes(`"kind":"state","at"`) && line.includes(id),
  );
  if (!lines[last]?.includes('"state":"rejected"') || earlier < 0) throw new Error("it was not the last");
  const { n } = JSON.parse(lines[earlier] ?? "") as { n: number };
  relog(db, keepsPlace ? lines.with(last, lines[earlier] ?? "") : lines.slice(0, last));
  db.prepare("DELETE FROM records WHERE request = ? AND kind = 'rejection'").run(id);
  db.exec("DELETE FROM free_nonces; DELETE FROM meta WHERE key = 'checkpoint'");
  db.prepare("UPDATE requests SET state = 'pending', revision = ?, logged = ?, entry = ? WHERE id = ?").run(
    n,
    n,
    earlier,
    id,
  );
}

/** A second agent on a copy of record and token, which numbers its cards far beyond what the bridge has seen. */
async function runClone({ world }: Disk, { folder }: Copy, used: ReturnType<typeof numbers>) {
  const far = Object.fromEntries(Object.entries(used).map(([key, n]) => [key, n + 100]));
  onRecord({ folder }, (db) => goOnFrom(db, far));
  const conf = join(folder, "softhsm2.conf");
  const text = readFileSync(world.token.env.SOFTHSM2_CONF, "utf8");
  writeFileSync(conf, text.replace(/tokendir = .*/, `tokendir = ${join(folder, "tokens")}`));
  const file = join(folder, "opencustody.json");
  writeFileSync(file, readFileSync(join(folder, "config")));
  const env = { ...process.env, ...world.token.env, SOFTHSM2_CONF: conf };
  const program = startProgram("hsm-agent/main.ts", ["--config", file, "agent"], env);
  await program.logged("bridge connection ready");
  return {
    ask: async <T>(command: Parameters<World["ask"]>[0]) =>
      (await askAgent(join(folder, "agent", "agent.sock"), command)) as T,
    /** The agent itself goes on after the clone's numbers, or the bridge would take it for an old one. */
    stop: async () => {
      await program.stop();
      await world.agent().stop();
      const reached = [numbers(world), numbers({ folder })];
      onRecord(world, (db) => goOnFrom(db, ...reached));
    },
  };
}
