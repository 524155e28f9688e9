/** What a built program is made of, by its syntax tree: comments are none of it. */
import { parseAst } from "vite";

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly callee?: Node;
  readonly property?: Node;
  readonly source?: Node | null;
  readonly arguments?: readonly Node[];
}

/** All nodes of a program's syntax tree: comments are none. */
function nodesOf(code: string): Node[] {
  const found: Node[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("type" in value && typeof value.type === "string") {
      found.push(value as Node);
    }
    for (const part of Object.values(value)) walk(part);
  };
  walk(parseAst(code));
  return found;
}

/** The texts of a program: strings and templates. */
export function stringsOf(code: string): string {
  const texts = nodesOf(code).filter(({ type }) => type === "Literal" || type === "TemplateElement");
  return texts.map(({ value }) => (typeof value === "bigint" ? "" : JSON.stringify(value))).join("\n");
}

/** What would make code out of text, or load it from elsewhere. */
function isSuspicious({ type, name, callee, source, arguments: [argument] = [] }: Node): boolean {
  const called = callee?.name ?? callee?.property?.name;
  switch (type) {
    case "Identifier":
      return ["eval", "importScripts", "WebAssembly"].includes(String(name));
    case "NewExpression":
      return called === "Function";
    case "CallExpression": {
      const text = typeof argument?.value === "string";
      const element = called === "createElement" && /^(script|iframe)$/i.test(String(argument?.value));
      return called === "Function" || element || (text && /^set(Timeout|Interval)$/.test(String(called)));
    }
    case "ImportDeclaration":
    case "ImportExpression":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return !!source && !/^\.{1,2}\/[\w./-]+\.js$/.test(String(source.value));
    default:
      return false;
  }
}

/** The places of a program that make code at run time, or load it from elsewhere. */
export function findSuspicious(code: string): readonly unknown[] {
  return nodesOf(code).filter(isSuspicious);
}
