/**
 * A bridge that was taken over, between everybody: a real relay that lets logins through and alters what passes to a person.
 * Nothing of it is believed, the device is not asked, and the person is told. Design, section 2. What it does to approvals is in
 * hostile-bridge-approvals.spec.ts.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { RECEIPT, REFUSAL, REJECTION, WELCOME } from "../protocol/message.ts";
import { REQUEST } from "../protocol/request.ts";
import { claimsOf, signedBy, withBit, withClaims, withHeader, withoutSignature } from "./harness/forgery.ts";
import { bodyOf, newId, relayAll } from "./harness/hostile-relay.ts";
import { makeKey } from "./harness/member.ts";
import { Siege } from "./harness/siege.ts";
import { makeTreasury } from "./harness/world.ts";

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
  ["of another HSM", async (jws) => await signedBy(stranger, jws, undefined, { hsm: stranger.jwk }), "ERR_ENVELOPE_KEY"],
  [
    "of another HSM under the pinned fingerprint",
    async (jws) => await signedBy(stranger, jws, siege.bob.hsm, { hsm: stranger.jwk }),
    "ERR_ENVELOPE_KEY",
  ],
  ["with another name", (jws) => withClaims(jws, { name: "Mallory" }), "ERR_ENVELOPE_KEY"],
];
test.each(WELCOMES)("while pairing, a welcome %s is not believed", async (_what, forge, code) => {
  const { alice, world, relay } = siege;
  siege.forgeToAlice(WELCOME, forge);
  const { code: invite } = await world.json<{ code: string }>("invite", "Alice", "--role", "approver");
  const page = await alice.beginPairing(invite);
  await page.getByText("claims to come from your HSM failed verification").waitFor();
  await page.getByText(code, { exact: true }).waitFor();
  await page.getByRole("heading", { name: "Pairing this browser…" }).waitFor();
  expect(await page.getByRole("heading", { name: /Paired as/ }).count()).toBe(0);
  // The HSM's own welcome, when it comes at last, is.
  relay.rule = relayAll;
  relay.cut();
  await page.getByRole("heading", { name: "Paired as Alice" }).waitFor();
  if (_what !== WELCOMES.at(-1)?.[0]) {
    await page.getByText("Unpair this browser").click();
    await page.getByRole("button", { name: "Unpair" }).click();
    await page.getByRole("textbox", { name: "Invite code" }).waitFor();
  }
  await page.close();
});

test("with a device, and a policy", async () => {
  await siege.alice.joinDevice();
  await makeTreasury(siege.world, ["Alice", "Bob"], 2);
  inbox = await siege.alice.visit("inbox.html");
});

const FORGED: readonly Row[] = [
  ["one bit of its bytes altered", (jws) => withBit(jws, 1, 300), "ERR_ENVELOPE_SIGNATURE"],
  ["one bit of the HSM's signature altered", (jws) => withBit(jws, 2, 40), "ERR_ENVELOPE_SIGNATURE"],
  ["the HSM's signature removed", withoutSignature, "ERR_ENVELOPE_MALFORMED"],
  ["declared unsigned", (jws) => withoutSignature(withHeader(jws, { alg: "none" })) + "AA", "ERR_ENVELOPE_ALG"],
  ["signed by another key", async (jws) => await signedBy(stranger, jws), "ERR_ENVELOPE_KEY"],
  [
    "signed by another key in the name of the HSM",
    async (jws) => await signedBy(stranger, jws, siege.bob.hsm),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["another key named beside the HSM's signature", (jws) => withHeader(jws, { kid: stranger.signer.kid }), "ERR_ENVELOPE_KEY"],
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
  ["another type", (jws) => withHeader(jws, { typ: RECEIPT.typ }), "ERR_ENVELOPE_SIGNATURE"],
];
const refusedIds: string[] = [];
test.each(REQUESTS)("a request with %s is not shown", async (_what, forge, code) => {
  siege.forgeToAlice(REQUEST, forge);
  const { id } = await siege.propose();
  refusedIds.push(id);
  await siege.told(inbox, code);
  const page = await siege.alice.visit(`approval.html?request=${id}`);
  await page.getByRole("heading", { name: "This request is not here" }).waitFor();
  await page.close();
  expect(await inbox.locator(`a[href*="${id}"]`).count()).toBe(0);
  expect(siege.prompts()).toBe(0);
  expect((await siege.requireOpen(id)).records).toEqual([]);
});

test("once the bridge relays again, all of them arrive", async () => {
  siege.relay.cut();
  for (const id of refusedIds) await inbox.locator(`a[href*="${id}"]`).waitFor();
});

test("an altered copy of a request that is here changes nothing, and its page says that it came", async () => {
  const { id } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  const genuine = captured(REQUEST.typ, id);
  siege.wireOf("Alice").deliver(withClaims(genuine, { effect: { ...Object(claimsOf(genuine)["effect"]), amount: "15.00" } }));
  await siege.told(inbox, "ERR_ENVELOPE_SIGNATURE");
  await page.getByText("claims to come from your HSM failed verification").waitFor();
  await page.getByRole("heading", { level: 1, name: /^Send 1.50 ETH/ }).waitFor();
  await page.getByRole("button", { name: "Confirm on Ledger" }).waitFor();
  await page.close();
});

test("what was meant for somebody else is not taken", async () => {
  const [foreign] = siege.relay.seen.filter((one) => one.to === "party" && !siege.isAlices(one.wire)).flatMap(welcomeIn);
  siege.wireOf("Alice").deliver(foreign ?? "");
  await siege.told(inbox, "ERR_ENVELOPE_AUDIENCE");
});

const HASH = `0x${"ab".repeat(32)}`;
test.each(FORGED)("a receipt that says signed, with %s, is not believed", async (_what, forge, code) => {
  const { id } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  // The forger starts from a receipt that the HSM signed, of Bob's withdrawal.
  await siege.bob.post(REJECTION_OF_NOTHING, { request: id, digest: (await siege.bob.request(id)).digest });
  await page.getByText(/Bob/).first().waitFor();
  await siege.bob.receipt(id);
  const genuine = captured(RECEIPT.typ, id);
  const claims = claimsOf(genuine);
  const lie = withClaims(genuine, { n: Number(claims["n"]) + 1, state: "signed", hash: HASH });
  siege.wireOf("Alice").deliver(await forge(lie));
  await siege.told(inbox, code);
  expect(await page.getByRole("heading", { name: "Signed", exact: true }).count()).toBe(0);
  await siege.requireOpen(id);
  await page.close();
});
