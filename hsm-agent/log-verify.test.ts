/** log-verify.ts over logs that an agent wrote, and over the same with one thing changed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { originOf, signCheckpoint } from "../protocol/checkpoint.ts";
import { entryText, parseEntry } from "../protocol/log-entry.ts";
import { leafHash, nodeHash } from "../protocol/merkle.ts";
import { fingerprint } from "../protocol/primitive.ts";
import { VectorTree } from "../protocol/vectors/tree.ts";
import { LogRules } from "./log-rules.ts";
import { type LogHead, type LogPage, type LogSource, PAGE, sourceOf, verifyLog } from "./log-verify.ts";
import { newestCheckpoint } from "./showing.ts";
import { Office } from "./testing.ts";
import { makeKey, makePerson, START, VAULT } from "./testing-people.ts";
import { showRequest } from "./views.ts";

const [ALICE, BOB, CAROL, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Olga")];
let office: Office;
let head: LogHead;
let page: LogPage;
beforeAll(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  const rejected = await office.propose(OLGA);
  await office.drive(rejected);
  await office.approve(ALICE, rejected);
  await office.reject(BOB, rejected);
  const signed = await office.carry(await office.propose(OLGA), [ALICE, BOB]);
  await showRequest(office.desk, signed);
  await office.freeze(CAROL, VAULT);
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } }, [ALICE, BOB]);
  await office.carry(await office.propose(OLGA), [BOB, CAROL]);
  await newestCheckpoint(office.desk);
  const source = sourceOf(office.desk.journal);
  head = await source.head();
  page = await source.page(0);
});
afterAll(() => office.dispose());

const hsm = () => fingerprint(office.desk.identity.signer.kid);
const given = (lines: LogPage = page, of: LogHead = head): LogSource => ({
  head: async () => ({ ...of, size: lines.length }),
  page: async (from) => lines.slice(from, from + PAGE),
});
const refused = async (lines: LogPage, why: string, of: LogHead = head) => {
  await expect(verifyLog(given(lines, of), null)).rejects.toMatchObject({
    code: "ERR_LOG",
    message: expect.stringContaining(why) as string,
  });
};
/** The log with these lines, every hash made anew and a checkpoint over it: what whoever holds the HSM could write. */
async function resigned(lines: readonly string[], size = lines.length, freezes = head.freezes): Promise<LogSource> {
  const tree = new VectorTree();
  const rows = lines.map((line) => {
    const index = tree.add(line);
    const nodes = [leafHash(new TextEncoder().encode(line))];
    for (let level = 0, at = index; at % 2 === 1; level += 1, at = Math.floor(at / 2))
      nodes.push(nodeHash(tree.node(level, at - 1), tree.node(level, at)));
    return { line, nodes };
  });
  const { signer, jwk } = office.desk.identity;
  const checkpoint = await signCheckpoint(originOf(signer.kid), tree.head(size), signer, jwk);
  return given(rows, { ...head, checkpoint, freezes });
}
const texts = () => page.map(({ line }) => line);
const find = (kind: string, skip = 0) => texts().findIndex((line, at) => at >= skip && parseEntry(line)?.kind === kind);

test("the agent's own log holds, and is told up to where the HSM signed it", async () => {
  const verified = await verifyLog(sourceOf(office.desk.journal), hsm());
  expect(verified).toMatchObject({ founder: hsm(), by: hsm(), acts: 2, signed: page.length, entries: page.length });
  await office.propose(OLGA);
  expect(await verifyLog(sourceOf(office.desk.journal), hsm())).toMatchObject({
    signed: page.length,
    entries: page.length + 1,
  });
  // What comes while it is read is left for another time.
  expect(await verifyLog({ ...sourceOf(office.desk.journal), head: async () => head }, hsm())).toMatchObject({
    entries: page.length,
  });
  await expect(verifyLog(given(), "0".repeat(64))).rejects.toMatchObject({ code: "ERR_LOG" });
  expect(await verifyLog(await resigned(texts()), hsm())).toMatchObject({ signed: page.length });
});

