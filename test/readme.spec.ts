/** The README's commands, run as they stand there, in their order, on the README's own files. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEVELOPMENT_BRIDGE } from "../protocol/invite.ts";
import { Member } from "./harness/member.ts";
import { type Program, ROOT, startProgram } from "./harness/program.ts";
import { makeSoftHsm } from "./softhsm.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const part = (from: string, to: string) => README.slice(README.indexOf(from), README.indexOf(to));
const configure = part("## Configure", "### The control socket");

/** The JSON blocks in order: agent, bridge, founding. */
const files = [...configure.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const commands = [...configure.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text = ""]) =>
  text
    .split("\n")
    .map((line) => line.replace(/\s*#.*$/, "").trim())
    .filter((line) => line !== ""),
);
const FOUNDERS = ["Alice", "Bob", "Carol"];

test("its configuration and commands work as they are written", async () => {
  const token = makeSoftHsm("treasury");
  const folder = join(token.env.SOFTHSM2_CONF, "..");
  const running: Program[] = [];
  const members = new Map<string, Member>();
  const words: Record<string, string> = {};
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const run = (line: string): Program =>
    startProgram(join(ROOT, "hsm-agent/main.ts"), line.split(" ").slice(1), { ...process.env, ...token.env }, folder);
  const finish = async (line: string): Promise<string> => {
    const program = run(line);
    await new Promise((resolve) => program.process.once("close", resolve));
    expect(program.process.exitCode, `${line}\n${program.lines.join("\n")}`).toBe(0);
    return program.lines.join("\n");
  };
  /** Everybody who is asked approves what a command has proposed. */
  const decide = async (id: string, people: readonly string[]) => {
    for (const name of people) await members.get(name)?.decide(id);
    await finish(`./opencustody request show ${id} --wait`);
  };
  try {
    const [agent = "", bridge = "", founding = ""] = files;
    write("opencustody.json", adapted(agent, token.module));
    expect(commands.length).toBeGreaterThan(12);
    for (const raw of commands) {
      const line = Object.entries(words).reduce((text, [word, value]) => text.replace(word, value), raw);
      if (line.endsWith("&")) {
        const program = run(line.slice(0, -1).trim());
        running.push(program);
        const { port } = await program.logged(line.includes("bridge") ? "listening" : "agent ready");
        if (port !== undefined) words["PORT"] = `${Number(port)}`;
        if (port !== undefined) write("opencustody.json", adapted(agent, token.module, Number(port)));
        continue;
      }
      if (line.includes("pairing confirm")) {
        // The README shows it for one of the founders; each of them is heard.
        let said = "";
        for (const name of FOUNDERS) {
          const member = new Member({ port: Number(words["PORT"]) }, name);
          members.set(name, member);
          const theirs = await member.begin(words[`INVITE_OF_${name}`] ?? "");
          said = await finish(line.replace("Alice", name).replace("WORDS", theirs));
        }
        const id = requestIn(said) ?? requestIn(await finish("./opencustody request list")) ?? "";
        await decide(id, FOUNDERS);
        for (const member of members.values()) await member.counted();
        write("policy.json", await nextPolicy(finish));
        continue;
      }
      const text = await finish(line);
      if (line.includes("key new")) write("founding.json", founding.replace("OLGA_KEY", text));
      if (line.includes(" init ")) {
        const [fingerprint = ""] = /[0-9a-f]{64}/.exec(text) ?? [];
        words["HSM_FINGERPRINT"] = fingerprint;
        write("bridge.json", bridge.replace("FINGERPRINT", fingerprint).replace('"port": 8787', '"port": 0'));
        for (const [, name = "", code = ""] of text.matchAll(/^(\w+) {2}until .*\n(opencustody-invite-\S+)$/gm))
          words[`INVITE_OF_${name}`] = code;
      }
      const id = requestIn(text);
      if (id === undefined || line.includes("proof")) continue;
      if (line.includes("request send")) {
        words["REQUEST"] = id;
        for (const name of ["Alice", "Carol"]) await members.get(name)?.decide(id);
      } else if (line.includes("drill")) {
        for (const name of ["Alice", "Carol"]) await members.get(name)?.decide(id);
      } else if (!line.includes("request")) await decide(id, ["Alice", "Carol"]);
      if (line.includes("--wait")) expect(text).toMatch(/^signed transaction 0x02[0-9a-f]+$/m);
    }
  } finally {
    for (const member of members.values()) member.close();
    for (const program of running) await program.stop();
    token.dispose();
  }
});

function requestIn(text: string): string | undefined {
  return /^request ([0-9A-Z]{16})$/m.exec(text)?.[1] ?? /\b([0-9A-HJKMNP-TV-Z]{16})\b/.exec(text)?.[1];
}

/** What `policy show` prints, without number and digest, and with another fee: what its reader would write and propose. */
async function nextPolicy(finish: (line: string) => Promise<string>): Promise<string> {
  const {
    n: _n,
    digest: _digest,
    ...policy
  } = JSON.parse(await finish("./opencustody policy show")) as {
    n: number;
    digest: string;
    rules: { maxFee: string }[];
  };
  return JSON.stringify({ ...policy, rules: policy.rules.map((rule) => ({ ...rule, maxFee: "0.02" })) });
}

/** The README's agent configuration with this machine's module and the bridge's port. */
function adapted(text: string, module: string, port?: number): string {
  const config = JSON.parse(text) as { hsm: { module: string }; bridge: { url: string; dial?: string } };
  expect(config.bridge.url).toBe(DEVELOPMENT_BRIDGE);
  config.hsm.module = module;
  if (port !== undefined) config.bridge.dial = `ws://127.0.0.1:${port}/`;
  return JSON.stringify(config);
}
