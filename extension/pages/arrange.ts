/** The inbox in order, and the link to the bridge in words. Pure. */
import { isTransfer } from "../../protocol/request.ts";
import type { LinkStatus, StoredDevice, StoredRequest } from "../store.ts";
import { isAlarming, type Standing, standingOf } from "./standing.ts";

export interface Entry {
  readonly stored: StoredRequest;
  readonly standing: Standing;
}

export interface Arranged {
  /** This person can approve or must look: soonest expiry first, refused requests before all. */
  readonly waiting: readonly Entry[];
  /** Open, but nothing is for this person to do. */
  readonly underWay: readonly Entry[];
  /** Over, newest first. */
  readonly ended: readonly Entry[];
}

export function arrange(requests: readonly StoredRequest[], me: string, now: number): Arranged {
  const entries = requests.map((stored) => ({ stored, standing: standingOf(stored, me, now) }));
  const soonest = (a: Entry, b: Entry) => a.stored.payload.exp - b.stored.payload.exp;
  const alarming = ({ stored, standing }: Entry) => Number(isAlarming(stored.problem) && standing.open);
  // Everybody is to see a recovery coming.
  const recovery = ({ stored: { payload } }: Entry) => Number(!isTransfer(payload) && payload.notBefore !== null);
  const needsMe = (entry: Entry) => entry.standing.mayApprove || alarming(entry) === 1;
  return {
    waiting: entries
      .filter(needsMe)
      .sort((a, b) => alarming(b) - alarming(a) || recovery(b) - recovery(a) || soonest(a, b)),
    underWay: entries
      .filter((entry) => isUnderWay(entry) && !needsMe(entry))
      .sort((a, b) => recovery(b) - recovery(a) || soonest(a, b)),
    ended: entries
      .filter((entry) => !isUnderWay(entry) && !needsMe(entry))
      .sort((a, b) => b.stored.arrivedAt - a.stored.arrivedAt),
  };
}

function isUnderWay({ standing }: Entry): boolean {
  return standing.open || standing.state === "approved";
}

/** The link in one sentence. */
export function linkSentence(link: LinkStatus, bridge: string): string {
  const host = bridgeHost(bridge);
  switch (link.state) {
    case "unpaired":
      return "Not paired";
    case "offline":
      return `Offline: cannot reach ${host}. Trying again by itself.`;
    case "connecting":
      return `Connecting to ${host}…`;
    case "online":
      return link.problem?.code === "ERR_AGENT_UNREACHABLE"
        ? `Connected to ${host}; waiting for the agent`
        : `Connected to ${host}`;
  }
}

/** `bridge.example.com` of `wss://bridge.example.com/`. */
export function bridgeHost(bridge: string): string {
  return URL.canParse(bridge) ? new URL(bridge).host : bridge;
}

/** A device's enrolment in words. */
export function deviceSentence(device: StoredDevice): string {
  switch (device.state) {
    case "sent":
      return "Enrolment sent, waiting for the agent";
    case "pending":
      return "Received; it counts once its enrolment is approved";
    case "enrolled":
      return "Enrolled";
    case "refused":
      return "Enrolment refused";
  }
}
