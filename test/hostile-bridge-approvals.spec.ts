/**
 * A bridge that was taken over and can read everything, and what a person sends: approvals altered, moved, replayed, sent as somebody else's, receipts kept
 * back, frames doubled, turned round and late. Each counts at most once and for what was on the device, and the person is told what has
 * not arrived.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { APPROVAL, SYNC } from "../protocol/message.ts";
import { REQUEST } from "../protocol/request.ts";
import { makeKey } from "./harness/bridge-client.ts";
import { receiptsIn, VIEW } from "./harness/forged-view.ts";
import { signedBy, withBit, withClaims, withoutSignature, withSealedBit, withSealedHeader } from "./harness/forgery.ts";
import { carries, type Frame, newId, type Passing, type Rule, relayAll } from "./harness/hostile-relay.ts";
import { claimsOf } from "./harness/message.ts";
import { type RequestView, showRequest, waitForRequest } from "./harness/requests.ts";
import { until } from "./harness/retry.ts";
import { Siege } from "./harness/siege.ts";

const stranger = await makeKey();
let siege: Siege;
/** A request that nobody decides on. */
let other: RequestView;
/** Pages of approvals that the agent has not confirmed, and how many prompts it took. */
const unanswered: Page[] = [];
/** Their requests. What a browser that connects anew sends again, and what answers it, is kept back as well. */
const withheld = new Set<string>();
let prompts = 0;

beforeAll(async () => {
  siege = await Siege.lay();
  await (await siege.alice.pair(await siege.invite())).close();
  await siege.join();
  other = await siege.propose();
});
afterAll(async () => await siege?.end());
beforeEach(() => play(relayAll));

function play(rule: Rule): void {
  siege.relay.rule = (passing) => (isWithheld(passing) ? [] : rule(passing));
}

function isWithheld(passing: Passing): boolean {
  const { jws = "" } = passing;
  if (siege.concerns(passing, "from Alice", APPROVAL)) return withheld.has(String(claimsOf(jws)["request"]));
  return siege.concerns(passing, "to Alice", VIEW) && receiptsIn(jws).some(({ request }) => withheld.has(request));
}

function keepBack(id: string, page: Page): void {
  withheld.add(id);
  unanswered.push(page);
}

/** Alice approves a new request on her device; the page goes on. */
async function approveNew(): Promise<{ id: string; page: Page }> {
  const { id } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  await siege.alice.approve(page);
  prompts += 1;
  await page.getByText("Signed on your Ledger").waitFor();
  return { id, page };
}

