/** Who gets into the bridge: logins of strangers, of stolen keys, repeated, carried over and misdirected. protocol/README.md, "Login". */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signEnvelope } from "../../protocol/envelope.ts";
import { CARD } from "../../protocol/message.ts";
import { newJti, now } from "../harness/bridge-client.ts";
import { relayAll } from "../harness/hostile-relay.ts";
import { startProgram } from "../harness/program.ts";
import type { Attack } from "./attack.ts";
import { edited, resigned } from "./forge.ts";
import { attackOf, type Setting, type Try } from "./setting.ts";
import { loginOf, Socket } from "./socket.ts";
import type { Stage } from "./stage.ts";

/** One login on a connection of its own: what the bridge says to it. */
function login(work: (socket: Socket, stage: Stage) => Promise<void>, headers: Record<string, string> = {}): Try {
  return async ({ stage }) => {
    const socket = new Socket(stage.world.port, headers);
    await work(socket, stage);
    const refusal = await socket.refusal();
    socket.close();
    return refusal;
  };
}

const upgrade =
  (headers: Record<string, string>, path = "/"): Try =>
  async ({ stage: { world } }) =>
    await new Socket(world.port, headers, path).refusal();

/** Frames of a kind that the relay saw, oldest first. */
function seenOf<T extends "login" | "card" | "roster">(stage: Stage, t: T) {
  return stage.relay.seen.flatMap(({ frame, wire }) =>
    frame.t === t && wire.isAgent ? [frame as Extract<typeof frame, { t: T }>] : [],
  );
}

