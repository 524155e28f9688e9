/**
 * `opencustody init`: makes the identity key, the vault keys and the invites of a new installation. `opencustody succeed`: makes the next
 * identity on another token where the old one is lost. Both refuse what exists already. README.md of protocol/, "Founding", "Rotation".
 */
import type { Logger } from "pino";
import { Fault } from "../protocol/error.ts";
import { fingerprint } from "../protocol/primitive.ts";
import { repostSoon } from "./acts.ts";
import { journalPath, openConfiguredHsm } from "./agent.ts";
import { anchorOf, EMPTY_ANCHOR } from "./anchor.ts";
import { recordedClock } from "./clock.ts";
import { type Config, socketPath } from "./config.ts";
import { identityOf } from "./desk.ts";
import { draftFounding } from "./founding.ts";
import type { Founding } from "./founding-file.ts";
import type { Hsm } from "./hsm/owner.ts";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";
import { replay } from "./replay.ts";
import { addressOf, createVault, policyVaultOf } from "./vaults.ts";

export interface Initialised {
  readonly fingerprint: string;
  readonly vaults: readonly { readonly name: string; readonly address: string }[];
  /** One for each founder; whoever holds a code may pair as that person. */
  readonly invites: readonly { readonly name: string; readonly code: string; readonly exp: number }[];
}

/** @throws Fault ERR_STATE, ERR_CONFIG, ERR_HSM_* */
export async function initialise(config: Config, pin: string, log: Logger, founding: Founding): Promise<Initialised> {
  if (founding.policy.bridge !== config.bridge.url)
    throw new Fault(
      "ERR_CONFIG",
      `The founding names bridge ${founding.policy.bridge} and the configuration ${config.bridge.url}; make them one.`,
    );
  return await withRecord(config, pin, async (journal, hsm) => await initialiseOn(journal, hsm, founding, log));
}

/** The same on an open record and token. @throws Fault ERR_STATE, ERR_HSM_* */
export async function initialiseOn(
  journal: Journal,
  hsm: Hsm,
  founding: Pick<Founding, "people" | "vaults" | "policy">,
  log: Logger,
  now = recordedClock(journal),
): Promise<Initialised> {
  if (journal.meta("identity") !== undefined)
    throw new Fault("ERR_STATE", "This data folder has an identity already; init is for a new one.");
  await requireEmpty(hsm);
  const key = await hsm.generateKey({ curve: "P-256", label: "OpenCustody identity", backup: "none" });
  const { signer, jwk } = identityOf(hsm, key);
  const vaults = [];
  for (const { name, backup, nonces } of founding.vaults)
    vaults.push(await createVault({ journal, hsm, now }, name, backup, nonces));
  const policy = { ...founding.policy, vaults: vaults.map(policyVaultOf) };
  const invites = await draftFounding(journal, { people: founding.people, policy }, signer.kid, now());
  await hsm.writeAnchor(EMPTY_ANCHOR);
  // Last: without it the folder is not one that an agent runs on.
  journal.transaction(() => {
    journal.setMeta("identity", key.id);
    journal.setMeta("thumbprint", signer.kid);
    journal.setMeta("founder", JSON.stringify(jwk));
  });
  log.info({ fingerprint: fingerprint(signer.kid) }, "initialised");
  return {
    fingerprint: fingerprint(signer.kid),
    vaults: vaults.map((vault) => ({ name: vault.name, address: addressOf(vault) })),
    invites,
  };
}

/**
 * The old token is lost: the next identity is made on the token that the configuration names now. It is believed by nobody until the
 * admins' devices have signed a ROTATE to it. @throws Fault ERR_STATE, ERR_HSM_*
 */
export async function succeed(config: Config, pin: string, log: Logger): Promise<{ fingerprint: string }> {
  return await withRecord(config, pin, async (journal, hsm) => await succeedOn(journal, hsm, log));
}

/** The same on an open record and the new token. @throws Fault ERR_STATE, ERR_HSM_* */
export async function succeedOn(journal: Journal, hsm: Hsm, log: Logger): Promise<{ fingerprint: string }> {
  const founder = JSON.parse(journal.requireMeta("founder")) as ReturnType<typeof identityOf>["jwk"];
  if (journal.meta("succession") !== undefined)
    throw new Fault("ERR_STATE", 'A succession has begun already; start the agent and run "opencustody rotate".');
  await requireEmpty(hsm);
  const { charter } = await replay(journal, null, founder, null);
  if (charter === null)
    throw new Fault("ERR_STATE", "Nothing is founded in this folder yet; begin anew with an empty one.");
  const key = await hsm.generateKey({ curve: "P-256", label: "OpenCustody identity", backup: "none" });
  const { signer, jwk } = identityOf(hsm, key);
  await hsm.writeAnchor(anchorOf(charter, journal));
  journal.transaction(() => {
    journal.setMeta("next-identity", key.id);
    journal.setMeta("next-thumbprint", signer.kid);
    journal.setMeta("next-jwk", JSON.stringify(jwk));
    journal.setMeta("succession", signer.kid);
    repostSoon({ journal });
  });
  log.info({ fingerprint: fingerprint(signer.kid) }, "next identity made");
  return { fingerprint: fingerprint(signer.kid) };
}

async function requireEmpty(hsm: Hsm): Promise<void> {
  if ((await hsm.keys()).length > 0 || (await hsm.readAnchor()) !== undefined)
    throw new Fault(
      "ERR_STATE",
      "This token holds keys or an anchor of OpenCustody already; use an empty token, so that nothing is founded twice.",
    );
}

/** Opens the record and the token while no agent runs, and closes both. */
async function withRecord<T>(
  config: Config,
  pin: string,
  work: (journal: Journal, hsm: Hsm) => Promise<T>,
): Promise<T> {
  const path = journalPath(config);
  await claimSocket(socketPath(config));
  const journal = new Journal(path);
  try {
    const hsm = await openConfiguredHsm(config, pin);
    try {
      return await work(journal, hsm);
    } finally {
      await hsm.close();
    }
  } finally {
    journal.close();
  }
}
