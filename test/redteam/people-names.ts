/** Names that a person would take for others, and names that would read as a word of the statement. protocol/README.md, "Names". */
import { INVITATION } from "../../protocol/message.ts";
import { makeKey, now } from "../harness/bridge-client.ts";
import { invite } from "../harness/company.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import type { Attack } from "./attack.ts";
import { type Company, fileKey, forged, identity, move, policyText } from "./company.ts";
import { mustRefuse } from "./tries.ts";

export const NAMES: readonly Attack<Company>[] = [
  {
    id: "look-alike-person",
    by: "hostile console or page",
    what: "Somebody is invited under a name that looks like a person's, a vault's, a network's or a payee's (case, 0 and O, 1, l and I)",
    tries: 6,
    refused: ["ERR_NAME"],
    run: async (company, tally) => {
      for (const name of ["alice", "AIice", "B0b", "Treasury-l", "ETHEREUM", "Payro1l"])
        await mustRefuse(company, tally, async () => await invite(company.world, name));
    },
  },
  {
    id: "look-alike-in-policy",
    by: "hostile console or page",
    what: "A POLICY names payees, networks, vaults and tokens that look like others of it, or like a person",
    tries: 6,
    refused: ["ERR_ENVELOPE_PAYLOAD", "ERR_NAME"],
    run: async (company, tally) => {
      const policy = await policyText(company.world);
      const [token] = policy.tokens;
      const [vault] = policy.vaults;
      const payee = { network: "eip155:1", address: new LooseDevice().address };
      const contract = new LooseDevice().address;
      for (const part of [
        { addressBook: [...policy.addressBook, { name: "PayroII", ...payee }] },
        { addressBook: [...policy.addressBook, { name: "A1ice", ...payee }] },
        { networks: [...policy.networks, { id: "eip155:10", name: "ethereum", symbol: "ETH", decimals: 18 }] },
        { vaults: [vault, { ...vault, name: "Treasury-I", id: "00".repeat(16), publicKey: "04".repeat(65) }] },
        { tokens: [...policy.tokens, { ...token, contract, symbol: "usdc" }] },
        { tokens: [...policy.tokens, { ...token, contract, symbol: "eth" }] },
      ])
        await mustRefuse(company, tally, async () => {
          await move(company, { verb: "POLICY", change: { policy: { ...policy, ...part } } });
        });
      // The same with a name of its own is asked for.
      const addressBook = [...policy.addressBook, { name: "Rent", ...payee }];
      const tokens = [...policy.tokens, { ...token, contract, symbol: "DAI" }];
      await move(company, { verb: "POLICY", change: { policy: { ...policy, addressBook, tokens } } });
    },
  },
  {
    id: "name-as-keyword",
    by: "hostile console or page",
    what: "A person, a payee, a vault or a token is called as a word of the statement, like an address, or with what a screen would not show",
    tries: 8,
    refused: ["ERR_ENVELOPE_PAYLOAD"],
    run: async (company, tally) => {
      const { world } = company;
      const policy = await policyText(world);
      const key = (await makeKey()).jwk;
      for (const name of [
        "TO",
        "from",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "Bob\u200b",
        "Alice; max fee 0",
      ]) {
        const body = { name, roles: ["approver"], key, until: now() + 3600 };
        const jws = await forged(INVITATION, await fileKey(world, "Olga"), await identity(world), body);
        await mustRefuse(company, tally, async () => await world.ask({ command: "invite", jws }));
      }
      const [payee] = policy.addressBook;
      const [token] = policy.tokens;
      const [network] = policy.networks;
      for (const part of [
        { addressBook: [{ ...payee, name: "ALL" }] },
        { tokens: [{ ...token, symbol: "TO" }] },
        { networks: [{ ...network, name: "Ethereum FROM Vault" }] },
      ])
        await mustRefuse(company, tally, async () => {
          await move(company, { verb: "POLICY", change: { policy: { ...policy, ...part } } });
        });
    },
  },
];
