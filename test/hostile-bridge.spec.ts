/**
 * A bridge that was taken over, between everybody: a real relay that lets logins through and alters what passes to a person. It is given
 * more than a bridge has: it reads every message, and knows the key that the person receives with. Nothing of it is believed, the device is
 * not asked, and the person is told. What it does to approvals is in hostile-bridge-approvals.spec.ts.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { REFUSAL, REJECTION, WELCOME, WITHDRAWAL } from "../protocol/message.ts";
import { REQUEST } from "../protocol/request.ts";
import { makeKey } from "./harness/bridge-client.ts";
import { receiptsIn, VIEW, viewForgeries } from "./harness/forged-view.ts";
import { signedBy, withBit, withClaims, withHeader, withoutSignature, withSealedBit } from "./harness/forgery.ts";
import { carries, type Passing, relayAll } from "./harness/hostile-relay.ts";
import { claimsOf, typOf } from "./harness/message.ts";
import { showRequest } from "./harness/requests.ts";
import { until } from "./harness/retry.ts";
import { Siege, told } from "./harness/siege.ts";

type Row = readonly [what: string, forge: (jws: string) => string | Promise<string>, code: string];

/** Somebody else's key, who may well run an HSM and an agent of their own. */
const stranger = await makeKey();
let siege: Siege;
let inbox: Page;

beforeAll(async () => {
  siege = await Siege.lay();
});
afterAll(async () => await siege?.end());
beforeEach(() => {
  siege.relay.rule = relayAll;
});

const WELCOMES: readonly Row[] = [
  [
    "of another HSM",
    async (jws) => await signedBy(stranger, jws, undefined, { hsm: stranger.jwk }),
    "ERR_ENVELOPE_KEY",
  ],
  [
    "of another HSM under the pinned fingerprint",
    async (jws) => await signedBy(stranger, jws, siege.bob.hsm, { hsm: stranger.jwk }),
    "ERR_ENVELOPE_KEY",
  ],
  ["with another name", (jws) => withClaims(jws, { name: "Mallory" }), "ERR_ENVELOPE_KEY"],
];
test.each(WELCOMES)("while pairing, a welcome %s is not believed", async (what, forge, code) => {
  const { alice, relay } = siege;
  siege.forgeToAlice(WELCOME, forge);
  const page = await alice.beginPairing(await siege.invite());
  await page.getByText("claims to come from your HSM failed verification").waitFor();
  await page.getByText(code, { exact: true }).waitFor();
  await page.getByRole("heading", { name: "Pairing this browser…" }).waitFor();
  expect(await page.getByRole("heading", { name: "Waiting for your device" }).count()).toBe(0);
  // The HSM's own welcome, when it comes at last, is.
  relay.rule = relayAll;
  siege.relay.cut((wire) => siege.isAlices(wire));
  await page.getByRole("heading", { name: "Waiting for your device" }).waitFor();
  await page.getByText("You will be Alice, approver.").waitFor();
  if (what !== WELCOMES.at(-1)?.[0]) {
    await page.getByText("Stop and begin anew").click();
    await page.getByRole("button", { name: "Stop pairing" }).click();
    await page.getByRole("textbox", { name: "Invite code" }).waitFor();
  }
  await page.close();
});

test("with a device, and a policy", async () => {
  await siege.join();
  inbox = await siege.alice.visit("inbox.html");
});

