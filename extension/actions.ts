/**
 * What a person can do, as the pages call it. Each is durable (records and outbox in one transaction) before the service worker is
 * told, so that closing the page or losing the worker loses nothing. Every failure is a Fault with a sentence for the person.
 * README.md, "The extension's records". What is sent when is link.ts; what comes back is inbox.ts.
 */
import { recoverSigner } from "../protocol/device-signature.ts";
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { DEVELOPMENT_BRIDGE, parseInvite } from "../protocol/invite.ts";
import { APPROVAL, ENROLMENT, PAIR, REJECTION, type RejectReason, WITHDRAWAL } from "../protocol/message.ts";
import { fingerprint, thumbprint } from "../protocol/primitive.ts";
import type { Vendor } from "../protocol/vendor.ts";
import { poke } from "./browser.ts";
import { checkRequest, trustOf } from "./check.ts";
import { claimsFor, clock } from "./compose.ts";
import type { DeviceModel } from "./devices/device.ts";
import { inviteSigner, makeKey, publicJwkOf, signerOf } from "./keys.ts";
import {
  loadDevices,
  loadKey,
  loadPairing,
  loadRequest,
  type Mine,
  onStoreChange,
  SELF,
  type StoredDevice,
  type StoredRequest,
  transact,
} from "./store.ts";
import { isOpen, standing } from "./waiting.ts";

export { enrolledOn, signWithDevice } from "./signing.ts";
export { loadDevices, loadLink, loadNotices, loadPairing, loadRequest, loadRequests } from "./store.ts";

/** An enrolment or a pairing waits this long for the agent. Seconds. */
const PATIENCE = 30 * 24 * 3600;
/** A rejection or withdrawal outlives its request by this much: a stop must not die before the go that it stops. Seconds. */
const LATE = 3600;

/** What an invite says, without using it: the fingerprint (64 hex digits) is compared with the operator's before `pair`. @throws Fault ERR_INVITE */
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

/** Begins pairing, with a new key. It goes on in the background; `loadPairing` says how far it is. @throws Fault ERR_INVITE */
export async function pair(code: string): Promise<void> {
  inspectInvite(code);
  const invite = parseInvite(code);
  const key = await makeKey();
  const jwk = await publicJwkOf(key);
  const once = await inviteSigner(invite);
  const claims = claimsFor(once, invite.hsm, clock(), PATIENCE);
  const jws = await signEnvelope(PAIR, { ...claims, key: jwk }, once);
  await transact(async (records) => {
    const earlier = await records.get("pairing", SELF);
    if (earlier?.state === "paired") {
      throw new Fault("ERR_INVITE", "This browser is paired already; unpair it before you use another invite.");
    }
    for (const table of ["devices", "requests", "outbox", "notices", "early"] as const) records.clear(table);
    records.put("key", SELF, key);
    records.put("pairing", SELF, {
      state: "pairing",
      bridge: invite.bridge,
      hsm: invite.hsm,
      hsmJwk: null,
      kid: thumbprint(jwk),
      invite,
      name: null,
      roles: [],
      welcomedAt: 0,
      problem: null,
    });
    records.put("outbox", claims.jti, { jti: claims.jti, kind: "pair", jws, exp: claims.exp, about: SELF });
  });
  await poke();
}

/** Asks that this device count for this person. It does once an operator has confirmed its address. @throws Fault ERR_INVITE, ERR_DEVICE_TAKEN */
export async function enrol(device: {
  address: string;
  vendor: Vendor;
  model: DeviceModel;
  path: string;
}): Promise<void> {
  const { signer, trust } = await ourselves();
  const { address, vendor, model, path } = device;
  const claims = claimsFor(signer, trust.hsm, trust.now, PATIENCE);
  const jws = await signEnvelope(ENROLMENT, { ...claims, address, vendor, model, path }, signer);
  await transact(async (records) => {
    const known = await records.get("devices", address);
    if (known?.state === "enrolled" || known?.state === "pending") {
      throw new Fault("ERR_DEVICE_TAKEN", "This device's address is enrolled for you already.");
    }
    for (const item of await records.all("outbox")) {
      if (item.kind === "enrolment" && item.about === address) records.remove("outbox", item.jti);
    }
    records.put("devices", address, { address, vendor, model, path, state: "sent", problem: null });
    records.put("outbox", claims.jti, { jti: claims.jti, kind: "enrolment", jws, exp: claims.exp, about: address });
  });
  await poke();
}

/**
 * Names a device of this person, in this browser only: 1 to 24 characters of A-Z a-z 0-9 . _ - and single spaces between them; an
 * empty label takes the name away. @throws Fault ERR_STATE
 */
export async function renameDevice(address: string, label: string): Promise<void> {
  const name = label.trim();
  if (name !== "" && (name.length > 24 || !/^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$/.test(name))) {
    throw new Fault("ERR_STATE", "A name has 1 to 24 letters, digits, dots, dashes or spaces between them.");
  }
  await transact(async (records) => {
    const known = await records.get("devices", address);
    if (known === undefined) throw new Fault("ERR_STATE", "This device is not in the list any more.");
    const { label: _before, ...rest } = known;
    records.put("devices", address, name === "" ? rest : { ...rest, label: name });
  });
}

/** Keeps what a device said that is not known here, for a report to the operator. Equal ones are counted. */
export async function keepForReport(vendor: Vendor, detail: string): Promise<void> {
  const key = `device: ${vendor} ${detail}`;
  await transact(async (records) => {
    const before = await records.get("notices", key);
    const message = `A ${vendor} answered in a way that is not known here.`;
    records.put("notices", key, { code: key, message, count: (before?.count ?? 0) + 1, at: clock() });
  });
}

