/** A hostile bridge that repeats, keeps back and reorders what people sent to the agent. Each message has its effect once, or not at all. */
import { ENROLMENT, INVITATION, PAIR } from "../../protocol/message.ts";
import { thumbprint } from "../../protocol/primitive.ts";
import { makeSealKey, peekSeal, publicSealJwk } from "../../protocol/seal.ts";
import { makeKey, now } from "../harness/bridge-client.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import type { Member } from "../harness/member.ts";
import { VAULT } from "../harness/policy-plan.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { Attack, Tally } from "./attack.ts";
import type { Bridged } from "./setting.ts";
import { NOTHING, type Stage } from "./stage.ts";

/** Has somebody send something, and keeps a copy of the frame. */
async function sent(stage: Stage, by: Member, work: () => Promise<unknown>): Promise<() => Promise<string>> {
  const frame = await stage.capture(by, work);
  return async () => await stage.strike(frame.body, by.kid);
}

/** The same frame three times: at once, after the agent was killed and started again, and after the bridge was. */
async function thrice(stage: Stage, tally: Tally, again: () => Promise<string>): Promise<void> {
  await stage.attempt(tally, again, "at once");
  await stage.restartAgent();
  await stage.attempt(tally, again, "after a restart");
  await stage.attempt(tally, again, "and once more");
}

