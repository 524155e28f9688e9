/**
 * The soak: many requests, proposed by several people and decided on by many, through bridge and agent over a bad network on both sides
 * of the bridge. Nothing that was acknowledged may be lost, everything comes to its end, and neither process holds more at the end.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PolicyText } from "../../protocol/policy.ts";
import { contained } from "../crash/contained.ts";
import { Initiator } from "../crash/initiator.ts";
import { Judge } from "../crash/judge.ts";
import { Ledger } from "../crash/ledger.ts";
import { Load, planOf } from "../crash/load.ts";
import { Person } from "../crash/person.ts";
import { readRecord } from "../crash/record.ts";
import { BadLink, type Badness, type Deed } from "../harness/bad-link.ts";
import { NETWORK, VAULT } from "../harness/policy-plan.ts";
import { type Founder, makeWorld, type World } from "../harness/world.ts";
import { enrol, FOUNDERS_MAX, foundQuickly } from "./founding.ts";
import { HEAP_MODULE, MemoryWatch } from "./memory.ts";

/** Requests under way at a time: of each of the initiators a quarter, far below what one of them may have open. */
const WINDOW = 48;
/** Milliseconds without any end after which what is open is stuck: longer than a dead connection stays unnoticed. */
const PATIENCE = 120_000;
/** Looks at the memory. */
const LOOKS = 40;
/** Five people decide on a network, by two; three of them answer, so that mostly one is too late, and two look on. */
const GROUP = 5;
const ANSWERING = 3;

/** One frame in so many. */
const MEMBERS: Badness = {
  delay: { oneIn: 20, most: 60 },
  cut: 1_000,
  repeat: 25,
  swap: 25,
  inOrder: false,
  halfOpen: { oneIn: 1_500, most: 8_000 },
};

/**
 * The agent's link is everybody's, and after each loss the agent waits longer until it dials again: so many cuts in all. `requests` make
 * about fifty frames each.
 */
function agentsLink(requests: number): Badness {
  const oneFor = (times: number) => Math.ceil((50 * requests) / times);
  return {
    delay: { oneIn: 200, most: 40 },
    cut: oneFor(3 + requests / 400),
    repeat: 25,
    swap: 25,
    inOrder: true,
    halfOpen: { oneIn: oneFor(1 + requests / 2_000), most: 8_000 },
  };
}

const APPROVER = ["approver"] as const;
const ADMIN = ["approver", "admin"] as const;
const INITIATORS = ["Olga", "Oscar", "Otto", "Oona"];

export interface SoakOptions {
  readonly seed: number;
  readonly requests: number;
  /** A multiple of 5. */
  readonly approvers: number;
  readonly say?: (line: string) => void;
}

export interface SoakReport {
  readonly requests: number;
  readonly approvals: number;
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly signedTwice: readonly string[];
  readonly stuck: readonly string[];
  readonly faults: readonly string[];
  /** What the network did, on both sides together. */
  readonly deeds: Readonly<Record<Deed, number>>;
  /** Growth over the second half of the work, in bytes. */
  readonly growth: Readonly<Record<"agent" | "bridge", { readonly held: number; readonly rss: number }>>;
  readonly seconds: number;
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  return await contained(async () => {
    const ends: (() => Promise<void> | void)[] = [];
    try {
      return await run(options, ends);
    } finally {
      for (const end of ends.toReversed()) await end();
    }
  });
}

