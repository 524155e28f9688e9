/** For tests only: the people around an HSM double, what they found, propose and approve, and the acts of it. Not part of the extension. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { ACT, ACT_EXP, type Act, applyAct, type Charter } from "../protocol/charter.ts";
import { addressOfPublicKey, personalMessageHash } from "../protocol/device-signature.ts";
import { payloadText, type Signer, signEnvelope, signPayload } from "../protocol/envelope.ts";
import { applyMotion, type Motion, quorumFor, referencesOf } from "../protocol/governance.ts";
import { APPROVAL } from "../protocol/message.ts";
import type { Member, People, Role } from "../protocol/people.ts";
import type { PolicyText } from "../protocol/policy.ts";
import { type PublicJwk, sha256Hex, thumbprint } from "../protocol/primitive.ts";
import {
  type MotionRequest,
  motionStatementOf,
  REQUEST,
  requestDigest,
  type TransferRequest,
  withMotionStatement,
} from "../protocol/request.ts";
import { claimsFor, clock } from "./compose.ts";
import type { ApprovalDevice } from "./devices/device.ts";
import { BRIDGE, type HsmDouble, minutes, SEND } from "./hsm-double.ts";
import { makeKey, publicJwkOf, signerOf } from "./keys.ts";

export const ADA_ROLES: Role[] = ["initiator", "approver", "admin"];
export const USDC = { contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", symbol: "USDC", decimals: 6 };

/** A person with a browser and a device, which signs whatever it is asked and remembers it. */
export interface PersonDouble {
  readonly name: string;
  readonly signer: Signer;
  readonly jwk: PublicJwk;
  readonly address: string;
  readonly device: ApprovalDevice;
  readonly signed: string[];
}

export async function makePersonDouble(name: string): Promise<PersonDouble> {
  const key = await makeKey();
  const { secretKey } = secp256k1.keygen();
  const address = addressOfPublicKey(secp256k1.getPublicKey(secretKey, false));
  const signed: string[] = [];
  const device: ApprovalDevice = {
    vendor: "Ledger",
    model: "flex",
    appVersion: "1.22.0",
    address: async () => address,
    signStatement: async (_path, statement) => {
      signed.push(statement);
      const bytes = secp256k1.sign(personalMessageHash(statement), secretKey, { prehash: false, format: "recovered" });
      return `0x${bytesToHex(bytes.subarray(1))}${(27 + (bytes[0] ?? 0)).toString(16)}`;
    },
    close: async () => undefined,
  };
  return { name, signer: await signerOf(key), jwk: await publicJwkOf(key), address, device, signed };
}

/** A governance request as the HSM signed it. */
export interface Asked {
  readonly jws: string;
  readonly text: string;
  readonly payload: MotionRequest;
  readonly digest: string;
}

export interface Town {
  charter: Charter | null;
  readonly bob: PersonDouble;
  readonly dan: PersonDouble;
  readonly people: People;
  readonly policy: PolicyText;
  founding(): Motion;
  ask(motion: Motion, change?: Partial<MotionRequest>, by?: Signer): Promise<Asked>;
  approve(person: PersonDouble, asked: Asked): Promise<string>;
  act(asked: Asked, approvals: string[], change?: Partial<Act>, by?: Signer): Promise<string>;
  /** Applies an act to `charter`. */
  follow(act: string): Promise<void>;
  /** Asked, approved by Bob and Dan, enacted and followed. */
  enact(motion: Motion, by?: Signer): Promise<string>;
  /** What a transfer names of the documents in force. */
  transfer(): Pick<TransferRequest, "policy" | "people">;
}