test("one character of any entry or hash, and any entry left out, added or moved, is found", async () => {
  for (const [at, { line, nodes }] of page.entries()) {
    const changed = line.replace(
      /"at":(\d+)(\d)/,
      (_all, rest: string, last: string) => `"at":${rest}${(Number(last) + 1) % 10}`,
    );
    await refused(page.with(at, { line: changed, nodes }), `entry ${at}`);
    await refused(
      page.with(at, { line, nodes: nodes.map((hash) => hash.replace(/.$/, (d) => (d === "0" ? "1" : "0"))) }),
      `entry ${at}`,
    );
    await refused(page.with(at, { line, nodes: nodes.slice(1) }), `entry ${at}`);
    await refused(page.toSpliced(at, 1), "does not hold");
    await refused(page.toSpliced(at, 0, { line, nodes }), "does not hold");
  }
  await refused(page.slice(0, -1), `the HSM has signed ${page.length} entries, and ${page.length - 1} are there`);
  await refused([], "0 are there");
  const short: LogSource = { head: async () => head, page: async (from) => page.slice(from, -1) };
  await expect(verifyLog(short, null)).rejects.toMatchObject({ code: "ERR_LOG" });
});

test("a log that was written anew from some place on is not the one that was signed", async () => {
  const other = texts().with(3, texts()[3]?.replace(/"at":\d+/, `"at":${START + 1}`) ?? "");
  const anew = await resigned(other);
  const mixed: LogSource = { head: async () => head, page: async (from) => await anew.page(from) };
  await expect(verifyLog(mixed, null)).rejects.toMatchObject({ code: "ERR_LOG" });
});

test("a checkpoint of another key, of another log, or none, is refused", async () => {
  const stranger = makeKey();
  const by = async (founder: string, { signer, jwk } = stranger) =>
    await signCheckpoint(originOf(founder), { size: 1, root: "0".repeat(64) }, signer, jwk);
  const { kid } = office.desk.identity.signer;
  await refused(page, "no key that is known", { ...head, checkpoint: await by(kid) });
  await refused(page, "another log", { ...head, checkpoint: await by(stranger.kid) });
  await refused(page, "no checkpoint", { ...head, checkpoint: null });
});

