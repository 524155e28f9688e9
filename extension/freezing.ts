/**
 * Stopping a vault, or everything, at once: by one person, without a device. README.md, "Freeze". It is received once the agent's list of
 * freezes names the message, and never before: a bridge may drop it. The pages call it through actions.ts.
 */
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { FREEZE } from "../protocol/message.ts";
import { poke } from "./browser.ts";
import { claimsFor } from "./compose.ts";
import { look, transact } from "./database.ts";
import { ourselves } from "./ourselves.ts";
import { SELF } from "./store.ts";

/** As long as a mailbox keeps it. Seconds. */
const LASTING = 7 * 24 * 3600;

/** Asks for a freeze of `vault`, or of everything where it is null. Returns its `jti`. @throws Fault ERR_INVITE, ERR_PAIRING, ERR_MEMBER_ROLE, ERR_VAULT_UNKNOWN */
export async function freeze(vault: string | null): Promise<string> {
  const { signer, trust } = await ourselves();
  const { hsm: to, now, roles, charter } = trust;
  if (!roles.includes("approver") && !roles.includes("admin")) {
    throw new Fault("ERR_MEMBER_ROLE", "Only approvers and admins can freeze; call one of them.");
  }
  if (vault !== null && charter?.policy.vaults.every(({ name }) => name !== vault) === true) {
    throw new Fault("ERR_VAULT_UNKNOWN", `The policy names no vault ${vault}; freeze everything instead.`);
  }
  const claims = claimsFor(signer, to, now, LASTING);
  const { jti, exp } = claims;
  const jws = await signEnvelope(FREEZE, { ...claims, vault }, signer);
  await transact(async (records) => {
    const pairing = await records.get("pairing", SELF);
    if (pairing?.standing !== "member") {
      throw new Fault("ERR_PAIRING", "This browser is not enrolled yet; call somebody who can freeze.");
    }
    if (pairing.hsm !== to) {
      throw new Fault("ERR_REQUEST_STATE", "The HSM's identity was replaced this moment; freeze again.");
    }
    records.put("stops", jti, { jti, vault, at: now, received: false, refusal: null });
    records.put("outbox", jti, { jti, kind: "freeze", to, jws, exp, about: vault ?? "" });
  });
  await poke();
  return jti;
}

/** Whether the agent's list has named this freeze of ours: only that means received. */
export async function isFreezeReceived(jti: string): Promise<boolean> {
  return (await look((records) => records.get("stops", jti)))?.received === true;
}
