import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Incoming, Mailbox, type MailboxLimits } from "./mailbox.ts";

const LIMITS: MailboxLimits = { messages: 10, bytes: 100, retention: 100, remembered: 4 };
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
  return { receiver: "r", sender: "s", id, body: "body", share: 1, once: false, ...changes };
}
const seqs = (receiver = "r", senders: string[] | null = null) =>
  mailbox.after(receiver, 0, 100, senders).map((found) => found.seq);
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
  database.exec("PRAGMA user_version = 1");
  database.close();
  expect(() => new Mailbox(other, LIMITS)).toThrow("version 1");
});

test("the id is remembered for each receiver and sender apart", () => {
  expect(mailbox.store(message("1"), 0)).toBe("stored");
  expect(mailbox.store(message("1", { body: "other" }), 0)).toBe("known");
  for (const changes of [{ receiver: "q" }, { sender: "t" }]) {
    expect(mailbox.store(message("1", changes), 0)).toBe("stored");
  }
  expect(mailbox.after("r", 0, 1, null)).toEqual([{ seq: 1, id: "1", sender: "s", size: 4, body: "body" }]);
});

test("seq is one for each receiver and never comes back: not after acks, not after expiry, not after a restart", () => {
  for (const id of ["1", "2"]) mailbox.store(message(id), 0);
  mailbox.store(message("1", { receiver: "q" }), 0);
  expect(seqs()).toEqual([1, 2]);
  expect(seqs("q")).toEqual([1]);
  expect(mailbox.ack("r", 2)).toBe("removed");
  mailbox.store(message("3"), 0);
  expect(mailbox.sweep(100)).toBe(2);
  reopen();
  mailbox.store(message("4"), 100);
  expect(seqs()).toEqual([4]);
});

test("acknowledgements are cumulative, and of what was given out only", () => {
  for (const id of ["1", "2", "3"]) mailbox.store(message(id), 0);
  expect(mailbox.ack("r", 4)).toBe("ahead");
  expect(mailbox.ack("r", 2)).toBe("removed");
  expect(mailbox.ack("r", 2)).toBe("known");
  expect(mailbox.ack("r", 1)).toBe("known");
  expect(mailbox.ack("q", 1)).toBe("ahead");
  expect(seqs()).toEqual([3]);
  expect(mailbox.after("r", 3, 10, null)).toEqual([]);
});

test("an id is remembered after its delivery for the retention time", () => {
  mailbox.store(message("1"), 0);
  mailbox.ack("r", 1);
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
  expect(mailbox.store(message("1", { share: 0.5, body }), 0)).toBe("stored");
  expect(mailbox.store(message("2", { share: 0.5 }), 0)).toBe("full");
  expect(mailbox.store(message("2", { body }), 0)).toBe("stored");
  expect(mailbox.store(message("3", { body: "x", sender: "t" }), 0)).toBe("full");
  mailbox.ack("r", 2);
  for (let i = 0; i < 5; i++) expect(mailbox.store(message(`a${i}`, { share: 0.5, body: "x" }), 0)).toBe("stored");
  expect(mailbox.store(message("b", { share: 0.5, body: "x" }), 0)).toBe("full");
  for (let i = 0; i < 5; i++) expect(mailbox.store(message(`c${i}`, { body: "x" }), 0)).toBe("stored");
  expect(mailbox.store(message("d", { body: "x" }), 0)).toBe("full");
  expect(seqs()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  mailbox.ack("r", 12);
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
  expect(mailbox.store(message("2", { ...once, receiver: "another agent" }), 1000)).toBe("spent");
  expect(mailbox.depth()).toBe(0);
});

test("cards and rosters are kept, for each agent apart", () => {
  expect([mailbox.card("A"), mailbox.roster("A")]).toEqual([undefined, undefined]);
  mailbox.setRoster("A", "roster");
  mailbox.setCard("A", 7, "card 7");
  mailbox.setCard("A", 8, "card 8");
  reopen();
  expect([mailbox.card("A"), mailbox.roster("A")]).toEqual([{ n: 8, jws: "card 8" }, "roster"]);
  expect([mailbox.card("B"), mailbox.roster("B")]).toEqual([undefined, undefined]);
});

test("of some senders only; the others' messages keep their places", () => {
  for (const sender of ["s", "t", "s", "u"]) mailbox.store(message(`${seqs().length}`, { sender }), 0);
  expect(seqs("r", ["s"])).toEqual([1, 3]);
  expect(seqs("r", ["t", "u"])).toEqual([2, 4]);
  expect(seqs("r", [])).toEqual([]);
  expect(seqs()).toEqual([1, 2, 3, 4]);
});

test("once acknowledged or expired and swept, a body is nowhere in the files", () => {
  const filesWith = (text: string) =>
    readdirSync(join(folder, "data")).filter((name) => readFileSync(join(folder, "data", name)).includes(text));
  // Long enough for pages of its own beside the table's.
  const bodies = ["secret.one.", "secret.two."].map((start) => start + "x".repeat(20_000));
  mailbox.close();
  mailbox = new Mailbox(join(folder, "data"), { ...LIMITS, bytes: 100_000 });
  for (const [at, body] of bodies.entries()) mailbox.store(message(`${at}`, { body }), at);
  for (const start of ["secret.one.", "secret.two."]) expect(filesWith(start)).not.toEqual([]);
  mailbox.sweep(0);
  expect(filesWith("secret.one.")).toEqual(["bridge.db"]);
  mailbox.ack("r", 1);
  mailbox.sweep(1);
  expect(filesWith("secret.one.")).toEqual([]);
  expect(filesWith("secret.two.")).toEqual(["bridge.db"]);
  mailbox.sweep(101);
  expect(filesWith("secret.two.")).toEqual([]);
});
