/**
 * What a person and the HSM are known by, and how it is replaced: an extension's keys, which nobody can copy out of the browser; a profile that
 * is lost; a further device; the HSM's identity. Two people in real Chromium with their Ledgers, a third as a script, over real bridge, agent
 * and SoftHSM.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MembersView } from "../hsm-agent/print.ts";
import { openDevices } from "./devices/device.ts";
import { messagePages } from "./devices/hands.ts";
import type { Device } from "./devices/ledger-device.ts";
import { Approver } from "./harness/approver.ts";
import { change, found, joinCompany } from "./harness/company.ts";
import { Member } from "./harness/member.ts";
import { send, waitForRequest } from "./harness/requests.ts";
import { retry } from "./harness/retry.ts";
import { makeWorld, type World } from "./harness/world.ts";

let world: World;
let devices: readonly Device[];
let alice: Approver;
let bob: Approver;
let dan: Member;
const complaints: string[] = [];

beforeAll(async () => {
  world = await makeWorld({
    people: [
      { name: "Olga", roles: ["initiator"] },
      ...["Alice", "Bob", "Dan"].map((name) => ({ name, roles: ["approver", "admin"] as const })),
    ],
  });
  devices = await openDevices(3, { models: ["nanosp", "flex", "nanosp"] });
  const [hers, his] = devices;
  if (hers === undefined || his === undefined) throw new Error("a device is missing");
  [alice, bob] = await Promise.all([
    Approver.open(world, "Alice", { device: hers }),
    Approver.open(world, "Bob", { device: his }),
  ]);
  dan = new Member(world, "Dan");
  await found(world, [alice, bob, dan]);
});
afterAll(async () => {
  for (const approver of [alice, bob]) await approver?.close();
  dan?.close();
  await world?.dispose();
});

/** What a device shows of a message, as one text. */
const textOf = (screens: string[][]) => messagePages(screens).join("");

/** Two people approve a new transfer, and the vault's key signs. */
async function signsWith(...people: readonly (Approver | Member)[]): Promise<string> {
  const { id, statement } = await send(world);
  await Promise.all(people.map(async (person) => await person.decide(id)));
  expect((await waitForRequest(world, id, ({ state }) => state === "signed")).signed).toMatch(/^0x02/);
  return statement;
}

async function isInForce(page: Page): Promise<void> {
  await page.getByRole("heading", { name: "In force", exact: true }).waitFor();
  await page.close();
}

test("the browser's keys cannot be exported, and survive a restart of the browser", async () => {
  const page = await alice.visit("inbox.html");
  const before = await page.evaluate(exportKeys);
  expect(before.length).toBeGreaterThanOrEqual(2);
  for (const { kind, extractable, exported } of before)
    expect([kind, extractable, exported]).toEqual([kind, false, []]);
  expect(before.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["ECDSA", "ECDH"]));
  complaints.push(...alice.complaints);
  await alice.close({ keep: true });
  alice = await Approver.open(world, "Alice", { device: alice.device, profile: alice.profile });
  world.board = [alice, bob, dan];
  const again = await alice.visit("inbox.html");
  await again.getByText("Signed in as Alice").waitFor();
  expect(await again.evaluate(exportKeys)).toEqual(before);
  await again.close();
  await signsWith(alice, dan);
});

test("a profile is lost: a new one is paired with the same device, and the admins remove the old one", async () => {
  const keysOf = async () =>
    (await world.json<MembersView>("members")).members.find(({ name }) => name === "Bob")?.extensions ?? [];
  const [lost] = await keysOf();
  complaints.push(...bob.complaints);
  await bob.close();
  bob = await Approver.open(world, "Bob", { device: bob.device });
  world.board = [alice, dan];
  await joinCompany(world, bob, { roles: [] });
  expect(await keysOf()).toHaveLength(2);
  await change(world, "members", "remove", "Bob", "--browser", lost?.key ?? "");
  expect((await keysOf()).map(({ kid }) => kid)).not.toContain(lost?.kid);
  await signsWith(bob, dan);
  world.board = [alice, bob, dan];
});

