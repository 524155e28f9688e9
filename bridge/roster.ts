/**
 * The roster: who may use the bridge, as an agent's HSM identity signed it. Verified on arrival, then only read.
 * No store and no clock: where rosters are kept is mailbox.ts, what follows from them is exchange.ts and relay.ts.
 * protocol/README.md, "Roster".
 */
import { base64url } from "jose";
import * as v from "valibot";
import { openEnvelope } from "../protocol/envelope.ts";
import { ROSTER, type Roster } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";

/** What a key on the roster may do: a member talks with its agent, an invite sends one message. */
export type Standing = "member" | "invite";

/** A roster in force, by thumbprint. */
export interface RosterIndex {
  readonly agent: string;
  readonly n: number;
  /** The compact JWS: what an agent that comes back presents again, letter for letter. */
  readonly jws: string;
  readonly members: ReadonlyMap<string, PublicJwk>;
  readonly invites: ReadonlyMap<string, { readonly key: PublicJwk; readonly exp: number }>;
}

/** A key's public half and its standing. */
export interface RosterEntry {
  readonly standing: Standing;
  readonly jwk: PublicJwk;
}

/**
 * Verifies a roster under its agent's HSM identity. Its `exp` bounds when it may first be presented; once accepted
 * it stays in force until a higher one comes, or an agent that is down for long would lock its people out.
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openRoster(
  jws: string,
  expected: { readonly agent: string; readonly hsm: PublicJwk; readonly url: string; readonly now: number },
): Promise<RosterIndex> {
  const { payload } = await openEnvelope(jws, {
    type: ROSTER,
    keyOf: (kid) => (kid === expected.agent && thumbprint(expected.hsm) === kid ? expected.hsm : undefined),
    audience: expected.url,
    now: expected.now,
  });
  return indexRoster(jws, payload);
}

/** A roster that was verified before it was stored. Throws where the store holds anything else. */
export function restoreRoster(jws: string): RosterIndex {
  const payload: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? "")));
  return indexRoster(jws, v.parse(ROSTER.schema, payload));
}

function indexRoster(jws: string, roster: Roster): RosterIndex {
  return {
    agent: roster.iss,
    n: roster.n,
    jws,
    members: new Map(roster.members.map((key) => [thumbprint(key), key])),
    invites: new Map(roster.invites.map((invite) => [thumbprint(invite.key), invite])),
  };
}

function namesOf(roster: RosterIndex | undefined): string[] {
  return roster === undefined ? [] : [...roster.members.keys(), ...roster.invites.keys()];
}

/** The rosters in force of all agents served here. A key may be on several: while an HSM identity is rotated, for one. */
export class Rosters {
  readonly #agents: ReadonlySet<string>;
  readonly #inForce = new Map<string, RosterIndex>();
  /** By key: the agents whose roster in force names it, in the order of `#inForce`. */
  readonly #naming = new Map<string, readonly string[]>();

  /** `agents`: thumbprints of the HSM identities served here. */
  constructor(agents: readonly string[]) {
    this.#agents = new Set(agents);
  }

  of(agent: string): RosterIndex | undefined {
    return this.#inForce.get(agent);
  }

  /** Replaces its agent's roster; whether it may is the caller's to judge. */
  put(roster: RosterIndex): void {
    const before = this.#inForce.get(roster.agent);
    this.#inForce.set(roster.agent, roster);
    for (const key of new Set([...namesOf(before), ...namesOf(roster)])) {
      const naming = [...this.#inForce].filter(([, { members, invites }]) => members.has(key) || invites.has(key));
      if (naming.length === 0) this.#naming.delete(key);
      else
        this.#naming.set(
          key,
          naming.map(([agent]) => agent),
        );
    }
  }

  /** What `key` is to `agent` now (seconds), or undefined where it is nothing. */
  find(agent: string, key: string, now: number): RosterEntry | undefined {
    const roster = this.#inForce.get(agent);
    // No HSM identity ever logs in: on a roster, its own or another's, it would be a second way to an agent's mailbox.
    if (roster === undefined || this.#agents.has(key)) return undefined;
    const member = roster.members.get(key);
    if (member !== undefined) return { standing: "member", jwk: member };
    const invite = roster.invites.get(key);
    return invite !== undefined && invite.exp > now ? { standing: "invite", jwk: invite.key } : undefined;
  }

  /** Whether more than one roster names `key`. */
  isShared(key: string): boolean {
    return (this.#naming.get(key)?.length ?? 0) > 1;
  }

  /** The agents whose roster has `key` now (seconds). */
  agentsOf(key: string, now: number): string[] {
    return (this.#naming.get(key) ?? []).filter((agent) => this.find(agent, key, now) !== undefined);
  }
}
