/**
 * A log that is shown in two forms, proved wrongly or not at all, and checkpoints and witnesses that nobody signed: by the HSM identity
 * itself where it can, by others where they try. What a browser believes is in protocol/README.md, "Verifying a view".
 */
import { originOf, signCheckpoint } from "../../protocol/checkpoint.ts";
import { signPayload } from "../../protocol/envelope.ts";
import { REFUSAL, WITNESS, type Witness } from "../../protocol/message.ts";
import type { View } from "../../protocol/view.ts";
import { type Key, newJti, now } from "../harness/bridge-client.ts";
import { viewForgeries } from "../harness/forged-view.ts";
import { withClaims } from "../harness/forgery.ts";
import { until } from "../harness/retry.ts";
import type { RogueLog } from "../harness/rogue-log.ts";
import type { Attack, Group } from "./attack.ts";
import { editRecords } from "./computer-malware.ts";
import { LogStage } from "./log-stage.ts";

/** A log that parts from the agent's so many entries before its end, and has so many others. */
function fork({ agent }: LogStage, before: number, others: number): RogueLog {
  const other = agent.log.fork(agent.log.tree.leaves.length - before);
  for (let more = others; more > 0; more -= 1) other.freeze("Carol");
  return other;
}

const ATTACKS: readonly Attack<LogStage>[] = [
  {
    id: "split-log",
    by: "hostile disk",
    what: "The HSM identity signs a second log: as long as the known one, longer, with a proof that is its own or the known one's, shorter, and as long without an entry",
    tries: 5,
    refused: ["alarm split"],
    run: async (stage, tally) => {
      const { log } = stage.agent;
      const size = log.tree.leaves.length;
      const longer = fork(stage, 2, 4);
      const views = [
        await fork(stage, 1, 1).view(size),
        await longer.view(size),
        await longer.view(size, [], { consistency: log.tree.consistency(size - 2) }),
        await fork(stage, 3, 1).view(0),
        await withoutAnEntry(stage).view(size),
      ];
      for (const [at, view] of views.entries()) await stage.attempt(tally, view, `log ${at + 1}`);
    },
  },
  {
    id: "split-between-two",
    by: "hostile disk",
    what: "Alice's browser is shown one log and Bob's another, equally long and shorter: Bob's says what it saw",
    tries: 2,
    refused: ["alarm witness"],
    run: async (stage, tally) => {
      for (const [before, others] of [
        [1, 1],
        [4, 2],
      ] as const) {
        const theirs = fork(stage, before, others);
        const consistency = stage.agent.log.tree.consistency(theirs.tree.leaves.length);
        const jws = await witnessOf(stage, bob(stage), { checkpoint: await theirs.checkpoint() });
        await stage.attempt(
          tally,
          await honest(stage, { witnesses: [{ jws, consistency }] }),
          "another log than Bob's",
        );
      }
    },
  },
  {
    id: "bent-consistency",
    by: "hostile disk",
    what: "Newer entries come with a proof that has a bit turned over, a hash less, one more, two exchanged, none, or is that of another size",
    tries: 6,
    refused: ["alarm split"],
    run: async (stage, tally) => {
      const { tree } = stage.agent.log;
      const size = tree.leaves.length;
      const newer = fork(stage, 0, 5);
      const path = newer.tree.consistency(size);
      const [first = "", second = ""] = path;
      const bent = [
        path.with(1, `${second.slice(0, -1)}${second.endsWith("0") ? "1" : "0"}`),
        path.slice(1),
        [...path, first],
        [second, first, ...path.slice(2)],
        [],
        newer.tree.consistency(size - 1),
      ];
      for (const consistency of bent)
        await stage.attempt(tally, await newer.view(size, [], { consistency }), "a bent proof");
    },
  },
  {
    id: "never-consistent",
    by: "hostile disk",
    what: "The agent shows newer entries and proves them from nothing, from an older state and from one that nobody has seen, and goes on so when it is asked again",
    tries: 4,
    refused: ["asked again", "said to the person"],
    run: async (stage, tally) => {
      const { agent, alice, page } = stage;
      const { onSync } = agent;
      // What it is asked for it does not give.
      agent.onSync = async () => undefined;
      const size = agent.log.tree.leaves.length;
      const newer = fork(stage, 0, 5);
      const syncs = agent.syncs.length;
      for (const from of [0, size - 1, size + 2])
        await stage.attempt(tally, await newer.view(from), `a proof from ${from}`);
      await until(() => agent.syncs.length > syncs);
      if (agent.syncs.at(-1)?.log?.size !== size) tally.through("it was asked from another state");
      const [row] = (await stage.rows()) as [object];
      // Ten minutes later.
      await page.evaluate(editRecords, [{ table: "log", key: "self", row: { ...row, unprovenSince: now() - 700 } }]);
      const inbox = await alice.visit("inbox.html");
      await inbox.getByText("without the proof that they go on from what this browser knows").waitFor();
      tally.refused("said to the person");
      await inbox.close();
      await page.evaluate(editRecords, [{ table: "log", key: "self", row }]);
      agent.onSync = onSync;
    },
  },
  {
    id: "set-back-and-said-so",
    by: "hostile disk",
    what: "An agent on an older record, which does not hold what the browser knows, answers its sync with that",
    tries: 1,
    refused: ["alarm behind"],
    run: async (stage, tally) => {
      const { agent } = stage;
      const { onSync } = agent;
      const [row] = await stage.rows();
      let told = false;
      agent.onSync = async ({ jti }) => {
        await agent.tell(REFUSAL, { of: jti, request: null, code: "ERR_LOG", message: "It is not there." });
        told = true;
      };
      // What makes a browser sync; its alarm comes with the answer.
      await agent.show(await fork(stage, 0, 5).view(0));
      await until(() => told);
      await until(async () => (await stage.alarms()).length > 0);
      await stage.attempt(tally, await agent.log.view(agent.log.tree.leaves.length), "an older record");
      await stage.page.evaluate(editRecords, [{ table: "log", key: "self", row }]);
      agent.onSync = onSync;
    },
  },
  {
    id: "forged-view",
    by: "hostile bridge",
    what: "A view says that a request is signed: its entry altered, under a stranger's checkpoint in their own name, in the HSM's and of another log, with another size, root, signature or none, at another place, with a shorter path, with a member that nobody knows",
    tries: 11,
    refused: ["ERR_LOG"],
    run: async (stage, tally) => {
      const { agent, stranger } = stage;
      const hash = `0x${"ab".repeat(32)}` as const;
      const forgeries = viewForgeries(stranger, agent.hsm.jwk, agent.hsm.signer.kid, { n: 99, state: "signed", hash });
      const { leaves } = agent.log.tree;
      const receipt = leaves.findIndex((leaf) => leaf.includes('"kind":"state"'));
      const genuine = await agent.log.view(leaves.length, [receipt]);
      for (const [what, forge] of forgeries) await stage.attempt(tally, await forge(genuine), what);
    },
  },
  {
    id: "forged-witness",
    by: "hostile bridge",
    what: "A witness that would raise a false alarm: by a stranger in their own name and in Bob's, altered, to another HSM, over a stranger's checkpoint, over one of another log, and one that is past",
    tries: 7,
    refused: ["ERR_ENVELOPE_KEY", "ERR_ENVELOPE_SIGNATURE", "ERR_ENVELOPE_AUDIENCE", "ERR_LOG", "nothing changed"],
    run: async (stage, tally) => {
      const { agent, stranger } = stage;
      const other = fork(stage, 1, 1);
      const checkpoint = await other.checkpoint();
      const head = other.tree.head();
      const origin = originOf(agent.hsm.signer.kid);
      const elsewhere = originOf(stranger.signer.kid);
      const inBobsName = { ...stranger, signer: { ...stranger.signer, kid: bob(stage).signer.kid } };
      const genuine = await witnessOf(stage, bob(stage), { checkpoint: await agent.log.checkpoint() });
      const forged = [
        await witnessOf(stage, stranger, { checkpoint }),
        await witnessOf(stage, inBobsName, { checkpoint }),
        withClaims(genuine, { checkpoint }),
        await witnessOf(stage, bob(stage), { checkpoint, aud: [stranger.signer.kid] }),
        await witnessOf(stage, bob(stage), {
          checkpoint: await signCheckpoint(origin, head, stranger.signer, stranger.jwk),
        }),
        await witnessOf(stage, bob(stage), { checkpoint: await other.checkpoint(head, elsewhere) }),
        await witnessOf(stage, bob(stage), { checkpoint, iat: now() - 7200, exp: now() - 3600 }),
      ];
      for (const [at, jws] of forged.entries())
        await stage.attempt(tally, await honest(stage, { witnesses: [{ jws, consistency: [] }] }), `witness ${at + 1}`);
    },
  },
];

