/** The README's commands, run as they stand there, in their order, on the README's own configuration files. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEVELOPMENT_BRIDGE } from "../protocol/invite.ts";
import { type LooseDevice, Member } from "./harness/member.ts";
import { type Program, ROOT, startProgram } from "./harness/program.ts";
import { makeSoftHsm } from "./softhsm.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const configure = README.slice(README.indexOf("## Configure"), README.indexOf("### The control socket"));

/** The JSON blocks of the section in order: agent, bridge, policy. */
const files = [...configure.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
const commands = [...configure.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text = ""]) =>
  text
    .split("\n")
    .map((line) => line.replace(/\s*#.*$/, "").trim())
    .filter((line) => line !== ""),
);

test("its configuration and commands work as they are written", async () => {
  const token = makeSoftHsm("treasury");
  const folder = join(token.env.SOFTHSM2_CONF, "..");
  const running: Program[] = [];
  const members: Member[] = [];
  const words: Record<string, string> = {};
  try {
    const [agent = "", bridge = "", policy = ""] = files;
    writeFileSync(join(folder, "opencustody.json"), adapted(agent, token.module));
    writeFileSync(join(folder, "policy.json"), policy);
    const run = (line: string): Program =>
      startProgram(join(ROOT, "hsm-agent/main.ts"), line.split(" ").slice(1), { ...process.env, ...token.env }, folder);
    const finish = async (program: Program) => {
      await new Promise((resolve) => program.process.once("close", resolve));
      expect(program.process.exitCode, program.lines.join("\n")).toBe(0);
      return program.lines;
    };

    expect(commands.length).toBeGreaterThan(12);
    for (const raw of commands) {
      const line = Object.entries(words).reduce((text, [word, value]) => text.replace(word, value), raw);
      if (line.endsWith("&")) {
        const program = run(line.slice(0, -1).trim());
        running.push(program);
        const port = (await program.logged(line.includes("bridge") ? "listening" : "agent ready"))["port"];
        if (port !== undefined)
          writeFileSync(join(folder, "opencustody.json"), adapted(agent, token.module, Number(port)));
        if (port !== undefined) words["PORT"] = Number(port).toString();
        continue;
      }
      const program = run(line);
      if (line.includes("--wait")) {
        const [first, second] = members;
        for (const member of [first, second]) await member?.approve(await member.request());
      }
      const lines = await finish(program);
      const text = lines.join("\n");
      if (line.endsWith("init")) {
        const [fingerprint = ""] = /[0-9a-f]{64}/.exec(text) ?? [];
        writeFileSync(
          join(folder, "bridge.json"),
          bridge.replace("FINGERPRINT", fingerprint).replace('"port": 8787', '"port": 0'),
        );
      }
      const code = /opencustody-invite-\S+/.exec(text);
      if (code !== null) {
        const member = await Member.pair({ port: Number(words["PORT"]) }, code[0]);
        members.push(member);
        words[`ADDRESS_OF_${line.includes("Alice") ? "ALICE" : "BOB"}`] = member.device.address;
        await member.announce();
        await arrived(async () => (await finish(run("./opencustody members"))).join("\n"), member.device);
      }
      const request = /^request ([0-9A-Z]{16})$/m.exec(text);
      if (request?.[1] !== undefined) words["REQUEST"] = request[1];
      if (line.includes("--wait")) expect(text).toMatch(/^signed transaction 0x02[0-9a-f]+$/m);
    }
  } finally {
    for (const member of members) member.close();
    for (const program of running) await program.stop();
    token.dispose();
  }
});

/** The README's agent configuration with this machine's module and the bridge's port. */
function adapted(text: string, module: string, port?: number): string {
  const config = JSON.parse(text) as { hsm: { module: string }; bridge: { url: string; dial?: string } };
  expect(config.bridge.url).toBe(DEVELOPMENT_BRIDGE);
  config.hsm.module = module;
  if (port !== undefined) config.bridge.dial = `ws://127.0.0.1:${port}/`;
  return JSON.stringify(config);
}

async function arrived(members: () => Promise<string>, device: LooseDevice): Promise<void> {
  while (!(await members()).includes(device.address)) await new Promise((resolve) => setTimeout(resolve, 100));
}