export const REPLAYS: readonly Attack<Bridged>[] = [
  {
    id: "replay-approval",
    by: "hostile bridge",
    what: "Ada's approval delivered again: at once, after a restart of the agent, sealed anew, and after the request was signed",
    tries: 6,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const asked = await stage.propose();
      const jws = await stage.approval(asked);
      const again = await sent(stage, stage.ada, async () => await stage.ada.postRaw(jws));
      await waitForRequest(stage.world, asked.id, ({ records }) => records.length === 1);
      await thrice(stage, tally, again);
      await stage.attempt(tally, async () => await stage.strikeWith(jws), "sealed anew");
      await stage.bob.decide(asked.id);
      await waitForRequest(stage.world, asked.id, ({ state }) => state === "signed");
      await stage.attempt(tally, again, "after it was signed");
      await stage.attempt(tally, async () => await stage.strikeWith(jws), "sealed anew after it was signed");
    },
  },
  {
    id: "replay-approval-withdrawn",
    by: "hostile bridge",
    what: "Ada's approval delivered again after she took it back, and once more after Bob approved",
    tries: 4,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const asked = await stage.propose();
      const again = await sent(stage, stage.ada, async () => await stage.ada.approve(asked));
      await waitForRequest(stage.world, asked.id, ({ records }) => records.length === 1);
      await stage.ada.withdraw(asked);
      await waitForRequest(stage.world, asked.id, ({ records }) => records.length === 2);
      await thrice(stage, tally, again);
      await stage.bob.decide(asked.id);
      await stage.attempt(tally, again, "after Bob approved");
    },
  },
  {
    id: "replay-rejection",
    by: "hostile bridge",
    what: "Ada's rejection and withdrawal of one request delivered again while others are open",
    tries: 6,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const asked = await stage.propose();
      const back = await sent(stage, stage.ada, async () => await stage.ada.withdraw(asked));
      await waitForRequest(stage.world, asked.id, ({ records }) => records.length === 1);
      await thrice(stage, tally, back);
      const no = await sent(stage, stage.ada, async () => await stage.ada.reject(asked));
      await waitForRequest(stage.world, asked.id, ({ state }) => state === "rejected");
      await thrice(stage, tally, no);
    },
  },
  {
    id: "replay-freeze",
    by: "hostile bridge",
    what: "Ada's freeze of everything, and of one vault, delivered again after the admins lifted it",
    tries: 6,
    refused: ["ERR_REQUEST_STATE"],
    run: async ({ stage }, tally) => {
      for (const vault of [null, VAULT]) {
        const again = await sent(stage, stage.ada, async () => await stage.ada.freeze(vault));
        await stage.settled(stage.ada);
        await stage.enact({ verb: "UNFREEZE", change: { vault } });
        await thrice(stage, tally, again);
      }
    },
  },
  {
    id: "replay-sync",
    by: "hostile bridge",
    what: "an old sync of Ada's, to have the agent seal to a receiving key that she has replaced and that was stolen meanwhile",
    tries: 3,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const { ada, relay } = stage;
      const again = await sent(stage, ada, async () => await ada.sync());
      await ada.renewSeal();
      await stage.settled(ada);
      const newest = thumbprint(ada.mail.seal.key);
      const since = relay.seen.length;
      await thrice(stage, tally, again);
      await stage.settled(ada);
      const bodies = relay.seen
        .slice(since)
        .flatMap(({ frame, wire }) => (frame.t === "deliver" && wire.key === ada.kid ? [frame.body] : []));
      if (bodies.length === 0 || bodies.some((body) => peekSeal(body).kid !== newest))
        tally.through("the agent seals to an older key");
    },
  },
  {
    id: "replay-enrolment",
    by: "hostile bridge",
    what: "Ada's enrolment of a device delivered again: while it waits, once it is enrolled, after it was removed, and Eve's, who pairs, after she chose another",
    tries: 5,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const { ada } = stage;
      const { address } = new LooseDevice();
      const device = { address, vendor: "Ledger", model: "nano-s-plus" } as const;
      const jws = await stage.sign(ada.key, ENROLMENT, { ...device, path: "m/44'/60'/7'/0/0" });
      const again = await sent(stage, ada, async () => await ada.postRaw(jws));
      await stage.settled(ada);
      await stage.attempt(tally, again, "while it waits");
      await stage.enact({ verb: "ENROLL", change: { name: ada.name, roles: [], extension: null, file: null, device } });
      await stage.attempt(tally, again, "once it is enrolled");
      await stage.enact({ verb: "REMOVE", change: { name: ada.name, removal: { what: "device", address } } });
      await stage.attempt(tally, again, "after it was removed");
      await stage.attempt(tally, async () => await stage.strikeWith(jws), "sealed anew after it was removed");
      const invite = await makeKey();
      const body = { name: "Eve", roles: ["approver" as const], key: invite.jwk, until: now() + 3600 };
      await stage.world.ask({ command: "invite", jws: await stage.sign(stage.olga, INVITATION, body) });
      const eve = await makeKey();
      const seal = await publicSealJwk(await makeSealKey(false));
      await stage.strikeWith(await stage.sign(invite, PAIR, { key: eve.jwk, seal }), invite.signer.kid);
      const path = "m/44'/60'/7'/0/0";
      const enrolments = [new LooseDevice(), new LooseDevice()].map(
        async ({ address: own }) => await stage.sign(eve, ENROLMENT, { ...device, address: own, path }),
      );
      for (const enrolment of await Promise.all(enrolments)) await stage.strikeWith(enrolment, eve.signer.kid);
      const [first] = await Promise.all(enrolments);
      await stage.attempt(
        tally,
        async () => await stage.strikeWith(first ?? "", eve.signer.kid),
        "the device not chosen",
      );
    },
  },
  {
    id: "replay-pair",
    by: "hostile bridge",
    what: "an invite's pairing delivered again, and another pairing with the same invite: same key, other keys, Ada's key",
    tries: 5,
    refused: ["ERR_ENVELOPE_KEY"],
    run: async ({ stage }, tally) => {
      const [invite, browser, other] = await Promise.all([makeKey(), makeKey(), makeKey()]);
      const until = now() + 3600;
      const invitation = await stage.sign(stage.olga, INVITATION, {
        name: "Eve",
        roles: ["approver"],
        key: invite.jwk,
        until,
      });
      await stage.world.ask({ command: "invite", jws: invitation });
      const seal = await publicSealJwk(await makeSealKey(false));
      const pair = await stage.sign(invite, PAIR, { key: browser.jwk, seal });
      const from = invite.signer.kid;
      await stage.strikeWith(pair, from);
      await stage.attempt(tally, async () => await stage.strikeWith(pair, from), "again");
      for (const key of [browser, other, stage.ada.key]) {
        const second = await stage.sign(invite, PAIR, { key: key.jwk, seal });
        await stage.attempt(tally, async () => await stage.strikeWith(second, from), "with other keys");
      }
      await stage.restartAgent();
      await stage.attempt(tally, async () => await stage.strikeWith(pair, from), "after a restart");
    },
  },
  {
    id: "reorder",
    by: "hostile bridge",
    what: "an approval kept back until after that person's withdrawal, a rejection, a freeze, the quorum, or a change of policy",
    tries: 5,
    refused: ["ERR_APPROVAL_WITHDRAWN", "ERR_REQUEST_STATE", "ERR_FROZEN"],
    run: async ({ stage }, tally) => {
      const { ada, bob, dan, world } = stage;
      const late = async (before: (asked: Awaited<ReturnType<Stage["propose"]>>) => Promise<unknown>) => {
        const asked = await stage.propose();
        const jws = await stage.approval(asked);
        await before(asked);
        await stage.settled(ada);
        await stage.attempt(tally, async () => await stage.strikeWith(jws));
      };
      await late(async (asked) => await ada.withdraw(asked));
      await late(async (asked) => await ada.reject(asked));
      await late(async ({ id }) => {
        await bob.decide(id);
        await dan.decide(id);
        await waitForRequest(world, id, ({ state }) => state === "signed");
      });
      await late(async () => await ada.freeze(VAULT));
      await stage.enact({ verb: "UNFREEZE", change: { vault: VAULT } });
      await late(async () => await stage.enact({ verb: "POLICY", change: { policy: await stage.policy() } }));
    },
  },
];
