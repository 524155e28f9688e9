/**
 * A person's decision about a request: approve, reject, withdraw. README.md, "The extension's records". Each is durable, record and
 * outbox in one transaction, before the service worker is told. The pages call it through actions.ts.
 */
import type { TreeHead } from "../protocol/checkpoint.ts";
import { recoverSigner } from "../protocol/device-signature.ts";
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { APPROVAL, type Freezes, REJECTION, type RejectReason, WITHDRAWAL } from "../protocol/message.ts";
import { isTransfer } from "../protocol/request.ts";
import { poke } from "./browser.ts";
import { checkRequest, requireNotFrozen } from "./check.ts";
import { claimsFor } from "./compose.ts";
import { transact } from "./database.ts";
import { type Alarm, requireNoAlarm, standingAlarm } from "./log-alarm.ts";
import { isRemembered, type StoredLog } from "./log-memory.ts";
import { ourselves } from "./ourselves.ts";
import { loadDevices, loadLog, loadRequest, type Mine, SELF, type StoredDevice, type StoredRequest } from "./store.ts";
import { isOpen, standing, stateOf } from "./waiting.ts";

/** A rejection or withdrawal outlives its request by this much: a stop must not die before the go that it stops. Seconds. */
const LATE = 3600;

/** Sends what the device signed, after everything has been checked once more. @throws Fault of checkRequest; ERR_APPROVAL_*, ERR_REQUEST_* */
export async function approve(requestId: string, signed: { address: string; signature: string }): Promise<void> {
  const { signer, trust } = await ourselves();
  const request = await requireRequest(requestId);
  if (request.problem !== null) throw new Fault("ERR_REQUEST_DIFFERS", request.problem.message);
  const { payload, digest, statement } = await checkRequest(request, trust);
  const device = (await loadDevices()).find((one) => one.address === signed.address && canSign(request, one));
  if (device === undefined) {
    throw new Fault("ERR_APPROVAL_DEVICE", "This device's address is not enrolled for you; use the one that is.");
  }
  if (recoverSigner(statement, signed.signature) !== device.address) {
    throw new Fault("ERR_APPROVAL_SIGNATURE", "The device's signature is not over this statement; sign again on it.");
  }
  const claims = claimsFor(signer, payload.iss, trust.now, payload.exp - trust.now);
  const log = (await loadLog())?.head ?? null;
  const jws = await signEnvelope(APPROVAL, { ...claims, request: requestId, digest, ...signed, log }, signer);
  await record(request, { kind: "approval", jws, ...claims }, { device, log });
}

/** Ends the request, for everybody. Needs no device. @throws Fault ERR_REQUEST_* */
export async function reject(requestId: string, reason: RejectReason): Promise<void> {
  const { signer, request, digest, claims } = await stopping(requestId);
  const jws = await signEnvelope(REJECTION, { ...claims, request: requestId, digest, reason }, signer);
  await record(request, { kind: "rejection", jws, ...claims });
}

/**
 * Takes back this person's say while the device still asks, whose prompt cannot be withdrawn: from now on no approval of this
 * request leaves here, and after its receipt the agent accepts none either. @throws Fault ERR_REQUEST_*
 */
export async function withdraw(requestId: string): Promise<void> {
  const { signer, request, digest, claims } = await stopping(requestId);
  const jws = await signEnvelope(WITHDRAWAL, { ...claims, request: requestId, digest }, signer);
  await record(request, { kind: "withdrawal", jws, ...claims });
}

/** Whether a device counts for a request: an enrolled one, and for the founding one that it enrols. */
export function canSign({ payload }: Pick<StoredRequest, "payload">, { state, address }: StoredDevice): boolean {
  if (payload.verb !== "FOUND") return state === "enrolled";
  const { members } = payload.change.people;
  return state === "pending" && members.some(({ devices }) => devices.some((device) => device.address === address));
}

async function stopping(requestId: string) {
  const { signer, trust } = await ourselves();
  const request = await requireRequest(requestId);
  const { digest, payload } = request;
  const claims = claimsFor(signer, payload.iss, trust.now, Math.max(payload.exp - trust.now, 0) + LATE);
  return { signer, request, digest, claims };
}

async function record(
  { id, payload }: StoredRequest,
  message: { kind: Mine["kind"]; jti: string; jws: string; iat: number; exp: number },
  approved?: { readonly device: StoredDevice; readonly log: TreeHead | null },
): Promise<void> {
  const { kind, jti, jws, iat, exp } = message;
  const { device, log = null } = approved ?? {};
  await transact(async (records) => {
    const request = await records.get("requests", id);
    if (request === undefined) throw unknownRequest();
    const freezes = (await records.get("freezes", SELF)) ?? null;
    refuseDecision(request, kind, { freezes, alarm: await standingAlarm(records) });
    if (log !== null) requireRemembered(log, await records.get("log", SELF));
    const hsm = (await records.get("pairing", SELF))?.hsm;
    if (payload.iss !== hsm && !request.byNextIdentity) {
      throw new Fault(
        "ERR_REQUEST_STATE",
        "The HSM's identity was replaced, so nothing was sent. Ask your operator how this request ended before it is made anew.",
      );
    }
    const vendor = device === undefined ? {} : { vendor: device.vendor };
    const mine: Mine = { kind, jti, ...vendor, at: iat, received: false, refusal: null };
    const used = device === undefined ? undefined : await records.get("devices", device.address);
    if (used !== undefined) records.put("devices", used.address, { ...used, usedAt: iat });
    records.put("requests", id, { ...request, mine: [...request.mine, mine] });
    records.put("outbox", jti, { jti, kind, to: payload.iss, jws, exp, about: id });
  });
  await poke();
}

/** In the same transaction that records the decision: two windows, or a late signature, come one after the other here. */
function refuseDecision(
  request: StoredRequest,
  kind: Mine["kind"],
  { freezes, alarm }: { freezes: Freezes | null; alarm: Alarm | undefined },
): void {
  const { payload } = request;
  if (!isOpen(request)) {
    throw new Fault("ERR_REQUEST_STATE", `It is over: this request is ${stateOf(request)}. Nothing was sent.`);
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
  if (kind === "approval") requireNoAlarm(alarm, payload.verb);
  if (kind === "approval" && isTransfer(payload)) requireNotFrozen(freezes, payload.vault.name);
  if (kind !== "rejection" && standing(request, kind) !== undefined) {
    throw new Fault("ERR_APPROVAL_DUPLICATE", `Your ${kind} of this request is sent already; nothing was sent twice.`);
  }
}

/** An approval that names what was given up meanwhile (RESTORE) would make the agent say that its record is an older one. @throws Fault ERR_LOG */
function requireRemembered(log: TreeHead, known: StoredLog | undefined): void {
  if (isRemembered(known, log)) return;
  throw new Fault("ERR_LOG", "The agent went back to an older record this moment. Nothing was sent; approve again.");
}

async function requireRequest(id: string): Promise<StoredRequest> {
  const request = await loadRequest(id);
  if (request === null) throw unknownRequest();
  return request;
}

function unknownRequest(): Fault {
  return new Fault("ERR_REQUEST_UNKNOWN", "This request is not known in this browser.");
}