export const LOGINS: readonly Attack<Setting>[] = [
  attackOf(
    {
      id: "login-origin",
      by: "hostile console or page",
      what: "an upgrade from a page, another extension, another host name, several origins, or to another path",
      refused: ["ERR_LOGIN_ORIGIN", "ERR_LOGIN_HOST", "status 404"],
    },
    [
      upgrade({ origin: "https://console.example.com" }),
      upgrade({ origin: "http://127.0.0.1:8787" }),
      upgrade({ origin: "null" }),
      upgrade({ origin: `chrome-extension://${"a".repeat(32)}` }),
      upgrade({ origin: "moz-extension:*" }),
      upgrade({ host: "attacker.example.com" }),
      upgrade({ host: "127.0.0.1:8788" }),
      upgrade({}, "/agent"),
      upgrade({}, "/?agent=1"),
    ],
  ),
  attackOf(
    {
      id: "login-stranger",
      by: "hostile network",
      what: "a login by a key that is on no roster, by Olga's key file, by an HSM identity of the attacker's own, by the agent's card without its key",
      refused: ["ERR_LOGIN_UNKNOWN"],
    },
    [
      login(async (socket, { stranger, hsm }) => await socket.login(stranger, hsm)),
      login(async (socket, { olga, hsm }) => await socket.login(olga, hsm)),
      login(async (socket, { ada, stranger }) => await socket.login(ada.key, stranger.signer.kid)),
      login(async (socket, stage) => {
        const { stranger, marker } = stage;
        const jwk = { hsm: stranger.jwk, link: marker.jwk, seal: marker.jwk };
        const claims = {
          v: 1 as const,
          iss: stranger.signer.kid,
          aud: ["ws://127.0.0.1:8787/"],
          jti: newJti(),
          iat: now(),
          exp: now() + 60,
        };
        const card = await signEnvelope(CARD, { ...claims, n: 9, ...jwk }, stranger.signer);
        await socket.login(marker, stranger.signer.kid, {}, card);
      }),
      login(async (socket, stage) => {
        const [{ card } = { card: null }] = seenOf(stage, "login");
        await socket.login(stage.stranger, stage.hsm, {}, card);
      }),
      login(async (socket, stage) => {
        const [{ card } = { card: null }] = seenOf(stage, "login");
        await socket.login(stage.ada.key, stage.hsm, {}, card);
      }),
    ],
  ),
  attackOf(
    {
      id: "login-claims",
      by: "stolen keys",
      what: "Ada's login for another bridge, out of its time, of another type, without a signature, over another nonce",
      refused: [
        "ERR_ENVELOPE_AUDIENCE",
        "ERR_ENVELOPE_EXPIRED",
        "ERR_ENVELOPE_TIME",
        "ERR_ENVELOPE_TYPE",
        "ERR_ENVELOPE_ALG",
        "ERR_LOGIN_NONCE",
        "ERR_LOGIN_UNKNOWN",
      ],
    },
    [
      login(async (socket, { ada, hsm }) => await socket.login(ada.key, hsm, { aud: ["wss://other.example.com/"] })),
      login(async (socket, { ada, hsm }) => await socket.login(ada.key, hsm, { aud: [hsm] })),
      login(async (socket, { ada, hsm }) => await socket.login(ada.key, hsm, { exp: now() - 1 })),
      login(async (socket, { ada, hsm }) => await socket.login(ada.key, hsm, { iat: now() + 600, exp: now() + 660 })),
      login(
        async (socket, { ada, hsm }) =>
          await socket.login(ada.key, hsm, { bridgeNonce: Buffer.alloc(32).toString("base64url") }),
      ),
      ...[{ typ: "oc-sync+jws" }, { alg: "none" }].map((change) =>
        login(async (socket, { ada, hsm }) => {
          const jws = await loginOf(ada.key, hsm, await socket.nonce());
          socket.send({ t: "login", jws: await resigned(jws, ada.key, { header: edited(change) }), card: null });
        }),
      ),
      login(async (socket, { ada, bob, hsm }) => {
        const jws = await loginOf(ada.key, hsm, await socket.nonce());
        socket.send({ t: "login", jws: await resigned(jws, bob.key, {}), card: null });
      }),
    ],
  ),
  attackOf(
    {
      id: "login-replay",
      by: "hostile network",
      what: "logins of Ada, Bob and the agent that were seen on one connection, on another",
      refused: ["ERR_LOGIN_NONCE"],
    },
    (["ada", "bob", "agent"] as const).map(
      (who): Try =>
        async ({ stage }) => {
          const kid = who === "agent" ? undefined : stage[who].kid;
          const found = stage.relay.seen.findLast(
            ({ frame, wire }) => frame.t === "login" && (kid === undefined ? wire.isAgent : wire.key === kid),
          );
          const socket = new Socket(stage.world.port);
          await socket.nonce();
          socket.send(JSON.stringify(found?.frame));
          return await socket.refusal();
        },
    ),
  ),
  {
    id: "login-relay",
    by: "hostile bridge",
    what: "another bridge has Ada and the agent log in over the nonce of this agent's second bridge, and passes the logins on",
    tries: 2,
    refused: ["ERR_ENVELOPE_AUDIENCE"],
    run: async ({ stage }, tally) => {
      const { world, relay, ada } = stage;
      // It knows the roster and the card, as a bridge that serves this agent does; it has another URL.
      const folder = join(world.folder, "other");
      mkdirSync(folder, { mode: 0o700 });
      await world.bridge().stop();
      cpSync(join(world.folder, "bridge"), join(folder, "bridge"), { recursive: true });
      await world.restartBridge();
      const url = "wss://other.example.com/";
      const config = { url, listen: { host: "127.0.0.1", port: 0 }, data: "bridge", agents: [world.fingerprint] };
      writeFileSync(join(folder, "bridge.json"), JSON.stringify(config));
      const other = startProgram("bridge/main.ts", ["--config", join(folder, "bridge.json")]);
      try {
        const port = Number((await other.logged("listening"))["port"]);
        await stage.online();
        for (const who of ["ada", "agent"] as const) {
          const socket = new Socket(port, { host: "other.example.com" });
          const nonce = await socket.nonce();
          const isVictim = ({ wire }: { wire: { key: string; isAgent: boolean } }) =>
            who === "ada" ? wire.key === ada.kid : wire.isAgent;
          relay.rule = (passing) => {
            const { frame } = passing;
            if (frame.t === "hello") return [{ ...frame, nonce }];
            if (frame.t !== "login" || !isVictim(passing)) return [frame];
            socket.send(frame);
            return [];
          };
          const back = who === "ada" ? ada.mail.reconnect() : undefined;
          if (who === "agent") relay.cut(({ isAgent }) => isAgent);
          const refusal = await socket.refusal();
          relay.rule = relayAll;
          relay.cut((wire) => isVictim({ wire }));
          await back;
          await stage.online();
          tally.refused(refusal);
        }
      } finally {
        relay.rule = relayAll;
        await other.stop();
      }
    },
  },
];
