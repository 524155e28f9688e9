/** The record of who may decide what, edited: acts changed, forged, dropped, restored, and the token that remembers them swapped. */
import type { DatabaseSync } from "node:sqlite";
import { ACT, type Act } from "../../protocol/charter.ts";
import { signPayload } from "../../protocol/envelope.ts";
import { EMPTY_ROOT } from "../../protocol/merkle.ts";
import { LONG_CHAIN } from "../../protocol/vectors/chain.ts";
import { HSM } from "../../protocol/vectors/keys.ts";
import { type Key, makeKey } from "../harness/bridge-client.ts";
import { claimsOf } from "../harness/message.ts";
import { startProgram } from "../harness/program.ts";
import type { World } from "../harness/world.ts";
import type { Attack } from "./attack.ts";
import { carry, identity, move, person } from "./company.ts";
import type { Disk } from "./disk.ts";
import { mustNotStart, nameToken, putBack } from "./record.ts";

export const ACTS: readonly Attack<Disk>[] = [
  {
    id: "edited-act",
    by: "hostile disk",
    what: "An act in the database is edited: a role, a rule, the bridge, a number, an approval left out",
    tries: 5,
    refused: ["ERR_ENVELOPE_SIGNATURE"],
    run: async (disk, tally) => {
      const changes = [
        inRequest('"roles":["auditor"]', '"roles":["admin"]'),
        inRequest('"destinations":"book"', '"destinations":"any"'),
        inRequest("ws://127.0.0.1:8787/", "ws://127.0.0.1:9999/"),
        (act: Act) => ({ ...act, people: { ...act.people, n: act.people.n + 1 } }),
        (act: Act) => ({ ...act, approvals: act.approvals.slice(1) }),
      ];
      await mustNotStart(disk, tally, ...changes.map((change) => (db: DatabaseSync) => editAct(db, 1, change)));
    },
  },
  {
    id: "act-of-another-hsm",
    by: "hostile disk",
    what: "An act is signed by another key, in its own name and in the HSM's; the whole founding is another HSM's with its own people's approvals, also with the record's founder changed to fit",
    tries: 4,
    refused: ["ERR_ENVELOPE_KEY", "ERR_ENVELOPE_SIGNATURE", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const other = await makeKey();
      const hsm = { ...other, signer: { ...other.signer, kid: await identity(world) } };
      const signedBy = (key: Key) => async (db: DatabaseSync) => {
        const act = readAct(db, 2);
        writeAct(db, 2, await signAct({ ...act, iss: key.signer.kid, aud: [key.signer.kid] }, key));
      };
      const foundedBy = (founder: Key["jwk"] | null) => (db: DatabaseSync) => {
        db.exec("DELETE FROM acts; DELETE FROM requests; DELETE FROM request_texts");
        db.prepare("INSERT INTO acts (n, jws, at, entry) VALUES (1, ?, 1, 0)").run(LONG_CHAIN[0]?.jws ?? "");
        if (founder !== null)
          db.prepare("UPDATE meta SET value = ? WHERE key = 'founder'").run(JSON.stringify(founder));
      };
      await mustNotStart(disk, tally, signedBy(other), signedBy(hsm), foundedBy(null), foundedBy(HSM.jwk));
    },
  },
  {
    id: "acts-dropped",
    by: "hostile disk",
    what: "The last act is dropped, one in the middle, the founding, and all; two change places; one stands twice",
    tries: 6,
    refused: ["ERR_CHARTER", "ERR_STATE"],
    run: async (disk, tally) => {
      const edits = [
        "DELETE FROM acts WHERE n = (SELECT max(n) FROM acts)",
        "DELETE FROM acts WHERE n = 2",
        "DELETE FROM acts WHERE n = 1",
        "DELETE FROM acts",
        "UPDATE acts SET n = -n; UPDATE acts SET n = 5 + n WHERE n IN (-2, -3); UPDATE acts SET n = -n WHERE n < 0",
        "INSERT INTO acts (n, jws, at, entry) SELECT 99, jws, at, entry FROM acts WHERE n = 2",
      ];
      await mustNotStart(disk, tally, ...edits.map((sql) => (db: DatabaseSync) => db.exec(sql)));
    },
  },
  {
    id: "older-record",
    by: "hostile disk",
    what: "Yesterday's whole database is restored beside today's token: from before the last policy, and from before the last freeze",
    tries: 2,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const restore = async () =>
        await mustNotStart(disk, tally, async () => putBack(world, disk.yesterday, ["record"]));
      await restore();
      await freezeBy(disk, "Carol", null);
      await mustNotStart(disk, tally, async () => putBack(world, disk.today, ["record"]));
      await carry(disk, await move(disk, { verb: "UNFREEZE", change: { vault: null } }));
    },
  },
  {
    id: "removed-freeze",
    by: "hostile disk",
    what: "A freeze is removed from the database, of one vault and of everything, and made one of another vault",
    tries: 4,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      for (const vault of ["Treasury-1", null]) {
        await freezeBy(disk, "Bob", vault);
        const edits = ["DELETE FROM freezes", "UPDATE freezes SET vault = 'Another'"];
        await mustNotStart(disk, tally, ...edits.map((sql) => (db: DatabaseSync) => db.exec(sql)));
        await carry(disk, await move(disk, { verb: "UNFREEZE", change: { vault } }));
      }
    },
  },
  {
    id: "swapped-token",
    by: "hostile disk",
    what: "The configuration names another token: an empty one, one with an identity key of its own, and one whose key has the same id and label",
    tries: 3,
    refused: ["ERR_HSM_KEY_MISSING", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const swap = (label: string, id: string | null) => async (db: DatabaseSync) => {
        world.token.addToken(label);
        const key = id === "its own" ? keyIdIn(db) : id;
        if (key !== null) await useToken(world, label, "key", key);
        nameToken(world, world.token.tokenLabel, label);
      };
      const edits = [swap("empty", null), swap("own-key", "ab".repeat(16)), swap("same-id", "its own")];
      await mustNotStart(disk, tally, ...edits);
    },
  },
  {
    id: "changed-anchor",
    by: "hostile disk",
    what: "The token's anchor is destroyed, replaced by one of another form, and by ones that know another act and another log",
    tries: 4,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const anchors = [
        ["drop-anchor", ""],
        ["anchor", "{}"],
        ["anchor", JSON.stringify({ act: 1, head: "00".repeat(32), frozen: [], log: { size: 0, root: EMPTY_ROOT } })],
        ["anchor", JSON.stringify({ act: 0, head: null, frozen: [], log: { size: 3, root: "00".repeat(32) } })],
      ] as const;
      const write = ([what, text]: (typeof anchors)[number]) => {
        return async () => await useToken(world, world.token.tokenLabel, what, text);
      };
      await mustNotStart(disk, tally, ...anchors.map(write));
    },
  },
];

