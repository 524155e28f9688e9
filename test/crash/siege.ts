/**
 * The crash suite: under load, everything is killed with SIGKILL at its worst moments, and an observer compares what was acknowledged
 * with what is in the record after each kill and at the end. After half of the agent's kills the power fails too: what was not synced is
 * gone. What is wrong is counted, and named with the kill before it.
 */
import { Random } from "../fuzz/random.ts";
import { until } from "../harness/retry.ts";
import { contained } from "./contained.ts";
import { codeOf } from "./initiator.ts";
import { type Kill, planKills } from "./plan.ts";
import type { Part } from "./plant.ts";
import { AGENT_POINTS, BRIDGE_POINTS, isOfCard, isOfGovernance } from "./points.ts";
import { readRecord } from "./record.ts";
import { openStage, SECOND, type Stage } from "./stage.ts";

/** Milliseconds: for an armed process to come to its point; for a disk to be written to; for everything to end once all is up. */
const TO_POINT = 5_000;
const TO_FAULT = 10_000;
const TO_END = 90_000;

export interface SiegeOptions {
  readonly seed: number;
  readonly kills: number;
  /** Told what is done, line by line. */
  readonly say?: (line: string) => void;
}

export interface Report {
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly signedTwice: readonly string[];
  readonly stuck: readonly string[];
  /** What went wrong with the suite itself, or was refused where nothing may be. */
  readonly faults: readonly string[];
  /** Named points at which nothing was killed. */
  readonly unreached: readonly string[];
  /** Writes that power cuts took back. */
  readonly takenBack: number;
}

export async function siege(options: SiegeOptions): Promise<Report> {
  return await contained(async () => {
    const stage = await openStage(options.seed);
    try {
      return await new Siege(stage, options).run();
    } finally {
      await stage.dispose();
    }
  });
}

class Siege {
  readonly #stage: Stage;
  readonly #options: SiegeOptions;
  readonly #chance: Random;
  readonly #faults: string[] = [];
  readonly #lost: string[] = [];
  #kills = 0;
  #takenBack = 0;
  #browserRequests = 0;

  constructor(stage: Stage, options: SiegeOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#chance = new Random(options.seed, "siege", 0);
  }

  async run(): Promise<Report> {
    const { seed, kills } = this.#options;
    const began = performance.now();
    const say = (what: string) => {
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      this.#options.say?.(`${seconds} s, ${what}; acknowledged ${this.#stage.ledger.acknowledged}`);
    };
    for (const [at, kill] of planKills(seed, kills).entries()) {
      // A moment of work between two kills, now and then none.
      await sleep(this.#chance.int(700));
      const name = `kill ${at + 1}: ${JSON.stringify(kill)}`;
      await this.#do(kill, name).catch((error: unknown) => {
        this.#faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      });
      await this.#up(name);
      say(name);
    }
    const report = await this.#end();
    say("everything is at its end");
    return report;
  }

  async #do(kill: Kill, name: string): Promise<void> {
    const { plant, governor } = this.#stage;
    switch (kill.what) {
      case "point":
        plant.arm(kill.part, kill.point, kill.nth);
        if (isOfGovernance(kill.point)) governor.round();
        // The bridge is told of a new card by an agent that starts.
        if (isOfCard(kill.point)) {
          await this.#kill("agent", name, 0);
          await plant.start("agent");
        }
        await plant.gone(kill.part, TO_POINT);
        return await this.#kill(kill.part, name);
      case "random":
        await sleep(kill.after);
        if (kill.part !== "both") return await this.#kill(kill.part, name);
        await this.#kill("bridge", name);
        return await this.#kill("agent", name);
      case "start": {
        await this.#kill("agent", name, 0);
        const started = plant.start("agent");
        await sleep(kill.after);
        await this.#kill("agent", name);
        await started;
        return;
      }
      case "server":
        await plant.server.kill();
        this.#kills += 1;
        await sleep(kill.away);
        await plant.server.start();
        return;
      case "browser":
        return await this.#browser(kill.away, kill.after, name);
      case "disk":
        return await this.#disk(kill, name);
    }
  }

