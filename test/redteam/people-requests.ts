/** Attacks on the life of a transfer: what ended stays ended, what is one request's is no other's, and the policy's limits hold. */
import { APPROVAL } from "../../protocol/message.ts";
import { newJti } from "../harness/bridge-client.ts";
import { message } from "../harness/message.ts";
import { showRequest, waitForRequest } from "../harness/requests.ts";
import type { Attack } from "./attack.ts";
import { type Company, carry, ELSEWHERE, move, person, policyText, propose } from "./company.ts";
import { mustNotCount, mustRefuse, mustStay } from "./tries.ts";

export const REQUESTS: readonly Attack<Company>[] = [
  {
    id: "approval-after-the-end",
    by: "hostile member",
    what: "Approvals come after the request was rejected, by others and by whoever rejected it, cancelled, and void by a new policy",
    tries: 4,
    refused: ["ERR_REQUEST_STATE"],
    run: async (company, tally) => {
      const { world } = company;
      const alice = person(company, "Alice");
      const bob = person(company, "Bob");
      const rejected = (await propose(company)).id;
      await alice.reject(await alice.request(rejected));
      await waitForRequest(world, rejected, ({ state }) => state === "rejected");
      const cancelled = (await propose(company)).id;
      await world.json("request", "cancel", cancelled, "--key", world.keyFile("Olga"));
      const voided = (await propose(company)).id;
      await bob.request(voided);
      const policy = { ...(await policyText(world)), contact: "Operations, night desk" };
      await carry(company, await move(company, { verb: "POLICY", change: { policy } }));
      for (const [sender, id] of [
        [bob, rejected],
        [alice, rejected],
        [bob, cancelled],
        [bob, voided],
      ] as const) {
        const request = await sender.request(id);
        await mustNotCount(company, tally, sender, id, async () => await sender.approve(request));
      }
    },
  },
  {
    id: "withdrawn-then-approved",
    by: "hostile computer",
    what: "A person's computer approves after that person withdrew: with a new signature, and with the approval that was withdrawn, once more",
    tries: 3,
    refused: ["ERR_APPROVAL_WITHDRAWN", "stays pending"],
    run: async (company, tally) => {
      const alice = person(company, "Alice");
      const { id } = await propose(company);
      const request = await alice.request(id);
      const withdrawal = await alice.withdraw(request);
      await alice.receipt(id, ({ records }) => records.some(({ of }) => of === withdrawal));
      await mustNotCount(company, tally, alice, id, async () => await alice.approve(request));
      await mustNotCount(company, tally, alice, id, async () => await alice.withdraw(request));
      await person(company, "Bob").decide(id);
      await mustStay(company, tally, id, "pending");
    },
  },
  {
    id: "withdrawal-after-approval",
    by: "hostile computer",
    what: "After an approval was withdrawn the same message is sent again, so that it would count with another's",
    tries: 2,
    refused: ["ERR_APPROVAL_DUPLICATE", "stays pending"],
    run: async (company, tally) => {
      const alice = person(company, "Alice");
      const { id } = await propose(company);
      const request = await alice.request(id);
      const of = await alice.approve(request);
      await alice.receipt(id, ({ records }) => records.some((record) => record.of === of));
      const withdrawal = await alice.withdraw(request);
      await alice.receipt(id, ({ records }) => records.some((record) => record.of === withdrawal));
      await mustNotCount(company, tally, alice, id, async () => await alice.approve(request));
      await person(company, "Bob").decide(id);
      await mustStay(company, tally, id, "pending");
    },
  },
  {
    id: "approval-while-frozen",
    by: "hostile member",
    what: "A transfer of a frozen vault is approved, and another is proposed",
    tries: 2,
    refused: ["ERR_FROZEN"],
    run: async (company, tally) => {
      const alice = person(company, "Alice");
      const { id } = await propose(company);
      const request = await alice.request(id);
      await freeze(company, "Carol", "Treasury-1");
      await mustNotCount(company, tally, alice, id, async () => await alice.approve(request));
      await mustRefuse(company, tally, async () => await propose(company));
      await carry(company, await move(company, { verb: "UNFREEZE", change: { vault: "Treasury-1" } }));
    },
  },
  {
    id: "signed-and-frozen",
    by: "hostile console or page",
    what: "What was signed before a freeze, and not yet handed out, is asked for: of the frozen vault, and while everything is frozen",
    tries: 2,
    refused: ["ERR_FROZEN"],
    run: async (company, tally) => {
      const { world } = company;
      for (const vault of ["Treasury-1", null]) {
        const { id } = await propose(company);
        for (const name of ["Alice", "Bob"])
          await person(company, name).approve(await person(company, name).request(id));
        // By the receipt: whoever asks the agent has it handed out.
        await person(company, "Alice").receipt(id, ({ state }) => state === "signed");
        await freeze(company, "Bob", vault);
        const view = await showRequest(world, id);
        if (view.signed !== null) tally.through(`${id} was handed out`);
        else tally.refused(view.problem === "Treasury-1 is frozen" ? "ERR_FROZEN" : String(view.problem));
        await carry(company, await move(company, { verb: "UNFREEZE", change: { vault } }));
      }
    },
  },
  {
    id: "signature-of-a-drill",
    by: "hostile computer",
    what: "A device's signature of a harmless drill, and of another transfer, is sent as the approval of a transfer",
    tries: 2,
    refused: ["ERR_APPROVAL_SIGNATURE"],
    run: async (company, tally) => {
      const bob = person(company, "Bob");
      const drill = await bob.request(await move(company, { verb: "DRILL", change: { vault: "Treasury-1" } }));
      const other = await bob.request((await propose(company, { amount: "0.01" })).id);
      const { id } = await propose(company, { amount: "900" });
      const request = await bob.request(id);
      for (const harmless of [drill, other]) {
        const signature = bob.device.sign(harmless.statement);
        await mustNotCount(company, tally, bob, id, async () => await bob.approve(request, { signature }));
      }
    },
  },
  {
    id: "approval-moved",
    by: "hostile computer",
    what: "An approval of one request is moved to another, with its own digest, with the other's, and under a message's name that was used before",
    tries: 3,
    refused: ["ERR_APPROVAL_DIGEST", "ERR_APPROVAL_SIGNATURE", "ERR_ENVELOPE_REPLAYED"],
    run: async (company, tally) => {
      const carol = person(company, "Carol");
      const small = await carol.request((await propose(company, { amount: "0.01" })).id);
      const { id } = await propose(company, { amount: "900" });
      const { digest, payload } = await carol.request(id);
      // As long as the other lives: the minute may change between the two.
      const lasting = { ...small, payload: { ...small.payload, exp: payload.exp } };
      for (const change of [{ request: id }, { request: id, digest }])
        await mustNotCount(company, tally, carol, id, async () => await carol.approve(lasting, change));
      const used = await carol.approve(small);
      await carol.receipt(small.payload.request, ({ records }) => records.some(({ of }) => of === used));
      await mustNotCount(company, tally, carol, id, async () => {
        const { statement } = await carol.request(id);
        const { address } = carol.device;
        const body = { request: id, digest, address, signature: carol.device.sign(statement), jti: used, log: null };
        const jws = await message(APPROVAL, carol.key, carol.hsm, body);
        await carol.postRaw(jws);
        return used;
      });
    },
  },
  {
    id: "outside-the-policy",
    by: "hostile console or page",
    what: "A transfer goes to an address that is not in the address book, of an asset or on a network that the policy does not know, above the fee cap, or is proposed by an admin and by an approver's browser",
    tries: 5,
    refused: ["ERR_ENVELOPE_KEY", "ERR_MEMBER_ROLE", "ERR_POLICY_DENIED", "ERR_TX_FEE_CAP"],
    run: async (company, tally) => {
      const { world } = company;
      for (const options of [
        { to: ELSEWHERE },
        { asset: "DAI" },
        { maxFee: "1000" },
        { key: world.keyFile("Ben") },
        { key: await strangerFile(company) },
      ])
        await mustRefuse(company, tally, async () => await propose(company, options));
    },
  },
];

async function freeze(company: Company, by: string, vault: string | null): Promise<void> {
  const of = await person(company, by).freeze(vault);
  await person(company, by).freezes(({ freezes }) => freezes.some((one) => one.of === of));
}

async function strangerFile({ world }: Company): Promise<string> {
  const file = world.keyFile(`stranger-${newJti()}`);
  await world.json("key", "new", file);
  return file;
}
