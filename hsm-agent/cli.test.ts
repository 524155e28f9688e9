import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { Fault } from "../protocol/error.ts";
import { build } from "./cli.ts";
import { runCli as run, startFakeAgent } from "./cli-testing.ts";

const agent = await startFakeAgent();
const { folder, config } = agent;
afterAll(() => agent.stop());

const tree = (command: Command): Command[] => [command, ...command.commands.flatMap(tree)];
const pathOf = (command: Command): string =>
  command.parent === null ? "" : `${pathOf(command.parent)} ${command.name()}`.trim();
const COMMANDS = tree(build()).map(pathOf);

test("the tree is this, and has no command that changes people or policy by itself", () => {
  const groups: [string, string[]][] = [
    [
      "",
      [
        "agent",
        "backup",
        "bridge",
        "drill",
        "found",
        "freeze",
        "init",
        "invite",
        "rotate",
        "status",
        "succeed",
        "unfreeze",
      ],
    ],
    ["key", ["new"]],
    ["hsm", ["check"]],
    ["clock", ["confirm"]],
    ["members", ["enroll", "list", "remove"]],
    ["pairing", ["confirm"]],
    ["log", ["verify"]],
    ["policy", ["propose", "show"]],
    ["proof", ["export", "verify"]],
    ["restore", ["propose", "show"]],
    ["request", ["cancel", "list", "send", "show"]],
    ["vault", ["create", "list", "nonce"]],
  ];
  const expected = groups.flatMap(([group, names]) => [group, ...names.map((name) => `${group} ${name}`.trim())]);
  expect(COMMANDS.toSorted()).toEqual(expected.toSorted());
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
  ["a number that is none", ["invite", "Alice", "--key", "k", "--hours", "1e3"], 2, "ERR_USAGE"],
  ["an invite for a year", ["invite", "Alice", "--key", "k", "--hours", "8760"], 2, "ERR_USAGE"],
  ["a role that is none", ["invite", "Alice", "--key", "k", "--role", "root"], 2, "ERR_USAGE"],
  ["an invite without a key", ["invite", "Alice", "--role", "approver"], 2, "ERR_USAGE"],
  ["a policy that cannot be read", ["policy", "propose", "/nowhere.json", "--key", "k"], 2, "ERR_USAGE"],
  [
    "a policy that is none",
    ["policy", "propose", join(folder, "opencustody.json"), "--key", "k"],
    1,
    "ERR_POLICY_DOCUMENT",
  ],
  ["policy 0", ["policy", "show", "0"], 2, "ERR_USAGE"],
  ["five words", ["pairing", "confirm", "Alice", "abacus abdomen abdominal abide abiding"], 2, "ERR_USAGE"],
  [
    "a word of no list",
    ["pairing", "confirm", "Alice", ..."abacus abdomen abdominal abide abiding s3cr3t".split(" ")],
    2,
    "ERR_USAGE",
  ],
  [
    "two things to remove",
    ["members", "remove", "Alice", "--role", "admin", "--device", "0x", "--key", "k"],
    2,
    "ERR_USAGE",
  ],
  ["a network without nonce", ["vault", "create", "V", "--network", "eip155:1"], 2, "ERR_USAGE"],
  ["a founding file that cannot be read", ["init", "/nowhere.json"], 2, "ERR_USAGE"],
  ["a founding file that is none", ["init", join(folder, "opencustody.json")], 1, "ERR_POLICY_DOCUMENT"],
  ["a configuration that cannot be read", ["status", "--config", "/nowhere.json"], 2, "ERR_CONFIG"],
  ["a key file that is missing", ["request", "cancel", "01JDA7Q9T2M4XYZ0", "--key", "/nowhere.jwk"], 2, "ERR_SECRET"],
  ["a PIN file that is missing", ["succeed"], 2, "ERR_SECRET"],
];
test.each(CODES)("%s: exit code %#", async (_what, argv, code, error) => {
  const at = argv.includes("--config") ? [] : ["--config", config];
  const plain = await run(...at, ...argv);
  expect(plain).toMatchObject({ code, stdout: "" });
  expect(plain.stderr).not.toBe("");
  const json = await run("--json", ...at, ...argv);
  expect(json).toMatchObject({ code, stdout: "" });
  expect(json.stderr).not.toContain("s3cr3t");
  expect(JSON.parse(json.stderr)).toEqual({ error: { code: error, message: expect.any(String) as string } });
  expect(json.stderr.trim().split("\n")).toHaveLength(1);
});

test.each([
  ["ERR_POLICY_DENIED", 1],
  ["ERR_HSM_DOWN", 3],
  ["ERR_USAGE", 2],
  ["ERR_INTERNAL", 1],
] as const)("the agent's %s is exit code %i, with its sentence", async (code, exit) => {
  agent.answer = () => {
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
  const vault = { name: "Treasury-1", id: "x", publicKey: "y", address: "0x52", backup: "none", inPolicy: true };
  agent.answer = () => [vault];
  expect(await run("--config", config, "vault", "list")).toEqual({
    code: 0,
    stdout: "Treasury-1  0x52  backup none  in the policy\n",
    stderr: "",
  });
  const { code, stdout } = await run("vault", "list", "--config", config, "--json");
  expect([code, JSON.parse(stdout)]).toEqual([0, [vault]]);
});
