/**
 * The Merkle tree of RFC 6962 (section 2.1) over SHA-256: leaves, roots, inclusion and consistency. README.md, "Log". Pure.
 * Who keeps the tree hands in `node`, the hash of a whole subtree: `level` 0 is a leaf, and subtree `at` of a level covers the leaves from
 * `at * 2 ** level` on. Sizes go beyond 32 bits, so there is no bit arithmetic here.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";

/** The hash of a whole subtree, lower-case hex. */
export type NodeAt = (level: number, at: number) => string;
/** What joins two hashes to one: `nodeHash`, or the same by a faster SHA-256. */
type Join = (left: string, right: string) => string;

/** A log never gets so long; up to here all of the arithmetic is exact. */
export const SIZE_MAX = 2 ** 40;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** MTH of one entry: SHA-256 of 0x00 and its bytes, hex. */
export function leafHash(entry: Uint8Array): string {
  return bytesToHex(sha256(concatBytes(LEAF, entry)));
}

/** SHA-256 of 0x01, left and right, hex. */
export function nodeHash(left: string, right: string): string {
  return bytesToHex(sha256(concatBytes(NODE, hexToBytes(left), hexToBytes(right))));
}

/** MTH of no entry: SHA-256 of nothing. */
export const EMPTY_ROOT = bytesToHex(sha256(new Uint8Array()));

/** The root of the first `size` leaves: O(log n) look-ups. */
export function rootAt(size: number, node: NodeAt, join: Join = nodeHash): string {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, node, join);
}

/** The path from leaf `index` to the root of the first `size` leaves, from the bottom up (RFC 6962, section 2.1.1). */
export function inclusionPath(index: number, size: number, node: NodeAt, join: Join = nodeHash): string[] {
  const path = (at: number, begin: number, end: number): string[] => {
    if (end - begin === 1) return [];
    const split = begin + splitOf(end - begin);
    return at < split
      ? [...path(at, begin, split), rangeHash(split, end, node, join)]
      : [...path(at, split, end), rangeHash(begin, split, node, join)];
  };
  return path(index, 0, size);
}

/** That the first `from` leaves of the tree of `size` leaves are the tree of `from` leaves (RFC 6962, section 2.1.2). Empty for 0 and for the same size. */
export function consistencyPath(from: number, size: number, node: NodeAt, join: Join = nodeHash): string[] {
  const path = (end: number, first: number, last: number, isWhole: boolean): string[] => {
    if (end === last) return isWhole ? [] : [rangeHash(first, last, node, join)];
    const split = first + splitOf(last - first);
    return end <= split
      ? [...path(end, first, split, isWhole), rangeHash(split, last, node, join)]
      : [...path(end, split, last, false), rangeHash(first, split, node, join)];
  };
  return from === 0 ? [] : path(from, 0, size, true);
}

/** Whether `path` leads from a leaf to `root` (RFC 9162, section 2.1.3.2). */
export function isIncluded(leaf: string, index: number, size: number, path: readonly string[], root: string): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      // A subtree at the right edge has no sibling until it is a right child.
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hash === root;
}

/** Whether the tree of `from` leaves with `fromRoot` is the beginning of the tree of `size` leaves with `root` (RFC 9162, section 2.1.4.2). */
export function isConsistent(
  from: number,
  fromRoot: string,
  size: number,
  root: string,
  path: readonly string[],
): boolean {
  if (!isSize(from) || !isSize(size) || from > size) return false;
  if (from === size) return path.length === 0 && fromRoot === root;
  if (from === 0) return path.length === 0 && fromRoot === EMPTY_ROOT;
  // Where the first tree is whole by itself its root is left out of the path.
  const nodes = isPowerOfTwo(from) ? [fromRoot, ...path] : [...path];
  const seed = nodes.shift();
  if (seed === undefined) return false;
  let at = from - 1;
  let last = size - 1;
  while (at % 2 === 1) {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  let before = seed;
  let after = seed;
  for (const sibling of nodes) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      after = nodeHash(after, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && before === fromRoot && after === root;
}

/** The subtrees that leaf number `index` (the last of its tree) completes, from the leaf up: their levels and places. O(1) on average. */
export function* completed(index: number): Generator<{ level: number; at: number }> {
  let at = index;
  for (let level = 1; at % 2 === 1; level += 1) {
    at = Math.floor(at / 2);
    yield { level, at };
  }
}

/** MTH of the leaves from `begin` up to `end`, which is a subtree of some tree: it begins where a whole one of its size does. */
function rangeHash(begin: number, end: number, node: NodeAt, join: Join): string {
  const size = end - begin;
  if (isPowerOfTwo(size)) return node(Math.round(Math.log2(size)), begin / size);
  const split = begin + splitOf(size);
  return join(rangeHash(begin, split, node, join), rangeHash(split, end, node, join));
}

/** The largest power of two below `size`, which is at least 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function isSize(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= SIZE_MAX;
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}
