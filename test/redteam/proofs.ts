/**
 * Proof files in the hands of whoever was given one: altered anywhere, put together of several, and of another HSM. The company is their
 * own, with a founding and a policy: each of the many verifications checks every act that there is. protocol/README.md, "Proof".
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
// oxlint-disable-next-line no-restricted-imports -- the code that the CLI runs: a process for each bit would take an hour
import { verifyFile } from "../../hsm-agent/proof.ts";
import { GOOD_PROOFS } from "../../protocol/vectors/proof-file.ts";
import type { World } from "../harness/world.ts";
import type { Attack, Group, Tally } from "./attack.ts";
import { type Company, carry, closeCompany, move, openCompany, policyText, signHonestly } from "./company.ts";

/** Places of a file at which a bit is turned over. */
const PLACES = 1500;

const ATTACKS: readonly Attack<Company>[] = [
  {
    id: "proof-bit",
    by: "hostile member",
    what: "A bit of a proof is turned over, at 1500 places from its first byte to its last",
    tries: PLACES,
    refused: ["ERR_PROOF"],
    run: async (company, tally) => {
      const { file, fingerprint } = await exported(company);
      const { length } = file;
      for (let n = 0; n < PLACES; n += 1) {
        const place = Math.floor((n * (length - 1)) / (PLACES - 1));
        const altered = Uint8Array.from(file);
        altered[place] = (altered[place] ?? 0) ^ (1 << (n % 8));
        const { ok, code } = await verifyFile(altered, fingerprint);
        if (ok || code === null) tally.through(`bit ${n % 8} of byte ${place} was not missed`);
        else tally.refused(code);
      }
    },
  },
  {
    id: "proof-of-parts",
    by: "hostile member",
    what: "A proof is put together of two: another request, another signed transaction, another place in the log, other approvals, an approval less, an act less, an older checkpoint, and cut short",
    tries: 8,
    refused: ["ERR_PROOF"],
    run: async (company, tally) => {
      const one = await exported(company);
      const two = await exported(company);
      const [mine, theirs] = [one, two].map(({ file }) => JSON.parse(new TextDecoder().decode(file)) as Parts);
      if (mine === undefined || theirs === undefined) throw new Error("a proof is missing");
      const files = [
        { ...theirs, request: mine.request },
        { ...theirs, signed: mine.signed },
        { ...theirs, entry: mine.entry },
        { ...theirs, messages: mine.messages },
        { ...theirs, messages: theirs.messages.slice(1) },
        { ...theirs, acts: theirs.acts.slice(1) },
        { ...theirs, checkpoint: mine.checkpoint },
      ].map((parts) => `${JSON.stringify(parts)}\n`);
      const whole = new TextDecoder().decode(two.file);
      for (const text of [...files, whole.slice(0, -20)])
        await mustNotProve(company.world, tally, text, two.fingerprint);
    },
  },
  {
    id: "proof-of-another-hsm",
    by: "hostile operator",
    what: "A proof that holds is verified by another HSM's fingerprint, by none and by a part of it, and another HSM's whole proof by this one's",
    tries: 4,
    refused: ["ERR_PROOF", "ERR_USAGE"],
    run: async ({ world, members }, tally) => {
      const { file, fingerprint } = await exported({ world, members });
      const text = new TextDecoder().decode(file);
      for (const other of [randomBytes(32).toString("hex"), "", fingerprint.slice(0, 32)])
        await mustNotProve(world, tally, text, other);
      const [foreign] = GOOD_PROOFS;
      await mustNotProve(world, tally, new TextDecoder().decode(foreign?.file), fingerprint);
    },
  },
];

interface Parts {
  readonly request: string;
  readonly messages: readonly string[];
  readonly acts: readonly string[];
  readonly signed: unknown;
  readonly entry: unknown;
  readonly checkpoint: unknown;
}

/** The proof of a transfer that was approved and signed just now, which holds. */
async function exported(company: Company): Promise<{ file: Uint8Array; fingerprint: string }> {
  const { world } = company;
  const { id } = await signHonestly(company);
  const path = join(world.folder, `${id}.json`);
  await world.json("proof", "export", id, "--out", path);
  const fingerprint = world.fingerprint.replaceAll(/\s/g, "");
  await world.json("proof", "verify", path, "--hsm", fingerprint);
  return { file: readFileSync(path), fingerprint };
}

/** `opencustody proof verify`. */
async function mustNotProve(world: World, tally: Tally, text: string, fingerprint: string): Promise<void> {
  const path = join(world.folder, "proof.json");
  writeFileSync(path, text);
  await tally.mustThrow(async () => await world.json("proof", "verify", path, "--hsm", fingerprint));
}

async function open(): Promise<Company> {
  const company = await openCompany();
  try {
    const policy = { ...(await policyText(company.world)), contact: "Operations" };
    await carry(company, await move(company, { verb: "POLICY", change: { policy } }));
    return company;
  } catch (error) {
    await company.world.dispose();
    throw error;
  }
}

export const PROOFS: Group<Company> = { name: "proofs", open, close: closeCompany, attacks: ATTACKS };
