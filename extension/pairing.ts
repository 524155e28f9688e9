/**
 * How this browser comes to belong to a person: an invite, two keys of its own, a device, six words read aloud. README.md, "Pairing".
 * The pages call it through actions.ts.
 */
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { DEVELOPMENT_BRIDGE, parseInvite } from "../protocol/invite.ts";
import { ENROLMENT, PAIR } from "../protocol/message.ts";
import { fingerprint, thumbprint } from "../protocol/primitive.ts";
import type { Vendor } from "../protocol/vendor.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import { poke } from "./browser.ts";
import { claimsFor, clock } from "./compose.ts";
import { look, transact } from "./database.ts";
import type { DeviceModel } from "./devices/device.ts";
import { inviteSigner, makeKey, publicJwkOf } from "./keys.ts";
import { ourselves } from "./ourselves.ts";
import { newSealKey } from "./seal-keys.ts";
import { OF_A_PAIRING, SELF } from "./store.ts";

/** An enrolment or a pairing waits this long for the agent. Seconds. */
const PATIENCE = 30 * 24 * 3600;

/** What an invite says, without using it: the fingerprint (64 hex digits) is compared with the inviter's before `pair`. @throws Fault ERR_INVITE */
export function inspectInvite(code: string): { bridge: string; hsm: string; fingerprint: string } {
  const { bridge, hsm } = parseInvite(code);
  // The content security policy lets these through only; the browser would refuse another without a reason.
  if (!bridge.startsWith("wss:") && bridge !== DEVELOPMENT_BRIDGE) {
    throw new Fault(
      "ERR_INVITE",
      `This invite is for ${bridge}, which this extension may not reach; the bridge needs a wss:// address.`,
    );
  }
  return { bridge, hsm, fingerprint: fingerprint(hsm) };
}

/** Begins pairing, with new keys. It goes on in the background; `loadPairing` says how far it is. @throws Fault ERR_INVITE */
export async function pair(code: string): Promise<void> {
  inspectInvite(code);
  const invite = parseInvite(code);
  const pairOfKeys = await makeKey();
  const key = await publicJwkOf(pairOfKeys);
  const sealKey = await newSealKey(1, clock());
  const seal = sealKey.jwk;
  const once = await inviteSigner(invite);
  const { bridge, hsm } = invite;
  const claims = claimsFor(once, hsm, clock(), PATIENCE);
  const { jti, exp } = claims;
  const jws = await signEnvelope(PAIR, { ...claims, key, seal }, once);
  await transact(async (records) => {
    const earlier = await records.get("pairing", SELF);
    if (earlier?.state === "paired") {
      throw new Fault("ERR_INVITE", "This browser is paired already; unpair it before you use another invite.");
    }
    for (const table of OF_A_PAIRING) records.clear(table);
    records.put("key", SELF, pairOfKeys);
    records.put("sealKeys", sealKey.kid, sealKey);
    records.put("pairing", SELF, {
      state: "pairing",
      standing: null,
      bridge,
      hsm,
      hsmJwk: null,
      former: [],
      kid: thumbprint(key),
      invite,
      name: null,
      roles: [],
      welcomedAt: 0,
      joinedAt: 0,
      founder: null,
      founding: null,
      pair: { jti, key, seal },
      problem: null,
    });
    records.put("outbox", jti, { jti, kind: "pair", to: hsm, jws, exp, about: SELF });
  });
  await poke();
}

/** Asks that this device count for this person: it does once a quorum has enrolled it. @throws Fault ERR_INVITE, ERR_DEVICE_TAKEN */
export async function enrol(device: {
  address: string;
  vendor: Vendor;
  model: DeviceModel;
  path: string;
}): Promise<void> {
  const { signer, trust } = await ourselves();
  const { address, vendor, model, path } = device;
  const { hsm: to, now } = trust;
  const claims = claimsFor(signer, to, now, PATIENCE);
  const { jti, exp } = claims;
  const jws = await signEnvelope(ENROLMENT, { ...claims, address, vendor, model, path }, signer);
  await transact(async (records) => {
    const known = await records.get("devices", address);
    // Another browser of a person may be paired with a device that the person has already.
    const isKnown = known?.state === "enrolled" || known?.state === "pending";
    const standing = (await records.get("pairing", SELF))?.standing;
    if (isKnown && (known.here === true || standing !== "pending")) {
      throw new Fault("ERR_DEVICE_TAKEN", "This device's address is enrolled for you already.");
    }
    for (const item of await records.all("outbox")) {
      if (item.kind === "enrolment" && item.about === address) records.remove("outbox", item.jti);
    }
    const state = isKnown ? known.state : "sent";
    records.put("devices", address, { ...known, address, vendor, model, path, state, here: true, problem: null });
    records.put("outbox", jti, { jti, kind: "enrolment", to, jws, exp, about: address });
  });
  await poke();
}

/**
 * The six words that this person reads aloud to whoever invited them. They commit to the pinned identity, both keys made here, name,
 * roles and the device's address. null until the agent has received the one device enrolled here, and once the browser is a member's.
 */
export async function pairingWords(): Promise<string | null> {
  return await look(async (records) => {
    const pairing = await records.get("pairing", SELF);
    if (pairing?.state !== "paired" || pairing.standing !== "pending" || pairing.name === null) return null;
    const received = (await records.all("devices")).filter(({ state }) => state === "pending" || state === "enrolled");
    const [device, ...others] = received.filter(({ here }) => here === true);
    if (device === undefined || others.length > 0) return null;
    if ((await records.all("outbox")).some(({ about }) => about === device.address)) return null;
    const { hsm, name, roles, pair } = pairing;
    return wordsOfPairing({ hsm, key: pair.key, seal: pair.seal, name, roles, address: device.address });
  });
}

/** Forgets everything, the keys included. A quorum removes the browser from the people; a new invite starts anew. */
export async function unpair(): Promise<void> {
  await transact(async (records) => {
    for (const table of OF_A_PAIRING) records.clear(table);
    records.clear("pairing");
  });
  await poke();
}
