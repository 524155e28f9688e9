/** A hostile bridge and the agent's own connection: nonces of its choice, and frames that no honest bridge sends. */
import { type Frame, relayAll } from "../harness/hostile-relay.ts";
import type { Attack } from "./attack.ts";
import type { Bridged } from "./setting.ts";
import type { Stage } from "./stage.ts";

/** Has the agent lose its connection by `work`; resolves with the code that it lost it with, once it is back. */
async function dropped(stage: Stage, work: () => void): Promise<string> {
  const { lines } = stage.world.agent();
  const since = lines.length;
  work();
  for (;;) {
    const line = lines.slice(since).find((one) => one.includes('"msg":"bridge connection dropped"'));
    if (line !== undefined) {
      stage.relay.rule = relayAll;
      while (!lines.slice(lines.indexOf(line, since)).some((one) => one.includes('"msg":"bridge connection ready"')))
        await new Promise((resolve) => setTimeout(resolve, 20));
      return /"code":"(\w+)"/.exec(line)?.[1] ?? "no code";
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What is no frame, or none for an agent. */
const FRAMES: readonly object[] = [
  { v: 1, t: "card", jws: "a.b.c" },
  { v: 2, t: "pong" },
  { v: 1, t: "deliver", seq: 1, id: "A".repeat(22), from: "A".repeat(43), body: "AA", to: "A".repeat(43) },
  { v: 1, t: "deliver", seq: -1, id: "A".repeat(22), from: "A".repeat(43), body: "AA" },
  { v: 1, t: "login", jws: "a.b.c", card: null },
];

export const LINKS: readonly Attack<Bridged>[] = [
  {
    id: "agent-nonce",
    by: "hostile bridge",
    what: "a hello to the agent whose nonce is too short, too long, empty, or no base64url, to have other bytes signed",
    tries: 4,
    refused: ["ERR_FRAME_MALFORMED"],
    run: async ({ stage }, tally) => {
      const logins = () => stage.relay.seen.filter(({ frame, wire }) => frame.t === "login" && wire.isAgent).length;
      for (const nonce of ["A".repeat(42), "A".repeat(86), "", "=".repeat(43)]) {
        // After each loss an agent waits longer until it dials again; a new one dials at once.
        await stage.restartAgent();
        const before = logins();
        await stage.attempt(tally, async () => {
          const code = await dropped(stage, () => {
            stage.relay.rule = ({ frame }) => (frame.t === "hello" ? [{ ...frame, nonce }] : [frame]);
            stage.relay.cut(({ isAgent }) => isAgent);
          });
          // The one that brought it back.
          return logins() === before + 1 ? code : "a login was signed";
        });
        await stage.online();
      }
    },
  },
  {
    id: "agent-frames",
    by: "hostile bridge",
    what: "frames to the agent that are none, or none of a bridge: another version, one member more, a card, a login, a negative number",
    tries: FRAMES.length,
    refused: ["ERR_FRAME_MALFORMED"],
    run: async ({ stage }, tally) => {
      await stage.restartAgent();
      for (const frame of FRAMES) {
        await stage.attempt(
          tally,
          async () => await dropped(stage, () => stage.agentWire().pass("party", frame as Frame)),
        );
        await stage.online();
      }
    },
  },
];
