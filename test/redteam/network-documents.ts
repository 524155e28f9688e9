/** Rosters and cards rolled back: a network, or another bridge, puts them into the agent's own connection. protocol/README.md, "Card", "Roster". */
import { signedBy, withBit, withClaims } from "../harness/forgery.ts";
import type { Attack } from "./attack.ts";
import { attackOf, type Setting, type Try } from "./setting.ts";
import { Socket } from "./socket.ts";
import type { Stage } from "./stage.ts";

/** The network puts a frame of the agent's kind into the agent's own connection to the bridge. */
const asAgent =
  (t: "roster" | "card", make: (stage: Stage, seen: readonly string[]) => string | Promise<string>): Try =>
  async ({ stage }) => {
    const seen = stage.relay.seen.flatMap(({ frame, wire }) => {
      if (!wire.isAgent) return [];
      if (frame.t === "login") return t === "card" && frame.card !== null ? [frame.card] : [];
      return frame.t === t ? [frame.jws] : [];
    });
    await stage.settled(stage.ada);
    const since = stage.relay.seen.length;
    stage.agentWire().pass("bridge", { v: 1, t, jws: await make(stage, seen) });
    for (;;) {
      const answer = stage.relay.seen
        .slice(since)
        .find(
          ({ frame, wire }) =>
            wire.isAgent && (frame.t === "error" || frame.t === (t === "card" ? "certified" : "enrolled")),
        );
      if (answer !== undefined) return answer.frame.t === "error" ? answer.frame.code : `taken as ${answer.frame.t}`;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  };

export const DOCUMENTS: readonly Attack<Setting>[] = [
  attackOf(
    {
      id: "roster-rollback",
      by: "hostile network",
      what: "rosters put into the agent's connection: an older one, an altered one, one of another identity, a card in its place",
      refused: ["ERR_ROSTER_OLD", "ERR_ENVELOPE_SIGNATURE", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_TYPE"],
    },
    [
      asAgent("roster", (_, [first = ""]) => first),
      asAgent("roster", (_, seen) => [...new Set(seen)].at(-2) ?? ""),
      asAgent("roster", (_, seen) => withClaims(seen.at(-1) ?? "", { n: 1000 })),
      asAgent("roster", (_, seen) => withClaims(seen.at(-1) ?? "", { n: 1001, members: [] })),
      asAgent("roster", (_, seen) => withBit(seen.at(-1) ?? "", 2, 40)),
      asAgent(
        "roster",
        async ({ stranger }, seen) => await signedBy(stranger, seen.at(-1) ?? "", undefined, { n: 1002 }),
      ),
      asAgent(
        "roster",
        async ({ stranger, hsm }, seen) => await signedBy(stranger, seen.at(-1) ?? "", hsm, { n: 1003 }),
      ),
      asAgent("roster", ({ relay }) => {
        const login = relay.seen.find(({ frame }) => frame.t === "login" && frame.card !== null)?.frame;
        return login?.t === "login" ? (login.card ?? "") : "";
      }),
    ],
  ),
  attackOf(
    {
      id: "card-rollback",
      by: "hostile network",
      what: "cards put into the agent's connection: an older one, an altered one, one of another identity, a roster in its place",
      refused: ["ERR_LOGIN_UNKNOWN", "ERR_ENVELOPE_SIGNATURE", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_PAYLOAD"],
    },
    [
      async (setting) => {
        await setting.stage.restartAgent();
        return await asAgent("card", (_, [first = ""]) => first)(setting);
      },
      asAgent("card", (_, seen) => withClaims(seen.at(-1) ?? "", { n: 1000 })),
      asAgent("card", ({ stranger }, seen) => withClaims(seen.at(-1) ?? "", { n: 1000, seal: stranger.jwk })),
      asAgent(
        "card",
        async ({ stranger }, seen) =>
          await signedBy(stranger, seen.at(-1) ?? "", undefined, { n: 1000, hsm: stranger.jwk }),
      ),
      asAgent("card", async ({ stranger, hsm }, seen) => await signedBy(stranger, seen.at(-1) ?? "", hsm, { n: 1000 })),
      asAgent("card", ({ relay }) => {
        const roster = relay.seen.find(({ frame }) => frame.t === "roster")?.frame;
        return roster?.t === "roster" ? roster.jws : "";
      }),
    ],
  ),
  attackOf(
    {
      id: "card-login-old",
      by: "hostile network",
      what: "a login of the agent with a card that a newer one has replaced",
      refused: ["ERR_CARD_OLD"],
    },
    [
      async ({ stage }) => {
        await stage.restartAgent();
        const old = stage.relay.seen.find(({ frame }) => frame.t === "login" && frame.card !== null)?.frame;
        const socket = new Socket(stage.world.port);
        await socket.nonce();
        socket.send(JSON.stringify(old));
        return await socket.refusal();
      },
    ],
  ),
];
