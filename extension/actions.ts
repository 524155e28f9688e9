/**
 * What a person can do, as the pages call it; most of it stands in pairing.ts, deciding.ts, signing.ts and freezing.ts. Each is durable
 * (records and outbox in one transaction) before the service worker is told, so that closing the page or losing the worker loses
 * nothing. Every failure is a Fault with a sentence for the person. What is sent when is link.ts; what comes back is inbox.ts.
 */
import { Fault } from "../protocol/error.ts";
import type { Vendor } from "../protocol/vendor.ts";
import { poke } from "./browser.ts";
import { clock } from "./compose.ts";
import { onStoreChange, transact } from "./database.ts";

export { approve, canSign, reject, withdraw } from "./deciding.ts";
export { freeze, isFreezeReceived } from "./freezing.ts";
export { enrol, inspectInvite, pair, pairingWords, unpair } from "./pairing.ts";
export { enrolledOn, signWithDevice } from "./signing.ts";
export {
  loadAlarms,
  loadCharter,
  loadDevices,
  loadFreezes,
  loadLink,
  loadLog,
  loadNotices,
  loadPairing,
  loadPost,
  loadRequest,
  loadRequests,
  loadStops,
  loadWitnesses,
} from "./store.ts";
export { loadTrust } from "./trust.ts";

/**
 * Names a device of this person, in this browser only: 1 to 24 characters of A-Z a-z 0-9 . _ - and single spaces between them; an
 * empty label takes the name away. @throws Fault ERR_STATE
 */
export async function renameDevice(address: string, label: string): Promise<void> {
  const name = label.trim();
  if (name !== "" && (name.length > 24 || !/^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$/.test(name))) {
    throw new Fault("ERR_STATE", "A name has 1 to 24 letters, digits, dots, dashes or spaces between them.");
  }
  await transact(async (records) => {
    const known = await records.get("devices", address);
    if (known === undefined) throw new Fault("ERR_STATE", "This device is not in the list any more.");
    const { label: _before, ...rest } = known;
    records.put("devices", address, name === "" ? rest : { ...rest, label: name });
  });
}

/** Keeps what a device said that is not known here, for a report to the operator. Equal ones are counted. */
export async function keepForReport(vendor: Vendor, detail: string): Promise<void> {
  const key = `device: ${vendor} ${detail}`;
  await transact(async (records) => {
    const before = await records.get("notices", key);
    const message = `A ${vendor} answered in a way that is not known here.`;
    records.put("notices", key, { code: key, message, count: (before?.count ?? 0) + 1, at: clock() });
  });
}

/** The person has read the notices. */
export async function dismissNotices(): Promise<void> {
  await transact(async (records) => records.clear("notices"));
}

/** Calls `onChange` after every change of the records, and wakes the service worker once. Returns what ends it. */
export function watch(onChange: () => void): () => void {
  void poke();
  return onStoreChange(onChange);
}
