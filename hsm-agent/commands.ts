/**
 * What each command of the control socket does. Whoever can open that socket is the operator, who reads, makes keys that no policy names
 * yet, and freezes; all else is signed by a member's key file, and decided on devices. README.md of protocol/, "The control socket".
 */

import * as v from "valibot";
import { openEnvelope } from "../protocol/envelope.ts";
import { CLOCK } from "../protocol/message.ts";
import { fingerprint, jwkOfPoint, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import type { Backups } from "./backup.ts";
import { statusOf } from "./condition.ts";
import type { Command } from "./control.ts";
import type { Consequence, Desk } from "./desk.ts";
import { askFounding, confirmFounder, inviteFounder } from "./founding.ts";
import { freeze, freezesBody } from "./freeze.ts";
import type { Link } from "./link.ts";
import { readHead, readPage } from "./log-verify.ts";
import { fileKeyOf, move, proposerOf } from "./motions.ts";
import { invite, vouch } from "./pairing.ts";
import { exportProof } from "./proof.ts";
import { cancel, propose } from "./proposals.ts";
import { showRestore } from "./restoring.ts";
import { addressOf, createVault, setFirstNonce } from "./vaults.ts";
import { listMembers, listRequests, showPolicy, showRequest } from "./views.ts";

export interface Running {
  readonly desk: Desk;
  readonly link: Pick<Link, "state" | "publishRoster">;
  readonly follow: (consequence: Consequence) => void;
  readonly backups: Pick<Backups, "write" | "status">;
}

/** What works before the founding. */
const BEFORE_FOUNDING: readonly Command["command"][] = [
  "status",
  "found",
  "found.invite",
  "pairing.confirm",
  "members.list",
  "vault.list",
  "request.list",
  "request.show",
  "proof.export",
  "log.head",
  "log.page",
];

/** What is not done on a record that was restored, or is not the newest. Proposals are judged one by one. */
const CHANGES_RECORD: readonly Command["command"][] = [
  "invite",
  "pairing.confirm",
  "pairing.vouch",
  "vault.create",
  "vault.nonce",
  "found.invite",
];

/** @throws Fault */
export async function run({ desk, link, follow, backups }: Running, command: Command): Promise<unknown> {
  const { journal } = desk;
  if (!BEFORE_FOUNDING.some((name) => name === command.command)) desk.charter.require();
  if (CHANGES_RECORD.some((name) => name === command.command)) desk.witnesses.requireWritable();
  const drive = (id: string) => follow({ requests: [id], roster: false });
  // Wrong words may have ended a pairing, whose key is shut out then.
  const ended = (error: unknown): never => {
    desk.wake();
    link.publishRoster();
    throw error;
  };
  switch (command.command) {
    case "status":
      return { ...statusOf(desk, link), backup: backups.status };
    case "found": {
      const id = await askFounding(desk);
      drive(id);
      return await showRequest(desk, id);
    }
    case "invite": {
      const made = await invite(desk, command.jws);
      link.publishRoster();
      return made;
    }
    case "pairing.confirm": {
      const confirmed = await confirmFounder(desk, command.name, command.words).catch(ended);
      if (confirmed.request !== null) drive(confirmed.request);
      return confirmed;
    }
    case "pairing.vouch": {
      const vouched = await vouch(desk, command.jws).catch(ended);
      drive(vouched.request);
      return vouched;
    }
    case "members.list":
      return listMembers(desk);
    case "motion": {
      const moved = await move(desk, command.jws);
      drive(moved.request);
      return moved;
    }
    case "vault.create": {
      const made = await createVault(desk, command.name, command.backup, command.nonces);
      return { ...made, address: addressOf(made) };
    }
    case "vault.list": {
      const governed = desk.charter.current?.policy.vaults ?? [];
      return journal.vaults().map((vault) => ({
        ...vault,
        address: addressOf(vault),
        inPolicy: governed.some(({ id }) => id === vault.id),
      }));
    }
    case "vault.nonce":
      setFirstNonce(journal, command.name, command);
      return null;
    case "policy.show":
      return showPolicy(desk, command.n);
    case "found.invite": {
      const made = await inviteFounder(desk, command.name);
      link.publishRoster();
      return made;
    }
    case "clock.confirm":
      return await confirmClock(desk, command.jws);
    case "freeze":
      follow({ requests: freeze(desk, { vault: command.vault, by: null, of: null }), roster: false });
      return freezesBody(journal);
    case "rotate.prepare":
      return await prepareRotation(desk);
    case "backup":
      return await backups.write(command.path);
    case "restore.show":
      return showRestore(desk);
    case "request.propose": {
      const proposed = await propose(desk, command.jws);
      drive(proposed.request);
      return proposed;
    }
    case "request.cancel": {
      const id = await cancel(desk, command.jws);
      drive(id);
      return await showRequest(desk, id);
    }
    case "request.list":
      return listRequests(desk);
    case "request.show":
      return await showRequest(desk, command.id);
    case "proof.export":
      return await exportProof(desk, command.id);
    case "log.head":
      return readHead(journal);
    case "log.page":
      return readPage(journal, command.from);
  }
}

/** A person who may propose says that the time is right; their own clock agrees within the skew of an envelope. */
async function confirmClock(desk: Desk, jws: string): Promise<null> {
  const expected = { type: CLOCK, keyOf: fileKeyOf(desk), audience: desk.identity.signer.kid, now: desk.now() };
  const { payload } = await openEnvelope(jws, expected);
  const person = proposerOf(desk, payload.iss);
  desk.log.warn({ person, since: desk.clockInDoubt() }, "the clock was confirmed");
  desk.confirmClock();
  return null;
}

/** The next identity key: made once, and the same until a ROTATE took effect. */
async function prepareRotation({ journal, hsm }: Desk) {
  const known = journal.meta("next-jwk") ?? (await makeNext(journal, hsm));
  const key = v.parse(PublicJwkSchema, JSON.parse(known));
  return { key, fingerprint: fingerprint(thumbprint(key)) };
}

async function makeNext(journal: Desk["journal"], hsm: Desk["hsm"]): Promise<string> {
  const made = await hsm.generateKey({ curve: "P-256", label: "OpenCustody identity", backup: "none" });
  const key = jwkOfPoint(made.publicKey);
  return journal.transaction(() => {
    // Somebody else asked at the same time: there is one next identity.
    const first = journal.meta("next-jwk");
    if (first !== undefined) return first;
    journal.setMeta("next-identity", made.id);
    journal.setMeta("next-thumbprint", thumbprint(key));
    journal.setMeta("next-jwk", JSON.stringify(key));
    return JSON.stringify(key);
  });
}
