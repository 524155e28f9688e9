import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { encodeInvite } from "../protocol/invite.ts";
import { APPROVAL } from "../protocol/message.ts";
import { approve, enrol, inspectInvite, pair, reject, signWithDevice, unpair, withdraw } from "./actions.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { type ApprovalDevice, DeviceFault } from "./devices/device.ts";
import { foundTown, PATH, type Stage } from "./founding-double.ts";
import { deliver, type HsmDouble, REQUEST_ID } from "./hsm-double.ts";
import { publicJwkOf } from "./keys.ts";
import { loadKey, loadOutbox, loadPairing, loadRequest, loadRequests, SELF } from "./store.ts";
import { makePersonDouble, type PersonDouble } from "./town-double.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let stage: Stage;
let hsm: HsmDouble;
let kid = "";
let mine: PersonDouble;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
  ({ hsm, kid, mine } = stage);
  mine.signed.length = 0;
  await deliver(await hsm.request(kid, stage.town.transfer()));
});

const signedByMine = async () => await signWithDevice(REQUEST_ID, mine.device);

test("an approval carries what the enrolled device signed, and waits in the outbox", async () => {
  const signed = await signedByMine();
  expect(mine.signed).toEqual([expect.stringContaining(`request ${REQUEST_ID}`)]);
  await approve(REQUEST_ID, signed);
  const [item] = await loadOutbox();
  const key = await loadKey();
  if (item === undefined || key === null) throw new Error("nothing to send");
  const jwk = await publicJwkOf(key);
  const { payload } = await openEnvelope(item.jws, {
    type: APPROVAL,
    keyOf: () => jwk,
    audience: hsm.signer.kid,
    now: clock(),
  });
  const stored = await loadRequest(REQUEST_ID);
  expect(payload).toMatchObject({ ...signed, request: REQUEST_ID, digest: stored?.digest, jti: item.jti, iss: kid });
  expect(stored?.mine).toMatchObject([{ kind: "approval", jti: item.jti, received: false }]);
});

test("a double click sends one", async () => {
  const signed = await signedByMine();
  const both = await Promise.allSettled([approve(REQUEST_ID, signed), approve(REQUEST_ID, signed)]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(await loadOutbox()).toHaveLength(1);
});

test("a late signature after a withdrawal is not sent", async () => {
  const signed = await signedByMine();
  await withdraw(REQUEST_ID);
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject({ code: "ERR_APPROVAL_WITHDRAWN" });
  expect((await loadOutbox()).map(({ kind }) => kind)).toEqual(["withdrawal"]);
});

test("after a rejection nothing more is sent", async () => {
  const signed = await signedByMine();
  await reject(REQUEST_ID, "suspicious");
  const more = [
    async () => await approve(REQUEST_ID, signed),
    async () => await withdraw(REQUEST_ID),
    async () => await reject(REQUEST_ID, "other"),
  ];
  for (const action of more) {
    await expect(action()).rejects.toMatchObject({ code: "ERR_REQUEST_STATE" });
  }
  expect(await loadOutbox()).toHaveLength(1);
});

test("a device with another seed is found before it is asked", async () => {
  const other = await makePersonDouble("Eve");
  const fault = await signWithDevice(REQUEST_ID, other.device).catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(DeviceFault);
  expect(fault).toMatchObject({ outcome: "wrong-device" });
  expect(other.signed).toEqual([]);
});

test("a signature by another key, or of another address, is not used", async () => {
  const other = await makePersonDouble("Eve");
  const liar: ApprovalDevice = {
    ...mine.device,
    signStatement: async (...asked) => await other.device.signStatement(...asked),
  };
  await expect(signWithDevice(REQUEST_ID, liar)).rejects.toMatchObject({ code: "ERR_APPROVAL_SIGNATURE" });
  const { signature } = await signedByMine();
  await expect(approve(REQUEST_ID, { address: other.address, signature })).rejects.toMatchObject({
    code: "ERR_APPROVAL_DEVICE",
  });
  const wrong = await other.device.signStatement(PATH, mine.signed[0] ?? "");
  await expect(approve(REQUEST_ID, { address: mine.address, signature: wrong })).rejects.toMatchObject({
    code: "ERR_APPROVAL_SIGNATURE",
  });
  expect(await loadOutbox()).toEqual([]);
});

test("a request with a problem, one that has ended and an unknown one are neither signed nor approved", async () => {
  const signed = await signedByMine();
  const stored = await loadRequest(REQUEST_ID);
  await deliver(await hsm.receipt(kid, stored?.digest ?? "", { state: "rejected" }));
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject({ code: "ERR_REQUEST_STATE" });
  await deliver(await hsm.request(kid, { initiator: "Eve" }));
  await expect(signedByMine()).rejects.toMatchObject({ code: "ERR_REQUEST_DIFFERS" });
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject({ code: "ERR_REQUEST_DIFFERS" });
  await expect(withdraw("0000000000000000")).rejects.toMatchObject({ code: "ERR_REQUEST_UNKNOWN" });
  expect(mine.signed).toHaveLength(1);
});

test("an enrolled device is not enrolled twice; one that only waits may be sent again", async () => {
  const device = { address: mine.address, vendor: "Ledger", model: "flex", path: PATH } as const;
  await expect(enrol(device)).rejects.toMatchObject({ code: "ERR_DEVICE_TAKEN" });
  const { address } = await makePersonDouble("Eve");
  await enrol({ ...device, address });
  await enrol({ ...device, address });
  expect(await loadOutbox()).toMatchObject([{ kind: "enrolment", about: address }]);
});

test("an invite is shown before it is used, and one that cannot be reached is refused", async () => {
  const { code, invite } = await hsm.invite();
  expect(inspectInvite(code)).toEqual({
    bridge: invite.bridge,
    hsm: invite.hsm,
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
  });
  const elsewhere = encodeInvite({ ...invite, bridge: "ws://127.0.0.1:9999/" });
  for (const bad of [elsewhere, code.slice(0, -3), "hello"]) {
    expect(() => inspectInvite(bad)).toThrow(expect.objectContaining({ code: "ERR_INVITE" }));
  }
});

test("pairing twice needs unpairing, which forgets everything", async () => {
  const { code } = await hsm.invite();
  await expect(pair(code)).rejects.toMatchObject({ code: "ERR_INVITE" });
  await unpair();
  expect([await loadPairing(), await loadKey(), await loadRequests(), await loadOutbox()]).toEqual([
    null,
    null,
    [],
    [],
  ]);
  await pair(code);
  expect((await loadPairing())?.state).toBe("pairing");
});

test("the key cannot be read out", async () => {
  const key = await loadKey();
  expect(key?.privateKey.extractable).toBe(false);
  await transact(async (records) => records.remove("key", SELF));
  await expect(reject(REQUEST_ID, "other")).rejects.toMatchObject({ code: "ERR_INVITE" });
});
