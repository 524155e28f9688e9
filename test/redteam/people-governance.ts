/** Attacks on the quorum of the admins and of the recovery people: votes of others, votes twice, votes moved, documents that lock out. */
import { MOTION } from "../../protocol/message.ts";
import { makeKey, newJti, now } from "../harness/bridge-client.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { Attack } from "./attack.ts";
import { type Company, carry, fileKey, forged, identity, move, person, policyText, propose } from "./company.ts";
import { mustBeRefused, mustNotCount, mustRefuse, mustStay } from "./tries.ts";

/** A change that any quorum would see through, were there one. */
async function askPolicy(company: Company, contact: string, options: { by?: string; recovery?: boolean } = {}) {
  const policy = { ...(await policyText(company.world)), contact };
  return await move(company, { verb: "POLICY", change: { policy } }, options);
}

export const GOVERNANCE: readonly Attack<Company>[] = [
  {
    id: "admin-alone",
    by: "hostile member",
    what: "One admin of two carries a POLICY: approves it, approves it again, and approves what they proposed themselves",
    tries: 4,
    refused: ["ERR_APPROVAL_DUPLICATE", "ERR_APPROVAL_INITIATOR", "stays pending"],
    run: async (company, tally) => {
      const [ann, ben] = [person(company, "Ann"), person(company, "Ben")];
      const asked = await askPolicy(company, "Ann alone");
      await ann.decide(asked);
      const request = await ann.request(asked);
      await mustNotCount(company, tally, ann, asked, async () => await ann.approve(request));
      await mustStay(company, tally, asked, "pending");
      const own = await askPolicy(company, "Ben and Ann", { by: "Ben" });
      await ann.decide(own);
      const his = await ben.request(own);
      await mustNotCount(company, tally, ben, own, async () => await ben.approve(his));
      await mustStay(company, tally, own, "pending");
    },
  },
  {
    id: "vote-without-the-role",
    by: "hostile member",
    what: "An approver, an auditor and an initiator, all of whom see it, approve a change of people, and reject it",
    tries: 6,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE"],
    run: async (company, tally) => {
      const asked = await move(company, { verb: "REMOVE", change: { name: "Ann", removal: { what: "person" } } });
      for (const name of ["Alice", "Audrey", "Otto"]) {
        const sender = person(company, name);
        const request = await sender.request(asked);
        await mustNotCount(company, tally, sender, asked, async () => await sender.approve(request));
        await mustNotCount(company, tally, sender, asked, async () => await sender.reject(request));
      }
    },
  },
  {
    id: "auditor-decides",
    by: "hostile member",
    what: "An auditor approves, rejects and withdraws a transfer, and freezes a vault and everything",
    tries: 5,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE", "ERR_MEMBER_ROLE"],
    run: async (company, tally) => {
      const audrey = person(company, "Audrey");
      const { id } = await propose(company);
      const request = await audrey.request(id);
      await mustNotCount(company, tally, audrey, id, async () => await audrey.approve(request));
      await mustNotCount(company, tally, audrey, id, async () => await audrey.reject(request));
      await mustNotCount(company, tally, audrey, id, async () => await audrey.withdraw(request));
      for (const vault of ["Treasury-1", null])
        await mustBeRefused(company, tally, audrey, async () => await audrey.freeze(vault));
    },
  },
  {
    id: "admin-approves-transfer",
    by: "hostile member",
    what: "An admin who is no approver approves and rejects a transfer that they were shown by somebody else",
    tries: 2,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE"],
    run: async (company, tally) => {
      const cat = person(company, "Cat");
      const { id } = await propose(company);
      const request = await person(company, "Alice").request(id);
      await mustNotCount(company, tally, cat, id, async () => await cat.approve(request));
      await mustNotCount(company, tally, cat, id, async () => await cat.reject(request));
    },
  },
  {
    id: "motion-replayed",
    by: "hostile operator",
    what: "A proposal is sent again, while it is open and after it was rejected; under another person's key, by a browser's key, and after it expired",
    tries: 5,
    refused: ["ERR_ENVELOPE_EXPIRED", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_REPLAYED", "the same request"],
    run: async (company, tally) => {
      const { world } = company;
      const hsm = await identity(world);
      const policy = { ...(await policyText(world)), contact: "Twice" };
      const jti = newJti();
      const body = { motion: { verb: "POLICY", change: { policy } }, recovery: false, jti };
      const ask = async (jws: string) => await world.ask<{ request: string }>({ command: "motion", jws });
      const jws = await forged(MOTION, await fileKey(world, "Olga"), hsm, body);
      const { request } = await ask(jws);
      const again = async () => {
        if ((await ask(jws)).request === request) tally.refused("the same request");
        else tally.through("a proposal was taken twice");
      };
      await again();
      const ann = person(company, "Ann");
      await ann.reject(await ann.request(request));
      await waitForRequest(world, request, ({ state }) => state === "rejected");
      await again();
      const past = { ...body, jti: newJti(), iat: now() - 400, exp: now() - 100 };
      for (const [key, said] of [
        [await fileKey(world, "Ben"), body],
        [ann.key, body],
        [await fileKey(world, "Olga"), past],
      ] as const)
        await mustRefuse(company, tally, async () => await ask(await forged(MOTION, key, hsm, said)));
    },
  },
  {
    id: "hostile-policy",
    by: "hostile console or page",
    what: "A POLICY names another HSM key for a vault, people who do not exist as approvers and for recovery, asks for more admins or Trezors than there are, or has an unknown version or key",
    tries: 8,
    refused: ["ERR_ENVELOPE_PAYLOAD", "ERR_MEMBER_UNKNOWN", "ERR_POLICY_QUORUM", "ERR_VAULT_UNKNOWN"],
    run: async (company, tally) => {
      const { world } = company;
      const policy = await policyText(world);
      const { governance } = policy;
      const [vault] = policy.vaults;
      const [group] = policy.groups;
      for (const part of [
        { vaults: [{ ...vault, publicKey: `04${"11".repeat(64)}` }] },
        { vaults: [{ ...vault, id: "22".repeat(16) }] },
        { groups: [{ ...group, members: ["Alice", "Bob", "Mallory"] }] },
        { governance: { ...governance, recovery: { people: ["Mallory"], threshold: 1, delay: 24 } } },
        { governance: { ...governance, threshold: 4 } },
        { governance: { ...governance, vendors: [{ vendor: "Trezor", atLeast: 1 }] } },
        { v: 2 },
        { approvers: ["Mallory"] },
      ])
        await mustRefuse(company, tally, async () => {
          await move(company, { verb: "POLICY", change: { policy: { ...policy, ...part } } });
        });
    },
  },
  {
    id: "two-policies",
    by: "hostile member",
    what: "Two POLICYs for one number: approvals of one are sent for the other, and the loser is approved after the winner is in force",
    tries: 4,
    refused: ["ERR_APPROVAL_DIGEST", "ERR_APPROVAL_SIGNATURE", "ERR_REQUEST_STATE", "stays void"],
    run: async (company, tally) => {
      const [ann, ben] = [person(company, "Ann"), person(company, "Ben")];
      const winner = await askPolicy(company, "The winner");
      const loser = await askPolicy(company, "The loser");
      const other = await ann.request(loser);
      const signature = ann.device.sign(other.statement);
      const request = await ann.request(winner);
      await mustNotCount(company, tally, ann, winner, async () => await ann.approve(request, { signature }));
      await mustNotCount(company, tally, ann, winner, async () => await ann.approve(other, { request: winner }));
      await ann.decide(loser);
      await carry(company, winner);
      const late = await ben.request(loser);
      await mustNotCount(company, tally, ben, loser, async () => await ben.approve(late));
      await mustStay(company, tally, loser, "void");
    },
  },
  {
    id: "vote-moved",
    by: "hostile computer",
    what: "An admin's approval of a harmless change is sent as that of a REMOVE, an ENROLL and a ROTATE",
    tries: 6,
    refused: ["ERR_APPROVAL_DIGEST", "ERR_APPROVAL_SIGNATURE"],
    run: async (company, tally) => {
      const { world } = company;
      const cat = person(company, "Cat");
      const harmless = await cat.request(await askPolicy(company, "Operations, new number"));
      const { key: to } = await world.ask<{ key: unknown }>({ command: "rotate.prepare" });
      const file = (await makeKey()).jwk;
      const change = { name: "Mallory", roles: ["admin"], extension: null, file, device: null };
      for (const motion of [
        { verb: "REMOVE", change: { name: "Ann", removal: { what: "person" } } },
        { verb: "ENROLL", change },
        { verb: "ROTATE", change: { to } },
      ]) {
        const asked = await move(company, motion);
        const request = await cat.request(asked);
        const signature = cat.device.sign(harmless.statement);
        await mustNotCount(company, tally, cat, asked, async () => await cat.approve(request, { signature }));
        await mustNotCount(company, tally, cat, asked, async () => await cat.approve(harmless, { request: asked }));
      }
    },
  },
  {
    id: "recovery",
    by: "hostile member",
    what: "The recovery people act before the delay is over, with too few, against an admin's rejection, with an admin's vote, and for what is not theirs (UNFREEZE, DRILL)",
    tries: 6,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE", "ERR_POLICY_DENIED", "ERR_REQUEST_STATE", "stays approved", "stays pending"],
    run: async (company, tally) => {
      const [alice, bob] = [person(company, "Alice"), person(company, "Bob")];
      const [carol, ann] = [person(company, "Carol"), person(company, "Ann")];
      const early = await askPolicy(company, "Recovered at once", { recovery: true });
      await alice.decide(early);
      await mustStay(company, tally, early, "pending");
      const vote = await ann.request(early);
      await mustNotCount(company, tally, ann, early, async () => await ann.approve(vote));
      await bob.decide(early);
      await waitForRequest(company.world, early, ({ state }) => state !== "pending");
      await mustStay(company, tally, early, "approved");
      await ann.reject(vote);
      await waitForRequest(company.world, early, ({ state }) => state === "rejected");
      const late = await carol.request(early);
      await mustNotCount(company, tally, carol, early, async () => await carol.approve(late));
      const of = await bob.freeze("Treasury-1");
      await bob.freezes(({ freezes }) => freezes.some((one) => one.of === of));
      for (const [verb, vault] of [
        ["UNFREEZE", "Treasury-1"],
        ["DRILL", "Treasury-1"],
      ])
        await mustRefuse(company, tally, async () => {
          await move(company, { verb, change: { vault } }, { recovery: true });
        });
      await carry(company, await move(company, { verb: "UNFREEZE", change: { vault: "Treasury-1" } }));
    },
  },
  {
    id: "unfreeze-by-too-few",
    by: "hostile member",
    what: "A freeze is lifted by whoever set it, by one admin, and by the approvers",
    tries: 3,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE", "stays pending"],
    run: async (company, tally) => {
      const [bob, alice, ann] = [person(company, "Bob"), person(company, "Alice"), person(company, "Ann")];
      const of = await bob.freeze(null);
      await bob.freezes(({ freezes }) => freezes.some((one) => one.of === of));
      const asked = await move(company, { verb: "UNFREEZE", change: { vault: null } });
      for (const sender of [bob, alice]) {
        const request = await sender.request(asked);
        await mustNotCount(company, tally, sender, asked, async () => await sender.approve(request));
      }
      await ann.decide(asked);
      await mustStay(company, tally, asked, "pending");
      await carry(company, asked);
    },
  },
  {
    id: "rotate-to-own-key",
    by: "hostile operator",
    what: "A ROTATE names an identity that the attacker made, a member's key, or the present one; and the agent's own next one is carried by one admin",
    tries: 4,
    refused: ["ERR_STATE", "stays pending"],
    run: async (company, tally) => {
      const { world } = company;
      const ann = person(company, "Ann");
      const present = ann.charter?.hsm;
      for (const to of [(await makeKey()).jwk, ann.key.jwk, present])
        await mustRefuse(company, tally, async () => await move(company, { verb: "ROTATE", change: { to } }));
      const { key: to } = await world.ask<{ key: unknown }>({ command: "rotate.prepare" });
      const asked = await move(company, { verb: "ROTATE", change: { to } });
      await ann.decide(asked);
      await mustStay(company, tally, asked, "pending");
      await ann.reject(await ann.request(asked));
    },
  },
];
