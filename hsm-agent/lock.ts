/** A running agent answers on its control socket. That is told here in words; what holds two apart in the end is the lock on the record (journal.ts). */
import { rmSync } from "node:fs";
import { connect } from "node:net";
import { Fault } from "../protocol/error.ts";

/** Removes a socket that nobody listens on any more. @throws Fault ERR_AGENT_RUNNING where somebody does */
export async function claimSocket(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
  if (alive) throw new Fault("ERR_AGENT_RUNNING", "An agent is running on this data folder already; stop it first.");
  rmSync(path, { force: true });
}
