/** Pairing as a list of steps, each with a name. Pure. */
import type { LinkStatus, Pairing } from "../store.ts";
import { bridgeHost } from "./arrange.ts";
import type { Step } from "./timeline.ts";

/** The steps while a pairing is under way. */
export function pairingSteps(pairing: Pairing, link: LinkStatus): Step[] {
  const host = bridgeHost(pairing.bridge);
  const online = link.state === "online";
  const offline = link.state === "offline" && link.problem !== null;
  return [
    online
      ? {
          state: "done",
          label: `Connected to ${host}`,
          detail: "The bridge let this browser in with the invite's key.",
        }
      : {
          state: offline ? "late" : "now",
          label: `Connecting to ${host}…`,
          detail: "It tries again by itself; you can leave this page.",
        },
    {
      state: online ? "now" : "later",
      label: "Waiting for the HSM's welcome",
      detail: "It is believed only if it is signed by the HSM whose fingerprint you compared.",
    },
  ];
}

/** An invite code in an address's hash, or the empty text. */
export function inviteInHash(hash: string): string {
  return hash.startsWith("#opencustody-invite-") ? hash.slice(1) : "";
}
