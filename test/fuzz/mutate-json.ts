/**
 * JSON that is nearly right: edits of its members, and spellings that mean the same. It keeps every member and number as it was written,
 * so that a member can stand twice, or a number as `1.0`. A string that holds JSON, base64url or a JWS is edited inside as well.
 */
import { decode64, encode64, respell64 } from "./mutate-bytes.ts";
import { mutateText } from "./mutate-text.ts";
import type { Random } from "./random.ts";

type Node =
  | { kind: "raw"; text: string }
  | { kind: "string"; value: string }
  | { kind: "list"; items: Node[] }
  | { kind: "object"; members: [name: string, value: Node][] };

const NAMES = ["x", "V", "v", "", "__proto__", "constructor", "toString", "length", "then", "name ", "vaults", "n"];
const VALUES = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "1",
  "1.0",
  "1e3",
  "-1",
  "9007199254740993",
  '""',
  "[]",
  "{}",
  '"x"',
];

/** One to three edits of a JSON text; a text edit where it is none, or one that is too deep to be taken apart here. */
export function mutateJson(random: Random, text: string, corpus: readonly string[]): string {
  try {
    let root = nodeOf(JSON.parse(text));
    for (let edits = random.int(random.once(3) ? 4 : 2); edits >= 0; edits -= 1) root = editTree(random, root, corpus);
    return print(random, root, random.once(6));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    return mutateText(random, text, corpus);
  }
}

function nodeOf(value: unknown): Node {
  if (typeof value === "string") return { kind: "string", value };
  if (Array.isArray(value)) return { kind: "list", items: value.map(nodeOf) };
  if (typeof value !== "object" || value === null) return { kind: "raw", text: JSON.stringify(value) };
  return { kind: "object", members: Object.entries(value).map(([name, member]) => [name, nodeOf(member)]) };
}

/** All nodes, the root first. */
function nodesOf(node: Node): Node[] {
  if (node.kind === "list") return [node, ...node.items.flatMap(nodesOf)];
  if (node.kind === "object") return [node, ...node.members.flatMap(([, value]) => nodesOf(value))];
  return [node];
}

function editTree(random: Random, root: Node, corpus: readonly string[]): Node {
  const nodes = nodesOf(root);
  const node = random.pick(nodes);
  if (random.once(10)) return swapIn(random, root, node, random.pick(nodes));
  if (random.once(12)) return swapIn(random, root, node, { kind: "raw", text: random.pick(VALUES) });
  switch (node.kind) {
    case "string":
      node.value = editString(random, node.value, corpus);
      return root;
    case "raw":
      node.text = editRaw(random, node.text);
      return root;
    case "list":
      editRow(random, node.items);
      return root;
    case "object":
      editRow(random, node.members);
      editMember(random, node.members, nodes);
      return root;
  }
}

/** `root` with `to` in the place of `from`. */
function swapIn(random: Random, root: Node, from: Node, to: Node): Node {
  if (root === from) return to;
  const copied = structuredClone(to);
  for (const node of nodesOf(root)) {
    if (node.kind === "list") node.items = node.items.map((item) => (item === from ? copied : item));
    if (node.kind === "object")
      node.members = node.members.map(([name, value]) => [name, value === from ? copied : value]);
  }
  return random.once(50) ? { kind: "list", items: [root] } : root;
}

function editString(random: Random, value: string, corpus: readonly string[]): string {
  if (/^[{[]/.test(value) && !random.once(4)) return mutateJson(random, value, corpus);
  if (/^[\w-]+(\.[\w-]*)+$/.test(value) && !random.once(4)) {
    const parts = value.split(".");
    const at = random.int(parts.length);
    const part = parts[at] ?? "";
    const inside = Buffer.from(decode64(part)).toString();
    const made = inside.startsWith("{") ? encode64(mutateJson(random, inside, corpus)) : respell64(random, part);
    return parts.map((old, place) => (place === at ? made : old)).join(".");
  }
  if (/^[\w-]{20,}$/.test(value) && random.once(2)) return respell64(random, value);
  return mutateText(random, value, corpus);
}

function editRaw(random: Random, text: string): string {
  if (!/^-?[0-9]/.test(text) || random.once(3)) return random.pick(VALUES);
  const number = Number(text);
  return random.pick([
    `${text}.0`,
    `${text}e0`,
    `0${text}`,
    `-${text}`,
    `"${text}"`,
    String(number + 1),
    String(number - 1),
  ]);
}

function editRow(random: Random, row: unknown[]): void {
  const [from, to] = [random.int(row.length), random.int(row.length)];
  switch (random.int(4)) {
    case 0:
      row.splice(from, 1);
      return;
    case 1:
      row.splice(to, 0, ...structuredClone(row.slice(from, from + 1)));
      return;
    case 2:
      row.splice(to, 0, ...row.splice(from, 1));
      return;
    default:
  }
}

function editMember(random: Random, members: [string, Node][], nodes: readonly Node[]): void {
  const at = random.int(members.length);
  const [name = "x"] = members[at] ?? [];
  const value: Node = random.once(2) ? structuredClone(random.pick(nodes)) : { kind: "raw", text: random.pick(VALUES) };
  if (random.once(4)) members.push([random.pick(NAMES), value]);
  if (random.once(6)) members.splice(at, 1, [mutateText(random, name, NAMES), value]);
  if (random.once(6)) members.splice(random.int(members.length + 1), 0, [name, value]);
}

function print(random: Random, node: Node, respell: boolean): string {
  const space = () => (respell && random.once(8) ? random.pick([" ", "\n", "\t", "\r"]) : "");
  switch (node.kind) {
    case "raw":
      return node.text;
    case "string":
      return printString(random, node.value, respell);
    case "list":
      return `[${node.items.map((item) => space() + print(random, item, respell)).join(",")}${space()}]`;
    case "object": {
      const members = node.members.map(
        ([name, value]) =>
          `${space()}${printString(random, name, respell)}${space()}:${space()}${print(random, value, respell)}`,
      );
      return `{${members.join(",")}${space()}}`;
    }
  }
}

function printString(random: Random, value: string, respell: boolean): string {
  const text = JSON.stringify(value);
  if (!respell || !random.once(6)) return text;
  const at = 1 + random.int(text.length - 2);
  const code = text.charCodeAt(at).toString(16).padStart(4, "0");
  return text[at] === "\\" || text[at - 1] === "\\" ? text : `${text.slice(0, at)}\\u${code}${text.slice(at + 1)}`;
}
