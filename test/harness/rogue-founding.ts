/** The founding of a lying agent: one real person with a browser and a device, and puppets whose keys are all its own. */
import { randomBytes } from "node:crypto";
import { applyMotion, referencesOf } from "../../protocol/governance.ts";
import type { Device, People } from "../../protocol/people.ts";
import { parsePolicy } from "../../protocol/policy.ts";
import { type PublicJwk, requestIdOf, thumbprint } from "../../protocol/primitive.ts";
import { type MotionRequest, withMotionStatement } from "../../protocol/request.ts";
import { type Key, makeKey, newJti, now } from "./bridge-client.ts";
import { LooseDevice } from "./loose-device.ts";
import { planPolicy, VAULT } from "./policy-plan.ts";

export interface Puppet {
  readonly name: string;
  readonly key: Key;
  readonly device: LooseDevice;
}

export async function makePuppets(): Promise<Puppet[]> {
  const names = ["Bob", "Carol", "Dan"];
  return await Promise.all(names.map(async (name) => ({ name, key: await makeKey(), device: new LooseDevice() })));
}

/** secp256k1's generator: a point, and nobody's vault. */
const VAULT_KEY =
  "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
/** In the order of members that a request has. */
export const ROGUE_VAULT = { id: "ab".repeat(16), name: VAULT, publicKey: VAULT_KEY };

/** The request for the founding: everybody may propose and approve, two of four approve a transfer. */
export function foundingOf(
  hsm: string,
  person: { readonly name: string; readonly extension: PublicJwk; readonly device: Device },
  puppets: readonly Puppet[],
): MotionRequest {
  const roles = ["initiator" as const, "approver" as const, "admin" as const];
  const members: People["members"] = [
    { name: person.name, roles, extensions: [person.extension], files: [], devices: [person.device] },
    ...puppets.map(({ name, key, device }) => ({
      name,
      roles,
      extensions: [key.jwk],
      files: [],
      devices: [{ address: device.address, vendor: "Ledger" as const, model: "nano-s-plus" }],
    })),
  ];
  const people: People = { v: 1, n: 1, members: [...members, OLGA], former: [] };
  // In the schema's order of members, of which the digest is taken.
  const policy = parsePolicy({ ...planPolicy(members, { addressBook: [PAYEE] }), vaults: [ROGUE_VAULT] });
  const change = { people, policy };
  const iat = now();
  const names = members.map(({ name }) => name);
  return withMotionStatement({
    v: 1,
    iss: hsm,
    aud: [person.extension, ...puppets.map(({ key }) => key.jwk)].map(thumbprint),
    jti: newJti(),
    iat,
    exp: (Math.floor(iat / 60) + 60) * 60,
    request: requestIdOf(randomBytes(10)),
    verb: "FOUND",
    change,
    initiator: null,
    quorum: { threshold: names.length, people: names, vendors: [] },
    notBefore: null,
    ...referencesOf(applyMotion({ verb: "FOUND", change }, null)),
  });
}

/** Somebody in the address book. */
export const PAYEE = {
  name: "Acme",
  network: "eip155:1",
  address: "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
};

/** P-256's generator. */
const FILE: PublicJwk = {
  kty: "EC",
  crv: "P-256",
  x: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
  y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
};

/** Somebody with a key file must be able to propose, or nothing could be founded. */
const OLGA: People["members"][number] = {
  name: "Olga",
  roles: ["initiator"],
  extensions: [],
  files: [FILE],
  devices: [],
};
