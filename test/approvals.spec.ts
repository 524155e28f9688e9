/**
 * What the agent makes of approvals, over real bridge, agent and SoftHSM; approvers are scripts, so that they can do what no
 * page would. Each attack ends with a named code or state, and without a signature.
 */

import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addInitiator, changePolicy, joinMember, makeCompany } from "./harness/company.ts";
import { LooseDevice } from "./harness/loose-device.ts";
import type { Member } from "./harness/member.ts";
import { USDC, VAULT } from "./harness/policy-plan.ts";
import { DESTINATION, send, showRequest, waitForRequest } from "./harness/requests.ts";
import type { World } from "./harness/world.ts";

let world: World;
let alice: Member;
let bob: Member;
let carol: Member;

beforeAll(async () => {
  world = await makeCompany();
  [alice, bob, carol] = await Promise.all([
    joinMember(world, "Alice"),
    joinMember(world, "Bob"),
    joinMember(world, "Carol"),
  ]);
  await changePolicy(world, { approvers: ["Alice", "Bob", "Carol"], threshold: 2 });
});
afterAll(async () => {
  for (const member of [alice, bob, carol]) member?.close();
  await world?.dispose();
});

test("two of three approve, the HSM signs, and the transaction is the vault's", async () => {
  const { id } = await send(world);
  await alice.approve(await alice.request(id));
  const receipt = await alice.receipt(id);
  expect(receipt).toMatchObject({
    state: "pending",
    records: [{ kind: "approval", person: "Alice", vendor: "Ledger" }],
  });
  await bob.approve(await bob.request(id));
  expect(await carol.receipt(id, ({ state }) => state === "signed")).toMatchObject({
    hash: expect.stringMatching(/^0x/) as string,
  });
  const { signed, hash } = await showRequest(world, id);
  const raw = signed as `0x02${string}`;
  expect(parseTransaction(raw)).toMatchObject({
    to: DESTINATION.toLowerCase(),
    value: 1_500_000_000_000_000_000n,
    nonce: 7,
    chainId: 1,
  });
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(world.vault.address);
  expect(hash).toMatch(/^0x[0-9a-f]{64}$/);
});

test("a token transfer likewise, with the next nonce", async () => {
  const { id, statement } = await send(world, { asset: "USDC", amount: "250000" });
  expect(statement).toContain(
    `SEND 250000.00 USDC TO ${DESTINATION} ON Ethereum FROM ${VAULT}; max fee 0.00195 ETH; needs 2 of 3; `,
  );
  for (const member of [carol, alice]) await member.approve(await member.request(id));
  const { signed } = await waitForRequest(world, id, ({ state }) => state === "signed");
  expect(parseTransaction(signed as `0x02${string}`)).toMatchObject({ to: USDC.toLowerCase(), nonce: 8 });
});

test("the same approver twice counts once", async () => {
  const { id } = await send(world);
  const request = await alice.request(id);
  await alice.approve(request);
  await alice.receipt(id);
  expect(await alice.refusal(await alice.approve(request))).toMatchObject({
    code: "ERR_APPROVAL_DUPLICATE",
    request: id,
  });
  await stillOpen(id);
});

test("another's device does not approve, nor a device that is not enrolled", async () => {
  const { id } = await send(world);
  const request = await alice.request(id);
  const stranger = new LooseDevice();
  const codes = [
    await refused(await alice.approve(request, { signature: stranger.sign(request.statement) })),
    await refused(
      await alice.approve(request, { address: stranger.address, signature: stranger.sign(request.statement) }),
    ),
    await refused(
      await alice.approve(request, { address: bob.device.address, signature: bob.device.sign(request.statement) }),
    ),
  ];
  expect(codes).toEqual(["ERR_APPROVAL_SIGNATURE", "ERR_APPROVAL_DEVICE", "ERR_APPROVAL_DEVICE"]);
  await stillOpen(id);
});

test("an approval of one request is none of another", async () => {
  const first = await send(world);
  const second = await send(world);
  const one = await alice.request(first.id);
  const two = await alice.request(second.id);
  const codes = [
    // The device's signature over the first, claimed for the second.
    await refused(await alice.approve(two, { signature: alice.device.sign(one.statement) })),
    // The first's digest under the second's id.
    await refused(await alice.approve(two, { digest: one.digest })),
    await refused(await alice.approve(two, { request: "0000000000000000" })),
  ];
  expect(codes).toEqual(["ERR_APPROVAL_SIGNATURE", "ERR_APPROVAL_DIGEST", "ERR_REQUEST_UNKNOWN"]);
  await stillOpen(first.id);
  await stillOpen(second.id);
});

test("who withdrew cannot approve late, and the others still can", async () => {
  const { id } = await send(world);
  const request = await alice.request(id);
  await alice.withdraw(request);
  await alice.receipt(id, ({ records }) => records.some(({ kind }) => kind === "withdrawal"));
  expect(await refused(await alice.approve(request))).toBe("ERR_APPROVAL_WITHDRAWN");
  for (const member of [bob, carol]) await member.approve(await member.request(id));
  expect((await waitForRequest(world, id, ({ state }) => state === "signed")).signed).not.toBeNull();
});

test("an approval withdrawn before the quorum does not count", async () => {
  const { id } = await send(world);
  const request = await alice.request(id);
  await alice.approve(request);
  await alice.receipt(id);
  await alice.withdraw(request);
  await alice.receipt(id, ({ records }) => records.length === 2);
  await bob.approve(await bob.request(id));
  await bob.receipt(id, ({ records }) => records.length === 3);
  await stillOpen(id);
});

