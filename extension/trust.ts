/** Whom this browser believes, and who it is: what a check of a request starts from, read at one moment. Decides nothing about a request. */
import type { Charter } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import type { Freezes } from "../protocol/message.ts";
import type { Role } from "../protocol/people.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { clock } from "./compose.ts";
import { look } from "./database.ts";
import { type Alarm, standingAlarm } from "./log-alarm.ts";
import { type Pairing, readCharter, SELF } from "./store.ts";

export interface Trust {
  /** Thumbprint of the pinned HSM identity, and its key. */
  readonly hsm: string;
  readonly hsmJwk: PublicJwk;
  /** Our own signing key's thumbprint, name and roles. */
  readonly kid: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Addresses that this very browser enrolled. */
  readonly devices: readonly string[];
  readonly bridge: string;
  /** null before the founding act came. */
  readonly charter: Charter | null;
  readonly freezes: Freezes | null;
  /** The agent's log does not go on from what has been seen of it; null while all is well. */
  readonly alarm: Alarm | null;
  /** Seconds. */
  readonly now: number;
}

/** What a pairing lets us believe. @throws Fault ERR_INVITE while this browser is not paired */
export function trustOf(
  pairing: Pairing | null,
  others: Pick<Trust, "devices" | "charter" | "freezes" | "alarm" | "now">,
): Trust {
  if (pairing === null || pairing.state !== "paired" || pairing.hsmJwk === null || pairing.name === null) {
    throw new Fault("ERR_INVITE", "This browser is not paired with an HSM yet; pair it with an invite first.");
  }
  const { hsm, hsmJwk, kid, name, roles, bridge } = pairing;
  return { hsm, hsmJwk, kid, name, roles, bridge, ...others };
}

/** The same from the store, now. @throws Fault ERR_INVITE while this browser is not paired */
export async function loadTrust(now: number = clock()): Promise<Trust> {
  return await look(async (records) => {
    const pairing = (await records.get("pairing", SELF)) ?? null;
    const charter = await readCharter(records);
    const freezes = (await records.get("freezes", SELF)) ?? null;
    const alarm = (await standingAlarm(records)) ?? null;
    const here = (await records.all("devices")).filter((device) => device.here === true && device.state !== "refused");
    return trustOf(pairing, { devices: here.map(({ address }) => address), charter, freezes, alarm, now });
  });
}
