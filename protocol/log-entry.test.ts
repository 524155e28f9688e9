/** log-entry.ts: each kind of entry has one spelling, and nothing else is an entry. */
import { describe, expect, test } from "vitest";
import { ENTRY_MAX, type Entry, entryText, parseEntry } from "./log-entry.ts";
import { ADAS_DEVICE, wordOf } from "./vectors/keys.ts";
import { APPROVAL_PAYLOAD, DIGEST, NOW, REQUEST_PAYLOAD } from "./vectors/sample.ts";

const { request } = REQUEST_PAYLOAD;
const hash = `0x${"ab".repeat(32)}`;
const record = {
  kind: "approval",
  person: "Ada",
  of: APPROVAL_PAYLOAD.jti,
  at: NOW,
  vendor: "Ledger",
  address: ADAS_DEVICE.address,
  reason: null,
} as const;
const state = {
  v: 1,
  kind: "state",
  at: NOW,
  request,
  digest: DIGEST,
  n: 2,
  state: "signed",
  records: [record],
  hash,
} as const;

const ENTRIES: Entry[] = [
  { v: 1, kind: "proposal", at: NOW, request, person: "Olga", of: DIGEST },
  { v: 1, kind: "proposal", at: NOW, request, person: null, of: null },
  { v: 1, kind: "request", at: NOW, request, digest: DIGEST },
  { ...state, records: [...state.records] },
  { ...state, state: "pending", records: [], hash: null },
  { v: 1, kind: "released", at: NOW, request, hash },
  { v: 1, kind: "act", at: NOW, n: 1, verb: "FOUND", request, head: DIGEST },
  { v: 1, kind: "freeze", at: NOW, vault: "Treasury-1", by: "Ada", of: APPROVAL_PAYLOAD.jti },
  { v: 1, kind: "freeze", at: NOW, vault: null, by: null, of: null },
];

test.each(ENTRIES)("a line of kind $kind is read as it was written", (entry) => {
  const line = entryText(entry);
  expect(line).not.toMatch(/[\n\r]/);
  expect(parseEntry(line)).toEqual(entry);
});

test("members stand in the schema's order, whoever composed them", () => {
  const [{ v, ...rest }] = ENTRIES as [Entry];
  expect(entryText({ ...rest, v })).toBe(entryText(ENTRIES[0] as Entry));
});

describe("no entry", () => {
  const line = entryText(state as unknown as Entry);
  test.each([
    ["nothing", ""],
    ["not JSON", line.slice(0, -1)],
    ["a number", "1"],
    ["a list", `[${line}]`],
    ["white space in it", line.replace(",", ", ")],
    ["white space after it", `${line}\n`],
    ["a member twice", line.replace('{"v":1,', '{"v":1,"v":1,')],
    ["an unknown member", line.replace('{"v":1,', '{"v":1,"w":1,')],
    ["a member less", line.replace('"n":2,', "")],
    ["members in another order", line.replace('"v":1,"kind":"state"', '"kind":"state","v":1')],
    ["another version", line.replace('"v":1', '"v":2')],
    ["another kind", line.replace('"state"', '"receipt"')],
    ["another state", line.replace('"signed"', '"sent"')],
    ["number 0", line.replace('"n":2', '"n":0')],
    ["a number with a point", line.replace('"n":2', '"n":2.0')],
    ["a number with an exponent", line.replace('"n":2', '"n":2e0')],
    ["a letter escaped", line.replace('"Ada"', '"\\u0041da"')],
    ["an upper-case digest", line.replace(DIGEST, DIGEST.toUpperCase())],
    ["a hash without 0x", line.replace("0xab", "ab")],
    ["an address without its checksum", line.replace(ADAS_DEVICE.address, ADAS_DEVICE.address.toLowerCase())],
    ["a time before there was any", line.replace(`"at":${NOW},"request"`, '"at":1,"request"')],
    ["too long", `${line.slice(0, -1)}${" ".repeat(ENTRY_MAX)}}`],
  ])("%s", (_what, text) => {
    expect(parseEntry(text)).toBeUndefined();
  });
});

test("a request with 64 people who all approved and withdrew is an entry", () => {
  const records = Array.from({ length: 64 }, (_, at) => ({
    ...record,
    person: `${"N-".repeat(11)}${10 + at}`,
    of: wordOf(`jti ${at}`, 16),
  }));
  const withdrawals = records.map((one) => ({ ...one, kind: "withdrawal" as const, vendor: null, address: null }));
  const rejection = { ...record, kind: "rejection", vendor: null, address: null, reason: "wrong-destination" } as const;
  const line = entryText({ ...state, n: 2 ** 53 - 1, records: [...records, ...withdrawals, rejection] });
  expect(line.length).toBeLessThan(ENTRY_MAX);
  expect(parseEntry(line)).toMatchObject({ records: { length: 129 } });
});

test("what does not fit the schema is not written", () => {
  expect(() => entryText({ ...state, hash: "0x" } as unknown as Entry)).toThrow("Invalid");
});