test("one rejection ends it, with its reason, and frees the nonce", async () => {
  const { id, nonce } = await send(world);
  const request = await bob.request(id);
  await alice.approve(await alice.request(id));
  await bob.reject(request, "wrong-amount");
  expect(await carol.receipt(id, ({ state }) => state === "rejected")).toMatchObject({
    records: [{ person: "Alice" }, { kind: "rejection", person: "Bob", reason: "wrong-amount" }],
  });
  expect(await refused(await carol.approve(await carol.request(id)), carol)).toBe("ERR_REQUEST_STATE");
  expect((await send(world)).nonce).toBe(nonce);
});

test("its initiator cancels a request; nobody else can", async () => {
  const other = await addInitiator(world, "Oscar");
  const { id } = await send(world);
  expect(await world.command("request", "cancel", id, "--key", other)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("ERR_MEMBER_ROLE") as string,
  });
  expect(await world.json("request", "cancel", id, "--key", world.keyFile("Olga"))).toMatchObject({
    state: "cancelled",
  });
  const request = await alice.request(id);
  expect(await refused(await alice.approve(request))).toBe("ERR_REQUEST_STATE");
});

test("the initiator never counts, though an approver of the vault", async () => {
  const file = await addInitiator(world, "Carol");
  const { id, approvers } = await send(world, { key: file });
  expect(approvers).toEqual(["Alice", "Bob"]);
  const request = await alice.request(id);
  expect(await refused(await carol.approve(request), carol)).toBe("ERR_APPROVAL_INITIATOR");
  await stillOpen(id);
});

test("an approver who is not in the vault's set is not asked, and does not count", async () => {
  const dave = await joinMember(world, "Dave");
  const { id } = await send(world);
  expect(await refused(await dave.approve(await alice.request(id)), dave)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  await stillOpen(id);
  dave.close();
});

test("a new policy makes open requests void", async () => {
  const { id } = await send(world);
  const request = await alice.request(id);
  await changePolicy(world, { approvers: ["Alice", "Bob", "Carol"], threshold: 2 });
  expect(await alice.receipt(id, ({ state }) => state === "void")).toBeDefined();
  expect(await refused(await alice.approve(request))).toBe("ERR_REQUEST_STATE");
});

test("a quorum of both vendors: two Ledgers are not enough, a Trezor completes it", async () => {
  const erin = await joinMember(world, "Erin", { vendor: "Trezor" });
  const vendors = [
    { vendor: "Ledger", atLeast: 1 },
    { vendor: "Trezor", atLeast: 1 },
  ] as const;
  await changePolicy(world, { approvers: ["Alice", "Bob", "Erin"], threshold: 2, vendors });
  const { id } = await send(world);
  for (const member of [alice, bob]) await member.approve(await member.request(id));
  await bob.receipt(id, ({ records }) => records.length === 2);
  await stillOpen(id);
  await erin.approve(await erin.request(id));
  const { signed } = await waitForRequest(world, id, ({ state }) => state === "signed");
  expect(signed).not.toBeNull();
  await changePolicy(world, { approvers: ["Alice", "Bob", "Carol"], threshold: 2 });
  erin.close();
});

test("SIGKILL of the agent and of the bridge in between loses nothing and signs once", async () => {
  const { id } = await send(world);
  await alice.approve(await alice.request(id));
  await alice.receipt(id);
  await world.restartAgent();
  await world.restartBridge();
  await bob.mail.reconnect();
  await bob.approve(await bob.request(id));
  const { signed } = await waitForRequest(world, id, ({ state }) => state === "signed");
  await world.restartAgent();
  expect((await showRequest(world, id)).signed).toBe(signed);
});

const DENIED: [string, string[], string][] = [
  ["a fee above the cap", ["--max-fee", "1000"], "ERR_TX_FEE_CAP"],
  ["an unknown vault", ["--vault", "Treasury-9"], "ERR_POLICY_DENIED"],
  ["an unknown network", ["--network", "eip155:10"], "ERR_POLICY_DENIED"],
  ["an unknown asset", ["--asset", "DAI"], "ERR_POLICY_DENIED"],
  ["an address without its checksum", ["--to", DESTINATION.toLowerCase()], "ERR_USAGE"],
  ["more decimals than the asset has", ["--amount", "0.0000001", "--asset", "USDC"], "ERR_AMOUNT"],
];
test.each(DENIED)("not proposed: %s", async (_what, change, code) => {
  const result = await world.command(
    "request",
    "send",
    "--key",
    world.keyFile("Olga"),
    "--vault",
    VAULT,
    "--network",
    "eip155:1",
    "--to",
    DESTINATION,
    "--amount",
    "1",
    "--asset",
    "ETH",
    "--gas-limit",
    "21000",
    "--max-fee",
    "30",
    "--priority-fee",
    "1",
    ...change,
  );
  expect(result.stderr).toContain(code);
  expect(result.code).toBeGreaterThan(0);
});

async function refused(jti: string, member = alice): Promise<string> {
  return (await member.refusal(jti)).code;
}

async function stillOpen(id: string): Promise<void> {
  expect(await showRequest(world, id)).toMatchObject({ state: "pending", signed: null });
}