test("ROTATE: the admins' devices carry the next identity, browsers follow it, and the vault's key signs on", async () => {
  const { id, fingerprint } = await world.json<{ id: string; fingerprint: string }>(
    "rotate",
    "--key",
    world.keyFile("Olga"),
  );
  await world.restartBridge({ agents: [world.fingerprint, fingerprint] });
  await dan.mail.reconnect();
  const page = await alice.openRequest(id);
  expect(textOf(await alice.approve(page))).toContain(`ROTATE HSM TO ${fingerprint.slice(0, 32)}; needs 2 of 3; `);
  await page.getByText("Received by the agent").waitFor();
  await dan.decide(id);
  await isInForce(page);
  for (const one of [alice, bob]) {
    const pairing = await one.visit("pair.html");
    await retry(async () => expect(squeeze(await pairing.locator("main").textContent())).toContain(fingerprint));
    await pairing.close();
  }
  await retry(async () =>
    expect(await world.json("status")).toMatchObject({ hsm: { fingerprint }, bridge: { state: "online" } }),
  );
  expect(await signsWith(alice, bob)).toContain(`OpenCustody v1 ${fingerprint.slice(0, 8)}`);
});

test("a further device is enrolled by the admins, and counts from then on", async () => {
  const [, , device] = devices;
  if (device === undefined) throw new Error("a device is missing");
  const address = await device.address();
  alice = await Approver.open(world, "Alice", { device, profile: await moved() });
  world.board = [bob, dan];
  const enrolment = await alice.enrol();
  await enrolment.getByText(/opencustody members enroll Alice/).waitFor();
  await change(world, "members", "enroll", "Alice", "--device", address);
  await enrolment.getByText("Enrolled", { exact: true }).first().waitFor();
  await enrolment.close();
  await signsWith(alice, dan);
});

test("no page complained", () => {
  const all = [...complaints, ...alice.complaints, ...bob.complaints];
  expect(all.filter((text) => !text.startsWith("WebSocket connection to 'ws://127.0.0.1:8787/' failed"))).toEqual([]);
});

/** Alice's browser is closed; returns its profile. */
async function moved(): Promise<string> {
  complaints.push(...alice.complaints);
  await alice.close({ keep: true });
  return alice.profile;
}

/** Runs in a page: every key in the records, and in which forms it can be had. Its public half tells that it is the same one. */
async function exportKeys(): Promise<{ kind: string; extractable: boolean; exported: string[]; id: string }[]> {
  const read = async (table: string) =>
    await new Promise<unknown[]>((resolve, reject) => {
      const opening = indexedDB.open("opencustody");
      opening.onerror = () => reject(new Error("no database"));
      opening.onsuccess = () => {
        const reading = opening.result.transaction(table).objectStore(table).getAll();
        reading.onsuccess = () => resolve(reading.result as unknown[]);
        reading.onerror = () => reject(new Error("not read"));
      };
    });
  const privates: CryptoKey[] = [];
  const publics: CryptoKey[] = [];
  const walk = (value: unknown): void => {
    if (value instanceof CryptoKey) (value.type === "private" ? privates : publics).push(value);
    else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) walk(part);
  };
  for (const table of ["key", "sealKeys"]) walk(await read(table));
  const found = [];
  for (const key of privates) {
    const exported: string[] = [];
    for (const format of ["jwk", "pkcs8", "raw"] as const)
      await crypto.subtle.exportKey(format as "jwk", key).then(
        () => exported.push(format),
        () => undefined,
      );
    const kind = key.algorithm.name;
    const halves = publics.filter((one) => one.algorithm.name === kind);
    const id = await Promise.all(halves.map(async (one) => (await crypto.subtle.exportKey("jwk", one)).x));
    found.push({ kind, extractable: key.extractable, exported, id: id.join() });
  }
  return found;
}

function squeeze(text: string | null): string {
  return (text ?? "").replaceAll(/\s/g, "");
}
