/** Requests and approvals in the database, edited: what is signed is judged anew from payload, approvals and acts, whatever the rows say. */
import type { DatabaseSync } from "node:sqlite";
import { APPROVAL } from "../../protocol/message.ts";
import { REQUEST, requestDigest } from "../../protocol/request.ts";
import { makeKey, newJti } from "../harness/bridge-client.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import type { Arrived } from "../harness/member.ts";
import { message } from "../harness/message.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { Attack } from "./attack.ts";
import { carry, ELSEWHERE, identity, move, person, policyText, propose } from "./company.ts";
import type { Disk } from "./disk.ts";
import { type Edited, eachEdited, editPayload, mustNotStart, start, waits, whileEdited } from "./record.ts";

export const DISK_REQUESTS: readonly Attack<Disk>[] = [
  {
    id: "edited-request",
    by: "hostile disk",
    what: "The stored payload of an open request is edited: another destination, a smaller quorum, a statement that says something else with a digest that fits it",
    tries: 3,
    refused: ["ERR_STATE", "ERR_STATEMENT_DIFFERS"],
    run: async (disk, tally) => {
      const { id } = await propose(disk);
      const change = (from: string, to: string, withDigest: boolean) => (db: DatabaseSync) =>
        editPayload(db, id, (text) => text.replaceAll(from, to), withDigest);
      await mustNotStart(
        disk,
        tally,
        change(PAID.slice(2).toLowerCase(), ELSEWHERE.slice(2), false),
        change('"threshold":2', '"threshold":1', false),
        change("SEND 1.50 ETH", "SEND 1.00 ETH", true),
      );
    },
  },
  {
    id: "edited-after-approval",
    by: "hostile disk",
    what: "The amount in the payload of a request that somebody approved is edited, in the bytes to be signed too, with statement and digest to fit",
    tries: 1,
    refused: ["ERR_APPROVAL_DIGEST"],
    run: async (disk, tally) => {
      const { world } = disk;
      const { id } = await propose(disk);
      const alice = person(disk, "Alice");
      await alice.decide(id);
      await whileEdited(
        disk,
        tally,
        (db) => editPayload(db, id, (text) => text.replaceAll("1.50", "9.50").replaceAll(WEI, MORE_WEI), true),
        async () => {
          await start(disk);
          tally.refused(await waits(world, id));
        },
      );
    },
  },
  {
    id: "edited-row",
    by: "hostile disk",
    what: "What a row says beside its payload is edited, so that an initiator would count, an expiry be later, a recovery's delay shorter, a nonce another",
    tries: 4,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const bob = person(disk, "Bob");
      const tries: Edited[] = [];
      for (const sql of [
        "UPDATE requests SET initiator = 'Otto'",
        "UPDATE requests SET expires = expires + 86400",
        "UPDATE requests SET nonce = 3",
        "UPDATE requests SET not_before = 0",
      ]) {
        const { id } = await propose(disk);
        await person(disk, "Alice").decide(id);
        const request = await bob.request(id);
        tries.push([
          (db) => db.prepare(`${sql} WHERE id = ?`).run(id),
          async () => {
            await start(disk);
            // The second approval, which would complete the quorum.
            await bob.approve(request);
            tally.refused(await waits(world, id));
          },
        ]);
      }
      await eachEdited(disk, tally, tries);
    },
  },
  {
    id: "forged-approval-row",
    by: "hostile disk",
    what: "An approval is written into the database: signed by another key in its own name and in a member's, one person's under another's name, one of another request, and one whose device is not theirs",
    tries: 5,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_DIGEST", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_SIGNATURE", "ERR_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const [alice, bob] = [person(disk, "Alice"), person(disk, "Bob")];
      const earlier = await alice.request((await propose(disk)).id);
      const hsm = await identity(world);
      const stranger = await makeKey();
      const asBob = { ...stranger, signer: { ...stranger.signer, kid: bob.kid } };
      const device = new LooseDevice();
      const tries: Edited[] = [];
      const write = async (by: (request: Arrived) => Promise<{ jws: string; jti: string; person: string }>) => {
        const { id } = await propose(disk);
        await alice.decide(id);
        const { jws, jti, person: name } = await by(await alice.request(id));
        tries.push([
          (db) => writeApproval(db, id, name, jti, jws),
          async () => {
            await start(disk);
            tally.refused(await waits(world, id));
          },
        ]);
      };
      const approval = async (key: typeof stranger, request: Arrived, signer: LooseDevice, name: string) => {
        const jti = newJti();
        const { digest, payload, statement } = request;
        const said = {
          request: payload.request,
          digest,
          address: signer.address,
          signature: signer.sign(statement),
          jti,
          log: null,
        };
        return { jws: await message(APPROVAL, key, hsm, said, payload.exp), jti, person: name };
      };
      await write(async (request) => await approval(stranger, request, device, "Bob"));
      await write(async (request) => await approval(asBob, request, bob.device, "Bob"));
      await write(async (request) => await approval(alice.key, request, alice.device, "Bob"));
      await write(async () => await approval(bob.key, earlier, bob.device, "Bob"));
      await write(async (request) => await approval(bob.key, request, alice.device, "Bob"));
      await eachEdited(disk, tally, tries);
    },
  },
  {
    id: "ended-request-reopened",
    by: "hostile disk",
    what: "A request that a new policy made void is made pending, or approved, again, and its quorum completed",
    tries: 2,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      const bob = person(disk, "Bob");
      const { id } = await propose(disk);
      await person(disk, "Alice").decide(id);
      const request = await bob.request(id);
      await policyAdopted(disk);
      const completed = async () => {
        await start(disk);
        await bob.approve(request);
        tally.refused(await outcome(disk, id));
      };
      const reopened = ["pending", "approved"].map((state) => (db: DatabaseSync) => {
        db.prepare("UPDATE requests SET state = ? WHERE id = ?").run(state, id);
      });
      await eachEdited(
        disk,
        tally,
        reopened.map((edit) => [edit, completed] as const),
      );
    },
  },
  {
    id: "rejected-request-reopened",
    by: "hostile disk",
    what: "A request that one approver rejected is made pending again, and another approver, who did not see that, completes its quorum",
    tries: 1,
    refused: ["ERR_REQUEST_STATE"],
    run: async (disk, tally) => {
      const { world } = disk;
      const { id } = await propose(disk);
      const carol = person(disk, "Carol");
      const seen = await carol.request(id);
      await person(disk, "Alice").decide(id);
      await carol.reject(seen);
      await waitForRequest(world, id, ({ state }) => state === "rejected");
      const bob = person(disk, "Bob");
      const request = await bob.request(id);
      await whileEdited(
        disk,
        tally,
        (db) => db.prepare("UPDATE requests SET state = 'pending' WHERE id = ?").run(id),
        async () => {
          await start(disk);
          await bob.approve(request);
          tally.refused(await outcome(disk, id));
        },
      );
    },
  },
  {
    id: "planted-request",
    by: "hostile disk",
    what: "A request that nobody proposed is written into the database with a quorum of one, and that one approves it",
    tries: 1,
    refused: ["ERR_STATE"],
    run: async (disk, tally) => {
      const { id } = await propose(disk);
      const bob = person(disk, "Bob");
      await whileEdited(
        disk,
        tally,
        (db) => {
          editPayload(
            db,
            id,
            (text) =>
              text
                .replace(/"quorum":\{"threshold":2,"people":\[[^\]]*\]/, '"quorum":{"threshold":1,"people":["Bob"]')
                .replace(/needs 2 of [0-9]+/, "needs 1 of 1"),
            true,
          );
          db.prepare("UPDATE requests SET state = 'proposed' WHERE id = ?").run(id);
          db.prepare("UPDATE request_texts SET jws = NULL WHERE id = ?").run(id);
          db.exec("DELETE FROM outbox");
        },
        async () => {
          await start(disk);
          const asked = bob.mail.find(REQUEST, ({ payload, bytes, jws }) => {
            if (payload.request !== id || payload.quorum.threshold !== 1) return undefined;
            const digest = requestDigest(bytes);
            return { payload, jws, digest, statement: payload.statement.replace("{digest}", digest) };
          });
          // Where the HSM does sign it, its one approver approves.
          void asked.then(async (planted) => await bob.approve(planted));
          tally.refused(await outcome(disk, id));
        },
      );
    },
  },
];

/** 1.5 and 9.5 ETH, as they stand in the bytes to be signed. */
const WEI = (15n * 10n ** 17n).toString(16);
const MORE_WEI = (95n * 10n ** 17n).toString(16);
const PAID = "0x52908400098527886E0F7030069857D2E4169EE7";

function writeApproval(db: DatabaseSync, id: string, name: string, jti: string, jws: string): void {
  const at = Math.floor(Date.now() / 1000);
  db.prepare(
    "INSERT INTO records (request, n, kind, person, jti, at, vendor, address, reason, jws) VALUES (?, 9, 'approval', ?, ?, ?, 'Ledger', NULL, NULL, ?)",
  ).run(id, name, jti, at, jws);
}

/** How an edited request ends: the code that it waits with, or the state that it reached. */
async function outcome({ world }: Disk, id: string): Promise<string> {
  const ended = waitForRequest(world, id, ({ state }) => state === "signed" || state === "failed");
  return await Promise.race([waits(world, id), ended.then(({ state }) => state)]);
}

async function policyAdopted(disk: Disk): Promise<void> {
  const policy = { ...(await policyText(disk.world)), contact: `Operations ${newJti()}` };
  await carry(disk, await move(disk, { verb: "POLICY", change: { policy } }));
}
