/**
 * For the tests of this folder only: the bridge as a process, to be killed. No part of the program imports it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fingerprint } from "../protocol/primitive.ts";
import { Agent, Client, type Key, URL_OF_BRIDGE } from "./testing.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;

export interface Ending {
  readonly code: number | null;
  readonly stderr: string;
  readonly log: string;
}

export class ProgramRig {
  readonly folder = mkdtempSync(join(tmpdir(), "bridge-program-"));
  readonly agent: Agent;
  #child: ChildProcess | undefined;
  #ended: Promise<Ending> = Promise.resolve({ code: null, stderr: "", log: "" });
  #port = 0;

  constructor(agent: Agent) {
    this.agent = agent;
  }

  /** A bridge that runs, with `members` on the agent's roster. */
  static async begin(members: readonly Key[]): Promise<ProgramRig> {
    const rig = new ProgramRig(await Agent.make());
    await rig.start();
    const client = await rig.agentClient();
    client.send({ v: 1, t: "roster", jws: await rig.agent.roster(1, members) });
    await client.next();
    await client.leave();
    return rig;
  }

  /** `fileBlocks`: how long a file of it may become, in 1,024 bytes; a full disk, for this process alone. */
  async start(fileBlocks?: number): Promise<void> {
    const config = join(this.folder, "bridge.json");
    writeFileSync(
      config,
      JSON.stringify({
        url: URL_OF_BRIDGE,
        listen: { host: "127.0.0.1", port: 0 },
        data: "data",
        agents: [fingerprint(this.agent.hsm.id)],
      }),
    );
    const limit = fileBlocks === undefined ? "" : `ulimit -f ${fileBlocks}; `;
    const words = ["-c", `${limit}exec "$0" "$@"`, process.execPath, MAIN, "--config", config];
    const child = spawn("bash", words, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    const said = { stderr: "", log: "" };
    child.stderr.on("data", (data: Buffer) => void (said.stderr += data.toString()));
    this.#ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...said }));
    this.#port = await new Promise<number>((resolve, reject) => {
      child.once("close", () => reject(new Error(`the bridge did not start: ${said.stderr}`)));
      createInterface(child.stdout).on("line", (line) => {
        said.log += line;
        const { msg, port } = JSON.parse(line) as { msg: string; port: number };
        if (msg === "listening") resolve(port);
      });
    });
  }

  async stop(signal: NodeJS.Signals): Promise<Ending> {
    this.#child?.kill(signal);
    return await this.#ended;
  }

  /** Resolves when the process has ended, of itself. */
  async ended(): Promise<Ending> {
    return await this.#ended;
  }

  async agentClient(): Promise<Client> {
    const client = new Client(this.#port);
    const answer = await client.login(this.agent.link, this.agent, {}, await this.agent.card());
    if (answer?.t !== "ready") throw new Error(`agent login: ${JSON.stringify(answer)}`);
    return client;
  }

  async member(key: Key): Promise<Client> {
    const client = new Client(this.#port);
    const answer = await client.login(key, this.agent);
    if (answer?.t !== "ready") throw new Error(`login: ${JSON.stringify(answer)}`);
    return client;
  }

  async end(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