async function run(
  { seed, requests, approvers, say }: SoakOptions,
  ends: (() => Promise<void> | void)[],
): Promise<SoakReport> {
  const notes = mkdtempSync(join(tmpdir(), "opencustody-soak-"));
  ends.push(() => rmSync(notes, { recursive: true, force: true }));
  const names = namesOf(approvers);
  const links: BadLink[] = [];
  const link = async (port: number, badness: Badness): Promise<number> => {
    const opened = await BadLink.open(port, badness, seed + links.length);
    opened.isBad = false;
    links.push(opened);
    ends.push(() => opened.close());
    return opened.port;
  };
  const people: Founder[] = [
    ...INITIATORS.map((name) => ({ name, roles: ["initiator"] as const })),
    ...names.slice(0, FOUNDERS_MAX).map((name, at) => ({ name, roles: at < 3 ? ADMIN : APPROVER })),
  ];
  const world = await withHeap(join(notes, "heap-"), async () => {
    return await makeWorld({
      people,
      policy: { threshold: 2 },
      between: async (port) => await link(port, agentsLink(requests)),
    });
  });
  ends.push(() => world.dispose());
  const port = await link(world.port, MEMBERS);
  const ledger = new Ledger();
  const plan = planOf(seed, { isOurs: () => true, answering: ANSWERING });
  const persons = names.map((name) => new Person({ world: { port }, name, ledger, plan }));
  ends.push(async () => await Promise.all(persons.map(async (person) => await person.stop())).then(() => undefined));
  const [founders, others] = [persons.slice(0, FOUNDERS_MAX), persons.slice(FOUNDERS_MAX)];
  await foundQuickly(world, founders);
  for (const person of founders) person.start();
  const initiators = await Promise.all(INITIATORS.map(async (name) => await Initiator.open(world, name, ledger)));
  const [first] = initiators;
  if (first === undefined) throw new Error("nobody proposes");
  await enrol(first, ledger, others);
  for (const person of others) person.start();
  for (const { mail } of persons) mail.keepNothing();
  const networks = await openNetworks(world, first, ledger, names);
  for (const one of links) one.isBad = true;

  const networkOf = (n: number) => networks[n % networks.length] ?? NETWORK;
  const load = new Load({ seed, ledger, initiators, window: WINDOW, pause: 0, most: requests, networkOf });
  const watches = {
    agent: new MemoryWatch(() => world.agent(), join(notes, "heap-")),
    bridge: new MemoryWatch(() => world.bridge(), join(notes, "heap-")),
  };
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  load.start();
  ends.push(() => load.stop(0));
  const looking = setInterval(() => {
    if (load.begun < (requests * (watches.agent.samples.length + 1)) / LOOKS) return;
    void Promise.all([watches.agent.look(load.begun), watches.bridge.look(load.begun)]).catch(() => undefined);
    const held = Object.entries(watches).map(([part, { last }]) => `${part} ${last}`);
    say?.(
      `${seconds()} s, ${load.begun} requests begun, ${ledger.acknowledged} things acknowledged, ${framesOf(links)} frames; ${held.join("; ")}`,
    );
  }, 500);
  ends.push(() => clearInterval(looking));
  await load.done(PATIENCE);
  clearInterval(looking);
  await confirmed(persons);

  for (const one of links) one.isBad = false;
  const judge = new Judge(ledger);
  await world.agent().stop("SIGTERM");
  judge.examine(readRecord(join(world.folder, "agent")), "the end");
  const deeds = { ...links[0]?.deeds } as Record<Deed, number>;
  for (const [deed, count] of Object.entries(links[1]?.deeds ?? {})) deeds[deed as Deed] += count;
  return {
    requests: load.begun,
    approvals: [...ledger.decisions.values()].filter(({ kind }) => kind === "approval").length,
    acknowledged: ledger.acknowledged,
    lost: judge.lost(),
    signedTwice: judge.signedTwice(),
    stuck: [...load.stuck, ...persons.flatMap((person) => person.unconfirmed)],
    faults: [...load.faults, ...persons.flatMap(faultsOf)],
    deeds,
    growth: { agent: watches.agent.growth(), bridge: watches.bridge.growth() },
    seconds: seconds(),
  };
}

function framesOf(links: readonly BadLink[]): number {
  return links.reduce((sum, { deeds }) => sum + deeds.frames, 0);
}

/** Whatever was decided is confirmed or refused, or it is told as stuck. */
async function confirmed(persons: readonly Person[]): Promise<void> {
  const began = performance.now();
  while (persons.some((person) => person.unconfirmed.length > 0) && performance.now() - began < PATIENCE)
    await new Promise((resolve) => setTimeout(resolve, 200));
}

/** What somebody met that nobody should: also a message that did not verify. */
function faultsOf({ name, faults, refusals, mail }: Person): string[] {
  return [
    ...faults,
    ...unforeseen(refusals),
    ...mail.refused.map((code) => `${name} could not use a message: ${code}`),
  ];
}

/** Whoever is third or later is told that it is over. */
function unforeseen(refusals: ReadonlyMap<string, number>): string[] {
  return [...refusals]
    .filter(([code]) => code !== "ERR_REQUEST_STATE")
    .map(([code, n]) => `refused ${n} times with ${code}`);
}

/** All programs that `make` starts can tell what they hold. */
async function withHeap<T>(notes: string, make: () => Promise<T>): Promise<T> {
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = `${before ?? ""} --import=${HEAP_MODULE}`;
  process.env["SOAK_HEAP"] = notes;
  try {
    return await make();
  } finally {
    delete process.env["SOAK_HEAP"];
    if (before === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = before;
  }
}

/** A network for each five people, who decide there by two. */
async function openNetworks(
  world: World,
  initiator: Initiator,
  ledger: Ledger,
  names: readonly string[],
): Promise<string[]> {
  const shown = await world.ask<PolicyText & { digest: string; n: number }>({ command: "policy.show", n: null });
  const { digest: _digest, n: _n, ...text } = shown;
  const [rule] = text.rules;
  if (rule === undefined) throw new Error("the policy has no rule");
  const groups = Array.from({ length: names.length / GROUP }, (_, at) => {
    const letter = String.fromCharCode("A".charCodeAt(0) + at);
    const id = at === 0 ? NETWORK : `eip155:${1_000 + at}`;
    return {
      name: `Desk-${letter}`,
      network: id,
      title: `Chain-${letter}`,
      members: names.slice(at * GROUP, (at + 1) * GROUP),
    };
  });
  for (const { network } of groups.slice(1))
    await world.ask({ command: "vault.nonce", name: VAULT, network, nonce: 0 });
  const policy = {
    ...text,
    networks: groups.map(({ network, title }) => ({ id: network, name: title, symbol: "ETH", decimals: 18 })),
    groups: groups.map(({ name, members }) => ({ name, members })),
    rules: groups.map(({ name, network }) => ({ ...rule, network, approvers: name })),
  };
  await ledger.ended(await initiator.move({ verb: "POLICY", change: { policy } }));
  return groups.map(({ network }) => network);
}

/** Names that do not look alike. */
function namesOf(count: number): string[] {
  const first = "ABCDEFGHJK".split("");
  const second = ["ma", "ne", "ra", "ss", "tu", "va", "wy", "xe", "ya", "zu"];
  return second.flatMap((end) => first.map((letter) => `${letter}${end}`)).slice(0, count);
}
