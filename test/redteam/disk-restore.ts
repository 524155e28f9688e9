/** The road back, misused: on an older record somebody proposes to go on from another state than it is in, or as if nothing were missing. */
import type { Attack } from "./attack.ts";
import { carry, move, policyText, propose } from "./company.ts";
import type { Disk } from "./disk.ts";
import { afterRejection } from "./disk-log.ts";
import { start, whileEdited } from "./record.ts";
import { mustRefuse } from "./tries.ts";

interface Gap {
  readonly log: Head;
  readonly seen: Head | null;
  readonly nonces: readonly { readonly vault: string; readonly network: string; readonly nonce: number }[];
}
interface Head {
  readonly size: number;
  readonly root: string;
}

export const RESTORES: readonly Attack<Disk>[] = [
  {
    id: "false-restore",
    by: "hostile operator",
    what: "On an older record a RESTORE is proposed that names no gap, a smaller one, another state, a nonce that was used, no account and one more; and a transfer and a policy as if it were the newest",
    tries: 8,
    refused: ["ERR_LOG", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      await afterRejection(disk, tally, async ({ goBack }) => {
        await whileEdited(disk, tally, goBack, async () => {
          await start(disk);
          const { change } = await retryUntilBehind(disk);
          const { log, seen, nonces } = change;
          if (seen === null) throw new Error("nobody knows more");
          const lower = nonces.map((one) => ({ ...one, nonce: one.nonce - 1 }));
          const more = [...nonces, { vault: "Another", network: "eip155:1", nonce: 0 }];
          for (const lie of [
            { seen: null },
            { seen: { ...seen, size: seen.size - 1 } },
            { log: { ...log, root: "00".repeat(32) } },
            { nonces: lower },
            { nonces: [] },
            { nonces: more },
          ])
            await mustRefuse(
              disk,
              tally,
              async () => await move(disk, { verb: "RESTORE", change: { ...change, ...lie } }),
            );
          await mustRefuse(disk, tally, async () => await propose(disk));
          const policy = { ...(await policyText(world)), contact: "as if nothing were missing" };
          await mustRefuse(
            disk,
            tally,
            async () => await carry(disk, await move(disk, { verb: "POLICY", change: { policy } })),
          );
        });
      });
    },
  },
];

/** What the agent would have the admins approve, once somebody has said that they know more. */
async function retryUntilBehind({ world }: Disk): Promise<{ change: Gap }> {
  for (;;) {
    const { behind } = await world.ask<{ behind: unknown }>({ command: "status" });
    if (behind !== null) return await world.ask<{ change: Gap }>({ command: "restore.show" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