type Row = readonly [what: string, forge: (jws: string) => string | Promise<string>, code: string];
const APPROVALS: readonly Row[] = [
  [
    "with a bit of the device's signature altered",
    (jws) => {
      const [, digit, rest] = /^0x(.)(.+)$/.exec(String(claimsOf(jws)["signature"])) ?? [];
      return withClaims(jws, { signature: `0x${digit === "0" ? "1" : "0"}${rest}` });
    },
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["with a bit of the extension's signature altered", (jws) => withBit(jws, 2, 40), "ERR_ENVELOPE_SIGNATURE"],
  [
    "moved to another request",
    (jws) => withClaims(jws, { request: other.id, digest: other.digest }),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["signed again by a stranger", async (jws) => await signedBy(stranger, jws), "ERR_ENVELOPE_KEY"],
  [
    "signed again by a stranger in her name",
    async (jws) => await signedBy(stranger, jws, siege.wireOf("Alice").key),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["with the signature removed", withoutSignature, "ERR_SEAL_MALFORMED"],
];
type SealedRow = readonly [what: string, forge: (body: string) => string | Promise<string>, code: string];
const SEALED: readonly SealedRow[] = [
  ["with a bit of its seal altered", (body) => withSealedBit(body, 3, 500), "ERR_SEAL_OPEN"],
  ["with a bit of the seal's tag altered", (body) => withSealedBit(body, 4, 5), "ERR_SEAL_OPEN"],
  [
    "with another key named on its seal",
    (body) => withSealedHeader(body, { kid: stranger.signer.kid }),
    "ERR_SEAL_KEY",
  ],
];
test.each(APPROVALS)("an approval %s counts for nothing", async (_what, forge, code) => {
  const before = siege.refusals().length;
  play(async (passing) => {
    const { frame, jws } = passing;
    if (frame.t !== "send" || jws === undefined || !siege.concerns(passing, "from Alice", APPROVAL)) return [frame];
    return [{ ...frame, id: newId(), body: await siege.sealToAgent(await forge(jws)) }];
  });
  await countsForNothing(before, code);
});

test.each(SEALED)("an approval %s counts for nothing", async (_what, forge, code) => {
  const before = siege.refusals().length;
  play(async (passing) => {
    const { frame } = passing;
    if (frame.t !== "send" || !siege.concerns(passing, "from Alice", APPROVAL)) return [frame];
    return [{ ...frame, id: newId(), body: await forge(frame.body) }];
  });
  await countsForNothing(before, code);
});

async function countsForNothing(before: number, code: string): Promise<void> {
  const { id, page } = await approveNew();
  await until(() => siege.refusals().length > before);
  expect(siege.refusals().slice(before)).toEqual([code]);
  expect((await siege.requireOpen(id)).records).toEqual([]);
  expect((await siege.requireOpen(other.id)).records).toEqual([]);
  keepBack(id, page);
}

test("an approval that comes through another member's connection counts for nothing", async () => {
  const before = siege.refusals().length;
  play((passing) => {
    const { frame } = passing;
    if (frame.t !== "send" || !siege.concerns(passing, "from Alice", APPROVAL)) return [frame];
    siege.wireOf("Bob").pass("bridge", { ...frame, id: newId() });
    return [];
  });
  const { id, page } = await approveNew();
  await until(() => siege.refusals().length > before);
  expect(siege.refusals().slice(before)).toEqual(["ERR_ENVELOPE_KEY"]);
  expect((await siege.requireOpen(id)).records).toEqual([]);
  keepBack(id, page);
});

test("an approval that is kept back is not shown as received", async () => {
  play((passing) => (siege.concerns(passing, "from Alice", APPROVAL) ? [] : [passing.frame]));
  const { id, page } = await approveNew();
  expect((await siege.requireOpen(id)).records).toEqual([]);
  keepBack(id, page);
});

test("a receipt that is kept back, or another request's in its place, is none", async () => {
  const { id: first, page: answered } = await approveNew();
  await answered.getByText("Received by the agent").waitFor();
  const earlier = last("to Alice", VIEW, first).frame;
  const receipt = earlier.t === "deliver" ? earlier.body : "";
  for (const instead of [[], [receipt]]) {
    play((passing) => {
      const { frame } = passing;
      if (frame.t !== "deliver" || !siege.concerns(passing, "to Alice", VIEW)) return [frame];
      return instead.map((body) => ({ ...frame, body }));
    });
    const { id, page } = await approveNew();
    await waitForRequest(siege.world, id, ({ records }) => records.length === 1);
    expect(await page.getByText("Received by the agent").count()).toBe(0);
    await siege.requireOpen(id);
    keepBack(id, page);
  }
});

test("whoever is not answered is told to call, and once the bridge relays again everything arrives", async () => {
  for (const page of unanswered) await page.locator(".label", { hasText: "Not received yet" }).waitFor();
  withheld.clear();
  siege.relay.cut((wire) => siege.isAlices(wire));
  for (const page of unanswered) {
    await page.getByText("Received by the agent").waitFor();
    await page.getByText("Approved by 1 of 2").waitFor();
    await page.close();
  }
  expect(unanswered).toHaveLength(APPROVALS.length + SEALED.length + 4);
});

test("the approval of one request in the place of another's counts for the one that it names", async () => {
  const held: Frame[] = [];
  play((passing) => {
    if (!siege.concerns(passing, "from Alice", APPROVAL)) return [passing.frame];
    held.push(passing.frame);
    return held.slice(0, held.length - 1);
  });
  const { id: one } = await approveNew();
  await until(() => held.length === 1);
  const { id: two } = await approveNew();
  await waitForRequest(siege.world, one, ({ records }) => records.length === 1);
  expect((await siege.requireOpen(two)).records).toEqual([]);
});

test("an approval replayed counts once", async () => {
  const before = siege.refusals().length;
  const { id, page } = await approveNew();
  await page.getByText("Received by the agent").waitFor();
  const { frame } = last("from Alice", APPROVAL, id);
  if (frame.t !== "send") throw new Error("not sent");
  siege.wireOf("Alice").pass("bridge", frame);
  siege.wireOf("Alice").pass("bridge", { ...frame, id: newId() });
  siege.wireOf("Bob").pass("bridge", { ...frame, id: newId() });
  await until(() => siege.refusals().length > before);
  expect(siege.refusals().slice(before)).toEqual(["ERR_ENVELOPE_KEY"]);
  expect((await siege.requireOpen(id)).records).toMatchObject([{ kind: "approval", person: "Alice" }]);
  await page.getByText("Approved by 1 of 2").waitFor();
  await page.close();
});

test("frames doubled, late and in the wrong order: each request and each approval is there once, and the HSM signs", async () => {
  const held: Passing[] = [];
  play((passing) => {
    const { frame } = passing;
    if (siege.concerns(passing, "to Alice", REQUEST)) {
      held.push(passing);
      return [];
    }
    return frame.t === "send" || frame.t === "deliver" ? [frame, frame] : [frame];
  });
  const first = await siege.propose();
  const second = await siege.propose();
  await until(() => held.length === 2);
  for (const { wire, frame } of held.toReversed()) {
    wire.pass("party", frame);
    wire.pass("party", frame);
  }
  for (const { id } of [first, second]) {
    const page = await siege.alice.openRequest(id);
    await siege.alice.approve(page);
    prompts += 1;
    await page.getByText("Received by the agent").waitFor();
    expect((await siege.requireOpen(id)).records).toHaveLength(1);
    await siege.bob.approve(await siege.bob.request(id));
    await page.getByRole("heading", { name: "Signed", exact: true }).waitFor();
    await page.close();
    expect((await showRequest(siege.world, id)).records).toMatchObject([{ person: "Alice" }, { person: "Bob" }]);
  }
});

test("enough approved, and the bridge keeps back what the agent waits for: it can still be rejected in the page", async () => {
  // After a start nothing is signed before people's browsers have said what they know.
  play((passing) => (carries(passing, SYNC) ? [] : [passing.frame]));
  await siege.world.restartAgent();
  const { id } = await siege.propose();
  const page = await siege.alice.openRequest(id);
  await siege.alice.approve(page);
  prompts += 1;
  await siege.bob.approve(await siege.bob.request(id));
  await page.getByText("Enough people have approved; the HSM signs it next.").waitFor();
  await page.getByRole("button", { name: "Reject…" }).click();
  await page.getByRole("radio", { name: "Wrong amount" }).check();
  await page.getByRole("button", { name: "Reject this request" }).click();
  await page.getByRole("heading", { name: "Rejected", exact: true }).waitFor();
  expect(await showRequest(siege.world, id)).toMatchObject({ state: "rejected", signed: null });
  await page.close();
});

test("the device was asked once for each, and no page failed", () => {
  expect(siege.prompts()).toBe(prompts);
  expect(siege.alice.complaints).toEqual([]);
});

/** The last message of a type about a request that came by. */
function last(way: "to Alice" | "from Alice", type: { readonly typ: string }, id: string): Passing {
  const isAbout = ({ jws = "" }: Passing) =>
    type === VIEW ? receiptsIn(jws).some(({ request }) => request === id) : claimsOf(jws)["request"] === id;
  const found = siege.relay.seen.filter((one) => siege.concerns(one, way, type) && isAbout(one)).at(-1);
  if (found === undefined) throw new Error(`no ${type.typ} about ${id} came by`);
  return found;
}
