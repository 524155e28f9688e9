/** Stolen keys and devices, and one person who would count as two. A person's approval needs both halves, and counts once. */

import { keyName } from "../../protocol/motion-statement.ts";
import { thumbprint } from "../../protocol/primitive.ts";
import { BridgeClient, makeKey } from "../harness/bridge-client.ts";
import { change, enact, invite, joinMember, vouch } from "../harness/company.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { Member } from "../harness/member.ts";
import type { Attack } from "./attack.ts";
import { type Company, connectInvited, identity, move, person, policyText, propose } from "./company.ts";
import { mustBeRefused, mustNotCount, mustRefuse, mustStay, untilShutOut } from "./tries.ts";

export const KEYS: readonly Attack<Company>[] = [
  {
    id: "stolen-extension-keys",
    by: "stolen keys",
    what: "Approving with a person's stolen extension keys: with the thief's device, another member's, a signature made up, and one that the person's device made earlier",
    tries: 4,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE"],
    run: async (company, tally) => {
      const alice = person(company, "Alice");
      const earlier = await alice.request((await propose(company)).id);
      const { id } = await propose(company);
      const request = await alice.request(id);
      const own = new LooseDevice();
      const bob = person(company, "Bob").device;
      for (const change of [
        { address: own.address, signature: own.sign(request.statement) },
        { address: bob.address, signature: bob.sign(request.statement) },
        { signature: own.sign(request.statement) },
        { signature: alice.device.sign(earlier.statement) },
      ])
        await mustNotCount(company, tally, alice, id, async () => await alice.approve(request, change));
    },
  },
  {
    id: "stolen-device",
    by: "stolen keys",
    what: "Approving with a person's stolen device: through a browser of the thief's own, and through another member's",
    tries: 2,
    refused: ["ERR_LOGIN_UNKNOWN", "ERR_APPROVAL_DEVICE"],
    run: async (company, tally) => {
      const { id } = await propose(company);
      const carol = person(company, "Carol");
      const request = await carol.request(id);
      const { world } = company;
      const { device } = person(company, "Alice");
      await mustRefuse(company, tally, async () => {
        await BridgeClient.connect(world.port, await identity(world), await makeKey());
      });
      const stolen = { address: device.address, signature: device.sign(request.statement) };
      await mustNotCount(company, tally, carol, id, async () => await carol.approve(request, stolen));
    },
  },
  {
    id: "signature-of-a-page",
    by: "hostile console or page",
    what: "A web page has a device personal_sign a real statement, and another approver, the request's initiator, an auditor and an admin send the signature as an approval",
    tries: 4,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_INITIATOR", "ERR_APPROVAL_NOT_ELIGIBLE"],
    run: async (company, tally) => {
      const { id } = await propose(company, { key: company.world.keyFile("Otto") });
      const { device } = person(company, "Alice");
      const request = await person(company, "Alice").request(id);
      const collected = { address: device.address, signature: device.sign(request.statement) };
      for (const name of ["Bob", "Otto", "Audrey", "Ann"]) {
        const sender = person(company, name);
        await mustNotCount(company, tally, sender, id, async () => await sender.approve(request, collected));
      }
    },
  },
  {
    id: "removed-browser",
    by: "stolen keys",
    what: "A removed browser comes back with a fresh signature of its owner's device, and its invite is used again",
    tries: 2,
    refused: ["ERR_LOGIN_UNKNOWN"],
    run: async (company, tally) => {
      const { world } = company;
      const { device } = person(company, "Alice");
      const code = await invite(world, "Alice", { roles: [] });
      const second = new Member(world, "Alice", { device });
      const words = await second.begin(code);
      await enact(world, await vouch(world, "Alice", words));
      await change(world, "members", "remove", "Alice", "--browser", keyName(thumbprint(second.key.jwk)));
      await untilShutOut(second);
      await mustRefuse(company, tally, async () => {
        await BridgeClient.connect(world.port, await identity(world), second.key);
      });
      await mustRefuse(company, tally, async () => await connectInvited(company, code));
    },
  },
  {
    id: "initiator-through-second-browser",
    by: "hostile member",
    what: "Whoever proposed a transfer approves it, through either of two browsers, and stops it as an approver would",
    tries: 3,
    refused: ["ERR_APPROVAL_INITIATOR"],
    run: async (company, tally) => {
      const { world } = company;
      const otto = person(company, "Otto");
      const second = await joinMember(world, "Otto", { roles: [], device: otto.device });
      const { id } = await propose(company, { key: world.keyFile("Otto") });
      const request = await person(company, "Alice").request(id);
      for (const browser of [otto, second])
        await mustNotCount(company, tally, browser, id, async () => await browser.approve(request));
      await mustNotCount(company, tally, otto, id, async () => await otto.reject(request));
      second.close();
    },
  },
  {
    id: "one-person-twice",
    by: "hostile member",
    what: "One approver counts as two: with a second device, and through a second browser with either device",
    tries: 4,
    refused: ["ERR_APPROVAL_DUPLICATE", "stays pending"],
    run: async (company, tally) => {
      const { world } = company;
      const carol = person(company, "Carol");
      const second = await joinMember(world, "Carol", { roles: [], vendor: "Trezor" });
      const { id } = await propose(company);
      await carol.decide(id);
      const request = await carol.request(id);
      const other = { address: second.device.address, signature: second.device.sign(request.statement) };
      const own = { address: carol.device.address, signature: carol.device.sign(request.statement) };
      await mustNotCount(company, tally, carol, id, async () => await carol.approve(request, other));
      await mustNotCount(company, tally, second, id, async () => await second.approve(request, other));
      await mustNotCount(company, tally, second, id, async () => await second.approve(request, own));
      await mustStay(company, tally, id, "pending");
      second.close();
    },
  },
  {
    id: "one-device-for-two",
    by: "hostile member",
    what: "A device that belongs, or belonged, to one person is enrolled for another: by a member, and by somebody who is pairing",
    tries: 3,
    refused: ["ERR_DEVICE_TAKEN"],
    run: async (company, tally) => {
      const { world } = company;
      const bob = person(company, "Bob");
      const former = await joinMember(world, "Gus");
      await change(world, "members", "remove", "Gus");
      const newcomer = new Member(world, "Hal");
      await newcomer.pair(await invite(world, "Hal"));
      const tries: readonly [Member, string][] = [
        [bob, person(company, "Alice").device.address],
        [bob, former.device.address],
        [newcomer, person(company, "Alice").device.address],
      ];
      for (const [sender, address] of tries)
        await mustBeRefused(company, tally, sender, async () => await sender.announce(address));
      newcomer.close();
    },
  },
  {
    id: "removed-person",
    by: "hostile member",
    what: "A removed person, with extension and device, approves: what they approved before is void, they cannot log in, and their device counts for nobody",
    tries: 3,
    refused: ["stays void", "ERR_LOGIN_UNKNOWN", "ERR_APPROVAL_DEVICE"],
    run: async (company, tally) => {
      const { world } = company;
      const bob = person(company, "Bob");
      const eve = await joinMember(world, "Eve", { roles: ["admin"] });
      const policy = { ...(await policyText(world)), contact: "Somebody else" };
      const motion = await move(company, { verb: "POLICY", change: { policy } });
      await eve.decide(motion);
      await change(world, "members", "remove", "Eve");
      await untilShutOut(eve);
      await mustStay(company, tally, motion, "void");
      await mustRefuse(company, tally, async () => {
        await BridgeClient.connect(world.port, await identity(world), eve.key);
      });
      const { id } = await propose(company);
      const request = await bob.request(id);
      const hers = { address: eve.device.address, signature: eve.device.sign(request.statement) };
      await mustNotCount(company, tally, bob, id, async () => await bob.approve(request, hers));
    },
  },
];
