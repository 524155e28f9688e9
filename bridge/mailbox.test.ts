import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Incoming, Mailbox, type MailboxLimits } from "./mailbox.ts";

const LIMITS: MailboxLimits = { messages: 10, bytes: 100, shareOfSender: 0.5, retention: 100, remembered: 4 };
let folder: string;
let mailbox: Mailbox;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mailbox-"));
  mailbox = new Mailbox(join(folder, "data"), LIMITS);
});
afterEach(() => {
  mailbox.close();
  rmSync(folder, { recursive: true });
});

function message(id: string, changes: Partial<Incoming> = {}): Incoming {
  return { agent: "A", receiver: "r", sender: "s", id, body: "body", fair: false, once: false, ...changes };
}
const seqs = (agent = "A", receiver = "r") => mailbox.after(agent, receiver, 0, 100).map((found) => found.seq);
function reopen(): void {
  mailbox.close();
  mailbox = new Mailbox(join(folder, "data"), LIMITS);
}

test("the folder and the store are for their owner only; a second bridge is refused", () => {
  expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
  expect(() => new Mailbox(join(folder, "data"), LIMITS)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
});

test("a store of another version is refused", () => {
  const other = join(folder, "other");
  new Mailbox(other, LIMITS).close();
  const database = new DatabaseSync(join(other, "bridge.db"));
  database.exec("PRAGMA user_version = 2");
  database.close();
  expect(() => new Mailbox(other, LIMITS)).toThrow("version 2");
});

test("the id is remembered for each agent, receiver and sender apart", () => {
  expect(mailbox.store(message("1"), 0)).toBe("stored");
  expect(mailbox.store(message("1", { body: "other" }), 0)).toBe("known");
  for (const changes of [{ agent: "B" }, { receiver: "q" }, { sender: "t" }]) {
    expect(mailbox.store(message("1", changes), 0)).toBe("stored");
  }
  expect(mailbox.after("A", "r", 0, 1)).toEqual([{ seq: 1, id: "1", sender: "s", size: 4, body: "body" }]);
});

test("seq is one for each receiver and never comes back: not after acks, not after expiry, not after a restart", () => {
  for (const id of ["1", "2"]) mailbox.store(message(id), 0);
  mailbox.store(message("1", { receiver: "q" }), 0);
  expect(seqs()).toEqual([1, 2]);
  expect(seqs("A", "q")).toEqual([1]);
  expect(mailbox.ack("A", "r", 2)).toBe("removed");
  mailbox.store(message("3"), 0);
  expect(mailbox.sweep(100)).toBe(2);
  reopen();
  mailbox.store(message("4"), 100);
  expect(seqs()).toEqual([4]);
});

test("acknowledgements are cumulative, and of what was given out only", () => {
  for (const id of ["1", "2", "3"]) mailbox.store(message(id), 0);
  expect(mailbox.ack("A", "r", 4)).toBe("ahead");
  expect(mailbox.ack("A", "r", 2)).toBe("removed");
  expect(mailbox.ack("A", "r", 2)).toBe("known");
  expect(mailbox.ack("A", "r", 1)).toBe("known");
  expect(mailbox.ack("B", "r", 1)).toBe("ahead");
  expect(seqs()).toEqual([3]);
  expect(mailbox.after("A", "r", 3, 10)).toEqual([]);
});

test("an id is remembered after its delivery for the retention time", () => {
  mailbox.store(message("1"), 0);
  mailbox.ack("A", "r", 1);
  mailbox.sweep(99);
  expect(mailbox.store(message("1"), 99)).toBe("known");
  mailbox.sweep(100);
  expect(mailbox.store(message("1"), 100)).toBe("stored");
});

test("of one sender only the newest ids are remembered", () => {
  for (const id of ["1", "2", "3", "4", "5"]) mailbox.store(message(id), 0);
  mailbox.store(message("9", { sender: "t" }), 0);
  expect(mailbox.store(message("2"), 0)).toBe("known");
  expect(mailbox.store(message("1"), 0)).toBe("stored");
  expect(mailbox.store(message("9", { sender: "t" }), 0)).toBe("known");
});

test("quota by messages and by bytes, of all and of one sender's share; what is refused leaves nothing", () => {
  const body = "x".repeat(50);
  expect(mailbox.store(message("1", { fair: true, body }), 0)).toBe("stored");
  expect(mailbox.store(message("2", { fair: true }), 0)).toBe("full");
  expect(mailbox.store(message("2", { body }), 0)).toBe("stored");
  expect(mailbox.store(message("3", { body: "x", sender: "t" }), 0)).toBe("full");
  mailbox.ack("A", "r", 2);
  for (let i = 0; i < 5; i++) expect(mailbox.store(message(`a${i}`, { fair: true, body: "x" }), 0)).toBe("stored");
  expect(mailbox.store(message("b", { fair: true, body: "x" }), 0)).toBe("full");
  for (let i = 0; i < 5; i++) expect(mailbox.store(message(`c${i}`, { body: "x" }), 0)).toBe("stored");
  expect(mailbox.store(message("d", { body: "x" }), 0)).toBe("full");
  expect(seqs()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  mailbox.ack("A", "r", 12);
  expect(mailbox.store(message("d", { body: "x" }), 0)).toBe("stored");
});

test("an invite's first stored id is its only one, for ever", () => {
  const once = { once: true, sender: "guest" };
  expect(mailbox.store(message("1", { ...once, body: "x".repeat(101) }), 0)).toBe("full");
  expect(mailbox.store(message("2", once), 0)).toBe("stored");
  expect(mailbox.store(message("1", once), 0)).toBe("spent");
  mailbox.sweep(1000);
  reopen();
  expect(mailbox.store(message("1", once), 1000)).toBe("spent");
  expect(mailbox.store(message("2", once), 1000)).toBe("known");
  expect(mailbox.depth()).toBe(0);
});

test("cards and rosters are kept apart", () => {
  expect(mailbox.authority("A")).toEqual({ card: 0, roster: null });
  mailbox.setRoster("A", "jws");
  mailbox.setCard("A", 7);
  reopen();
  expect(mailbox.authority("A")).toEqual({ card: 7, roster: "jws" });
  expect(mailbox.authority("B")).toEqual({ card: 0, roster: null });
});
