/**
 * Vault keys: made in the HSM, and of no use until a policy names them. README.md of protocol/, "Keys" and "Policy".
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { findLookAlikes, NameSchema } from "../protocol/name.ts";
import type { Vault } from "../protocol/policy.ts";
import { ethereum } from "./chains/ethereum.ts";
import { type Desk, findVault } from "./desk.ts";
import type { Hsm } from "./hsm/owner.ts";
import type { BackupMode } from "./hsm/wire.ts";
import type { Journal } from "./journal.ts";
import type { VaultRow } from "./rows.ts";

/** A vault's first nonce on a network. */
interface FirstNonce {
  readonly network: string;
  readonly nonce: number;
}

/** Makes a vault key in the HSM and stores the vault. @throws Fault ERR_VAULT_EXISTS, ERR_NAME, ERR_HSM_* */
export async function createVault(
  desk: Pick<Desk, "journal" | "hsm" | "now">,
  name: string,
  backup: BackupMode,
  nonces: readonly FirstNonce[],
): Promise<VaultRow> {
  const { journal, hsm } = desk;
  // Before, so that no key is made in vain; and again with the row, because making a key takes its time.
  requireFree(journal, name);
  const key = await makeVaultKey(hsm, name, backup);
  journal.transaction(() => {
    requireFree(journal, name);
    journal.addVault(key, desk.now());
    for (const { network, nonce } of nonces) journal.setNextNonce(name, network, nonce);
  });
  return key;
}

async function makeVaultKey(hsm: Pick<Hsm, "generateKey">, name: string, backup: BackupMode): Promise<VaultRow> {
  const key = await hsm.generateKey({ curve: "secp256k1", label: `OpenCustody vault ${name}`, backup });
  return { name, id: key.id, publicKey: Buffer.from(key.publicKey).toString("hex"), backup };
}

function requireFree(journal: Journal, name: string): void {
  const known = journal.vaults().map((row) => row.name);
  if (known.includes(name))
    throw new Fault("ERR_VAULT_EXISTS", `There is a vault ${name} already; choose another name.`);
  const alike = findLookAlikes([...known, v.parse(NameSchema, name)]);
  if (alike !== undefined) throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}; choose another name.`);
}

/** The vault's first nonce on a network; it can be corrected until a request has used one. @throws Fault ERR_VAULT_UNKNOWN, ERR_VAULT_EXISTS */
export function setFirstNonce(journal: Journal, name: string, { network, nonce }: FirstNonce): void {
  journal.transaction(() => {
    findVault(journal, name);
    if (journal.nextNonce(name, network) !== undefined && journal.usesNonces(name, network))
      throw new Fault(
        "ERR_VAULT_EXISTS",
        `Vault ${name} has its nonces on ${network} already; they are the agent's from then on.`,
      );
    journal.clearFreeNonces(name, network);
    journal.setNextNonce(name, network, nonce);
  });
}

/** What a policy says of a vault. */
export function policyVaultOf({ name, id, publicKey }: VaultRow): Vault {
  return { name, id, publicKey };
}

export function addressOf(vault: Pick<VaultRow, "publicKey">): string {
  return ethereum.addressOf(hexToBytes(vault.publicKey));
}