  /** Ends a part that may have ended itself already, and looks at what it leaves. */
  async #kill(part: Part, name: string, counted = 1): Promise<void> {
    const { plant, judge } = this.#stage;
    await plant.kill(part);
    plant.disarm(part);
    this.#kills += counted;
    if (part !== "agent") return;
    this.#takenBack += plant.afterKill(this.#chance.once(2));
    judge.examine(readRecord(plant.data), name);
  }

  async #up(name: string): Promise<void> {
    const { plant } = this.#stage;
    for (const part of ["bridge", "agent"] as const) {
      if (plant.isAlive(part)) continue;
      if (!(await plant.start(part)))
        throw new Error(`after ${name} the ${part} does not start:\n${plant.program(part).lines.slice(-5).join("\n")}`);
    }
  }

  async #browser(away: Part, after: number, name: string): Promise<void> {
    const { governor, initiator, victim } = this.#stage;
    // On a frozen vault nothing can be approved, and a page says so.
    await governor.settled();
    this.#browserRequests += 1;
    const id = await initiator.propose({ network: SECOND, amount: `${this.#browserRequests}.00` });
    await victim.suffer(
      id,
      after,
      async () => await this.#kill(away, name, 0),
      async () => await this.#up(name),
    );
    this.#kills += 1;
  }

  /** The disk refuses to keep what is written; from then on nothing may be acknowledged, also once it is well again. */
  async #disk({ call, error, after }: Extract<Kill, { what: "disk" }>, name: string): Promise<void> {
    const { plant, initiator } = this.#stage;
    const before = plant.disk.fired().length;
    plant.disk.fail({ call, error, count: "all", after });
    const began = performance.now();
    await until(() => plant.disk.fired().length > before || performance.now() - began > TO_FAULT);
    await sleep(300);
    plant.disk.heal();
    if (plant.disk.fired().length === before) throw new Error("nothing was written to the disk that fails");
    const answer = await initiator.proposeOnce({ network: SECOND, amount: "0.01" }).catch(codeOf);
    if (answer !== "ERR_RECORD")
      this.#lost.push(`after a failed ${call} (${error}) the agent answered ${answer} (${name})`);
    await plant.kill("agent");
    this.#kills += 1;
    this.#takenBack += plant.afterKill(true);
    this.#stage.judge.examine(readRecord(plant.data), name);
  }

  async #end(): Promise<Report> {
    const { plant, ledger, judge, load, people, governor, initiator } = this.#stage;
    await load.stop(TO_END);
    await governor.settled();
    const began = performance.now();
    const unconfirmed = () => people.flatMap((person) => person.unconfirmed);
    await until(() => unconfirmed().length === 0 || performance.now() - began > TO_END);
    for (const id of ledger.proposals.values()) {
      // One that is unknown is lost, which the record tells.
      const shown = await initiator.show(id).catch(() => undefined);
      if (shown === undefined) continue;
      ledger.told(id, shown.state);
      // A change of what is governed has no such thing.
      if (typeof shown.signed === "string") ledger.read(id, shown.signed);
    }
    const open = [...ledger.proposals.values()].filter(
      (id) => !ledger.ends.has(id) && !load.stuck.some((s) => s.startsWith(id)),
    );
    await plant.program("agent").stop("SIGTERM");
    judge.examine(readRecord(plant.data), "the end");
    const hits = new Set((["agent", "bridge"] as const).flatMap((part) => plant.hits(part)));
    return {
      kills: this.#kills,
      acknowledged: ledger.acknowledged,
      lost: [...judge.lost(), ...this.#lost],
      signedTwice: judge.signedTwice(),
      stuck: [...load.stuck, ...governor.stuck, ...unconfirmed(), ...open.map((id) => `${id} has no end`)],
      faults: [
        ...this.#faults,
        ...load.faults,
        ...people.flatMap((person) => [...person.faults, ...unforeseen(person.refusals)]),
      ],
      unreached: [...AGENT_POINTS, ...BRIDGE_POINTS].filter((point) => !hits.has(point)),
      takenBack: this.#takenBack,
    };
  }
}

/**
 * What people are told rightly here: they were late, or the vault was frozen. An approval that was sent twice may be refused while it is
 * frozen and taken afterwards: then the one that its person made anew is a duplicate.
 */
const FORESEEN = ["ERR_REQUEST_STATE", "ERR_FROZEN", "ERR_APPROVAL_DUPLICATE"];

function unforeseen(refusals: ReadonlyMap<string, number>): string[] {
  return [...refusals]
    .filter(([code]) => !FORESEEN.includes(code))
    .map(([code, count]) => `refused ${count} times with ${code}`);
}

async function sleep(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
