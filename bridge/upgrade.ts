/**
 * Which HTTP upgrades become WebSocket connections: flat guards, each with its status. Pure. A pass proves nothing
 * about who is there: the login does. protocol/README.md, "Upgrade".
 */
import type { IncomingMessage } from "node:http";
import type { ErrorCode } from "../protocol/error.ts";
import { ANY_FIREFOX } from "./config.ts";

export interface Refusal {
  readonly status: 403 | 404 | 421 | 429 | 503 | 505;
  readonly code: ErrorCode | null;
}

/** How full the bridge is when the upgrade arrives. */
export interface Occupancy {
  readonly connections: number;
  readonly waitingFromHere: number;
  /** More came from there than may in this time. */
  readonly isTooFast: boolean;
}

export interface UpgradeRules {
  readonly url: string;
  readonly origins: readonly string[];
  readonly connections: number;
  readonly waitingPerAddress: number;
}

/** Why an upgrade is refused, or undefined where it passes. */
export function refuseUpgrade(
  request: Pick<IncomingMessage, "url" | "httpVersion" | "headersDistinct">,
  rules: UpgradeRules,
  occupancy: Occupancy,
): Refusal | undefined {
  const { pathname, host } = new URL(rules.url);
  const { headersDistinct } = request;
  // Node's parser lets an older form through, with which no WebSocket may begin (RFC 6455 section 4.2.1).
  if (request.httpVersion !== "1.1") return { status: 505, code: null };
  if (request.url !== pathname) return { status: 404, code: null };
  // A page that resolves its own name to this address (DNS rebinding) sends its own name here.
  if (headersDistinct["host"]?.length !== 1 || headersDistinct["host"][0]?.toLowerCase() !== host) {
    return { status: 421, code: "ERR_LOGIN_HOST" };
  }
  if (!isOriginAllowed(headersDistinct["origin"], rules.origins)) return { status: 403, code: "ERR_LOGIN_ORIGIN" };
  if (occupancy.connections >= rules.connections) return { status: 503, code: "ERR_LOGIN_TOO_MANY" };
  if (occupancy.isTooFast || occupancy.waitingFromHere >= rules.waitingPerAddress)
    return { status: 429, code: "ERR_LOGIN_TOO_MANY" };
  return undefined;
}

function isOriginAllowed(origins: readonly string[] | undefined, allowed: readonly string[]): boolean {
  // Servers and command lines send none; browsers always send one.
  if (origins === undefined) return true;
  const [origin = "", ...more] = origins;
  if (more.length > 0) return false;
  if (origin !== ANY_FIREFOX && allowed.includes(origin)) return true;
  return allowed.includes(ANY_FIREFOX) && /^moz-extension:\/\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(origin);
}
