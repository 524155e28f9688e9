/** `opencustody init`: makes the identity key in the HSM and the first documents. Refuses what exists already. */
import type { Logger } from "pino";
import { Fault } from "../protocol/error.ts";
import { fingerprint } from "../protocol/primitive.ts";
import { journalPath, openConfiguredHsm } from "./agent.ts";
import { recordedClock } from "./clock.ts";
import { type Config, socketPath } from "./config.ts";
import { identityOf } from "./desk.ts";
import { found } from "./directory.ts";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";

/** Returns the fingerprint of the new HSM identity. @throws Fault ERR_STATE, ERR_HSM_* */
export async function initialise(config: Config, pin: string, log: Logger): Promise<{ fingerprint: string }> {
  const path = journalPath(config);
  await claimSocket(socketPath(config));
  const journal = new Journal(path);
  try {
    if (journal.meta("identity") !== undefined) {
      throw new Fault("ERR_STATE", "This data folder has an identity already; init is for a new one.");
    }
    const hsm = await openConfiguredHsm(config, pin);
    try {
      if ((await hsm.keys()).length > 0) {
        throw new Fault(
          "ERR_STATE",
          "This token holds OpenCustody keys already; init is for an empty token, so that nothing is founded twice.",
        );
      }
      const key = await hsm.generateKey({ curve: "P-256", label: "OpenCustody identity", backup: "none" });
      const { signer } = identityOf(hsm, key);
      journal.transaction(() => {
        journal.setMeta("identity", key.id);
        journal.setMeta("thumbprint", signer.kid);
        found(journal, recordedClock(journal)());
      });
      log.info({ fingerprint: fingerprint(signer.kid) }, "founded");
      return { fingerprint: fingerprint(signer.kid) };
    } finally {
      await hsm.close();
    }
  } finally {
    journal.close();
  }
}
