/** A policy and people for the unit tests of this folder; nothing that is shipped imports it. */
import type { Member, People, Role } from "../../protocol/people.ts";
import type { Policy } from "../../protocol/policy.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { DESTINATION, OTHER } from "./sample-request.ts";

export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
export const DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F";

export function samplePolicy(changes: Partial<Policy> = {}): Policy {
  return {
    n: 17,
    v: 1,
    bridge: "wss://bridge.example.com/",
    contact: "Olga, +41 44 000 00 00",
    networks: [{ id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 }],
    tokens: [{ network: "eip155:1", contract: USDC, symbol: "USDC", decimals: 6 }],
    vaults: [{ name: "Treasury-1", id: "ab".repeat(16), publicKey: `04${"11".repeat(64)}` }],
    addressBook: [{ name: "Kraken-hot", network: "eip155:1", address: DESTINATION }],
    groups: [{ name: "treasurers", members: ["alice", "bob", "dave", "erin", "frank"] }],
    rules: [
      {
        vault: "Treasury-1",
        network: "eip155:1",
        approvers: "treasurers",
        threshold: 3,
        vendors: [],
        destinations: "book",
        maxFee: "0.05",
        expiresAfter: 120,
      },
    ],
    governance: {
      threshold: 2,
      vendors: [],
      expiresAfter: 1440,
      recovery: { people: ["erin", "frank"], threshold: 2, delay: 72 },
    },
    ...changes,
  };
}

/** A key that stands for nothing; each letter of the alphabet gives another. */
export function sampleKey(letter: string): PublicJwk {
  return { kty: "EC", crv: "P-256", x: letter.repeat(42) + "A", y: "A".repeat(43) };
}

export function sampleMember(name: string, roles: Role[], changes: Partial<Member> = {}): Member {
  return { name, roles, extensions: [sampleKey(name.charAt(0))], files: [], devices: [], ...changes };
}

export function samplePeople(changes: Partial<People> = {}): People {
  const ledger = { vendor: "Ledger" as const, model: "nano-s-plus", address: DESTINATION };
  const trezor = { vendor: "Trezor" as const, model: "trezor-one", address: OTHER };
  const members = [
    sampleMember("alice", ["approver", "admin"], { devices: [ledger] }),
    sampleMember("bob", ["approver", "admin"], { devices: [trezor] }),
    sampleMember("carol", ["initiator"], { extensions: [], files: [sampleKey("c")] }),
  ];
  return { v: 1, n: 3, members, former: [], ...changes };
}
