/** A copied profile is a stolen key, and no device: it stops, and approves nothing; a quorum cuts it off, and its owner pairs anew. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APPROVAL, FREEZE, REJECTION } from "../../protocol/message.ts";
import type { Approver } from "../harness/approver.ts";
import { change, enact, invite, vouch } from "../harness/company.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { message } from "../harness/message.ts";
import { waitForRequest } from "../harness/requests.ts";
import { until } from "../harness/retry.ts";
import { storedIn } from "../harness/verdict.ts";
import type { Attack } from "./attack.ts";
import { codeOfLogin } from "./computer-keys.ts";
import { Malware } from "./computer-malware.ts";
import { codeOn, membersOf, newLedger, press, type Workplace } from "./computer-workplace.ts";
import { droppedFrom, mustStay } from "./tries.ts";

export const PROFILES: readonly Attack<Workplace>[] = [
  {
    id: "copied-profile",
    by: "stolen keys",
    what: "A copied browser profile beside its original: approves with a device of its own, in the page and with the copied key; once a quorum has removed the browser, copy and original log in with the key that both have, and what was approved with it is void",
    tries: 6,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE", "ERR_LOGIN_UNKNOWN", "stays void", "wrong-device"],
    run: async (place, tally) => {
      const { world, bob, hsm } = place;
      await place.alice.close({ keep: true });
      const { profile } = place.alice;
      const copied = copyProfile(profile);
      place.alice = await place.browser("Alice", place.ledger, profile);
      const own = newLedger("thief's");
      const copy = await place.browser("Alice", own, copied);
      try {
        const malware = await Malware.in(world, hsm, copy);
        const { id } = await place.propose();
        const asked = await bob.request(id);
        await place.attempt(tally, id, async () => {
          const page = await copy.openRequest(id);
          await press(page, "Ledger");
          const code = await codeOn(page);
          await page.close();
          return code;
        });
        const loose = new LooseDevice();
        for (const address of [loose.address, await place.ledger.address()]) {
          const signed = { address, signature: loose.sign(asked.statement) };
          await place.attempt(tally, id, async () => await malware.approve(asked, signed));
        }
        await requireStops(place, malware);
        // What its owner approved with the same key does not outlive it.
        const { id: approved } = await place.propose();
        await place.approve(approved);
        const [key] = (await membersOf(world)).members.find(({ name }) => name === "Alice")?.extensions ?? [];
        await change(world, "members", "remove", "Alice", "--browser", key?.key ?? "");
        for (const browser of [place.alice, copy]) tally.refused(await cutOff(browser));
        await mustStay(place, tally, approved, "void");
        await malware.close();
      } finally {
        await copy.close();
      }
    },
  },
  {
    id: "lost-profile",
    by: "stolen keys",
    what: "A lost profile is found by a thief after its owner has paired anew and its browser was removed: its key logs in, an approval of it with the device's true signature goes through another member's connection",
    tries: 3,
    refused: ["ERR_ENVELOPE_KEY", "ERR_LOGIN_UNKNOWN"],
    run: async (place, tally) => {
      const { world, bob, hsm } = place;
      await place.alice.close({ keep: true });
      const lost = place.alice.profile;
      place.alice = await place.browser("Alice", place.ledger);
      const words = await place.alice.begin(await invite(world, "Alice", { roles: [] }));
      await enact(world, await vouch(world, "Alice", words));
      await place.alice.counted();
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const found = await place.browser("Alice", newLedger("thief's"), lost);
      try {
        await place.attempt(tally, id, async () => await cutOff(found));
        const malware = await Malware.in(world, hsm, found);
        await place.attempt(tally, id, async () => await codeOfLogin(world.port, hsm, malware.key));
        const signature = await place.signedByTrezor(asked.statement);
        const body = { request: id, digest: asked.digest, address: place.trezor.address(), signature, log: null };
        const jws = await message(APPROVAL, malware.key, hsm, body, asked.payload.exp);
        await place.attempt(tally, id, async () => {
          const known = droppedFrom(place, bob.kid).length;
          await bob.postRaw(jws);
          await until(() => droppedFrom(place, bob.kid).length > known);
          return droppedFrom(place, bob.kid)[known] ?? "";
        });
        await malware.close();
      } finally {
        await found.close();
      }
      await place.requireHonest();
    },
  },
];

/** As a thief has it. What only says that a browser is running is left out. */
function copyProfile(profile: string): string {
  const copy = mkdtempSync(join(tmpdir(), "opencustody-profile-"));
  cpSync(profile, copy, { recursive: true, verbatimSymlinks: true });
  for (const name of readdirSync(copy)) if (name.startsWith("Singleton")) rmSync(join(copy, name), { force: true });
  return copy;
}

/** What a stolen key can do, and the documents say so: reject and freeze. Throws where it cannot. */
async function requireStops(place: Workplace, malware: Malware): Promise<void> {
  const { world, bob } = place;
  const { id } = await place.propose();
  const { digest } = await bob.request(id);
  await malware.plant("rejection", await malware.sign(REJECTION, { request: id, digest, reason: "other" }), id);
  await waitForRequest(world, id, ({ state }) => state === "rejected");
  const frozen = async () => (await world.ask<{ frozen: unknown[] }>({ command: "status" })).frozen.length > 0;
  await malware.plant("freeze", await malware.sign(FREEZE, { vault: null }), "");
  await until(frozen);
  await change(world, "unfreeze");
  await until(async () => !(await frozen()));
}

/** The code with which the bridge refuses a browser, once it does. */
async function cutOff(browser: Approver): Promise<string> {
  const page = await browser.visit("inbox.html");
  let code = "";
  await until(async () => {
    const [link] = (await storedIn(page, "link")) as { state: string; problem: { code: string } | null }[];
    code = link?.state === "online" ? "" : (link?.problem?.code ?? "");
    // A connection that ended is tried again: only what the bridge says to that counts.
    return code.startsWith("ERR_LOGIN");
  });
  await page.close();
  return code;
}
