/**
 * What a bridge can know: everything that it receives, keeps and writes down in a full run of a company (founding, transfer, rejection, people,
 * policy, freeze), searched for everything that was said. A browser, scripts and the agent reach the bridge through a relay that keeps every
 * text on the wire; the bridge's log, its database and its health are read afterwards. protocol/README.md, "Sealing".
 */
import { readdirSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MembersView } from "../hsm-agent/print.ts";
import { parseClientFrame } from "../protocol/frame.ts";
import { SEAL_SIZES } from "../protocol/seal.ts";
import { openDevices } from "./devices/device.ts";
import { Approver } from "./harness/approver.ts";
import { changePolicy, found, joinMember } from "./harness/company.ts";
import { VIEW, viewOf } from "./harness/forged-view.ts";
import { HostileRelay } from "./harness/hostile-relay.ts";
import { Member } from "./harness/member.ts";
import { claimsOf, typOf } from "./harness/message.ts";
import { CONTACT, USDC, VAULT } from "./harness/policy-plan.ts";
import { DESTINATION, type RequestView, send, showRequest, waitForRequest } from "./harness/requests.ts";
import { retry } from "./harness/retry.ts";
import { Spy } from "./harness/spy.ts";
import { makeWorld, type World } from "./harness/world.ts";

const PAYEE = { name: "Kraken-hot", network: "eip155:1", address: "0x8617E340B3D01FA5F11F306F4090FD50E238070D" };

let world: World;
let relay: HostileRelay;
let alice: Approver;
let spy: Spy;
const members: Member[] = [];
/** What must be nowhere, by what it is. */
const secrets = new Map<string, Set<string>>();
const requests: RequestView[] = [];

beforeAll(async () => {
  spy = new Spy();
  world = await makeWorld({
    spy,
    people: [
      { name: "Olga", roles: ["initiator"] },
      ...["Alexandra", "Bernard", "Damaris"].map((name) => ({ name, roles: ["approver", "admin"] as const })),
    ],
    policy: { addressBook: [PAYEE] },
    bridge: { health: { host: "127.0.0.1", port: 0 } },
    between: async (port) => {
      relay = await HostileRelay.open(port, spy);
      return relay.port;
    },
  });
  const [device] = await openDevices(1, { models: ["nanosp"] });
  if (device === undefined) throw new Error("no device");
  alice = await Approver.open(world, "Alexandra", { device, port: relay.port });
});
afterAll(async () => {
  await alice?.close();
  for (const member of members) member.close();
  await world?.dispose();
  await relay?.close();
  spy?.close();
});

test("a company founds itself, transfers, rejects, changes people and policy, freezes and lifts it", async () => {
  const there = { ...world, port: relay.port };
  const [bernard, damaris] = ["Bernard", "Damaris"].map((name) => new Member(there, name)) as [Member, Member];
  members.push(bernard, damaris);
  requests.push(await found(world, [alice, bernard, damaris]));
  there.board = [bernard, damaris];

  const signed = await send(there, { amount: "1234.56789" });
  await alice.decide(signed.id);
  await bernard.decide(signed.id);
  requests.push(await waitForRequest(world, signed.id, ({ state }) => state === "signed"));

  const rejected = await send(there, { asset: "USDC", amount: "987654.321", to: PAYEE.address });
  await bernard.decide(rejected.id);
  await damaris.reject(await damaris.request(rejected.id), "suspicious");
  requests.push(await waitForRequest(world, rejected.id, ({ state }) => state === "rejected"));

  members.push(await joinMember(there, "Evangeline"));
  requests.push(await changePolicy(there, { approvers: ["Alexandra", "Bernard"], threshold: 2, addressBook: [PAYEE] }));
  const inbox = await alice.visit("inbox.html");
  await inbox.getByRole("button", { name: `Freeze ${VAULT}…` }).click();
  await inbox.getByRole("button", { name: `Freeze ${VAULT} now` }).click();
  await inbox.getByText("Received by the agent").waitFor();
  await inbox.close();
  expect(relay.seen.length).toBeGreaterThan(60);
});

test("nothing of what was said is on the wire, in the bridge's log, in its database or in its health", async () => {
  await collect();
  const [thumb = ""] = await thumbprints();
  const haystacks = await everythingTheBridgeHad();
  // The search finds what is there: a member's thumbprint.
  for (const where of ["wire", "database, running", "database, ended"])
    expect(haystacks.get(where)?.includes(thumb), where).toBe(true);
  let searched = 0;
  const found: string[] = [];
  for (const [what, values] of secrets) {
    expect(values.size, what).toBeGreaterThan(0);
    for (const value of values)
      for (const [form, needle] of formsOf(value)) {
        searched += 1;
        for (const [where, bytes] of haystacks)
          if (bytes.includes(needle)) found.push(`${what} as ${form} in ${where}: ${value}`);
      }
  }
  expect(found).toEqual([]);
  expect(searched).toBeGreaterThan(500);
});

test("bodies have one of the few sizes; an approval cannot be told from a rejection", async () => {
  const lengthOf = (body: string) => Buffer.from(body.split(".")[3] ?? "", "base64url").length;
  const sizes = new Map<string, Set<number>>();
  for (const { frame, jws } of relay.seen) {
    if (frame.t !== "send") continue;
    expect(SEAL_SIZES).toContain(lengthOf(frame.body));
    const typ = jws === undefined ? "unread" : typOf(jws);
    sizes.set(typ, (sizes.get(typ) ?? new Set()).add(frame.body.length));
  }
  expect(sizes.has("unread")).toBe(false);
  const approval = sizes.get("oc-approval+jws");
  for (const typ of ["oc-rejection+jws", "oc-freeze+jws", "oc-sync+jws", "oc-pair+jws", "oc-enrolment+jws"])
    expect([typ, sizes.get(typ)]).toEqual([typ, approval]);
  expect(approval?.size).toBe(1);
});

