/** Attacks on the way in: invites, six words, a pairing that is nobody's yet, and ENROLL as a console would like it to be. */
import { INVITATION } from "../../protocol/message.ts";
import { BridgeClient, makeKey, now } from "../harness/bridge-client.ts";
import { invite, vouch } from "../harness/company.ts";
import { Member } from "../harness/member.ts";
import type { Attack } from "./attack.ts";
import { type Company, connectInvited, fileKey, forged, identity, move, person, propose } from "./company.ts";
import { mustBeRefused, mustNotCount, mustRefuse, untilShutOut } from "./tries.ts";

const DEVICE = { vendor: "Ledger", model: "nano-s-plus" } as const;

export const PAIRING: readonly Attack<Company>[] = [
  {
    id: "stolen-invite",
    by: "stolen keys",
    what: "A stolen invite is used before its owner: the owner's browser, the words it would show, and after a new invite the thief's browser and words",
    tries: 4,
    refused: ["ERR_LOGIN_UNKNOWN", "ERR_PAIRING", "ERR_WORDS"],
    run: async (company, tally) => {
      const { world } = company;
      const thief = new Member(world, "Dora");
      const code = await invite(world, "Dora");
      const stolen = await thief.begin(code);
      await mustRefuse(company, tally, async () => await connectInvited(company, code));
      // What Dora's own browser would have her read aloud: all facts are the same but its keys.
      const hers = await thief.words({ key: (await makeKey()).jwk });
      await mustRefuse(company, tally, async () => await vouch(world, "Dora", hers));
      await invite(world, "Dora");
      await mustRefuse(company, tally, async () => await vouch(world, "Dora", stolen));
      await untilShutOut(thief);
      await mustRefuse(company, tally, async () => {
        await BridgeClient.connect(world.port, await identity(world), thief.key);
      });
      thief.close();
    },
  },
  {
    id: "used-invite",
    by: "stolen keys",
    what: "An invite is used twice, also after its pairing was approved, and after another took its place",
    tries: 3,
    refused: ["ERR_LOGIN_UNKNOWN"],
    run: async (company, tally) => {
      const { world } = company;
      const first = await invite(world, "Ivo");
      const second = await invite(world, "Ivo");
      const ivo = new Member(world, "Ivo");
      const words = await ivo.begin(second);
      for (const code of [first, second])
        await mustRefuse(company, tally, async () => await connectInvited(company, code));
      const { board } = world;
      const request = await vouch(world, "Ivo", words);
      for (const admin of board.filter(({ name }) => name === "Ann" || name === "Ben")) await admin.decide(request);
      await ivo.counted();
      await mustRefuse(company, tally, async () => await connectInvited(company, second));
      ivo.close();
    },
  },
  {
    id: "invite-out-of-time",
    by: "hostile console or page",
    what: "An invite that has ended is used, and one is asked for that ended before or lives for longer than a week",
    tries: 3,
    refused: ["ERR_INVITE", "ERR_LOGIN_UNKNOWN"],
    run: async (company, tally) => {
      const { world } = company;
      const once = await makeKey();
      const ask = async (until: number, key = once) => {
        const body = { name: "Jana", roles: ["admin"], key: key.jwk, until };
        const jws = await forged(INVITATION, await fileKey(world, "Olga"), await identity(world), body);
        return await world.ask<{ exp: number }>({ command: "invite", jws });
      };
      await mustRefuse(company, tally, async () => await ask(now() - 1));
      await mustRefuse(company, tally, async () => await ask(now() + 8 * 86_400));
      const { exp } = await ask(now() + 2);
      while (now() <= exp) await new Promise((resolve) => setTimeout(resolve, 100));
      await mustRefuse(company, tally, async () => {
        await BridgeClient.connect(world.port, await identity(world), once);
      });
    },
  },
  {
    id: "wrong-words",
    by: "hostile computer",
    what: "Words of a pairing are guessed: any six, those of another pairing, those of another device; after three tries the right ones are worth nothing",
    tries: 4,
    refused: ["ERR_PAIRING", "ERR_WORDS"],
    run: async (company, tally) => {
      const { world } = company;
      const kim = new Member(world, "Kim");
      const other = new Member(world, "Lou");
      const right = await kim.begin(await invite(world, "Kim"));
      const others = await other.begin(await invite(world, "Lou"));
      const guess = "abacus abdomen abdominal abide abiding ability";
      for (const words of [guess, others, await kim.words({ address: other.device.address }), right])
        await mustRefuse(company, tally, async () => await vouch(world, "Kim", words));
      kim.close();
      other.close();
    },
  },
  {
    id: "words-of-somebody-else",
    by: "hostile operator",
    what: "The right words are entered by somebody who did not invite: another initiator, an admin, the operator without a key, and a key that nobody knows",
    tries: 4,
    refused: ["ERR_ENVELOPE_KEY", "ERR_MEMBER_ROLE", "ERR_STATE"],
    run: async (company, tally) => {
      const { world } = company;
      const max = new Member(world, "Max");
      const words = await max.begin(await invite(world, "Max"));
      await world.json("key", "new", world.keyFile("nobody"));
      for (const name of ["Otto", "Ben", "nobody"])
        await mustRefuse(company, tally, async () => await vouch(world, "Max", words, { key: world.keyFile(name) }));
      await mustRefuse(company, tally, async () => await world.ask({ command: "pairing.confirm", name: "Max", words }));
      max.close();
    },
  },
  {
    id: "pending-pairing",
    by: "stolen keys",
    what: "A browser that has paired and is nobody's yet approves a transfer and a change, rejects, withdraws, and freezes",
    tries: 5,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE", "ERR_MEMBER_ROLE"],
    run: async (company, tally) => {
      const { world } = company;
      const ned = new Member(world, "Ned");
      await ned.begin(await invite(world, "Ned", { roles: ["approver", "admin"] }));
      // An accomplice has told it what was asked.
      const { id } = await propose(company);
      const transfer = await person(company, "Alice").request(id);
      const drill = await move(company, { verb: "REMOVE", change: { name: "Bob", removal: { what: "person" } } });
      const change = await person(company, "Ann").request(drill);
      await mustNotCount(company, tally, ned, id, async () => await ned.approve(transfer));
      await mustNotCount(company, tally, ned, drill, async () => await ned.approve(change));
      await mustNotCount(company, tally, ned, id, async () => await ned.reject(transfer));
      await mustNotCount(company, tally, ned, id, async () => await ned.withdraw(transfer));
      await mustBeRefused(company, tally, ned, async () => await ned.freeze(null));
      ned.close();
    },
  },
  {
    id: "device-after-words",
    by: "hostile computer",
    what: "After its words were read aloud a pairing browser names another device",
    tries: 1,
    refused: ["ERR_PAIRING"],
    run: async (company, tally) => {
      const { world } = company;
      const pia = new Member(world, "Pia");
      const words = await pia.begin(await invite(world, "Pia"));
      await vouch(world, "Pia", words);
      const other = new Member(world, "Pia");
      await mustBeRefused(company, tally, pia, async () => await pia.announce(other.device.address));
      pia.close();
    },
  },
  {
    id: "enroll-of-ones-own",
    by: "hostile console or page",
    what: "An ENROLL is proposed past the CLI: with a browser that nobody vouched for, a device that does not wait, the waiting one under another vendor, model or person, and another person's key file",
    tries: 6,
    refused: ["ERR_DEVICE_UNKNOWN", "ERR_MEMBER_EXISTS", "ERR_PAIRING"],
    run: async (company, tally) => {
      const { world } = company;
      const bob = person(company, "Bob");
      const own = new Member(world, "Bob");
      await bob.announce(own.device.address);
      await bob.welcome(({ devices }) => devices.some(({ address }) => address === own.device.address));
      const device = { address: own.device.address, ...DEVICE };
      const change = { name: "Bob", roles: [], extension: null, file: null, device: null };
      const { jwk } = await makeKey();
      const file = (await fileKey(world, "Otto")).jwk;
      for (const part of [
        { extension: jwk },
        { device: { ...device, address: new Member(world, "Bob").device.address } },
        { device: { ...device, vendor: "Trezor" } },
        { device: { ...device, model: "stax" } },
        { device, name: "Carol" },
        { file },
      ])
        await mustRefuse(
          company,
          tally,
          async () => await move(company, { verb: "ENROLL", change: { ...change, ...part } }),
        );
    },
  },
  {
    id: "invited-by-nobody",
    by: "hostile console or page",
    what: "An invitation is signed by an approver's browser, by a key that nobody knows, and by an initiator for another HSM",
    tries: 3,
    refused: ["ERR_ENVELOPE_AUDIENCE", "ERR_ENVELOPE_KEY"],
    run: async (company, tally) => {
      const { world } = company;
      const hsm = await identity(world);
      const body = { name: "Quin", roles: ["admin"], key: (await makeKey()).jwk, until: now() + 3600 };
      const other = (await makeKey()).signer.kid;
      for (const [key, audience] of [
        [person(company, "Ann").key, hsm],
        [await makeKey(), hsm],
        [await fileKey(world, "Olga"), other],
      ] as const) {
        const jws = await forged(INVITATION, key, audience, body);
        await mustRefuse(company, tally, async () => await world.ask({ command: "invite", jws }));
      }
    },
  },
];
