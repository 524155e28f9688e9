/** A hostile bridge and the frames themselves: what it can read of them, alter in them, stamp on them, and drop. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REJECTION } from "../../protocol/message.ts";
import { relayAll } from "../harness/hostile-relay.ts";
import { CONTACT, USDC, VAULT } from "../harness/policy-plan.ts";
import { DESTINATION, waitForRequest } from "../harness/requests.ts";
import { NAMES } from "./assemble.ts";
import type { Attack } from "./attack.ts";
import { alterations } from "./forge.ts";
import type { Bridged } from "./setting.ts";
import { NOTHING, type Stage, VAULT_2 } from "./stage.ts";

const AMOUNT = "1234567.891011";

/** All that the bridge has seen, stored and logged, and what every part of it is under base64url. */
function knownToBridge({ world, relay }: Stage): string {
  const folder = join(world.folder, "bridge");
  const stored = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
  const plain = [...relay.texts, ...world.bridge().lines, ...stored].join("\n");
  const parts = new Set(plain.match(/[A-Za-z0-9_-]{20,}/g) ?? []);
  const decoded = [...parts].map((part) => Buffer.from(part, "base64url").toString("latin1"));
  return `${plain}\n${decoded.join("\n")}`.toLowerCase();
}

export const FRAMES: readonly Attack<Bridged>[] = [
  {
    id: "bridge-reads",
    by: "hostile bridge",
    what: "every frame, the bridge's log and its database searched for amounts, addresses, names, statements, digests and signatures",
    tries: 19,
    refused: ["not found"],
    run: async ({ stage }, tally) => {
      const { ada, bob } = stage;
      const gas = { limit: "65000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
      const asked = await stage.propose({ asset: "USDC", amount: AMOUNT, gas });
      const signature = ada.device.sign(asked.statement);
      await ada.decide(asked.id);
      await bob.decide(asked.id);
      const { hash, signed } = await waitForRequest(stage.world, asked.id, ({ state }) => state === "signed");
      const units = AMOUNT.replace(".", "");
      const values = {
        AMOUNT,
        units,
        hex: BigInt(units).toString(16),
        DESTINATION,
        token: USDC,
        VAULT,
        VAULT_2,
        contact: CONTACT,
      };
      const more = {
        ...NAMES,
        id: asked.id,
        digest: asked.digest,
        statement: asked.statement.slice(0, 40),
        device: ada.device.address,
      };
      const all = {
        ...values,
        ...more,
        signature: signature.slice(2, 40),
        hash: String(hash).slice(2),
        signed: String(signed).slice(2, 60),
      };
      const haystack = knownToBridge(stage);
      if (!haystack.includes(ada.kid.toLowerCase())) throw new Error("the search finds nothing at all");
      for (const [name, value] of Object.entries(all)) {
        if (haystack.includes(value.toLowerCase().replace(/^0x/, ""))) tally.through(`the bridge knows the ${name}`);
        else tally.refused("not found");
      }
    },
  },
  {
    id: "bridge-sizes",
    by: "hostile bridge",
    what: "an approval told from a rejection and a withdrawal, and a small transfer from a large one, by the length of the frames",
    tries: 3,
    refused: ["no difference"],
    run: async ({ stage }, tally) => {
      const { ada, relay } = stage;
      const lengths: number[] = [];
      const requests: number[] = [];
      for (const [amount, work] of [
        ["1", async (asked) => await ada.approve(asked)],
        ["1234.567891234567891234", async (asked) => await ada.withdraw(asked)],
        ["2", async (asked) => await ada.reject(asked)],
      ] satisfies [string, (asked: Awaited<ReturnType<Stage["propose"]>>) => Promise<unknown>][]) {
        await stage.settled(ada);
        const since = relay.seen.length;
        const asked = await stage.propose({ amount });
        const first = relay.seen.slice(since).find(({ frame, wire }) => frame.t === "deliver" && wire.key === ada.kid);
        if (first?.frame.t === "deliver") requests.push(first.frame.body.length);
        lengths.push((await stage.capture(ada, async () => await work(asked))).body.length);
        if (new Set(lengths).size === 1 && new Set(requests).size === 1) tally.refused("no difference");
        else tally.through(`lengths ${lengths.join(", ")} and ${requests.join(", ")}`);
      }
      await stage.settled(ada);
    },
  },
  {
    id: "bridge-alters",
    by: "hostile bridge",
    what: "Ada's approval altered on its way: a bit in every part of the seal, parts cut, and parts of another message put in",
    tries: 90,
    refused: ["ERR_SEAL_MALFORMED", "ERR_SEAL_OPEN", "ERR_SEAL_KEY"],
    run: async ({ stage, asked }, tally) => {
      const body = await stage.seal(await stage.approval(asked));
      const other = await stage.seal(await stage.approval(asked, stage.bob));
      for (const [at, altered] of alterations(body, other).entries())
        await stage.attempt(tally, async () => await stage.strike(altered), `alteration ${at}`);
    },
  },
  {
    id: "bridge-stamps",
    by: "hostile bridge",
    what: "Ada's approval under another sender: Bob, Dan, Olga's key file, the HSM, a stranger, nobody",
    tries: 6,
    refused: ["ERR_ENVELOPE_KEY"],
    run: async ({ stage, asked }, tally) => {
      const { bob, dan, olga, hsm, stranger } = stage;
      const jws = await stage.approval(asked);
      for (const from of [bob.kid, dan.kid, olga.signer.kid, hsm, stranger.signer.kid, "A".repeat(43)])
        await stage.attempt(tally, async () => await stage.strikeWith(jws, from));
    },
  },
  {
    id: "dropped-stop",
    by: "hostile bridge",
    what: "a rejection and a freeze dropped while others approve: without a receipt the operator is called, and freezes on the agent's host",
    tries: 4,
    refused: ["no receipt", "ERR_FROZEN"],
    run: async ({ stage }, tally) => {
      const { ada, bob, dan, relay, world } = stage;
      const asked = await stage.propose();
      relay.rule = ({ frame, wire, to }) =>
        to === "bridge" && wire.key === ada.kid && frame.t === "send" ? [] : [frame];
      const jws = await stage.sign(ada.key, REJECTION, {
        request: asked.id,
        digest: asked.digest,
        reason: "suspicious",
      });
      const before = ada.mail.log.receipts.length;
      await stage.attempt(tally, async () => {
        await stage.capture(ada, async () => await ada.postRaw(jws));
        return ada.mail.log.receipts.length === before ? "no receipt" : "answered";
      });
      await stage.attempt(tally, async () => {
        await stage.capture(ada, async () => await ada.freeze(VAULT));
        return ada.mail.log.receipts.length === before ? "no receipt" : "answered";
      });
      await world.json("freeze", VAULT);
      for (const member of [bob, dan])
        await stage.attempt(tally, async () => await stage.strikeWith(await stage.approval(asked, member), member.kid));
      relay.rule = relayAll;
      await ada.postRaw(jws);
      await waitForRequest(world, asked.id, ({ state }) => state === "rejected");
      await stage.enact({ verb: "UNFREEZE", change: { vault: VAULT } });
    },
  },
  {
    id: "dropped-receipt",
    by: "hostile bridge",
    what: "the receipt of Ada's approval dropped, so that she sends it again and again",
    tries: 3,
    refused: [NOTHING],
    run: async ({ stage }, tally) => {
      const { ada, relay, world } = stage;
      const asked = await stage.propose();
      relay.rule = ({ frame, wire, to }) =>
        to === "party" && wire.key === ada.kid && frame.t === "deliver" ? [] : [frame];
      const jws = await stage.approval(asked);
      await ada.postRaw(jws);
      await waitForRequest(world, asked.id, ({ records }) => records.length === 1);
      for (let time = 0; time < 3; time += 1) await stage.attempt(tally, async () => await stage.strikeWith(jws));
      relay.rule = relayAll;
      await ada.mail.reconnect();
      await ada.receipt(asked.id, ({ records }) => records.length === 1);
    },
  },
];
