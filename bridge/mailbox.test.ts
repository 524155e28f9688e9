import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Mailbox } from "./mailbox.ts";
import { PostRig } from "./mailbox-rig.ts";

const LIMITS = { retention: 100, remembered: 4 };
let rig: PostRig;
beforeEach(() => {
  rig = new PostRig();
});
afterEach(() => rig.end());

test("the folder and the store are for their owner only; a second bridge is refused", () => {
  expect(statSync(rig.data).mode & 0o777).toBe(0o700);
  expect(() => new Mailbox(rig.data, LIMITS)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
});

test("a store of another version is refused", () => {
  const other = join(rig.folder, "other");
  new Mailbox(other, LIMITS).close();
  const database = new DatabaseSync(join(other, "bridge.db"));
  database.exec("PRAGMA user_version = 1");
  database.close();
  expect(() => new Mailbox(other, LIMITS)).toThrow("version 1");
});

test("the id is remembered for each receiver and sender apart", () => {
  expect(rig.store("1")).toBe("taken");
  expect(rig.store("1", { body: "other" })).toBe("known");
  for (const changes of [{ receiver: "q" }, { sender: "t" }]) expect(rig.store("1", changes)).toBe("taken");
  expect(rig.mailbox.after("r", 0, 9, 1, null)).toEqual([{ seq: 1, id: "1", sender: "s", size: 4, body: "body" }]);
});

test("accepted after the commit, not before; what came before it, too", () => {
  rig.store("1");
  rig.store("1");
  expect(rig.accepted).toEqual([]);
  rig.commit();
  expect(rig.accepted).toEqual(["1", "1"]);
  rig.store("1");
  expect(rig.accepted).toEqual(["1", "1", "1"]);
});

test("many of one turn are one transaction", async () => {
  rig.store("1");
  rig.commit();
  const before = rig.mailbox.group.commits;
  for (const id of ["2", "3", "4"]) rig.store(id);
  rig.post.acknowledge("r", 2);
  await new Promise(setImmediate);
  expect(rig.accepted).toEqual(["1", "2", "3", "4"]);
  expect(rig.mailbox.group.commits).toBe(before + 1);
  expect(rig.seqs()).toEqual([3, 4]);
});

test("seq is one for each receiver and never comes back: not after acks, not after expiry, not after a restart", () => {
  for (const id of ["1", "2"]) rig.store(id);
  rig.store("1", { receiver: "q" });
  expect(rig.seqs()).toEqual([1, 2]);
  expect(rig.seqs("q")).toEqual([1]);
  expect(rig.post.acknowledge("r", 2)).toBe("removed");
  rig.store("3");
  rig.now = 100;
  expect(rig.post.sweep()).toBe(2);
  rig.reopen();
  rig.store("4");
  expect(rig.seqs()).toEqual([4]);
});

test("acknowledgements are cumulative, and of what was given out only", () => {
  for (const id of ["1", "2", "3"]) rig.store(id);
  expect(rig.post.acknowledge("r", 4)).toBe("ahead");
  expect(rig.post.acknowledge("r", 2)).toBe("removed");
  expect(rig.post.acknowledge("r", 2)).toBe("known");
  expect(rig.post.acknowledge("r", 1)).toBe("known");
  expect(rig.post.acknowledge("q", 1)).toBe("ahead");
  expect(rig.seqs()).toEqual([3]);
  rig.reopen();
  expect(rig.post.acknowledge("r", 2)).toBe("known");
});

test("an id is remembered after its delivery for the retention time", () => {
  rig.store("1");
  rig.post.acknowledge("r", 1);
  rig.now = 99;
  rig.post.sweep();
  expect(rig.store("1")).toBe("known");
  rig.now = 100;
  rig.post.sweep();
  expect(rig.store("1")).toBe("taken");
});

test("of one sender only the newest ids are remembered", () => {
  for (const id of ["1", "2", "3", "4", "5"]) rig.store(id);
  rig.store("9", { sender: "t" });
  expect(rig.store("2")).toBe("known");
  expect(rig.store("1")).toBe("taken");
  expect(rig.store("9", { sender: "t" })).toBe("known");
});

test("quota by messages and by bytes, of all and of one sender's share; what is refused leaves nothing", () => {
  const body = "x".repeat(50);
  expect(rig.store("1", { share: 0.5, body })).toBe("taken");
  expect(rig.store("2", { share: 0.5 })).toBe("full");
  expect(rig.store("2", { body })).toBe("taken");
  expect(rig.store("3", { body: "x", sender: "t" })).toBe("full");
  rig.post.acknowledge("r", 2);
  for (let i = 0; i < 5; i++) expect(rig.store(`a${i}`, { share: 0.5, body: "x" })).toBe("taken");
  expect(rig.store("b", { share: 0.5, body: "x" })).toBe("full");
  // The store says the same of them after a restart.
  rig.reopen();
  expect(rig.store("b", { share: 0.5, body: "x" })).toBe("full");
  for (let i = 0; i < 5; i++) expect(rig.store(`c${i}`, { body: "x" })).toBe("taken");
  expect(rig.store("d", { body: "x" })).toBe("full");
  expect(rig.seqs()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  rig.post.acknowledge("r", 12);
  expect(rig.store("d", { body: "x" })).toBe("taken");
});

test("an invite's first stored id is its only one, for ever", () => {
  const once = { once: true, sender: "guest" };
  expect(rig.store("1", { ...once, body: "x".repeat(101) })).toBe("full");
  expect(rig.store("2", once)).toBe("taken");
  expect(rig.store("1", once)).toBe("spent");
  rig.now = 1000;
  rig.post.sweep();
  rig.reopen();
  expect(rig.store("1", once)).toBe("spent");
  expect(rig.store("2", once)).toBe("known");
  expect(rig.store("2", { ...once, receiver: "another agent" })).toBe("spent");
  expect(rig.post.depth().all).toBe(0);
});

test("cards and rosters are kept, for each agent apart", () => {
  const { mailbox } = rig;
  expect([mailbox.card("A"), mailbox.roster("A")]).toEqual([undefined, undefined]);
  mailbox.setRoster("A", "roster");
  mailbox.setCard("A", 7, "card 7");
  mailbox.setCard("A", 8, "card 8");
  rig.reopen({ killed: true });
  expect([rig.mailbox.card("A"), rig.mailbox.roster("A")]).toEqual([{ n: 8, jws: "card 8" }, "roster"]);
  expect([rig.mailbox.card("B"), rig.mailbox.roster("B")]).toEqual([undefined, undefined]);
});

test("of some senders only, and up to a seq; the others' messages keep their places", () => {
  for (const sender of ["s", "t", "s", "u"]) rig.store(`${rig.seqs().length}`, { sender });
  expect(rig.seqs("r", ["s"])).toEqual([1, 3]);
  expect(rig.seqs("r", ["t", "u"])).toEqual([2, 4]);
  expect(rig.seqs("r", [])).toEqual([]);
  expect(rig.seqs()).toEqual([1, 2, 3, 4]);
  expect(rig.mailbox.after("r", 1, 3, 100, null).map(({ seq }) => seq)).toEqual([2, 3]);
});

test("a mistake in one write undoes that one, and not the others of its turn", () => {
  rig.store("1");
  const { group } = rig.mailbox;
  expect(() =>
    group.write(() => {
      rig.mailbox.reserve("r", 1000);
      throw new Error("a mistake");
    }),
  ).toThrow("a mistake");
  rig.commit();
  expect(rig.accepted).toEqual(["1"]);
  rig.reopen({ killed: true });
  expect([rig.seqs(), rig.mailbox.box("r").last]).toEqual([[1], 1]);
});

test("once acknowledged or expired and swept, a body is nowhere in the files", () => {
  const filesWith = (text: string) =>
    readdirSync(rig.data).filter((name) => readFileSync(join(rig.data, name)).includes(text));
  // Long enough for pages of its own beside the table's.
  const bodies = ["secret.one.", "secret.two."].map((start) => start + "x".repeat(20_000));
  rig.reopen({ bytes: 100_000 });
  for (const [at, body] of bodies.entries()) {
    rig.now = at;
    rig.store(`${at}`, { body });
  }
  const sweep = (now: number) => {
    rig.now = now;
    rig.post.sweep();
  };
  rig.commit();
  for (const start of ["secret.one.", "secret.two."]) expect(filesWith(start)).not.toEqual([]);
  sweep(0);
  expect(filesWith("secret.one.")).toEqual(["bridge.db"]);
  rig.post.acknowledge("r", 1);
  sweep(1);
  expect(filesWith("secret.one.")).toEqual([]);
  expect(filesWith("secret.two.")).toEqual(["bridge.db"]);
  sweep(101);
  expect(filesWith("secret.two.")).toEqual([]);
});
