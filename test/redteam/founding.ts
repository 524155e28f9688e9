/** Attacks on the founding: until everybody has signed nothing else works, what comes into force is what was signed, and nothing is founded twice. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MOTION } from "../../protocol/message.ts";
import { sha256Hex } from "../../protocol/primitive.ts";
import { makeKey } from "../harness/bridge-client.ts";
import { confirmFounder } from "../harness/company.ts";
import { Member } from "../harness/member.ts";
import { send, waitForRequest } from "../harness/requests.ts";
import type { World } from "../harness/world.ts";
import type { Attack, Group } from "./attack.ts";
import { type Company, closeCompany, fileKey, forged, identity, makeUnfounded, person, policyText } from "./company.ts";
import { eachEdited, editPayload, nameToken, onRecord, start, waits, whileEdited } from "./record.ts";
import { mustRefuse } from "./tries.ts";

interface Unfounded extends Company {
  /** The words of each founder, whose device the agent knows. */
  readonly words: ReadonlyMap<string, string>;
}

/** Who signs last. */
const LAST = "Audrey";

/** In the order in which they stand: each goes on from where the one before it left the founding. */
const ATTACKS: readonly Attack<Unfounded>[] = [
  {
    id: "before-the-founding",
    by: "hostile operator",
    what: "Before everybody has signed, a transfer, a change, a freeze and the founding itself are asked for, by the operator and by an initiator's key",
    tries: 5,
    refused: ["ERR_FOUNDING"],
    run: async ({ world }, tally) => {
      await tally.mustThrow(async () => await send(world));
      const motion = { verb: "UNFREEZE", change: { vault: null } };
      const jws = await forged(MOTION, await fileKey(world, "Olga"), await identity(world), {
        motion,
        recovery: false,
      });
      await tally.mustThrow(async () => await world.ask({ command: "motion", jws }));
      await tally.mustThrow(
        async () => await world.json("invite", "Mallory", "--role", "admin", "--key", world.keyFile("Olga")),
      );
      await tally.mustThrow(async () => await world.json("freeze"));
      await tally.mustThrow(async () => await world.json("found"));
      await requireNothing(world);
    },
  },
  {
    id: "founders-words",
    by: "hostile computer",
    what: "A founder is confirmed by other words: another founder's, those of another key, and for somebody who founds nothing",
    tries: 3,
    refused: ["ERR_PAIRING", "ERR_WORDS"],
    run: async (unfounded, tally) => {
      const { world, words } = unfounded;
      const others = await person(unfounded, "Ann").words({ key: (await makeKey()).jwk });
      await tally.mustThrow(async () => await confirmFounder(world, "Ann", words.get("Ben") ?? ""));
      await tally.mustThrow(async () => await confirmFounder(world, "Ann", others));
      await tally.mustThrow(async () => await confirmFounder(world, "Mallory", others));
      await requireNothing(world);
    },
  },
  {
    id: "founders-device-after-words",
    by: "hostile computer",
    what: "After a founder's words were heard, their browser names another device, and another founder's",
    tries: 2,
    refused: ["ERR_PAIRING"],
    run: async (unfounded, tally) => {
      const { world, words } = unfounded;
      const ann = person(unfounded, "Ann");
      await confirmFounder(world, "Ann", words.get("Ann") ?? "");
      for (const address of [new Member(world, "Ann").device.address, person(unfounded, "Ben").device.address]) {
        const { code } = await ann.refusal(await ann.announce(address));
        tally.refused(code);
      }
      await requireNothing(world);
    },
  },
  {
    id: "founding-signed-by-others",
    by: "hostile member",
    what: "A founder signs for another: with the other's device, with a device that nobody named, with a signature of a founding that was rejected, twice, and only all but one sign",
    tries: 6,
    refused: [
      "ERR_APPROVAL_DEVICE",
      "ERR_APPROVAL_DUPLICATE",
      "ERR_APPROVAL_SIGNATURE",
      "ERR_FOUNDING",
      "stays pending",
    ],
    run: async (unfounded, tally) => {
      const { world, members } = unfounded;
      const ann = person(unfounded, "Ann");
      const first = await askAll(unfounded);
      const rejected = await ann.request(first);
      await ann.reject(rejected);
      await waitForRequest(world, first, ({ state }) => state === "rejected");
      const { id } = await world.json<{ id: string }>("found");
      const request = await ann.request(id);
      const own = new Member(world, "Ann").device;
      const ben = person(unfounded, "Ben").device;
      for (const change of [
        { address: ben.address, signature: ben.sign(request.statement) },
        { address: own.address, signature: own.sign(request.statement) },
        { signature: ann.device.sign(rejected.statement) },
      ])
        tally.refused((await ann.refusal(await ann.approve(request, change))).code);
      for (const [name, founder] of members) if (name !== LAST) await founder.decide(id);
      tally.refused((await ann.refusal(await ann.approve(request))).code);
      const { state } = await waitForRequest(world, id, () => true);
      tally.refused(`stays ${state}`);
      await tally.mustThrow(async () => await send(world));
      await requireNothing(world);
    },
  },
  {
    id: "founding-edited",
    by: "hostile disk",
    what: "While one signature is missing, the request of the founding is edited in the database: without its digest, with it, and with a statement that fits as well",
    tries: 3,
    refused: ["ERR_APPROVAL_DIGEST", "ERR_STATE", "ERR_STATEMENT_DIFFERS"],
    run: async (unfounded, tally) => {
      const { world } = unfounded;
      const id = await openFounding(unfounded);
      const looser = (text: string) => text.replace('"destinations":"book"', '"destinations":"any"');
      const refuses = async () => await tally.mustThrow(async () => await world.startAgent());
      const fitting = (text: string) => withFittingStatement(text, looser(text));
      await eachEdited(unfounded, tally, [
        [(db) => editPayload(db, id, looser, false), refuses],
        [(db) => editPayload(db, id, looser, true), refuses],
        [
          (db) => editPayload(db, id, fitting, true),
          async () => {
            await start(unfounded);
            tally.refused(await waits(world, id));
          },
        ],
      ]);
    },
  },
  {
    id: "draft-edited",
    by: "hostile disk",
    what: "After the founding was asked for, the draft, and a founder's pairing in the database, are exchanged; the last founder signs what was shown, and that is what comes into force",
    tries: 1,
    refused: ["as signed"],
    run: async (unfounded, tally) => {
      const { world } = unfounded;
      const last = person(unfounded, LAST);
      const id = await openFounding(unfounded);
      const { payload } = await last.request(id);
      if (payload.verb !== "FOUND") throw new Error("this is no founding");
      await world.agent().stop();
      onRecord(world, (db) => {
        db.exec(
          `UPDATE meta SET value = replace(value, '"destinations":"book"', '"destinations":"any"') WHERE key = 'founding'`,
        );
        db.exec(
          `UPDATE pairings SET device = replace(device, 'Ledger', 'Trezor'), roles = '["admin"]' WHERE name = 'Alice'`,
        );
      });
      await start(unfounded);
      await last.decide(id);
      await waitForRequest(world, id, ({ state }) => state === "enacted");
      await last.mail.act(id);
      const { people } = last.charter ?? {};
      const same = isDeepStrictEqual([await policyText(world), people], [payload.change.policy, payload.change.people]);
      if (same) tally.refused("as signed");
      else tally.through("something else than what was signed came into force");
    },
  },
  {
    id: "founded-again",
    by: "hostile operator",
    what: "init is run again: beside the running agent, in its folder, in another folder on the same token, and a record founded on another token is put in its place; succeed is run on the same token",
    tries: 5,
    refused: ["ERR_AGENT_RUNNING", "ERR_HSM_KEY_MISSING", "ERR_STATE"],
    run: async (founded, tally) => {
      const { world } = founded;
      const init = async () => await world.json("init", join(world.folder, "founding.json"));
      const emptied = () => {
        rmSync(join(world.folder, "agent"), { recursive: true });
        mkdirSync(join(world.folder, "agent"));
      };
      await mustRefuse(founded, tally, init);
      await whileEdited(founded, tally, nothing, async () => await tally.mustThrow(init));
      await whileEdited(
        founded,
        tally,
        nothing,
        async () => await tally.mustThrow(async () => await world.json("succeed")),
      );
      await whileEdited(founded, tally, emptied, async () => await tally.mustThrow(init));
      world.token.addToken("another");
      await whileEdited(founded, tally, emptied, async () => {
        nameToken(world, world.token.tokenLabel, "another");
        await init();
        nameToken(world, "another", world.token.tokenLabel);
        await tally.mustThrow(async () => await world.startAgent());
      });
    },
  },
  {
    id: "unknown-in-founding-file",
    by: "hostile operator",
    what: "A founding file has an unknown version, an unknown key, vault keys of somebody's choice, a role that does not exist, look-alike names, a keyword for a name, a person who is nobody, or a quorum that nobody can reach",
    tries: 9,
    refused: ["ERR_POLICY_DOCUMENT"],
    run: async (founded, tally) => {
      const { world } = founded;
      const good = JSON.parse(readFileSync(join(world.folder, "founding.json"), "utf8")) as Founding;
      const { people, policy } = good;
      const [somebody] = people;
      for (const bad of [
        { ...good, v: 2 },
        { ...good, operators: ["Mallory"] },
        { ...good, policy: { ...policy, v: 2 } },
        { ...good, policy: { ...policy, vaults: [] } },
        { ...good, people: [...people, { ...somebody, name: "Mallory", roles: ["owner"], key: null }] },
        { ...good, people: [...people, { name: "A1ice", roles: ["auditor"], key: null }] },
        { ...good, people: [...people, { name: "ALL", roles: ["auditor"], key: null }] },
        { ...good, policy: { ...policy, groups: [{ name: "Treasury", members: ["Alice", "Mallory"] }] } },
        { ...good, policy: { ...policy, governance: { ...policy.governance, threshold: 9 } } },
      ]) {
        const file = join(world.folder, "bad.json");
        writeFileSync(file, JSON.stringify(bad));
        await mustRefuse(founded, tally, async () => await world.json("init", file));
      }
    },
  },
];

