/**
 * An agent that lies about its log under the very HSM identity that was pinned, and Alice's browser with the built extension: what it is
 * shown, and what it makes of that. After each try her records are put back, so that the next one meets a browser without an alarm.
 */
import type { Page } from "playwright-core";
import type { TreeHead } from "../../protocol/checkpoint.ts";
import { FREEZES } from "../../protocol/message.ts";
import { openDevices } from "../devices/device.ts";
import { Approver } from "../harness/approver.ts";
import { type Key, makeKey } from "../harness/bridge-client.ts";
import { makeRequest } from "../harness/lie.ts";
import { until } from "../harness/retry.ts";
import { RogueAgent } from "../harness/rogue-agent.ts";
import { countPrompts } from "../harness/siege.ts";
import { storedIn } from "../harness/verdict.ts";
import type { Tally } from "./attack.ts";
import { editRecords } from "./computer-malware.ts";

/** What the extension keeps of the log (extension/log-memory.ts), as far as it is looked at here. */
interface Kept {
  readonly head: TreeHead;
  readonly unprovenSince: number | null;
}

/** What must not come of anything that is shown here. */
const TABLES = ["requests", "early", "outbox", "charter", "stops"];
/** Entries that everybody knows before a try. */
const ENTRIES = 10;

export class LogStage {
  readonly agent: RogueAgent;
  readonly alice: Approver;
  readonly page: Page;
  readonly prompts: () => number;
  readonly stranger: Key;
  #lists = 1;

  private constructor(parts: Pick<LogStage, "agent" | "alice" | "page" | "prompts" | "stranger">) {
    this.agent = parts.agent;
    this.alice = parts.alice;
    this.page = parts.page;
    this.prompts = parts.prompts;
    this.stranger = parts.stranger;
  }

  static async open(): Promise<LogStage> {
    const agent = await RogueAgent.open("Alice");
    let alice: Approver | undefined;
    try {
      const [device] = await openDevices(1, { models: ["nanosp"] });
      if (device === undefined) throw new Error("no device");
      alice = await Approver.open(agent, "Alice", { device });
      await alice.begin(await agent.invite());
      await alice.decide(await agent.askFounding());
      await alice.counted();
      const page = await alice.visit("help.html");
      const prompts = countPrompts(device);
      const stage = new LogStage({ agent, alice, page, prompts, stranger: await makeKey() });
      for (let more = ENTRIES; more > 0; more -= 1) {
        agent.log.freeze("Bob");
        await agent.showLog();
      }
      await until(async () => (await stage.kept()).head.size === agent.log.tree.leaves.length);
      return stage;
    } catch (error) {
      await alice?.close();
      await agent.close();
      throw error;
    }
  }

  /** Her device was asked for nothing, and what is honest is still believed. */
  async close(): Promise<void> {
    try {
      this.agent.log.freeze("Bob");
      await this.agent.showLog();
      await until(async () => (await this.kept()).head.size === this.agent.log.tree.leaves.length);
      if (this.prompts() !== 0) throw new Error(`Alice's device was asked ${this.prompts()} times`);
      this.agent.check();
      if (this.alice.complaints.length > 0) throw new Error(this.alice.complaints.join("\n"));
    } finally {
      await this.alice.close();
      await this.agent.close();
    }
  }

  async rows(): Promise<unknown[]> {
    return await storedIn(this.page, "log");
  }

  async alarms(): Promise<{ kind: string; person: string | null }[]> {
    return (await storedIn(this.page, "alarms")) as { kind: string; person: string | null }[];
  }

  async kept(): Promise<Kept> {
    const [kept] = (await this.rows()) as Kept[];
    if (kept === undefined) throw new Error("nothing is known of the log");
    return kept;
  }

  /** Shows her one thing: what came of it is told to the tally. She must know no other log then, and nothing else have changed. */
  async attempt(tally: Tally, message: string, what: string): Promise<void> {
    const before = await this.#records();
    const [row] = await this.rows();
    const { head } = await this.kept();
    const codes = await this.#codes();
    await this.agent.show(message);
    await this.#handled();
    const alarms = await this.alarms();
    const kept = await this.kept();
    const [noted] = (await this.#codes()).filter((code) => !codes.includes(code));
    const isOther = kept.head.size !== head.size || kept.head.root !== head.root;
    const isAsked = kept.unprovenSince !== null;
    if (isOther || (await this.#records()).join() !== before.join()) tally.through(`${what} was believed`);
    else if (alarms.length > 0 && (await this.#canApprove()))
      tally.through(`${what}: Alice could approve beside an alarm`);
    else if (alarms[0] !== undefined) tally.refused(`alarm ${alarms[0].kind}`);
    else tally.refused(noted?.split(" ")[0] ?? (isAsked ? "asked again" : "nothing changed"));
    await this.page.evaluate(editRecords, [
      ...alarms.map(({ kind, person }) => ({ table: "alarms", key: `${kind} ${person ?? ""}` })),
      { table: "log", key: "self", row },
    ]);
  }

  /** Whether her page offers to approve a request that would do. */
  async #canApprove(): Promise<boolean> {
    const { agent } = this;
    const request = makeRequest({ hsm: agent.hsm.signer.kid, to: agent.member, documents: agent.charter }, {});
    await agent.sendRequest(request);
    const page = await this.alice.visit(`approval.html?request=${request.request}`);
    try {
      await page.getByText("record does not go on").first().waitFor();
      return (await page.getByRole("button", { name: "Confirm on Ledger" }).count()) > 0;
    } finally {
      await page.close();
    }
  }

  /** Resolves once she has dealt with all that was sent to her: a list of freezes comes last. */
  async #handled(): Promise<void> {
    this.#lists += 1;
    await this.agent.tell(FREEZES, { n: this.#lists, freezes: [] });
    const newest = async () => ((await storedIn(this.page, "freezes")) as { n: number }[])[0]?.n;
    await until(async () => (await newest()) === this.#lists);
  }

  async #codes(): Promise<string[]> {
    const rows = (await storedIn(this.page, "notices")) as { code: string; count: number }[];
    return rows.map(({ code, count }) => `${code} ${count}`);
  }

  /** Without what only tells of time and of lists. */
  async #records(): Promise<string[]> {
    const told = (key: string, value: unknown) => (key === "notice" || key === "at" || key === "n" ? undefined : value);
    const rows: string[] = [];
    for (const table of TABLES) rows.push(`${table} ${JSON.stringify(await storedIn(this.page, table), told)}`);
    return rows;
  }
}