/** The log as Alice knows it, shown again. */
async function honest({ agent }: LogStage, change: Partial<View>): Promise<string> {
  return await agent.log.view(agent.log.tree.leaves.length, [], change);
}

/** One of its entries was never there, and another is in its place at the end. */
function withoutAnEntry({ agent }: LogStage): RogueLog {
  const { leaves } = agent.log.tree;
  const other = agent.log.fork(leaves.length - 3);
  for (const leaf of leaves.slice(leaves.length - 2)) other.tree.add(leaf);
  other.freeze("Carol");
  return other;
}

function bob({ agent }: LogStage): Key {
  const [puppet] = agent.puppets;
  if (puppet === undefined) throw new Error("nobody else is there");
  return puppet.key;
}

async function witnessOf(
  { agent }: LogStage,
  key: Key,
  body: Partial<Witness> & Pick<Witness, "checkpoint">,
): Promise<string> {
  const iat = now();
  const claims = { v: 1, iss: key.signer.kid, aud: [agent.hsm.signer.kid], jti: newJti(), iat, exp: iat + 3600 };
  const { checkpoint, ...change } = body;
  return await signPayload(WITNESS, JSON.stringify({ ...claims, ...change, checkpoint }), key.signer);
}

export const LOG: Group<LogStage> = {
  name: "two logs, and forged ones",
  open: async () => await LogStage.open(),
  close: async (stage) => await stage.close(),
  attacks: ATTACKS,
};
