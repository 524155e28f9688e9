/** Pairing as a list of steps, each with a name: from the connection to the day when this person is a member. Pure. */
import type { LinkStatus, Pairing, StoredDevice } from "../store.ts";
import { bridgeHost } from "./arrange.ts";
import type { Step } from "./timeline.ts";

/** The steps while a pairing is under way. */
export function pairingSteps(pairing: Pick<Pairing, "bridge">, link: LinkStatus): Step[] {
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

/** What is known of a pairing that the HSM has welcomed and that is not approved yet. */
export interface Pending {
  readonly devices: readonly Pick<StoredDevice, "state">[];
  /** The six words, as soon as there are any. */
  readonly words: string | null;
  /** How many admins must approve; null where this browser cannot know it. */
  readonly approvals: number | null;
  /** The founding request is here: this person is one of those who decide on it. */
  readonly founding: boolean;
}

/** What a pending pairing waits for now. */
export function pendingStage({ devices, words, founding }: Pending): "device" | "sending" | "words" | "founding" {
  if (founding) return "founding";
  if (words !== null) return "words";
  return devices.some(({ state }) => state === "sent" || state === "pending") ? "sending" : "device";
}

/** The steps from the welcome to the membership. */
export function pendingSteps(pending: Pending): Step[] {
  const stage = pendingStage(pending);
  const reached = ["device", "sending", "words", "founding"].indexOf(stage);
  const state = (at: number): Step["state"] => (reached > at ? "done" : reached === at ? "now" : "later");
  const { approvals } = pending;
  const admins = approvals === null ? "the admins'" : approvals === 1 ? "one" : String(approvals);
  return [
    { state: "done", label: "Paired with the HSM", detail: "It is the one whose fingerprint you compared." },
    {
      state: reached >= 2 ? "done" : "now",
      label: stage === "sending" ? "Your device is sent to the agent…" : "Your device",
      detail: "You enrol it here; the agent answers with a message signed by the HSM.",
    },
    { state: state(2), label: "Six words, read aloud", detail: "Whoever invited you types them." },
    stage === "founding"
      ? { state: "now", label: "The founding", detail: "Everybody signs it on a device; then everything works." }
      : {
          state: "later",
          label: `Waiting for ${admins} approval${approvals === 1 ? "" : "s"} of the enrolment`,
          detail: "Each approves it on a device, after comparing your device's address with you.",
        },
  ];
}

/** An invite code in an address's hash, or the empty text. */
export function inviteInHash(hash: string): string {
  return hash.startsWith("#opencustody-invite-") ? hash.slice(1) : "";
}
