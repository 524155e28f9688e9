/** The company of the vectors about governance: who was there at the founding, and the policy that they signed. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { applyMotion, type Documents } from "../governance.ts";
import type { Device, People, Role } from "../people.ts";
import type { PolicyText } from "../policy.ts";
import {
  ADA,
  ADAS_DEVICE,
  ADAS_FILE,
  BOB,
  BOBS_DEVICE,
  bytesOf,
  CAROL,
  CAROLS_DEVICE,
  DAN,
  DANS_DEVICE,
  EVE,
  EVES_DEVICE,
  OLGA,
  OLGAS_SPARE,
  VAULT,
  type VectorDevice,
  type VectorKey,
} from "./keys.ts";

/** Somebody who approves: a browser and a device. */
export interface Person {
  readonly name: string;
  readonly key: VectorKey;
  readonly device: VectorDevice;
  readonly enrolled: Device;
}

function person(name: string, key: VectorKey, device: VectorDevice, vendor: Device["vendor"], model: string): Person {
  return { name, key, device, enrolled: { address: device.address, vendor, model } };
}

export const ada = person("Ada", ADA, ADAS_DEVICE, "Ledger", "flex");
export const bob = person("Bob", BOB, BOBS_DEVICE, "Trezor", "safe5");
export const dan = person("Dan", DAN, DANS_DEVICE, "Ledger", "nanosplus");
export const eve = person("Eve", EVE, EVES_DEVICE, "Trezor", "safe3");
/** Not there yet. */
export const carol = person("Carol", CAROL, CAROLS_DEVICE, "Ledger", "stax");

const member = ({ name, key, enrolled }: Person, roles: Role[], files: People["members"][number]["files"] = []) => {
  return { name, roles, extensions: [key.jwk], files, devices: [enrolled] };
};

export const FOUNDERS: People = {
  v: 1,
  n: 1,
  members: [
    member(ada, ["approver", "admin"], [ADAS_FILE.jwk]),
    member(bob, ["approver", "admin"]),
    member(dan, ["approver", "admin"]),
    member(eve, ["auditor"]),
    { name: "Olga", roles: ["initiator"], extensions: [], files: [OLGA.jwk, OLGAS_SPARE.jwk], devices: [] },
  ],
  former: [],
};

export const POLICY: PolicyText = {
  v: 1,
  bridge: "wss://bridge.example/",
  contact: "Operations, +1 555 0100",
  networks: [{ id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 }],
  tokens: [
    {
      network: "eip155:1",
      contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
      symbol: "USDC",
      decimals: 6,
    },
  ],
  vaults: [{ name: "Treasury-1", id: bytesToHex(bytesOf("vault id", 16)), publicKey: VAULT.publicKey }],
  addressBook: [{ name: "Acme", network: "eip155:1", address: "0x52908400098527886E0F7030069857D2E4169EE7" }],
  groups: [{ name: "treasurers", members: ["Ada", "Bob", "Dan"] }],
  rules: [
    {
      vault: "Treasury-1",
      network: "eip155:1",
      approvers: "treasurers",
      threshold: 2,
      vendors: [],
      destinations: "any",
      maxFee: "0.05",
      expiresAfter: 60,
    },
  ],
  governance: {
    threshold: 2,
    vendors: [],
    expiresAfter: 1440,
    recovery: { people: ["Dan", "Eve"], threshold: 2, delay: 72 },
  },
};

/** The next policy: payments go to the address book only. */
export const STRICTER: PolicyText = {
  ...POLICY,
  rules: POLICY.rules.map((rule) => ({ ...rule, destinations: "book" })),
};

/** What is in force after the founding. */
export const FOUNDED: Documents = applyMotion({ verb: "FOUND", change: { people: FOUNDERS, policy: POLICY } }, null);
