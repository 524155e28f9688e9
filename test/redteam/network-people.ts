/** Invites used twice or for something else, and somebody who was removed. protocol/README.md, "Invite". */
import { APPROVAL, FREEZE, INVITATION, PAIR, REJECTION, SYNC } from "../../protocol/message.ts";
import { makeSealKey, publicSealJwk } from "../../protocol/seal.ts";
import { type Key, makeKey, now } from "../harness/bridge-client.ts";
import { joinMember } from "../harness/company.ts";
import { NAMES } from "./assemble.ts";
import type { Attack } from "./attack.ts";
import { answerTo, send } from "./network-frames.ts";
import { type Setting } from "./setting.ts";
import { Socket } from "./socket.ts";
import type { Stage } from "./stage.ts";

/** An invite of Olga's for somebody new, and a pairing signed with it. */
async function invited(stage: Stage, name: string): Promise<{ invite: Key; pair: string }> {
  const invite = await makeKey();
  const body = { name, roles: ["approver" as const], key: invite.jwk, until: now() + 3600 };
  await stage.world.ask({ command: "invite", jws: await stage.sign(stage.olga, INVITATION, body) });
  const seal = await publicSealJwk(await makeSealKey(false));
  return { invite, pair: await stage.sign(invite, PAIR, { key: (await makeKey()).jwk, seal }) };
}

/** The roster with a new invite takes a moment to be in force. */
async function enter(stage: Stage, key: Key): Promise<Socket> {
  for (;;) {
    const entered = await new Socket(stage.world.port).enter(key, stage.hsm).catch(() => undefined);
    if (entered !== undefined) return entered;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const PEOPLE: readonly Attack<Setting>[] = [
  {
    id: "invite-twice",
    by: "stolen keys",
    what: "an invite used a second time: for another message, after the bridge was restarted, for a login once it has paired",
    tries: 4,
    refused: ["ERR_INVITE", "ERR_LOGIN_UNKNOWN", "ERR_FRAME_UNKNOWN_RECEIVER"],
    run: async ({ stage }, tally) => {
      const { world, hsm } = stage;
      const { invite, pair } = await invited(stage, "Eve");
      // While the agent is away nobody takes the invite off the roster.
      const first = await enter(stage, invite);
      const elsewhere = await answerTo(first, send({ to: stage.ada.kid }));
      tally.refused(elsewhere);
      await world.agent().stop("SIGKILL");
      await answerTo(first, send({ to: hsm, body: await stage.seal(pair) }));
      tally.refused(await answerTo(first, send({ to: hsm, body: await stage.seal(pair) })));
      first.close();
      await world.restartBridge();
      const again = await enter(stage, invite);
      tally.refused(await answerTo(again, send({ to: hsm, body: await stage.seal(pair) })));
      again.close();
      await stage.restartAgent();
      await stage.online();
      for (;;) {
        const late = new Socket(world.port);
        await late.login(invite, hsm);
        const answer = await late.take(({ t }) => t === "ready" || t === "error");
        late.close();
        if (answer?.["t"] === "error") return tally.refused(String(answer["code"]));
      }
    },
  },
  {
    id: "invite-message",
    by: "stolen keys",
    what: "an invite used for an approval and a freeze, and for a pairing that names Ada's browser or the invite's own key",
    tries: 4,
    refused: ["ERR_ENVELOPE_KEY", "ERR_MEMBER_EXISTS"],
    run: async ({ stage, asked }, tally) => {
      const { invite } = await invited(stage, "Eve");
      const from = invite.signer.kid;
      const { address } = stage.ada.device;
      const signature = stage.ada.device.sign(asked.statement);
      const seal = await publicSealJwk(await makeSealKey(false));
      const messages = [
        await stage.sign(invite, APPROVAL, { request: asked.id, digest: asked.digest, address, signature, log: null }),
        await stage.sign(invite, FREEZE, { vault: null }),
        await stage.sign(invite, PAIR, { key: stage.ada.key.jwk, seal }),
        await stage.sign(invite, PAIR, { key: invite.jwk, seal }),
      ];
      for (const jws of messages) await stage.attempt(tally, async () => await stage.strikeWith(jws, from));
    },
  },
  {
    id: "removed-member",
    by: "hostile member",
    what: "Eve after her removal: a login, an approval, a freeze and a sync by way of the bridge, and mail for her",
    tries: 6,
    refused: ["ERR_LOGIN_UNKNOWN", "ERR_ENVELOPE_KEY", "no mail"],
    run: async ({ stage }, tally) => {
      const { world, relay, hsm } = stage;
      const eve = await joinMember({ ...world, port: relay.port }, "Eve", {
        key: world.keyFile(NAMES.olga),
        roles: ["approver", "admin"],
      });
      await stage.enact({ verb: "REMOVE", change: { name: "Eve", removal: { what: "person" } } });
      const asked = await stage.propose();
      await stage.settled(stage.ada);
      const since = relay.seen.length;
      const socket = new Socket(world.port);
      await socket.login(eve.key, hsm);
      tally.refused(await socket.refusal());
      const seal = { n: 9, key: eve.mail.seal.key };
      const messages = [
        await stage.approval(asked, eve),
        await stage.sign(eve.key, REJECTION, { request: asked.id, digest: asked.digest, reason: "other" }),
        await stage.sign(eve.key, FREEZE, { vault: null }),
        await stage.sign(eve.key, SYNC, { known: [], charter: 0, seal, card: eve.kid, log: null, witness: null }),
      ];
      for (const jws of messages) await stage.attempt(tally, async () => await stage.strikeWith(jws, eve.kid));
      await stage.settled(stage.ada);
      const mail = relay.seen.slice(since).some(({ frame }) => frame.t === "send" && frame.to === eve.kid);
      if (mail) tally.through("she is still written to");
      else tally.refused("no mail");
      eve.close();
    },
  },
];