const FORGED: readonly Row[] = [
  ["one bit of its bytes altered", (jws) => withBit(jws, 1, 300), "ERR_ENVELOPE_SIGNATURE"],
  ["one bit of the HSM's signature altered", (jws) => withBit(jws, 2, 40), "ERR_ENVELOPE_SIGNATURE"],
  ["the HSM's signature removed", withoutSignature, "ERR_SEAL_MALFORMED"],
  ["declared unsigned", (jws) => withoutSignature(withHeader(jws, { alg: "none" })) + "AA", "ERR_ENVELOPE_ALG"],
  ["signed by another key", async (jws) => await signedBy(stranger, jws), "ERR_ENVELOPE_KEY"],
  [
    "signed by another key in the name of the HSM",
    async (jws) => await signedBy(stranger, jws, siege.bob.hsm),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  [
    "another key named beside the HSM's signature",
    (jws) => withHeader(jws, { kid: stranger.signer.kid }),
    "ERR_ENVELOPE_KEY",
  ],
  ["a key brought along", (jws) => withHeader(jws, { jwk: stranger.jwk }), "ERR_ENVELOPE_HEADER"],
  ["moved under another id", (jws) => withClaims(jws, { request: "0123456789ABCDEF" }), "ERR_ENVELOPE_SIGNATURE"],
];
const REQUESTS: readonly Row[] = [
  ...FORGED,
  [
    "another statement",
    (jws) => withClaims(jws, { statement: String(claimsOf(jws)["statement"]).replace("1.50", "0.50") }),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["another type", (jws) => withHeader(jws, { typ: WELCOME.typ }), "ERR_ENVELOPE_SIGNATURE"],
];
const refusedIds: string[] = [];
test.each(REQUESTS)("a request with %s is not shown", async (_what, forge, code) => {
  siege.forgeToAlice(REQUEST, forge);
  const { id } = await siege.propose();
  refusedIds.push(id);
  await told(inbox, code);
  const page = await siege.alice.visit(`approval.html?request=${id}`);
  await page.getByRole("heading", { name: "This request is not here" }).waitFor();
  await page.close();
  expect(await inbox.locator(`a[href*="${id}"]`).count()).toBe(0);
  expect(siege.prompts()).toBe(0);
  expect((await siege.requireOpen(id)).records).toEqual([]);
});

const SEALED: readonly (readonly [what: string, forge: (body: string) => string | Promise<string>, code: string])[] = [
  ["a bit of the ciphertext altered", (body) => withSealedBit(body, 3, 700), "ERR_SEAL_OPEN"],
  ["a bit of the tag altered", (body) => withSealedBit(body, 4, 3), "ERR_SEAL_OPEN"],
  ["a bit of the iv altered", (body) => withSealedBit(body, 2, 3), "ERR_SEAL_OPEN"],
  ["a bit of the header altered", (body) => withSealedBit(body, 0, 2), "ERR_SEAL_MALFORMED"],
  ["the seal cut off", (body) => body.slice(0, body.lastIndexOf(".")), "ERR_SEAL_MALFORMED"],
  ["a part of the ciphertext cut off", (body) => body.replace(/[^.]{400}(\.[^.]+)$/, "$1"), "ERR_SEAL_MALFORMED"],
  ["no seal at all", () => "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "ERR_SEAL_MALFORMED"],
];
test.each(SEALED)("a request with %s is not shown", async (_what, forge, code) => {
  siege.relay.rule = async (passing) => {
    const { frame } = passing;
    if (frame.t !== "deliver" || !siege.concerns(passing, "to Alice", REQUEST)) return [frame];
    return [{ ...frame, body: await forge(frame.body) }];
  };
  const { id } = await siege.propose();
  refusedIds.push(id);
  await told(inbox, code);
  expect(await inbox.locator(`a[href*="${id}"]`).count()).toBe(0);
  expect(siege.prompts()).toBe(0);
  expect((await siege.requireOpen(id)).records).toEqual([]);
});

test("a request that is sealed to another key is asked for again by itself, once the bridge lets it", async () => {
  siege.relay.rule = async (passing) => {
    const { frame } = passing;
    if (frame.t !== "deliver" || !siege.concerns(passing, "to Alice", REQUEST)) return [frame];
    siege.relay.rule = relayAll;
    return [{ ...frame, body: await siege.sealToAgent("a.b.c") }];
  };
  const { id } = await siege.propose();
  await told(inbox, "ERR_SEAL_KEY");
  // The pauses between two such questions have grown by what came before.
  await inbox.locator(`a[href*="${id}"]`).waitFor({ timeout: 150_000 });
});

test("once the bridge relays again, all of them arrive", async () => {
  siege.relay.cut((wire) => siege.isAlices(wire));
  for (const id of refusedIds) await inbox.locator(`a[href*="${id}"]`).waitFor();
});

test("an altered copy of a request that is here changes nothing, and its page says that it came", async () => {
  const { id } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  const genuine = captured(REQUEST, id);
  await siege.deliverToAlice(
    withClaims(genuine, { effect: { ...Object(claimsOf(genuine)["effect"]), amount: "15.00" } }),
  );
  await told(inbox, "ERR_ENVELOPE_SIGNATURE");
  await page.getByText("claims to come from your HSM failed verification").waitFor();
  await page.getByRole("heading", { level: 1, name: /^Send 1.50 ETH/ }).waitFor();
  await page.getByRole("button", { name: "Confirm on Ledger" }).waitFor();
  await page.close();
});

test("what was meant for somebody else is not taken", async () => {
  const toBob = siege.relay.seen.find(
    (one) => one.to === "party" && !siege.isAlices(one.wire) && carries(one, WELCOME),
  );
  await siege.deliverToAlice(toBob?.jws ?? "");
  await told(inbox, "ERR_ENVELOPE_AUDIENCE");
  // As it is it does not even open.
  if (toBob?.frame.t === "deliver") siege.wireOf("Alice").deliver(toBob.frame.body);
  await told(inbox, "ERR_SEAL_KEY");
});

test("a receipt that says signed is not believed, however it is forged", async () => {
  const { id, digest } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  // The forger starts from a receipt that the HSM signed.
  await siege.bob.post(WITHDRAWAL, { request: id, digest });
  await siege.bob.receipt(id);
  await page.getByText(/Too few people are left/).waitFor();
  const genuine = captured(VIEW, id);
  const lie = { n: 99, state: "signed", hash: `0x${"ab".repeat(32)}` } as const;
  const { hsm } = await siege.bob.mail.card();
  for (const [, forge] of viewForgeries(stranger, hsm, siege.bob.hsm, lie)) {
    await siege.deliverToAlice(await forge(genuine));
    await told(inbox, "ERR_LOG");
  }
  expect(await page.getByRole("heading", { name: "Signed", exact: true }).count()).toBe(0);
  await page.getByRole("heading", { name: "Waiting for approvals" }).waitFor();
  await siege.requireOpen(id);
  await page.close();
});

test("a refusal that the HSM did not sign is not believed", async () => {
  const { bob } = siege;
  const { id } = await siege.propose();
  const of = await bob.post(WITHDRAWAL, { request: id, digest: "00".repeat(32) });
  expect((await bob.refusal(of)).code).toBe("ERR_APPROVAL_DIGEST");
  await siege.deliverToAlice(await signedBy(stranger, captured(REFUSAL, id), bob.hsm));
  await told(inbox, "ERR_ENVELOPE_SIGNATURE");
  await siege.requireOpen(id);
});

test("an older receipt after a newer one undoes nothing", async () => {
  const { bob } = siege;
  const { id, digest } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  await bob.post(WITHDRAWAL, { request: id, digest });
  await page.getByText(/Too few people are left/).waitFor();
  const older = captured(VIEW, id);
  await bob.post(REJECTION, { request: id, digest, reason: "suspicious" });
  await page.getByRole("heading", { name: "Rejected", exact: true }).waitFor();
  await siege.deliverToAlice(older);
  // What is delivered later has been handled later: the forged message marks that the older receipt has been read.
  await siege.deliverToAlice(`${older}A`);
  await told(inbox, "ERR_LOG");
  await page.getByRole("heading", { name: "Rejected", exact: true }).waitFor();
  expect(await showRequest(siege.world, id)).toMatchObject({ state: "rejected", signed: null });
  await page.close();
});

test("a request that comes after its receipt is shown as the receipt has it", async () => {
  const { bob } = siege;
  const held: Passing[] = [];
  siege.relay.rule = (passing) => {
    if (!siege.concerns(passing, "to Alice", REQUEST)) return [passing.frame];
    held.push(passing);
    return [];
  };
  const { id, digest } = await siege.propose();
  await until(() => held.length > 0);
  await bob.post(REJECTION, { request: id, digest, reason: "other" });
  await until(() => siege.relay.seen.some((one) => siege.concerns(one, "to Alice", VIEW) && isAbout(one, id)));
  for (const { wire, to, frame } of held) wire.pass(to, frame);
  const page = await siege.alice.visit(`approval.html?request=${id}`);
  await page.getByRole("heading", { name: "Rejected", exact: true }).waitFor();
  await page.close();
});

test("nothing was asked of the device, and no page failed", () => {
  expect(siege.prompts()).toBe(0);
  expect(siege.alice.complaints).toEqual([]);
});

/** The last message of a type about a request that came by. */
function captured(type: { readonly typ: string }, id: string): string {
  const found = siege.relay.seen.filter((one) => carries(one, type) && isAbout(one, id)).at(-1);
  if (found?.jws === undefined) throw new Error(`no ${type.typ} about ${id} came by`);
  return found.jws;
}

function isAbout({ jws }: Passing, id: string): boolean {
  if (jws === undefined) return false;
  return typOf(jws) === VIEW.typ
    ? receiptsIn(jws).some(({ request }) => request === id)
    : claimsOf(jws)["request"] === id;
}
