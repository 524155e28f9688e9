/** merkle.ts against the recursive definitions of RFC 6962, section 2.1, written down here once more and without any cleverness. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  completed,
  consistencyPath,
  EMPTY_ROOT,
  inclusionPath,
  isConsistent,
  isIncluded,
  leafHash,
  type NodeAt,
  nodeHash,
  rootAt,
  SIZE_MAX,
} from "./merkle.ts";

const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** k of the RFC: the largest power of two smaller than n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function mth(entries: readonly string[]): Buffer {
  const [only] = entries;
  if (only === undefined) return sha256();
  if (entries.length === 1) return sha256(Uint8Array.of(0), bytesOf(only));
  const k = split(entries.length);
  return sha256(Uint8Array.of(1), mth(entries.slice(0, k)), mth(entries.slice(k)));
}

function path(m: number, entries: readonly string[]): string[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  return m < k
    ? [...path(m, entries.slice(0, k)), mth(entries.slice(k)).toString("hex")]
    : [...path(m - k, entries.slice(k)), mth(entries.slice(0, k)).toString("hex")];
}

function subproof(m: number, entries: readonly string[], isWhole: boolean): string[] {
  if (m === entries.length) return isWhole ? [] : [mth(entries).toString("hex")];
  const k = split(entries.length);
  return m <= k
    ? [...subproof(m, entries.slice(0, k), isWhole), mth(entries.slice(k)).toString("hex")]
    : [...subproof(m - k, entries.slice(k), false), mth(entries.slice(0, k)).toString("hex")];
}

/** A tree as the agent keeps it: whole subtrees only, made as the leaves come. */
function treeOf(entries: readonly string[]): NodeAt {
  const nodes = new Map<string, string>();
  const get: NodeAt = (level, at) => {
    const hash = nodes.get(`${level} ${at}`);
    if (hash === undefined) throw new RangeError(`subtree ${level} ${at} is not whole`);
    return hash;
  };
  entries.forEach((entry, index) => {
    nodes.set(`0 ${index}`, leafHash(bytesOf(entry)));
    for (const { level, at } of completed(index))
      nodes.set(`${level} ${at}`, nodeHash(get(level - 1, 2 * at), get(level - 1, 2 * at + 1)));
  });
  return get;
}

const ENTRIES = Array.from({ length: 2000 }, (_, index) => `entry ${index}`);
const NODES = treeOf(ENTRIES);
const rootOf = (size: number) => rootAt(size, NODES);
const leafOf = (index: number) => leafHash(bytesOf(ENTRIES[index] ?? ""));

/** Every path with one fault: a bit changed, a hash too many or too few, or two changed places. */
function* spoilt(hashes: readonly string[]): Generator<string[]> {
  for (const [at, hash] of hashes.entries()) {
    const digit = at % hash.length;
    yield hashes.with(
      at,
      hash.slice(0, digit) + (Number.parseInt(hash[digit] ?? "0", 16) ^ 1).toString(16) + hash.slice(digit + 1),
    );
    yield hashes.toSpliced(at, 1);
    yield hashes.toSpliced(at, 0, hash);
    if (at > 0) yield hashes.with(at, hashes[at - 1] ?? "").with(at - 1, hash);
  }
  yield [...hashes, "0".repeat(64)];
  yield ["0".repeat(64), ...hashes];
}

test("the hashes are those of RFC 6962", () => {
  expect(EMPTY_ROOT).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(leafHash(new Uint8Array())).toBe("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  // The tree of eight leaves that the implementations of Certificate Transparency are tested with.
  const leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const hashes = leaves.map((hex) => leafHash(Buffer.from(hex, "hex")));
  const node: NodeAt = (level, at) =>
    level === 0 ? (hashes[at] ?? "") : nodeHash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1));
  expect(rootAt(8, node)).toBe("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
});

test("roots of all sizes up to 130 are those of the definition", () => {
  for (let size = 0; size <= 130; size += 1) expect(rootOf(size)).toBe(mth(ENTRIES.slice(0, size)).toString("hex"));
});

test("inclusion: every leaf of every size up to 130, and none anywhere else", () => {
  for (let size = 1; size <= 130; size += 1) {
    const root = rootOf(size);
    for (let index = 0; index < size; index += 1) {
      const hashes = inclusionPath(index, size, NODES);
      if (size % 13 === 0) expect(hashes).toEqual(path(index, ENTRIES.slice(0, size)));
      expect(isIncluded(leafOf(index), index, size, hashes, root), `${index} of ${size}`).toBe(true);
      const others = [index - 1, index + 1, size - 1 - index, size, -1, index + 0.5].filter((other) => other !== index);
      expect(others.some((other) => isIncluded(leafOf(index), other, size, hashes, root))).toBe(false);
    }
  }
});

