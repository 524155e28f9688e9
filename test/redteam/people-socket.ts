/**
 * Every command of the agent's control socket, as whoever took over the operator's account would use it. What the operator may do alone
 * is to read, to make keys that no policy names, and to freeze; `freeze` itself is therefore not among these tries.
 */
import { CANCELLATION, CLOCK, INVITATION, MOTION, PROPOSAL, VOUCH } from "../../protocol/message.ts";
import { makeKey } from "../harness/bridge-client.ts";
import type { Attack } from "./attack.ts";
import { type Company, forged, identity, propose } from "./company.ts";
import { askAnything, governed, mustRefuse } from "./tries.ts";

const UNKNOWN = [
  { command: "members.add", name: "Mallory", role: "admin" },
  { command: "members.confirm", name: "Mallory" },
  { command: "members.remove", name: "Ann" },
  { command: "policy.set", policy: {} },
  { command: "unfreeze", vault: null },
  { command: "request.approve", id: "0".repeat(16), person: "Alice" },
  { command: "act", jws: "a.b.c" },
  { command: "sign", bytes: "00" },
  { command: "freeze", vault: null, lift: true },
  { v: 2, command: "status" },
];

export const SOCKET: readonly Attack<Company>[] = [
  {
    id: "unknown-commands",
    by: "hostile operator",
    what: "The control socket is given commands that would add a person, set a policy, lift a freeze, approve or sign, and known ones with unknown keys and versions",
    tries: UNKNOWN.length,
    refused: ["ERR_USAGE"],
    run: async (company, tally) => {
      for (const command of UNKNOWN) await mustRefuse(company, tally, async () => await askAnything(company, command));
    },
  },
  {
    id: "unsigned-commands",
    by: "hostile operator",
    what: "Every command that a member's key file signs is given with a key that nobody knows, and the three of the founding after it",
    tries: 9,
    refused: ["ERR_ENVELOPE_KEY", "ERR_STATE"],
    run: async (company, tally) => {
      const { world } = company;
      for (const [command, type] of [
        ["invite", INVITATION],
        ["pairing.vouch", VOUCH],
        ["motion", MOTION],
        ["request.propose", PROPOSAL],
        ["request.cancel", CANCELLATION],
        ["clock.confirm", CLOCK],
      ] as const) {
        // Whose key it is, is asked before what it says.
        const jws = await forged(type, await makeKey(), await identity(world), {});
        await mustRefuse(company, tally, async () => await askAnything(company, { command, jws }));
      }
      const words = "abacus abdomen abdominal abide abiding ability";
      for (const command of [{ command: "found" }, { command: "found.invite", name: "Ann" }])
        await mustRefuse(company, tally, async () => await askAnything(company, command));
      await mustRefuse(
        company,
        tally,
        async () => await askAnything(company, { command: "pairing.confirm", name: "Mallory", words }),
      );
    },
  },
  {
    id: "operators-own-commands",
    by: "hostile operator",
    what: "Every command that the operator may give alone, but freeze, changes nothing that is governed, and a vault made that way can be used by nobody",
    tries: 11,
    refused: ["ERR_POLICY_DENIED", "ERR_VAULT_EXISTS", "changes nothing"],
    run: async (company, tally) => {
      const { world } = company;
      const { id } = await propose(company);
      const nonces = [{ network: "eip155:1", nonce: 0 }];
      for (const command of [
        { command: "status" },
        { command: "members.list" },
        { command: "vault.list" },
        { command: "policy.show", n: 1 },
        { command: "request.list" },
        { command: "request.show", id },
        { command: "rotate.prepare" },
        { command: "vault.create", name: "Mallorys-own", backup: "none", nonces },
        { command: "vault.nonce", name: "Treasury-1", network: "eip155:10", nonce: 3 },
      ]) {
        const before = await governed(world);
        await askAnything(company, command);
        if ((await governed(world)) === before) tally.refused("changes nothing");
        else tally.through(`${command.command} changed people, policy or freezes`);
      }
      const again = { command: "vault.nonce", name: "Treasury-1", network: "eip155:1", nonce: 3 };
      await mustRefuse(company, tally, async () => await askAnything(company, again));
      await mustRefuse(company, tally, async () => {
        const key = ["--key", world.keyFile("Olga")];
        const fees = ["--gas-limit", "21000", "--max-fee", "30", "--priority-fee", "1"];
        const what = ["--to", "0x52908400098527886E0F7030069857D2E4169EE7", "--amount", "1", "--asset", "ETH"];
        await world.json(
          "request",
          "send",
          "--vault",
          "Mallorys-own",
          "--network",
          "eip155:1",
          ...key,
          ...what,
          ...fees,
        );
      });
    },
  },
];
