/** Too much of everything: connections, frames, mail; and one key at two places. The others are served meanwhile, and nothing is lost. */

import { newJti } from "../harness/bridge-client.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { Attack } from "./attack.ts";
import type { Setting } from "./setting.ts";
import { Socket } from "./socket.ts";

/** Of bridge/server.ts: strangers of one address, connections of one key, and what one member may leave in a mailbox. */
const STRANGERS = 64;
const CONNECTIONS = 4;
const BODY = "A".repeat(120_000);

export const FLOODS: readonly Attack<Setting>[] = [
  {
    id: "flood-strangers",
    by: "hostile network",
    what: "a hundred connections from one address that do not log in, while Bob approves from another",
    tries: 36,
    refused: ["ERR_LOGIN_TOO_MANY"],
    run: async ({ stage }, tally) => {
      const sockets: Socket[] = [];
      for (let at = 0; at < STRANGERS; at += 1) {
        const socket = new Socket(stage.world.port, { "x-forwarded-for": "203.0.113.7" });
        await socket.nonce();
        sockets.push(socket);
      }
      for (let at = 0; at < 36; at += 1) {
        const socket = new Socket(stage.world.port, { "x-forwarded-for": `198.51.100.${at}, 203.0.113.7` });
        tally.refused(await socket.refusal());
      }
      await stage.requireHonest();
      for (const socket of sockets) socket.close();
    },
  },
  {
    id: "flood-member",
    by: "hostile member",
    what: "Ada sends a thousand frames as fast as she can, while Bob and Dan approve",
    tries: 1,
    refused: ["ERR_FRAME_RATE"],
    run: async ({ stage }, tally) => {
      const socket = await new Socket(stage.world.port).enter(stage.ada.key, stage.hsm);
      for (let at = 0; at < 1000; at += 1) socket.send({ t: "send", id: newJti(), to: stage.hsm, body: "AA" });
      await stage.requireHonest();
      tally.refused(await socket.refusal((frame) => frame["id"] === null));
      socket.close();
    },
  },
  {
    id: "flood-mailbox",
    by: "hostile member",
    what: "Ada fills the agent's mailbox while the agent is away, so that Bob's rejection finds no room",
    tries: 5,
    refused: ["ERR_FRAME_MAILBOX_FULL"],
    run: async ({ stage }, tally) => {
      const { world, ada, bob, hsm } = stage;
      const asked = await stage.propose();
      // Before the agent goes: it has to be back, whatever becomes of this.
      const socket = await new Socket(world.port).enter(ada.key, hsm);
      await world.agent().stop("SIGKILL");
      for (let full = 0; full < 5; ) {
        const id = newJti();
        socket.send({ t: "send", id, to: hsm, body: BODY });
        const answer = await socket.take((frame) => frame["id"] === id);
        if (answer === undefined) throw new Error("the bridge ended Ada's connection");
        if (answer["t"] !== "error") continue;
        tally.refused(String(answer["code"]));
        full += 1;
      }
      socket.close();
      await bob.reject(asked);
      await stage.restartAgent();
      await stage.online();
      await waitForRequest(world, asked.id, ({ state }) => state === "rejected");
    },
  },
  {
    id: "duplicate-key",
    by: "stolen keys",
    what: "more connections with Ada's key than one key may have, so that she has none: nobody is put out",
    tries: 3,
    refused: ["ERR_LOGIN_TOO_MANY"],
    run: async ({ stage }, tally) => {
      const { world, ada, hsm } = stage;
      const thieves: Socket[] = [];
      for (let at = 1; at < CONNECTIONS; at += 1) thieves.push(await new Socket(world.port).enter(ada.key, hsm));
      for (let at = 0; at < 3; at += 1) {
        const socket = new Socket(world.port);
        await socket.login(ada.key, hsm);
        tally.refused(await socket.refusal());
      }
      const asked = await stage.propose();
      await ada.decide(asked.id);
      for (const thief of thieves) thief.close();
    },
  },
  {
    id: "duplicate-ack",
    by: "stolen keys",
    what: "a second connection with Ada's key acknowledges her mail as fast as it comes, before she has it: her next sync brings all of it",
    tries: 3,
    refused: ["nothing lost"],
    run: async ({ stage }, tally) => {
      const { world, ada, hsm } = stage;
      for (let at = 0; at < 3; at += 1) {
        ada.close();
        const thief = await new Socket(world.port).enter(ada.key, hsm);
        const { id } = await stage.propose({}, [stage.bob, stage.dan]);
        for (let seen = 0; seen < thief.frames.length || seen === 0; seen = thief.frames.length) {
          const last = await thief.take((frame) => frame["t"] === "deliver" && thief.frames.indexOf(frame) >= seen);
          const newest = thief.frames.findLast(({ t }) => t === "deliver") ?? last;
          thief.send({ t: "ack", seq: Number(newest?.["seq"]) });
        }
        thief.close();
        await ada.mail.reconnect();
        await ada.sync();
        await ada.request(id);
        tally.refused("nothing lost");
      }
    },
  },
];
