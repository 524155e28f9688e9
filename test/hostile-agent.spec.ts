/**
 * An agent that lies, under the very HSM identity that was pinned: every request is well signed, and its words are not what its bytes
 * do. The extension decodes the bytes itself and refuses before the device is asked.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevices } from "./devices/device.ts";
import { messagePages, readAndSign } from "./devices/hands.ts";
import { Approver } from "./harness/approver.ts";
import { now } from "./harness/bridge-client.ts";
import { ETH, encode, type Lie, makeRequest, usdc } from "./harness/lie.ts";
import { ELSEWHERE, LIES } from "./harness/lies.ts";
import { DESTINATION } from "./harness/requests.ts";
import { until } from "./harness/retry.ts";
import { RogueAgent } from "./harness/rogue-agent.ts";
import { countPrompts, told } from "./harness/siege.ts";

let agent: RogueAgent;
let alice: Approver;
let inbox: Page;
let prompts: () => number;

beforeAll(async () => {
  agent = await RogueAgent.open("Alice");
  const [device] = await openDevices(1, { models: ["nanosp"] });
  if (device === undefined) throw new Error("no device");
  prompts = countPrompts(device);
  alice = await Approver.open(agent, "Alice", { device });
  await alice.begin(await agent.invite());
  await alice.decide(await agent.askFounding());
  await alice.counted();
  inbox = await alice.visit("inbox.html");
});
afterAll(async () => {
  await alice?.close();
  await agent?.close();
});

const request = (lie: Lie) =>
  makeRequest({ hsm: agent.hsm.signer.kid, to: agent.member, documents: agent.charter }, lie);

test.each([
  ["ETH", {}, `SEND 1.50 ETH TO ${DESTINATION}`],
  ["USDC", { token: usdc }, `SEND 250000.00 USDC TO ${DESTINATION}`],
] as const)("an honest request for %s is confirmed on the device", async (_asset, lie, words) => {
  const before = prompts();
  const honest = request(lie);
  await agent.sendRequest(honest);
  const page = await alice.openRequest(honest.request);
  expect(messagePages(await alice.approve(page)).join("")).toContain(words);
  await page.getByText("Received by the agent").waitFor();
  expect(agent.approvals.at(-1)).toMatchObject({ request: honest.request });
  expect(prompts()).toBe(before + 1);
  await page.close();
});

test.each(LIES)("refused before the device is asked: %s", async (_what, lie, code, names) => {
  const before = prompts();
  const lying = request(lie());
  await agent.sendRequest(lying);
  const page = await alice.visit(`approval.html?request=${lying.request}`);
  const alarm = page.getByRole("alert");
  await alarm.getByRole("heading", { level: 1, name: "Do not sign this request" }).waitFor();
  expect(await alarm.textContent()).toMatch(names);
  expect(await alarm.getByText(new RegExp(`^${code}`)).textContent()).toContain(lying.request);
  expect(await page.getByRole("button", { name: "Confirm on Ledger" }).count()).toBe(0);
  expect(prompts()).toBe(before);
  await page.close();
});

test.each([
  [
    "proposed by the reader",
    { initiator: "Alice", quorum: { threshold: 2, people: ["Bob", "Carol", "Dan"], vendors: [] } },
    /You proposed this yourself/,
  ],
  ["for others", { quorum: { threshold: 2, people: ["Bob", "Carol"], vendors: [] } }, /Those who decide: Bob, Carol/],
  ["that is over", { iat: now() - 7200, exp: (Math.floor(now() / 60) - 1) * 60 }, /Expired|expired/],
] satisfies [string, Lie, RegExp][])("a request %s cannot be confirmed", async (_what, lie, says) => {
  const before = prompts();
  const barred = request(lie);
  await agent.sendRequest(barred);
  const page = await alice.visit(`approval.html?request=${barred.request}`);
  await page.getByText(says).first().waitFor();
  expect(await page.getByRole("button", { name: "Confirm on Ledger" }).count()).toBe(0);
  expect(prompts()).toBe(before);
  await page.close();
});

test.each([
  ["an initiator who counts", { initiator: "Alice" }],
  ["a person twice", { quorum: { threshold: 2, people: ["Alice", "Alice"], vendors: [] } }],
  ["a quorum that cannot be", { quorum: { threshold: 4, people: ["Alice", "Bob", "Carol"], vendors: [] } }],
  ["an expiry within a minute", { exp: (Math.floor(now() / 60) + 60) * 60 + 1 }],
  ["a member that nobody knows", { memo: "hello" }],
  ["two transactions", { sign: [encode(ETH), encode(ETH, { to: ELSEWHERE.toLowerCase() })] }],
] satisfies [string, Record<string, unknown>][])("a request with %s is no request", async (_what, change) => {
  const broken = { ...request({}), ...change };
  await agent.sendRequest(broken);
  await told(inbox, "ERR_ENVELOPE_PAYLOAD");
  expect(await inbox.locator(`a[href*="${broken.request}"]`).count()).toBe(0);
});

test("a request that changes under its id is refused, whichever came first", async () => {
  const before = prompts();
  const first = request({});
  await agent.sendRequest(first);
  const page = await alice.openRequest(first.request);
  await page.getByRole("button", { name: "Confirm on Ledger" }).waitFor();
  await agent.sendRequest(
    request({ request: first.request, bytes: encode(ETH, { nonce: "0x09" }), effect: { nonce: 9 } }),
  );
  const alarm = page.getByRole("alert");
  await alarm.getByText("Another request came under the id of this one").waitFor();
  await alarm.getByText("Nothing was asked of your device.").waitFor();
  await alarm.getByText(/^ERR_REQUEST_DIFFERS/).waitFor();
  expect(prompts()).toBe(before);
  await page.close();
});

test("one that changes while the device asks: the signature does not leave", async () => {
  const first = request({});
  await agent.sendRequest(first);
  const page = await alice.openRequest(first.request);
  await page.getByRole("button", { name: "Confirm on Ledger" }).click();
  await page.getByRole("heading", { name: "Your Ledger asks you now" }).waitFor();
  await agent.sendRequest(request({ request: first.request, effect: { amount: "1.40" } }));
  await page.getByRole("alert").getByText("Your Ledger still asks").waitFor();
  await readAndSign(alice.device.hands);
  await page.getByText("Your Ledger still asks").waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "Do not sign this request" }).waitFor();
  await page.close();
  // What would have been sent comes before what is sent now.
  const next = request({});
  await agent.sendRequest(next);
  const honest = await alice.openRequest(next.request);
  await alice.approve(honest);
  await until(() => agent.approvals.some((approval) => approval.request === next.request));
  expect(agent.approvals.map((approval) => approval.request)).not.toContain(first.request);
});

test("nothing failed behind the scenes", () => {
  agent.check();
  expect(alice.complaints).toEqual([]);
});