/** Ada is whoever holds `us` and has `device`; she, Bob and Dan approve and are admins, Carol and she propose with key files, Fay audits. Two of them decide. */
export async function makeTown(hsm: HsmDouble, us: PublicJwk, device: string): Promise<Town> {
  const [bob, dan] = [await makePersonDouble("Bob"), await makePersonDouble("Dan")];
  const [carol, fay] = [await makePersonDouble("Carol"), await makePersonDouble("Fay")];
  const adasFile = await makePersonDouble("Ada");
  const both = (name: string, jwk: PublicJwk, address: string, roles: Role[] = ["approver", "admin"]): Member => {
    const devices: Member["devices"] = [{ address, vendor: "Ledger", model: "flex" }];
    return { name, roles, extensions: [jwk], files: [], devices };
  };
  const members: Member[] = [
    { ...both("Ada", us, device, ADA_ROLES), files: [adasFile.jwk] },
    both(bob.name, bob.jwk, bob.address),
    both(dan.name, dan.jwk, dan.address),
    { name: "Carol", roles: ["initiator"], extensions: [], files: [carol.jwk], devices: [] },
    { name: "Fay", roles: ["auditor"], extensions: [fay.jwk], files: [], devices: [] },
  ];
  const people: People = { v: 1, n: 1, members, former: [] };
  const town: Town = {
    charter: null,
    bob,
    dan,
    people,
    policy: POLICY,
    founding: () => ({ verb: "FOUND", change: { people, policy: POLICY } }),
    ask: async (motion, change, by = hsm.signer) => {
      const documents = town.charter ?? applyMotion(motion, null);
      const initiator = motion.verb === "FOUND" ? null : "Carol";
      const recovery = (change?.notBefore ?? null) !== null;
      const { delay: _delay, ...quorum } = quorumFor(motion, town.charter, initiator, recovery);
      const aud = documents.people.members.flatMap(({ extensions }) => extensions.map(thumbprint));
      const drafted = {
        ...claimsFor(by, "", clock(), 3600),
        aud,
        exp: minutes(60),
        request: newRequestId(),
        ...motion,
        initiator,
        quorum,
        notBefore: null,
        ...referencesOf(documents),
        ...change,
      } as unknown as MotionRequest;
      const payload = withMotionStatement(drafted);
      const text = payloadText(REQUEST, payload);
      const digest = requestDigest(new TextEncoder().encode(text));
      return { payload, text, digest, jws: await signPayload(REQUEST, text, by) };
    },
    approve: async (person, { payload, digest }) => {
      const signature = await person.device.signStatement("", motionStatementOf(payload, digest));
      const claims = { ...claimsFor(person.signer, payload.iss, clock(), 0), exp: payload.exp };
      const { address } = person;
      return await signEnvelope(
        APPROVAL,
        { ...claims, request: payload.request, digest, address, signature, log: null },
        person.signer,
      );
    },
    act: async ({ text, payload }, approvals, change, by = hsm.signer) => {
      const after = applyMotion({ verb: payload.verb, change: payload.change } as Motion, town.charter);
      const claims = { ...claimsFor(by, by.kid, clock(), 60), exp: ACT_EXP };
      const n = (town.charter?.n ?? 0) + 1;
      const previous = town.charter?.head ?? null;
      return await signEnvelope(
        ACT,
        { ...claims, n, previous, request: text, approvals, ...referencesOf(after), ...change },
        by,
      );
    },
    follow: async (act) => {
      town.charter = (await applyAct(town.charter, act, hsm.jwk)).charter;
    },
    enact: async (motion, by) => {
      const asked = await town.ask(motion, {}, by);
      const act = await town.act(asked, [await town.approve(bob, asked), await town.approve(dan, asked)], {}, by);
      await town.follow(act);
      return act;
    },
    transfer: () => {
      if (town.charter === null) throw new Error("nothing is founded");
      return referencesOf(town.charter);
    },
  };
  return town;
}

let requests = 0;
function newRequestId(): string {
  requests += 1;
  return sha256Hex(new TextEncoder().encode(String(requests)))
    .slice(0, 16)
    .toUpperCase();
}

const { vault, network } = SEND;
const POLICY: PolicyText = {
  v: 1,
  bridge: BRIDGE,
  contact: "Security desk, +41 44 000 00 00",
  networks: [network],
  tokens: [{ network: network.id, ...USDC }],
  vaults: [{ name: vault.name, id: vault.id, publicKey: vault.publicKey }],
  addressBook: [],
  groups: [{ name: "desk", members: ["Ada", "Bob", "Dan"] }],
  rules: [
    {
      vault: vault.name,
      network: network.id,
      approvers: "desk",
      threshold: 2,
      vendors: [],
      destinations: "any",
      maxFee: "0.01",
      expiresAfter: 60,
    },
  ],
  governance: {
    threshold: 2,
    vendors: [],
    expiresAfter: 60,
    recovery: { people: ["Ada", "Bob"], threshold: 2, delay: 24 },
  },
};
