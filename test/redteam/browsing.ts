/**
 * The same company with Alice, who has the built extension in a browser and a Ledger: what a hostile bridge delivers to her, and what her
 * records say before and after. The bridge is given her receiving key as well, which none has: so it can seal whatever it likes.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Page } from "playwright-core";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { openDevices } from "../devices/device.ts";
import { Approver } from "../harness/approver.ts";
import { newJti } from "../harness/bridge-client.ts";
import { joinCompany } from "../harness/company.ts";
import { sealAnything } from "../harness/forgery.ts";
import type { Wire } from "../harness/hostile-relay.ts";
import { waitForRequest } from "../harness/requests.ts";
import { countPrompts } from "../harness/siege.ts";
import { storedIn } from "../harness/verdict.ts";
import { NAMES } from "./assemble.ts";
import type { Tally } from "./attack.ts";
import type { Setting } from "./setting.ts";
import { NOTHING, Stage } from "./stage.ts";

const ALICE = "Aloysia";
const TABLES = ["pairing", "card", "charter", "freezes", "stops", "devices", "requests", "outbox", "early", "alarms"];

export class Browsing implements Setting {
  readonly stage: Stage;
  readonly asked: Setting["asked"];
  readonly alice: Approver;
  readonly prompts: () => number;
  /** A page of the extension, in which its records are looked at. */
  readonly page: Page;

  private constructor(parts: Setting & { alice: Approver; prompts: () => number; page: Page }) {
    this.stage = parts.stage;
    this.asked = parts.asked;
    this.alice = parts.alice;
    this.prompts = parts.prompts;
    this.page = parts.page;
  }

  static async open(): Promise<Browsing> {
    const stage = await Stage.open();
    let alice: Approver | undefined;
    try {
      const [device] = await openDevices(1, { models: ["nanosp"] });
      if (device === undefined) throw new Error("no device");
      const prompts = countPrompts(device);
      alice = await Approver.open(stage.world, ALICE, { device, port: stage.relay.port });
      const key = stage.world.keyFile(NAMES.olga);
      await joinCompany(stage.world, alice, { key, roles: ["approver", "admin"] });
      const { groups, ...policy } = await stage.policy();
      const changed = groups.map((group) => ({ ...group, members: [...group.members, ALICE] }));
      await stage.enact({ verb: "POLICY", change: { policy: { ...policy, groups: changed } } });
      // So that there is a message of each type to start from.
      await stage.ada.freeze(null);
      await stage.settled(stage.ada);
      await stage.enact({ verb: "UNFREEZE", change: { vault: null } });
      const page = await alice.visit("help.html");
      const browsing = new Browsing({ stage, alice, prompts, page, asked: await stage.propose() });
      // The last that is honest: arriving later, it would be taken for what an attack has changed.
      while ((await browsing.#requestOf(browsing.asked.id)) === undefined) await pause();
      return browsing;
    } catch (error) {
      await alice?.close();
      await stage.end();
      throw error;
    }
  }

  /** She and Bob approve an honest request, and her device was asked for nothing else. */
  async close(): Promise<void> {
    try {
      if (this.prompts() !== 0) throw new Error(`Alice's device was asked ${this.prompts()} times for nothing honest`);
      const { id } = await this.stage.propose();
      await this.alice.decide(id);
      await this.stage.bob.decide(id);
      await waitForRequest(this.stage.world, id, ({ state }) => state === "signed");
      if (this.alice.complaints.length > 0) throw new Error(this.alice.complaints.join("\n"));
    } finally {
      await this.alice.close();
      await this.stage.end();
    }
  }

  wire(): Wire {
    const { relay, ada, bob, dan } = this.stage;
    return relay.wire(({ key, isAgent }) => !isAgent && ![ada, bob, dan].some(({ kid }) => kid === key));
  }

  /** The key that she receives with, out of a copy of the agent's record. */
  async seal(text: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "opencustody-copy-"));
    try {
      cpSync(join(this.stage.world.folder, "agent"), folder, {
        recursive: true,
        filter: (name) => !name.endsWith(".sock"),
      });
      const record = new DatabaseSync(join(folder, "agent.db"));
      const row = record.prepare("SELECT key FROM member_seals WHERE kid = ?").get(this.wire().key);
      record.close();
      return await sealAnything(text, JSON.parse(String(row?.["key"])) as PublicJwk);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Delivers a body as the bridge; resolves once the extension has acknowledged it, with the code that it noted, or NOTHING. */
  async strike(body: string, from = this.stage.hsm): Promise<string> {
    const wire = this.wire();
    // Its number is that of the very first delivery: no other is acknowledged with it any more.
    const seq = 1;
    const acknowledged = () =>
      this.stage.relay.seen.filter((one) => one.wire === wire && one.frame.t === "ack" && one.frame.seq === seq).length;
    const before = acknowledged();
    return await this.noted(async () => {
      wire.pass("party", { v: 1, t: "deliver", seq, id: newJti(), from, body });
      while (acknowledged() === before) await pause();
    });
  }

  /** Resolves once she has the last receipt of a request. */
  async settled(id: string): Promise<void> {
    const { state } = await this.stage.show(id);
    while ((await this.#requestOf(id))?.receipt?.state !== state) await pause();
  }

  async #requestOf(id: string): Promise<{ receipt: { state: string } | null } | undefined> {
    const rows = (await storedIn(this.page, "requests")) as { id: string; receipt: { state: string } | null }[];
    return rows.find((row) => row.id === id);
  }

  /** The code of the notice that `work` has left in her records, or NOTHING. */
  async noted(work: () => Promise<unknown>): Promise<string> {
    const before = await this.notices();
    await work();
    const after = await this.notices();
    return [...after].find(([code, count]) => count !== before.get(code))?.[0] ?? NOTHING;
  }

  async notices(): Promise<Map<string, number>> {
    const rows = (await storedIn(this.page, "notices")) as { code: string; count: number }[];
    return new Map(rows.map(({ code, count }) => [code, count]));
  }

  /** One try: refused with what `work` returns, if her records and the agent's are the same afterwards. */
  async attempt(tally: Tally, work: () => Promise<string>, what: string): Promise<void> {
    const before = await this.state();
    await this.stage.attempt(
      tally,
      async () => {
        const code = await work();
        const after = await this.state();
        const at = after.findIndex((row, index) => row !== before[index]);
        if (at >= 0) tally.through(`${what}, noted as ${code}, changed ${before[at]} to ${after[at]}`);
        return code;
      },
      what,
    );
  }

  /** Her records, a table each, without what only tells of a refused message. */
  async state(): Promise<string[]> {
    const told = (key: string, value: unknown) => (key === "notice" || key === "welcomedAt" ? undefined : value);
    const rows: string[] = [];
    for (const table of TABLES) rows.push(`${table} ${JSON.stringify(await storedIn(this.page, table), told)}`);
    return rows;
  }
}

export async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