/** What the HSM may sign and must not: entries that do not follow from those before. */
const swap = (from: string, to: string, line: string) => line.replace(from, to);
const FAULTS: [string, string, (lines: string[]) => string[]][] = [
  ["a request that nobody proposed", "not proposed", (l) => l.toSpliced(find("proposal", 4), 1)],
  ["a proposal twice", "proposed before", (l) => l.toSpliced(find("proposal", 4), 0, l[find("proposal", 4)] ?? "")],
  [
    "a request asked for twice",
    "asked for before",
    (l) => l.toSpliced(find("request", 4), 0, l[find("request", 4)] ?? ""),
  ],
  ["a state twice", "not higher", (l) => l.flatMap((x) => (x.includes('"state":"approved"') ? [x, x] : [x]))],
  [
    "a state after the end",
    "has ended",
    (l) => [...l, (l.find((x) => x.includes('"rejected"')) ?? "").replace(/"n":\d+/, '"n":99')],
  ],
  [
    "another digest",
    "another digest",
    (l) =>
      l.map((x) =>
        x.includes('"rejected"')
          ? x
              .replace(/"digest":"."/, '"digest":"')
              .replace(/"digest":"(.)/, (_a, d: string) => `"digest":"${d === "0" ? "1" : "0"}`)
          : x,
      ),
  ],
  [
    "an answer that is forgotten",
    "forgets",
    (l) => l.map((x) => (x.includes('"rejected"') ? x.replace(/"records":\[.*\],"hash"/, '"records":[],"hash"') : x)),
  ],
  [
    "a state that does not follow",
    "its request was",
    (l) => l.map((x) => (x.includes('"state":"rejected"') ? swap('"rejected"', '"enacted"', x) : x)),
  ],
  [
    "a hash of what was not signed",
    "has a hash",
    (l) =>
      l.map((x) => (x.includes('"state":"rejected"') ? swap('"hash":null', `"hash":"0x${"0".repeat(64)}"`, x) : x)),
  ],
  ["released twice", "not handed out", (l) => l.toSpliced(find("released"), 0, l[find("released")] ?? "")],
  [
    "released before it was signed",
    "not handed out",
    (l) => {
      const at = find("released");
      return [...l.slice(0, at - 3), l[at] ?? "", ...l.slice(at - 3, at), ...l.slice(at + 1)];
    },
  ],
  [
    "an act left out",
    "is not in it",
    (l) =>
      l.toSpliced(
        l.findLastIndex((x) => x.includes('"kind":"act"')),
        1,
      ),
  ],
  [
    "another act",
    "another one",
    (l) =>
      l.map((x) =>
        x.includes('"kind":"act"')
          ? x.replace(/"head":"./, (h) => `${h.slice(0, -1)}${h.endsWith("0") ? "1" : "0"}`)
          : x,
      ),
  ],
  ["a time that went back", "older", (l) => [...l, l[0]?.replace(/"at":\d+/, `"at":${START - 3600}`) ?? ""]],
  [
    "a freeze by nobody with a message",
    "of nobody",
    (l) => l.map((x) => (x.includes('"freeze"') ? x.replace('"by":"Carol"', '"by":null') : x)),
  ],
];
test.each(FAULTS)("signed by the HSM, and refused all the same: %s", async (_what, why, change) => {
  const lines = change(texts());
  expect(lines).not.toEqual(texts());
  await expect(verifyLog(await resigned(lines), null)).rejects.toMatchObject({
    code: "ERR_LOG",
    message: expect.stringContaining(why) as string,
  });
});

test("only requests to which something can still happen are remembered", () => {
  const rules = new LogRules([]);
  const digest = "0".repeat(64);
  for (let at = 0; at < 1000; at += 1) {
    const request = String(at).padStart(16, "0");
    const state = { v: 1, kind: "state", at: START + at, request, digest, records: [] } as const;
    expect(rules.take({ v: 1, kind: "proposal", at: START + at, request, person: "Olga", of: digest })).toBeUndefined();
    expect(rules.take({ v: 1, kind: "request", at: START + at, request, digest })).toBeUndefined();
    if (at === 500) continue;
    expect(rules.take({ ...state, n: 1, records: [], state: "expired", hash: null })).toBeUndefined();
  }
  expect(rules.following).toBe(1);
});

test("a log of many pages is told as it goes on", async () => {
  const lines = texts();
  const freezes = Array.from({ length: 3 * PAGE }, (_, at) => ({ vault: `V${at}` }));
  for (const [at, { vault }] of freezes.entries())
    lines.push(entryText({ v: 1, kind: "freeze", at: START + 86_400 + at, vault, by: null, of: null }));
  const told: number[] = [];
  const verified = await verifyLog(await resigned(lines, lines.length, freezes), hsm(), (done) => told.push(done));
  expect(verified.entries).toBe(lines.length);
  expect(told).toEqual([PAGE, 2 * PAGE, 3 * PAGE, lines.length]);
});

test("a freeze that was taken out of the record is found; one that the admins lifted is not missed", async () => {
  const frozen = (vault: string | null, later: number) =>
    entryText({ v: 1, kind: "freeze", at: START + 86_400 + later, vault, by: null, of: null });
  const verify = async (told: readonly (string | null)[], held: readonly (string | null)[]) => {
    const lines = [...texts(), ...told.map(frozen)];
    const freezes = held.map((vault) => ({ vault }));
    return await verifyLog(await resigned(lines, lines.length, freezes), hsm());
  };
  for (const [told, held] of [
    [
      [VAULT, "V2"],
      ["V2", VAULT],
    ],
    [[VAULT], [null]],
    [[VAULT, null], [null]],
    [[], [VAULT]],
  ] as const)
    await expect(verify(told, held)).resolves.toMatchObject({ entries: page.length + told.length });
  for (const [told, held, named] of [
    [[VAULT], [], VAULT],
    [[VAULT, "V2"], ["V2"], VAULT],
    [[VAULT, null], [VAULT], "everything"],
  ] as const)
    await expect(verify(told, held)).rejects.toMatchObject({
      code: "ERR_LOG",
      message: expect.stringContaining(`a freeze of ${named} that nobody lifted`) as string,
    });
  // The agent's own, in which an act lifted the first.
  office.desk.journal.addFreeze({ vault: VAULT, by: "Carol", at: START, of: null });
  await verifyLog(sourceOf(office.desk.journal), hsm());
  office.desk.journal.removeFreezes(VAULT);
  await expect(verifyLog(sourceOf(office.desk.journal), hsm())).rejects.toMatchObject({ code: "ERR_LOG" });
});
