/** A bridge that was taken over, and a browser behind it: what it delivers, repeats, reorders and makes up. Nothing of it is believed. */
import { ACT } from "../../protocol/charter.ts";
import { peekEnvelope } from "../../protocol/envelope.ts";
import { FREEZES, REFUSAL, WELCOME } from "../../protocol/message.ts";
import { REQUEST } from "../../protocol/request.ts";
import { signedBy, withBit, withClaims, withHeader, withoutSignature } from "../harness/forgery.ts";
import { relayAll } from "../harness/hostile-relay.ts";
import { claimsOf, typOf } from "../harness/message.ts";
import { storedIn } from "../harness/verdict.ts";
import type { Attack, Group } from "./attack.ts";
import { Browsing, pause } from "./browsing.ts";
import { alterations } from "./forge.ts";
import { NOTHING, type Stage } from "./stage.ts";

/** The last message of a type that Ada was sent. */
function lastOf({ ada }: Stage, type: { readonly typ: string }): string {
  const found = ada.mail.messages.findLast((jws) => peekEnvelope(jws).typ === type.typ);
  if (found === undefined) throw new Error(`no ${type.typ} came`);
  return found;
}

/** Cards and rosters as the agent sent them to the bridge, oldest first. */
function documentsOf({ relay }: Stage): { cards: string[]; rosters: string[] } {
  const frames = relay.seen.filter(({ wire }) => wire.isAgent).map(({ frame }) => frame);
  const cards = frames.flatMap((frame) => (frame.t === "login" && frame.card !== null ? [frame.card] : []));
  return { cards, rosters: frames.flatMap((frame) => (frame.t === "roster" ? [frame.jws] : [])) };
}

const TYPES = [REQUEST, WELCOME, FREEZES, REFUSAL];