test("consistency: every pair of sizes up to 130", () => {
  for (let size = 0; size <= 130; size += 1) {
    const root = rootOf(size);
    for (let from = 0; from <= size; from += 1) {
      const hashes = consistencyPath(from, size, NODES);
      if (size % 13 === 0 && from > 0) expect(hashes).toEqual(subproof(from, ENTRIES.slice(0, size), true));
      expect(isConsistent(from, rootOf(from), size, root, hashes), `${from} to ${size}`).toBe(true);
      if (from > 0) expect(isConsistent(from, rootOf(from - 1), size, root, hashes)).toBe(false);
      expect(isConsistent(size, root, from, rootOf(from), hashes)).toBe(from === size);
    }
  }
});

describe("random sizes", () => {
  const sized = fc
    .integer({ min: 131, max: ENTRIES.length })
    .chain((size) => fc.record({ size: fc.constant(size), at: fc.nat(size - 1) }));

  test("paths are those of the definition, and each fault in one is refused", () => {
    fc.assert(
      fc.property(sized, ({ size, at }) => {
        const hashes = inclusionPath(at, size, NODES);
        expect(hashes).toEqual(path(at, ENTRIES.slice(0, size)));
        expect(isIncluded(leafOf(at), at, size, hashes, rootOf(size))).toBe(true);
        for (const wrong of spoilt(hashes)) expect(isIncluded(leafOf(at), at, size, wrong, rootOf(size))).toBe(false);
        expect(isIncluded(leafOf((at + 1) % size), at, size, hashes, rootOf(size))).toBe(false);
        expect(isIncluded(leafOf(at), at, size, hashes, rootOf(size - 1))).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("no other index of the same tree has the same path", () => {
    fc.assert(
      fc.property(sized, fc.nat(ENTRIES.length), ({ size, at }, other) => {
        fc.pre(other !== at);
        expect(isIncluded(leafOf(at), other, size, inclusionPath(at, size, NODES), rootOf(size))).toBe(false);
      }),
    );
  });

  test("so are consistency proofs", () => {
    fc.assert(
      fc.property(sized, ({ size, at }) => {
        const from = at + 1;
        const hashes = consistencyPath(from, size, NODES);
        expect(hashes).toEqual(subproof(from, ENTRIES.slice(0, size), true));
        expect(isConsistent(from, rootOf(from), size, rootOf(size), hashes)).toBe(true);
        for (const wrong of spoilt(hashes))
          expect(isConsistent(from, rootOf(from), size, rootOf(size), wrong)).toBe(false);
        expect(isConsistent(from, rootOf(from), size, rootOf(size - 1), hashes)).toBe(false);
        if (from < size) expect(isConsistent(from + 1, rootOf(from), size, rootOf(size), hashes)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("a log that was changed anywhere is consistent with itself before and with nothing after", () => {
    fc.assert(
      fc.property(sized, fc.nat(130), ({ size, at }, changed) => {
        const other = treeOf(ENTRIES.slice(0, size).with(changed, "another entry"));
        const from = Math.max(at, changed) + 1;
        expect(rootAt(changed, other)).toBe(rootOf(changed));
        const hashes = consistencyPath(from, size, other);
        expect(isConsistent(from, rootOf(from), size, rootAt(size, other), hashes)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});

test("sizes of more than 32 bits are exact, and those that no log has are refused", () => {
  const size = 2 ** 33 + 3;
  const index = 2 ** 33 + 1;
  // Every subtree is made up but for the one of the last whole pair: what counts is which ones are asked for.
  const node: NodeAt = (level, at) =>
    level === 1 ? nodeHash(node(0, 2 * at), node(0, 2 * at + 1)) : leafHash(bytesOf(`${level} ${at}`));
  expect(rootAt(size, node)).toBe(nodeHash(node(33, 0), nodeHash(node(1, 2 ** 32), node(0, index + 1))));
  const hashes = inclusionPath(index, size, node);
  expect(hashes).toEqual([node(0, 2 ** 33), node(0, index + 1), node(33, 0)]);
  expect(isIncluded(node(0, index), index, size, hashes, rootAt(size, node))).toBe(true);
  expect(isIncluded(node(0, index), index - 1, size, hashes, rootAt(size, node))).toBe(false);
  const [leaf = ""] = hashes;
  for (const wrong of [-1, 0.5, Number.NaN, SIZE_MAX + 1, Number.MAX_SAFE_INTEGER]) {
    expect(isIncluded(leaf, 0, wrong, hashes, leaf)).toBe(false);
    expect(isConsistent(wrong, leaf, size, leaf, hashes)).toBe(false);
    expect(isConsistent(1, leaf, wrong, leaf, hashes)).toBe(false);
  }
});

test("nothing is consistent with everything, and with nothing else", () => {
  expect(isConsistent(0, EMPTY_ROOT, 5, rootOf(5), [])).toBe(true);
  expect(isConsistent(0, rootOf(1), 5, rootOf(5), [])).toBe(false);
  expect(isConsistent(0, EMPTY_ROOT, 5, rootOf(5), [rootOf(5)])).toBe(false);
  expect(isConsistent(5, rootOf(5), 5, rootOf(5), [rootOf(5)])).toBe(false);
  expect(isConsistent(5, rootOf(4), 5, rootOf(5), [])).toBe(false);
});
