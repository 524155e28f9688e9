import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Fault } from "../protocol/error.ts";
import { build, main } from "./cli.ts";
import { serveControl } from "./control.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-cli-"));
const config = join(folder, "opencustody.json");
let server: Server;
let answer: () => unknown;
beforeAll(async () => {
  const settings = {
    data: ".",
    hsm: { module: "/nowhere.so", token: { label: "x" }, pin: { file: "pin" } },
    bridge: { url: "wss://bridge.example.com/" },
  };
  writeFileSync(config, JSON.stringify(settings));
  server = await serveControl(join(folder, "agent.sock"), async () => answer());
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => vi.restoreAllMocks());

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const out = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      out[stream] += String(text);
      return true;
    });
  const code = await main(argv).finally(() => vi.restoreAllMocks());
  return { code, ...out };
}

const tree = (command: Command): Command[] => [command, ...command.commands.flatMap(tree)];
const pathOf = (command: Command): string =>
  command.parent === null ? "" : `${pathOf(command.parent)} ${command.name()}`.trim();
const COMMANDS = tree(build()).map(pathOf);

test("the tree has what the README names", () => {
  expect(COMMANDS).toEqual(
    expect.arrayContaining([
      "init",
      "agent",
      "bridge",
      "status",
      "vault create",
      "vault list",
      "invite",
      "members add",
      "request send",
    ]),
  );
});

test.each(COMMANDS)("--help of '%s' says what it does and has an example that parses", async (path) => {
  const { code, stdout } = await run(...path.split(" ").filter(Boolean), "--help");
  expect(code).toBe(0);
  const example = /\nExample:\n {2}opencustody (.+)/.exec(stdout)?.[1] ?? "";
  expect(example.startsWith(path)).toBe(true);
});

const CODES: [string, string[], number, string][] = [
  ["an unknown command", ["vaults"], 2, "ERR_USAGE"],
  ["no command", [], 2, "ERR_USAGE"],
  ["an unknown option", ["status", "--fast"], 2, "ERR_USAGE"],
  ["a missing option", ["request", "cancel", "01JDA7Q9T2M4XYZ0"], 2, "ERR_USAGE"],
  ["a missing argument", ["vault", "create"], 2, "ERR_USAGE"],
  ["a number that is none", ["invite", "Alice", "--role", "approver", "--hours", "1e3"], 2, "ERR_USAGE"],
  ["a role that is none", ["invite", "Alice", "--role", "admin"], 2, "ERR_USAGE"],
  ["a policy that cannot be read", ["policy", "set", "/nowhere.json"], 2, "ERR_USAGE"],
  ["a configuration that cannot be read", ["status", "--config", "/nowhere.json"], 2, "ERR_CONFIG"],
  ["a key file that is missing", ["request", "cancel", "01JDA7Q9T2M4XYZ0", "--key", "/nowhere.jwk"], 2, "ERR_SECRET"],
  ["a PIN file that is missing", ["init"], 2, "ERR_SECRET"],
];
test.each(CODES)("%s: exit code %#", async (_what, argv, code, error) => {
  const at = argv.includes("--config") ? [] : ["--config", config];
  const plain = await run(...at, ...argv);
  expect(plain).toMatchObject({ code, stdout: "" });
  expect(plain.stderr).not.toBe("");
  const json = await run("--json", ...at, ...argv);
  expect(json).toMatchObject({ code, stdout: "" });
  expect(JSON.parse(json.stderr)).toEqual({ error: { code: error, message: expect.any(String) as string } });
  expect(json.stderr.trim().split("\n")).toHaveLength(1);
});

test.each([
  ["ERR_POLICY_DENIED", 1],
  ["ERR_HSM_DOWN", 3],
  ["ERR_USAGE", 2],
  ["ERR_INTERNAL", 1],
] as const)("the agent's %s is exit code %i, with its sentence", async (code, exit) => {
  answer = () => {
    throw new Fault(code, "What to do.");
  };
  expect(await run("--config", config, "status")).toEqual({
    code: exit,
    stdout: "",
    stderr: `What to do.\n(${code})\n`,
  });
  const { stderr } = await run("--json", "--config", config, "status");
  expect(JSON.parse(stderr)).toEqual({ error: { code, message: "What to do." } });
});

test("no agent is exit code 3", async () => {
  const away = join(folder, "away.json");
  writeFileSync(
    away,
    JSON.stringify({
      data: "away",
      hsm: { module: "/x", token: { label: "x" }, pin: { prompt: true } },
      bridge: { url: "wss://b.example/" },
    }),
  );
  const { code, stderr } = await run("--config", away, "status");
  expect(code).toBe(3);
  expect(stderr).toContain('start it with "opencustody agent"');
});

test("a result is lines for people, and with --json one value, wherever the option stands", async () => {
  answer = () => [{ name: "Treasury-1", id: "x", publicKey: "y", address: "0x52", backup: "none" }];
  expect(await run("--config", config, "vault", "list")).toEqual({
    code: 0,
    stdout: "Treasury-1  0x52  backup none\n",
    stderr: "",
  });
  const { code, stdout } = await run("vault", "list", "--config", config, "--json");
  expect([code, JSON.parse(stdout)]).toEqual([0, answer()]);
});