const ATTACKS: readonly Attack<Browsing>[] = [
  {
    id: "browser-alters",
    by: "hostile bridge",
    what: "a request altered on its way to Alice: a bit in every part of the seal, parts cut, and parts of another message put in",
    tries: 31,
    refused: ["ERR_SEAL_MALFORMED", "ERR_SEAL_OPEN", "ERR_SEAL_KEY"],
    run: async (browsing, tally) => {
      const [body, other] = [
        await browsing.seal(browsing.asked.jws),
        await browsing.seal(lastOf(browsing.stage, WELCOME)),
      ];
      const all = alterations(body, other);
      const some = all.filter((_, at) => at % 4 === 0 || at > all.length - 5);
      for (const altered of some)
        await browsing.attempt(tally, async () => await browsing.strike(altered), "an alteration");
    },
  },
  {
    id: "browser-forged",
    by: "hostile bridge",
    what: "a request, welcome, list of freezes and refusal with other words, another signature, none, or a stranger's",
    tries: 32,
    refused: [
      "ERR_ENVELOPE_SIGNATURE",
      "ERR_SEAL_MALFORMED",
      "ERR_ENVELOPE_ALG",
      "ERR_ENVELOPE_KEY",
      "ERR_ENVELOPE_HEADER",
    ],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      const aud = [browsing.wire().key];
      for (const jws of TYPES.map((type) => lastOf(stage, type))) {
        const forged = [
          withClaims(jws, { aud, jti: "A".repeat(22) }),
          withBit(jws, 1, 30),
          withBit(jws, 2, 40),
          withoutSignature(jws),
          `${withoutSignature(withHeader(jws, { alg: "none" }))}AA`,
          withHeader(jws, { jwk: stage.stranger.jwk }),
          await signedBy(stage.stranger, jws, undefined, { aud }),
          await signedBy(stage.stranger, jws, stage.hsm, { aud }),
        ];
        for (const one of forged)
          await browsing.attempt(tally, async () => await browsing.strike(await browsing.seal(one)), "a forgery");
      }
    },
  },
  {
    id: "browser-resealed",
    by: "hostile member",
    what: "what the HSM wrote to Ada, sealed again to Alice",
    tries: 3,
    refused: ["ERR_ENVELOPE_AUDIENCE"],
    run: async (browsing, tally) => {
      for (const type of [WELCOME, FREEZES, REFUSAL])
        await browsing.attempt(
          tally,
          async () => await browsing.strike(await browsing.seal(lastOf(browsing.stage, type))),
          type.typ,
        );
    },
  },
  {
    id: "browser-typ",
    by: "hostile bridge",
    what: "a card, a roster, a login and Ada's approval in the place of a message of the agent's",
    tries: 4,
    refused: ["ERR_ENVELOPE_TYPE"],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      const { cards, rosters } = documentsOf(stage);
      const login = stage.relay.seen.find(({ frame }) => frame.t === "login")?.frame;
      const approval = await stage.approval(browsing.asked);
      for (const jws of [cards[0], rosters[0], login?.t === "login" ? login.jws : "", approval])
        await browsing.attempt(
          tally,
          async () => await browsing.strike(await browsing.seal(jws ?? "")),
          "another type",
        );
    },
  },
  {
    id: "browser-stamps",
    by: "hostile bridge",
    what: "a request, a receipt in a view of the log and a list of freezes of the HSM's under another sender: Ada, a stranger, Alice herself",
    tries: 9,
    refused: ["ERR_ENVELOPE_KEY"],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      for (const text of [lastOf(stage, REQUEST), stage.ada.mail.views.at(-1) ?? "", lastOf(stage, FREEZES)]) {
        const body = await browsing.seal(text);
        for (const from of [stage.ada.kid, stage.stranger.signer.kid, browsing.wire().key])
          await browsing.attempt(tally, async () => await browsing.strike(body, from), typOf(text));
      }
    },
  },
  {
    id: "browser-replay",
    by: "hostile bridge",
    what: "everything that Alice was ever sent, again, the newest first: requests, receipts, welcomes, lists of freezes, acts",
    tries: 24,
    refused: [NOTHING],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      const { id, ...asked } = await stage.propose();
      await stage.ada.freeze(null);
      await stage.settled(stage.ada);
      await stage.ada.reject(asked);
      await stage.enact({ verb: "UNFREEZE", change: { vault: null } });
      await stage.settled(stage.ada);
      await browsing.settled(id);
      const inForce = async () => ((await storedIn(browsing.page, "charter")) as { n: number }[])[0]?.n;
      while ((await inForce()) !== stage.ada.charter?.n) await pause();
      const key = browsing.wire().key;
      const bodies = stage.relay.seen.flatMap(({ frame, wire }) =>
        frame.t === "deliver" && wire.key === key ? [frame.body] : [],
      );
      if (bodies.length < 24) throw new Error(`only ${bodies.length} messages came`);
      for (const body of bodies.slice(-24).toReversed())
        await browsing.attempt(tally, async () => await browsing.strike(body), "a replay");
    },
  },
  {
    id: "browser-acts",
    by: "hostile bridge",
    what: "acts kept back, delivered in the wrong order, altered, and one of another company in their place",
    tries: 6,
    refused: [NOTHING, "ERR_CHARTER"],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      const { key } = browsing.wire();
      stage.relay.rule = ({ frame, wire }) => (wire.key === key && frame.t === "deliver" ? [] : [frame]);
      await stage.enact({ verb: "POLICY", change: { policy: await stage.policy() } });
      await stage.settled(stage.ada);
      const first = lastOf(stage, ACT);
      await stage.enact({ verb: "POLICY", change: { policy: await stage.policy() } });
      await stage.settled(stage.ada);
      const second = lastOf(stage, ACT);
      const forged = [
        second,
        withClaims(first, { policy: { n: 9, digest: "0".repeat(64) } }),
        withClaims(first, { approvals: [] }),
        withBit(first, 2, 40),
        await signedBy(stage.stranger, first),
        await signedBy(stage.stranger, first, stage.hsm),
      ];
      for (const [at, jws] of forged.entries())
        await browsing.attempt(tally, async () => await browsing.strike(await browsing.seal(jws)), `act ${at + 1}`);
      stage.relay.rule = relayAll;
      stage.relay.cut((wire) => wire.key === key);
      const inForce = async () => ((await storedIn(browsing.page, "charter")) as { n: number }[])[0]?.n;
      while ((await inForce()) !== stage.ada.charter?.n) await pause();
    },
  },
  {
    id: "browser-cards",
    by: "hostile bridge",
    what: "an older card of the agent's, an altered one, another identity's, a roster and a request in its place",
    tries: 7,
    refused: ["ERR_CARD_OLD", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_TYPE"],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      await stage.restartAgent();
      const isNew = async () => {
        const kept = (await storedIn(browsing.page, "card")) as { n: number }[];
        return kept[0]?.n === Number(claimsOf(documentsOf(stage).cards.at(-1) ?? "")["n"]);
      };
      while (!(await isNew())) await pause();
      const { cards, rosters } = documentsOf(stage);
      const [oldest = "", newest = ""] = [cards[0], cards.at(-1)];
      const shown = [
        oldest,
        withClaims(newest, { n: 1000 }),
        withClaims(newest, { n: 1000, seal: stage.stranger.jwk }),
        await signedBy(stage.stranger, newest, undefined, { n: 1000, hsm: stage.stranger.jwk }),
        await signedBy(stage.stranger, newest, stage.hsm, { n: 1000, seal: stage.stranger.jwk }),
        rosters[0] ?? "",
        browsing.asked.jws,
      ];
      for (const jws of shown)
        await browsing.attempt(
          tally,
          async () =>
            await browsing.noted(async () => {
              const before = JSON.stringify([...(await browsing.notices())]);
              browsing.wire().pass("party", { v: 1, t: "card", jws });
              while (JSON.stringify([...(await browsing.notices())]) === before) await pause();
            }),
          "a card",
        );
    },
  },
  {
    id: "browser-hello",
    by: "hostile bridge",
    what: "a hello whose nonce is too short, too long, empty or no base64url, and a second one once she is in, to have more logins signed",
    tries: 5,
    refused: ["ERR_FRAME_MALFORMED"],
    run: async (browsing, tally) => {
      const { stage, page } = browsing;
      const link = async () =>
        ((await storedIn(page, "link")) as { state: string; problem: { code: string } | null }[])[0];
      const logins = () =>
        stage.relay.seen.filter(({ frame, wire }) => frame.t === "login" && wire.key !== "" && !wire.isAgent).length;
      const offline = async () => {
        for (;;) {
          const now = await link();
          if (now?.state !== "online" && now?.problem?.code.startsWith("ERR_FRAME") === true) return now.problem.code;
          await pause();
        }
      };
      const online = async () => {
        while ((await link())?.state !== "online") await pause();
      };
      for (const nonce of ["A".repeat(42), "A".repeat(44), "", "=".repeat(43)]) {
        const { key } = browsing.wire();
        const before = logins();
        stage.relay.rule = ({ frame }) => (frame.t === "hello" ? [{ ...frame, nonce }] : [frame]);
        stage.relay.cut((wire) => wire.key === key);
        const code = await offline();
        stage.relay.rule = relayAll;
        if (logins() !== before) tally.through("a login was signed");
        else tally.refused(code);
        await online();
      }
      const before = logins();
      const wire = browsing.wire();
      // She comes back at once: kept out until it was seen why she left.
      stage.relay.rule = ({ frame }) => (frame.t === "hello" ? [] : [frame]);
      wire.pass("party", { v: 1, t: "hello", nonce: "A".repeat(43) });
      const code = await offline();
      stage.relay.rule = relayAll;
      stage.relay.cut(({ key }) => key === "");
      if (logins() !== before) tally.through("a second login was signed");
      else tally.refused(code);
      await online();
    },
  },
  {
    id: "browser-oracle",
    by: "hostile bridge",
    what: "Alice's login over a nonce of the bridge's choice, used as an approval, a freeze and a sync of hers at the agent",
    tries: 4,
    refused: ["ERR_ENVELOPE_TYPE", "ERR_ENVELOPE_SIGNATURE"],
    run: async (browsing, tally) => {
      const { stage } = browsing;
      const { key } = browsing.wire();
      const login = stage.relay.seen.find(({ frame, wire }) => frame.t === "login" && wire.key === key)?.frame;
      const jws = login?.t === "login" ? login.jws : "";
      await stage.attempt(tally, async () => await stage.strikeWith(jws, key));
      for (const name of ["approval", "freeze", "sync"])
        await stage.attempt(tally, async () => await stage.strikeWith(withHeader(jws, { typ: `oc-${name}+jws` }), key));
    },
  },
];

export const BROWSER: Group<Browsing> = {
  name: "Hostile bridge and a browser",
  open: async () => await Browsing.open(),
  close: async (browsing) => await browsing.close(),
  attacks: ATTACKS,
};