/** Sends what the device signed, after everything has been checked once more. @throws Fault of checkRequest; ERR_APPROVAL_*, ERR_REQUEST_* */
export async function approve(requestId: string, signed: { address: string; signature: string }): Promise<void> {
  const { signer, trust } = await ourselves();
  const request = await requireRequest(requestId);
  if (request.problem !== null) throw new Fault("ERR_REQUEST_DIFFERS", request.problem.message);
  const { payload, digest, statement } = await checkRequest(request, trust);
  const device = (await loadDevices()).find((one) => one.address === signed.address && one.state === "enrolled");
  if (device === undefined) {
    throw new Fault("ERR_APPROVAL_DEVICE", "This device's address is not enrolled for you; use the one that is.");
  }
  if (recoverSigner(statement, signed.signature) !== device.address) {
    throw new Fault("ERR_APPROVAL_SIGNATURE", "The device's signature is not over this statement; sign again on it.");
  }
  const claims = claimsFor(signer, trust.hsm, trust.now, payload.exp - trust.now);
  const jws = await signEnvelope(APPROVAL, { ...claims, request: requestId, digest, ...signed }, signer);
  await record(requestId, { kind: "approval", jws, ...claims }, device);
}

/** Ends the request, for everybody. Needs no device. @throws Fault ERR_REQUEST_* */
export async function reject(requestId: string, reason: RejectReason): Promise<void> {
  const { signer, trust } = await ourselves();
  const { digest, payload } = await requireRequest(requestId);
  const claims = claimsFor(signer, trust.hsm, trust.now, Math.max(payload.exp - trust.now, 0) + LATE);
  const jws = await signEnvelope(REJECTION, { ...claims, request: requestId, digest, reason }, signer);
  await record(requestId, { kind: "rejection", jws, ...claims });
}

/**
 * Takes back this person's say while the device still asks, whose prompt cannot be withdrawn: from now on no approval of this
 * request leaves here, and after its receipt the agent accepts none either. @throws Fault ERR_REQUEST_*
 */
export async function withdraw(requestId: string): Promise<void> {
  const { signer, trust } = await ourselves();
  const { digest, payload } = await requireRequest(requestId);
  const claims = claimsFor(signer, trust.hsm, trust.now, Math.max(payload.exp - trust.now, 0) + LATE);
  const jws = await signEnvelope(WITHDRAWAL, { ...claims, request: requestId, digest }, signer);
  await record(requestId, { kind: "withdrawal", jws, ...claims });
}

/** Forgets everything, the key included. The operator removes the member; a new invite starts anew. */
export async function unpair(): Promise<void> {
  await transact(async (records) => {
    const tables = ["pairing", "key", "devices", "requests", "outbox", "notices", "early"] as const;
    for (const table of tables) records.clear(table);
  });
  await poke();
}

/** The person has read the notices. */
export async function dismissNotices(): Promise<void> {
  await transact(async (records) => records.clear("notices"));
}

/** Calls `onChange` after every change of the records, and wakes the service worker once. Returns what ends it. */
export function watch(onChange: () => void): () => void {
  void poke();
  return onStoreChange(onChange);
}

async function record(
  requestId: string,
  message: { kind: Mine["kind"]; jti: string; jws: string; iat: number; exp: number },
  device?: StoredDevice,
): Promise<void> {
  const { kind, jti, jws, iat, exp } = message;
  await transact(async (records) => {
    const request = await records.get("requests", requestId);
    if (request === undefined) throw unknownRequest();
    refuseDecision(request, kind);
    const vendor = device === undefined ? {} : { vendor: device.vendor };
    const mine: Mine = { kind, jti, ...vendor, at: iat, received: false, refusal: null };
    const used = device === undefined ? undefined : await records.get("devices", device.address);
    if (used !== undefined) records.put("devices", used.address, { ...used, usedAt: iat });
    records.put("requests", requestId, { ...request, mine: [...request.mine, mine] });
    records.put("outbox", jti, { jti, kind, jws, exp, about: requestId });
  });
  await poke();
}

/** In the same transaction that records the decision: two windows, or a late signature, come one after the other here. */
function refuseDecision(request: StoredRequest, kind: Mine["kind"]): void {
  if (!isOpen(request)) {
    throw new Fault("ERR_REQUEST_STATE", `It is over: this request is ${request.receipt?.state}. Nothing was sent.`);
  }
  if (standing(request, "rejection") !== undefined) {
    throw new Fault("ERR_REQUEST_STATE", "You rejected this request already; nothing more was sent.");
  }
  if (kind === "approval" && standing(request, "withdrawal") !== undefined) {
    throw new Fault(
      "ERR_APPROVAL_WITHDRAWN",
      "You cancelled your approval of this request, so the late signature was not sent. Ask for a new request.",
    );
  }
  if (kind !== "rejection" && standing(request, kind) !== undefined) {
    throw new Fault("ERR_APPROVAL_DUPLICATE", `Your ${kind} of this request is sent already; nothing was sent twice.`);
  }
}

async function ourselves() {
  const trust = trustOf(await loadPairing(), clock());
  const key = await loadKey();
  if (key === null) throw new Fault("ERR_INVITE", "This browser has lost its key; unpair it and ask for a new invite.");
  return { trust, signer: await signerOf(key) };
}

async function requireRequest(id: string): Promise<StoredRequest> {
  const request = await loadRequest(id);
  if (request === null) throw unknownRequest();
  return request;
}

function unknownRequest(): Fault {
  return new Fault("ERR_REQUEST_UNKNOWN", "This request is not known in this browser.");
}
