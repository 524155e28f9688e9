/** The rest of the record, edited: who is pairing, what waits, vaults and nonces, the next identity, keys and mail. No right follows from any of it. */
import type { DatabaseSync } from "node:sqlite";
import { exportJWK, generateKeyPair } from "jose";
import { DEVELOPMENT_BRIDGE, encodeInvite } from "../../protocol/invite.ts";
import { thumbprint } from "../../protocol/primitive.ts";
import { type Key, makeKey, newJti, now } from "../harness/bridge-client.ts";
import { invite, vouch } from "../harness/company.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { Member } from "../harness/member.ts";
import type { Attack, Tally } from "./attack.ts";
import { identity, move, person, propose } from "./company.ts";
import type { Disk } from "./disk.ts";
import { eachEdited, mustNotStart, start, waits, whileEdited } from "./record.ts";
import { askAnything, mustBeRefused, mustNotCount, mustRefuse } from "./tries.ts";

const LEDGER = { vendor: "Ledger", model: "nano-s-plus" } as const;

export const ROWS: readonly Attack<Disk>[] = [
  {
    id: "planted-invite",
    by: "hostile disk",
    what: "An invite for an admin is written into the database, in an initiator's name and in the operator's with a draft of a founding, and its browser pairs, has its words entered by the operator and an own key, approves and freezes",
    tries: 10,
    refused: ["ERR_APPROVAL_NOT_ELIGIBLE", "ERR_ENVELOPE_KEY", "ERR_MEMBER_ROLE", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const hsm = await identity(world);
      for (const inviter of ["Olga", null]) {
        const { id } = await propose(disk);
        const request = await person(disk, "Alice").request(id);
        const { privateKey } = await generateKeyPair("ES256", { extractable: true });
        const { d = "", x = "", y = "" } = await exportJWK(privateKey);
        const key = { kty: "EC", crv: "P-256", x, y } as const;
        const code = encodeInvite({ v: 1, bridge: DEVELOPMENT_BRIDGE, hsm, key, d });
        await whileEdited(
          disk,
          tally,
          (db) => {
            db.prepare("INSERT INTO invites (kid, name, roles, inviter, key, exp) VALUES (?, ?, ?, ?, ?, ?)").run(
              thumbprint(key),
              "Mallory",
              '["approver","admin"]',
              inviter,
              JSON.stringify(key),
              now() + 3600,
            );
            if (inviter === null)
              db.exec(`INSERT INTO meta (key, value) VALUES ('founding', '{"people":[],"policy":{}}')`);
          },
          async () => {
            await start(disk);
            const mallory = new Member(world, "Mallory");
            const words = await mallory.begin(code);
            await mustRefuse(disk, tally, async () => {
              await askAnything(disk, { command: "pairing.confirm", name: "Mallory", words });
            });
            await mustRefuse(disk, tally, async () => await askAnything(disk, { command: "found" }));
            await mustNotCount(disk, tally, mallory, id, async () => await mallory.approve(request));
            await mustBeRefused(disk, tally, mallory, async () => await mallory.freeze(null));
            const own = world.keyFile(`own-${newJti()}`);
            await world.json("key", "new", own);
            await mustRefuse(disk, tally, async () => await vouch(world, "Mallory", words, { key: own }));
            mallory.close();
          },
        );
      }
    },
  },
  {
    id: "planted-device",
    by: "hostile disk",
    what: "A device is written into the database as waiting for somebody, and approves through that person's own browser",
    tries: 1,
    refused: ["ERR_APPROVAL_DEVICE"],
    run: async (disk, tally) => {
      const alice = person(disk, "Alice");
      const device = new LooseDevice();
      const { id } = await propose(disk);
      const request = await alice.request(id);
      const change = { address: device.address, signature: device.sign(request.statement) };
      await whileEdited(
        disk,
        tally,
        (db) =>
          db
            .prepare("INSERT INTO waiting_devices (name, address, device, at) VALUES ('Alice', ?, ?, 1)")
            .run(device.address, JSON.stringify({ address: device.address, ...LEDGER })),
        async () => {
          await start(disk);
          await mustNotCount(disk, tally, alice, id, async () => await alice.approve(request, change));
        },
      );
    },
  },
  {
    id: "edited-pairing",
    by: "hostile disk",
    what: "While somebody pairs, their browser's key, its receiving key, their device and their roles are exchanged in the database before the words are entered",
    tries: 4,
    refused: ["ERR_WORDS"],
    run: async (disk, tally) => {
      const { world } = disk;
      const other = await makeKey();
      const device = { address: new LooseDevice().address, ...LEDGER };
      const edits: readonly ((db: DatabaseSync) => unknown)[] = [
        (db) =>
          db
            .prepare("UPDATE pairings SET kid = ?, key = ? WHERE name = 'Nora'")
            .run(other.signer.kid, JSON.stringify(other.jwk)),
        (db) => db.prepare("UPDATE pairings SET seal = ? WHERE name = 'Nora'").run(JSON.stringify(other.jwk)),
        (db) => db.prepare("UPDATE pairings SET device = ? WHERE name = 'Nora'").run(JSON.stringify(device)),
        (db) => db.exec(`UPDATE pairings SET roles = '["approver","admin"]' WHERE name = 'Nora'`),
      ];
      for (const edit of edits) {
        const nora = new Member(world, "Nora");
        const words = await nora.begin(await invite(world, "Nora"));
        await whileEdited(disk, tally, edit, async () => {
          await start(disk);
          await mustRefuse(disk, tally, async () => await vouch(world, "Nora", words));
        });
        nora.close();
      }
    },
  },
  {
    id: "another-vault-key",
    by: "hostile disk",
    what: "The key that a vault's name means is exchanged in the database: its id, its public half",
    tries: 2,
    refused: ["ERR_VAULT_UNKNOWN"],
    run: async (disk, tally) => {
      await mustNotPropose(disk, tally, [
        "UPDATE vaults SET id = '11111111111111111111111111111111'",
        `UPDATE vaults SET public_key = '04${"11".repeat(64)}'`,
      ]);
    },
  },
  {
    id: "nonce-again",
    by: "hostile disk",
    what: "A nonce that is used already is made the next one, and put among those that are free",
    tries: 2,
    refused: ["ERR_INTERNAL"],
    run: async (disk, tally) => {
      const { nonce } = await propose(disk);
      await mustNotPropose(disk, tally, [
        `UPDATE next_nonces SET nonce = ${nonce}; DELETE FROM free_nonces`,
        `INSERT OR REPLACE INTO free_nonces (vault, network, nonce) VALUES ('Treasury-1', 'eip155:1', ${nonce}); DELETE FROM free_nonces WHERE nonce <> ${nonce}`,
      ]);
    },
  },
  {
    id: "planted-succession",
    by: "hostile disk",
    what: "The agent is made to believe that it succeeds a lost token: with a key that the token does not have, and with its own next one, by which nothing can be proposed but a ROTATE",
    tries: 3,
    refused: ["ERR_HSM_KEY_MISSING", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      await world.ask({ command: "rotate.prepare" });
      const own = await makeKey();
      await mustNotStart(disk, tally, (db) => {
        writeNext(db, own, "cd".repeat(16));
        db.prepare("INSERT INTO meta (key, value) VALUES ('succession', ?)").run(own.signer.kid);
      });
      await whileEdited(
        disk,
        tally,
        (db) =>
          db.exec("INSERT INTO meta (key, value) SELECT 'succession', value FROM meta WHERE key = 'next-thumbprint'"),
        async () => {
          // No card of this identity is known to anybody.
          await world.startAgent();
          await mustRefuse(disk, tally, async () => await propose(disk));
          await mustRefuse(disk, tally, async () => await move(disk, { verb: "UNFREEZE", change: { vault: null } }));
        },
      );
    },
  },
  {
    id: "planted-next-identity",
    by: "hostile disk",
    what: "The next identity is exchanged in the database for a key that the attacker made, under an id that the token lacks and under its own, and the admins approve a ROTATE to it",
    tries: 2,
    refused: ["ERR_HSM_KEY_MISSING", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      await world.ask({ command: "rotate.prepare" });
      const own = await makeKey();
      for (const id of ["cd".repeat(16), null]) {
        // Everybody would have followed it.
        if (tally.breaches.length > 0) return;
        await whileEdited(
          disk,
          tally,
          (db) => writeNext(db, own, id),
          async () => {
            await start(disk);
            await tally.mustThrow(async () => {
              const asked = await move(disk, { verb: "ROTATE", change: { to: own.jwk } });
              for (const name of ["Ann", "Ben"]) {
                const admin = person(disk, name);
                await admin.approve(await admin.request(asked));
              }
              const inForce = world
                .agent()
                .logged("in force")
                .then(() => null);
              const code = await Promise.race([waits(world, asked), inForce]);
              if (code !== null) throw Object.assign(new Error(code), { code });
            });
          },
        );
      }
    },
  },
];

/** On a record that is edited so no transfer can be proposed. */
async function mustNotPropose(disk: Disk, tally: Tally, edits: readonly string[]): Promise<void> {
  const refused = async () => {
    await start(disk);
    await mustRefuse(disk, tally, async () => await propose(disk));
  };
  await eachEdited(
    disk,
    tally,
    edits.map((sql) => [(db: DatabaseSync) => db.exec(sql), refused] as const),
  );
}

/** `id`: CKA_ID that the record gives for it; the one that it has where null. */
function writeNext(db: DatabaseSync, { jwk, signer }: Key, id: string | null): void {
  const write = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
  if (id !== null) write.run("next-identity", id);
  write.run("next-thumbprint", signer.kid);
  write.run("next-jwk", JSON.stringify(jwk));
}
