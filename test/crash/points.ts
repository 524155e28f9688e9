/** The named points at which a process is killed, as the module that is loaded into it names them (inject.ts). */

/** What a transaction of the agent's record tells, by what is written in it. */
export const AGENT_COMMITS = [
  "proposal",
  "issue",
  "approval",
  "rejection",
  "intent",
  "signature",
  "act",
  "freeze",
] as const;
export type AgentCommit = (typeof AGENT_COMMITS)[number];

/** What is asked of the HSM. */
const ASKED = ["vault signature", "identity signature", "anchor"] as const;

const around = (what: string) => [`before ${what}`, `after ${what}`];

export const AGENT_POINTS: readonly string[] = [
  ...AGENT_COMMITS.flatMap((what) => around(`the commit of ${what}`)),
  ...ASKED.flatMap((what) => [...around(`asking for ${what}`), `answered: ${what}`]),
  ...around("a frame to the bridge"),
  ...around("an acknowledgement to the bridge"),
  ...around("an answer of the control socket"),
];

export const BRIDGE_COMMITS = ["message", "acknowledgement", "card"] as const;
export type BridgeCommit = (typeof BRIDGE_COMMITS)[number];

export const BRIDGE_POINTS: readonly string[] = [
  ...BRIDGE_COMMITS.flatMap((what) => around(`the commit of ${what}`)),
  ...around("an acceptance"),
  ...around("a delivery"),
];

/** Points that only a freeze, or an act that lifts it, comes to. */
export function isOfGovernance(point: string): boolean {
  return /of (act|freeze)$|anchor$/.test(point);
}

/** Points that only a new card comes to. */
export function isOfCard(point: string): boolean {
  return point.endsWith("of card");
}

/** Points that a process comes to once at most, or seldom. */
export function isRare(point: string): boolean {
  return isOfGovernance(point) || isOfCard(point) || point.endsWith("of rejection");
}
