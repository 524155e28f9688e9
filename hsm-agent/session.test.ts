/** The session's own wiring, over a real record and socket, an HSM in memory and a bridge that is not there. What it wires is tested beside each part. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Fault } from "../protocol/error.ts";
import { AnchorKeeper } from "./anchor.ts";
import { Backups } from "./backup.ts";
import type { Config } from "./config.ts";
import { socketPath } from "./config.ts";
import type { Command } from "./control.ts";
import { callAgent } from "./control-client.ts";
import { Driver } from "./driver.ts";
import { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import { Owed } from "./owed.ts";
import { type Session, serve } from "./session.ts";
import { Office } from "./testing.ts";
import { LOG } from "./testing-agent.ts";
import { makePerson } from "./testing-people.ts";
import { startOf } from "./witnesses.ts";

const [ALICE, BOB] = [makePerson("Alice"), makePerson("Bob")];
let office: Office;
let journal: Journal;
let config: Config;
let session: Session;
beforeEach(async () => {
  const draft = await Office.draft([ALICE, BOB], 2);
  ({ office } = draft);
  for (const [person, key] of draft.invites) await office.join(person, key);
  office.desk.journal.close();
  journal = new Journal(office.path);
  config = {
    data: office.folder,
    hsm: { module: "/nowhere.so", token: { label: "x" }, pin: { prompt: true } },
    bridge: { url: office.desk.bridgeUrl, dial: "ws://127.0.0.1:9" },
  };
  const parts = { config, log: LOG, journal, hsm: office.hsm, start: startOf(journal), wall: () => office.now };
  session = await serve(parts, () => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  await session.stop();
  journal.close();
  office.dispose();
});

const ask = async (command: Command) => await callAgent(socketPath(config), command);
const WRONG = "abandon abandon abandon abandon abandon abandon";
const wrong = async () => await ask({ command: "pairing.confirm", name: "Alice", words: WRONG });
const tries = () => journal.pairings().find(({ name }) => name === "Alice")?.tries;

test("a refusal is answered when what it counted is on the disk, and not before", async () => {
  await journal.durable();
  const disk = Promise.withResolvers<void>();
  const durable = vi.spyOn(journal, "durable").mockReturnValue(disk.promise);
  const state = { answered: false };
  const refused = wrong().catch((error: unknown) => {
    state.answered = true;
    return error;
  });
  await vi.waitFor(() => expect(state.answered || durable.mock.calls.length > 0).toBe(true), { timeout: 60_000 });
  expect(state.answered).toBe(false);
  disk.resolve();
  expect(await refused).toMatchObject({ code: "ERR_WORDS" });
  expect(tries()).toBe(1);
});

test("where it cannot be kept, nobody hears of it; how the agent is can be asked all the same", async () => {
  const failed = new Fault("ERR_RECORD", "The disk is full.");
  vi.spyOn(journal, "durable").mockRejectedValue(failed);
  await expect(wrong()).rejects.toMatchObject({ code: "ERR_RECORD", message: failed.message });
  expect(await ask({ command: "status" })).toMatchObject({ founded: false });
});

test("a part that does not end well keeps no other one from its end", async () => {
  vi.spyOn(Link.prototype, "stop").mockImplementationOnce(function (this: Link) {
    this.stop();
    throw new RangeError("the record is full");
  });
  const others = [
    vi.spyOn(Driver.prototype, "stop"),
    vi.spyOn(Owed.prototype, "stop"),
    vi.spyOn(AnchorKeeper.prototype, "settled"),
    vi.spyOn(Backups.prototype, "settled"),
  ];
  await expect(session.stop()).rejects.toThrow("the record is full");
  for (const other of others) expect(other).toHaveBeenCalledOnce();
  await expect(ask({ command: "status" })).rejects.toMatchObject({ code: "ERR_AGENT_UNREACHABLE" });
});
