/**
 * A founded world under load: two people propose, three scripts and a person with a real browser approve, agent and bridge stand ready
 * to be killed. The browser's own requests are on a network of their own, so that its person is asked what they can read.
 */
import type { PolicyText } from "../../protocol/policy.ts";
import { openDevices } from "../devices/device.ts";
import { Approver } from "../harness/approver.ts";
import { found } from "../harness/company.ts";
import { NETWORK, VAULT } from "../harness/policy-plan.ts";
import { type Founder, makeWorld, type World } from "../harness/world.ts";
import { BrowserVictim } from "./browser.ts";
import { Governor } from "./governor.ts";
import { Initiator } from "./initiator.ts";
import { Judge } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import { Load, planOf } from "./load.ts";
import { Person } from "./person.ts";
import { Plant } from "./plant.ts";

const PEOPLE: readonly Founder[] = [
  { name: "Olga", roles: ["initiator"] },
  { name: "Oscar", roles: ["initiator"] },
  { name: "Ada", roles: ["approver", "admin"] },
  { name: "Ben", roles: ["approver", "admin"] },
  { name: "Cyd", roles: ["approver", "admin"] },
  { name: "Bea", roles: ["approver"] },
];
const SCRIPTS = ["Ada", "Ben", "Cyd"];
/** Bea's, with Ada. */
export const SECOND = "eip155:10";

/** Requests under way at a time, and milliseconds between two of one place. */
const WINDOW = 14;
const PAUSE = 1_500;

export interface Stage {
  readonly plant: Plant;
  readonly ledger: Ledger;
  readonly judge: Judge;
  readonly load: Load;
  readonly people: readonly Person[];
  readonly initiator: Initiator;
  readonly governor: Governor;
  readonly victim: BrowserVictim;
  dispose(): Promise<void>;
}

/** Founds it, and lets the load begin. */
export async function openStage(seed: number): Promise<Stage> {
  const ends: (() => Promise<void> | void)[] = [];
  const dispose = async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  };
  try {
    const world = await makeWorld({ people: PEOPLE, policy: { approvers: SCRIPTS, threshold: 2 } });
    ends.push(() => world.dispose());
    const ledger = new Ledger();
    const people = SCRIPTS.map((name) => new Person({ world, name, ledger, plan: planOf(seed) }));
    ends.push(async () => await Promise.all(people.map(async (person) => await person.stop())).then(() => undefined));
    const [device] = await openDevices(1);
    if (device === undefined) throw new Error("there is no device");
    const approver = await Approver.open(world, "Bea", { device });
    const victim = new BrowserVictim(world, approver, ledger);
    ends.push(() => victim.close());
    await found(world, [...people, approver]);
    const plant = await Plant.open(world);
    ends.push(() => plant.dispose());
    for (const person of people) person.start();
    const [initiator, other] = [
      await Initiator.open(world, "Olga", ledger),
      await Initiator.open(world, "Oscar", ledger),
    ];
    await addNetwork(world, initiator, ledger);
    const [first] = people;
    if (first === undefined) throw new Error("nobody approves");
    const governor = new Governor(first, initiator, ledger);
    const load = new Load({ seed, ledger, initiators: [initiator, other], window: WINDOW, pause: PAUSE });
    load.start();
    ends.push(() => load.stop(0));
    return { plant, ledger, judge: new Judge(ledger), load, people, initiator, governor, victim, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** A second network, on which Bea and Ada decide together. */
async function addNetwork(world: World, initiator: Initiator, ledger: Ledger): Promise<void> {
  await world.ask({ command: "vault.nonce", name: VAULT, network: SECOND, nonce: 3 });
  const shown = await world.ask<PolicyText & { digest: string; n: number }>({ command: "policy.show", n: null });
  const { digest: _digest, n: _n, ...text } = shown;
  const [rule] = text.rules;
  if (rule === undefined) throw new Error("the policy has no rule");
  const policy = {
    ...text,
    networks: [...text.networks, { id: SECOND, name: "Optimism", symbol: "ETH", decimals: 18 }],
    groups: [...text.groups, { name: "Desk", members: ["Ada", "Bea"] }],
    rules: [
      { ...rule, network: NETWORK },
      { ...rule, network: SECOND, approvers: "Desk" },
    ],
  };
  const id = await initiator.move({ verb: "POLICY", change: { policy } });
  await ledger.ended(id);
}