interface Founding {
  readonly people: readonly Readonly<Record<string, unknown>>[];
  readonly policy: Readonly<Record<string, unknown>> & { readonly governance: object };
}

const nothing = () => undefined;

/** No act, no policy, no member, and nothing frozen. */
async function requireNothing(world: World): Promise<void> {
  const { act, policy, frozen } = await world.ask<Record<string, unknown>>({ command: "status" });
  const { members } = await world.ask<{ members: unknown[] }>({ command: "members.list" });
  if (!isDeepStrictEqual([act, policy, frozen, members], [0, null, [], []]))
    throw new Error("something was in force before the founding");
}

/** Confirms whoever is not confirmed yet; returns the request of the founding. */
async function askAll({ world, words, members }: Unfounded): Promise<string> {
  let request: string | null = null;
  for (const name of members.keys())
    if (name !== "Ann") ({ request } = await confirmFounder(world, name, words.get(name) ?? ""));
  if (request === null) throw new Error("a founder is missing");
  return request;
}

async function openFounding({ world }: Unfounded): Promise<string> {
  const requests = await world.ask<{ id: string; state: string }[]>({ command: "request.list" });
  const found = requests.find(({ state }) => state === "pending");
  if (found === undefined) throw new Error("no founding is open");
  return found.id;
}

/** The edited payload with the digest of its change in its statement. */
function withFittingStatement(before: string, after: string): string {
  return after.replace(shortDigest(before), shortDigest(after));
}

function shortDigest(payload: string): string {
  const { change } = JSON.parse(payload) as { change: unknown };
  return sha256Hex(new TextEncoder().encode(JSON.stringify(change))).slice(0, 32);
}

async function open(): Promise<Unfounded> {
  const world = await makeUnfounded();
  try {
    const members = new Map([...world.invites.keys()].map((name) => [name, new Member(world, name)]));
    const begun = [...members.values()].map(
      async (member) => [member.name, await member.begin(world.invites.get(member.name) ?? "")] as const,
    );
    return { world, members, words: new Map(await Promise.all(begun)) };
  } catch (error) {
    await world.dispose();
    throw error;
  }
}

export const FOUNDING: Group<Unfounded> = { name: "the founding", open, close: closeCompany, attacks: ATTACKS };