/** Every value that must stay between the ends: from the requests, the people, the policy, and every message in the clear. */
async function collect(): Promise<void> {
  const add = (what: string, ...values: readonly unknown[]) => {
    for (const value of values) {
      const text = String(value);
      if (text.length < 7) throw new Error(`${text} stands in any base64 by chance`);
      secrets.set(what, (secrets.get(what) ?? new Set()).add(text));
    }
  };
  add("amount", "1234.56789", "987654.321", "1234567890000000000000", "987654321000");
  add("name", "Alexandra", "Bernard", "Damaris", "Evangeline", VAULT, PAYEE.name, "Treasury", "Ethereum", CONTACT);
  // Short names stand in any base64 by chance: with what is around them.
  add("name", '"initiator":"Olga"', '"symbol":"USDC"', " USDC TO 0x", '"name":"Olga"');
  add("address", DESTINATION, PAYEE.address, USDC, world.vault.address, ...everyCase());
  for (const { id } of requests) {
    const { statement, digest, signed, hash } = await showRequest(world, id);
    add("request id", id);
    add("statement", statement);
    add("digest", digest);
    if (signed !== null && signed !== undefined) add("transaction", signed.slice(2), hash);
  }
  const { members: people } = await world.json<MembersView>("members");
  for (const { devices } of people)
    for (const { address } of devices) add("address", address, address.slice(2).toLowerCase());
  const policy = await world.json<{ digest: string }>("policy", "show");
  add("digest", policy.digest);
  for (const { jws } of relay.seen) {
    if (jws === undefined) continue;
    if (typOf(jws) === VIEW.typ) {
      const { checkpoint, entries } = viewOf(jws);
      const [, , root] = checkpoint.split("\n");
      add("log", jws.slice(0, 200), jws.slice(40, 120), root, ...entries.map(({ text }) => text));
      continue;
    }
    const [, payload = "", signature] = jws.split(".");
    const claims = claimsOf(jws);
    add("message", jws, payload.slice(40, 120), signature);
    if ("signature" in claims) add("device signature", String(claims["signature"]).slice(2));
    if ("statement" in claims) add("statement", String(claims["statement"]).slice(0, 60));
    if ("digest" in claims) add("digest", claims["digest"]);
    if ("seal" in claims) add("receiving key", JSON.stringify(claims["seal"]));
  }
}

function everyCase(): string[] {
  return [DESTINATION, PAYEE.address, USDC].flatMap((address) => [address.slice(2), address.slice(2).toLowerCase()]);
}

/** What a value may look like in a log, a database or a frame. Base64 in each of its three alignments. */
function formsOf(value: string): [string, Buffer][] {
  const plain = Buffer.from(value);
  const forms: [string, Buffer][] = [
    ["text", plain],
    ["hex", Buffer.from(plain.toString("hex"))],
    ["HEX", Buffer.from(plain.toString("hex").toUpperCase())],
    ["utf16", Buffer.from(value, "utf16le")],
    ["JSON", Buffer.from(JSON.stringify(value).slice(1, -1))],
  ];
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift), plain]);
    // Only the characters that no neighbour changes.
    const whole = Math.floor((padded.length * 8) / 6);
    const from = Math.ceil((shift * 8) / 6);
    for (const alphabet of ["base64", "base64url"] as const) {
      const text = padded.toString(alphabet).slice(from, whole);
      if (text.length >= 7) forms.push([`${alphabet} ${shift}`, Buffer.from(text)]);
    }
  }
  const raw = /^([0-9a-fA-F]{2}){16,}$/.test(value) ? Buffer.from(value, "hex") : undefined;
  if (raw !== undefined)
    forms.push(["bytes", raw], ["bytes in base64", Buffer.from(raw.toString("base64url").slice(0, -2))]);
  return forms;
}

async function everythingTheBridgeHad(): Promise<Map<string, Buffer>> {
  const port = Number((await world.bridge().logged("listening"))["health"]);
  const health = await new Promise<string>((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/healthz" }, (response) => {
      let text = "";
      response.on("data", (data) => (text += String(data)));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
  expect(JSON.parse(health)).toMatchObject({ agentsOnline: 1 });
  const kept = new Map<string, Buffer>([
    ["wire", Buffer.from(relay.texts.join("\n"))],
    ["log", Buffer.from(world.bridge().lines.join("\n"))],
    ["health", Buffer.from(health)],
  ]);
  // With what is in the mailboxes now, and again as it is on the disk after an orderly end.
  const folder = join(world.folder, "bridge");
  for (const when of ["running", "ended"]) {
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(0);
    kept.set(`database, ${when}`, Buffer.concat(files.map((file) => readFileSync(join(folder, file)))));
    if (when === "running") await world.bridge().stop();
  }
  for (const text of relay.texts.filter((one) => one.includes('"t":"send"'))) parseClientFrame(text);
  return kept;
}

/** What a bridge may know: who talks with whom. */
async function thumbprints(): Promise<string[]> {
  return await retry(async () => {
    const { members: people } = await world.json<MembersView>("members");
    return people.flatMap(({ extensions }) => extensions.map(({ kid }) => kid));
  });
}