export async function freezeBy(disk: Disk, by: string, vault: string | null): Promise<void> {
  const of = await person(disk, by).freeze(vault);
  await person(disk, by).freezes(({ freezes }) => freezes.some((one) => one.of === of));
}

/** CKA_ID of the HSM identity. */
function keyIdIn(db: DatabaseSync): string {
  return String(db.prepare("SELECT value FROM meta WHERE key = 'identity'").get()?.["value"]);
}

function inRequest(from: string, to: string): (act: Act) => Act {
  return (act) => {
    if (!act.request.includes(from)) throw new Error(`the act has no ${from}`);
    return { ...act, request: act.request.replace(from, to) };
  };
}

function readAct(db: DatabaseSync, n: number): Act {
  return claimsOf(jwsOf(db, n)) as unknown as Act;
}

function jwsOf(db: DatabaseSync, n: number): string {
  return String(db.prepare("SELECT jws FROM acts WHERE n = ?").get(n)?.["jws"]);
}

function writeAct(db: DatabaseSync, n: number, jws: string): void {
  db.prepare("UPDATE acts SET jws = ? WHERE n = ?").run(jws, n);
}

/** Changes what an act says; its signature stays. */
function editAct(db: DatabaseSync, n: number, change: (act: Act) => Act): void {
  const [header = "", , signature = ""] = jwsOf(db, n).split(".");
  const payload = Buffer.from(JSON.stringify(change(readAct(db, n)))).toString("base64url");
  writeAct(db, n, `${header}.${payload}.${signature}`);
}

async function signAct(act: Act, key: Key): Promise<string> {
  return await signPayload(ACT, JSON.stringify(act), key.signer);
}

/** Runs a program on a token while no agent does. */
async function useToken(world: World, label: string, what: string, value: string): Promise<void> {
  const { module, pinFile, env } = world.token;
  const tool = startProgram("test/redteam/token-tool.ts", [module, label, pinFile, what, value], {
    ...process.env,
    ...env,
  });
  const code = await new Promise<number>((resolve) => tool.process.once("close", (exit) => resolve(exit ?? 1)));
  if (code !== 0) throw new Error(`the token tool failed: ${tool.lines.join("\n")}`);
}
