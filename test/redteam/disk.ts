/**
 * Attacks by who has the disk of the agent's host: the record is edited while the agent is stopped, an older one restored, the token
 * swapped, and both taken back together, which people's browsers notice. What is not here is not claimed.
 */
import type { Group } from "./attack.ts";
import { type Company, carry, closeCompany, move, openCompany, policyText } from "./company.ts";
import { ACTS } from "./disk-acts.ts";
import { DISK_LOG } from "./disk-log.ts";
import { RECEIPTS } from "./disk-receipts.ts";
import { DISK_REQUESTS } from "./disk-requests.ts";
import { RESTORES } from "./disk-restore.ts";
import { ROWS } from "./disk-rows.ts";
import { type Copy, copyOf } from "./record.ts";

export interface Disk extends Company {
  /** Record and token as they were before the last policy. */
  readonly yesterday: Copy;
  /** And after it. */
  readonly today: Copy;
}

async function open(): Promise<Disk> {
  const company = await openCompany();
  const copy = async () => {
    await company.world.agent().stop();
    const made = copyOf(company.world);
    await company.world.startAgent();
    return made;
  };
  const adopt = async (contact: string) => {
    const policy = { ...(await policyText(company.world)), contact };
    await carry(company, await move(company, { verb: "POLICY", change: { policy } }));
  };
  try {
    await adopt("Operations, by day");
    const yesterday = await copy();
    await adopt("Operations, day and night");
    return { ...company, yesterday, today: await copy() };
  } catch (error) {
    await company.world.dispose();
    throw error;
  }
}

export const DISK: Group<Disk> = {
  name: "the agent's disk",
  open,
  close: closeCompany,
  attacks: [...ACTS, ...DISK_REQUESTS, ...DISK_LOG, ...RESTORES, ...RECEIPTS, ...ROWS],
};
