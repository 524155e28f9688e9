/**
 * Where an approver's computer is attacked: a founded company of real processes in which Alice has the built extension in Chromium, a
 * Ledger and a Trezor, both enrolled, and everybody else is a script. Two of Alice, Bob and Dan approve; Ann and Zoe govern; Olga proposes.
 */
import { generateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import type { Page } from "playwright-core";
import { simulatedDevice } from "../devices/device.ts";
import { readAndSign } from "../devices/hands.ts";
import { SimulatedLedger } from "../devices/ledger-app.ts";
import type { Device } from "../devices/ledger-device.ts";
import { simulatedTrezorHands } from "../devices/trezor/hands.ts";
import { SimulatedSuite } from "../devices/trezor/suite.ts";
import { SimulatedTrezor } from "../devices/trezor/trezor.ts";
import { Approver } from "../harness/approver.ts";
import { change, found } from "../harness/company.ts";
import { groupsAsked, typeGroups } from "../harness/extension-pages.ts";
import { Member } from "../harness/member.ts";
import { propose, type RequestView, type SendOptions, showRequest, waitForRequest } from "../harness/requests.ts";
import { until } from "../harness/retry.ts";
import { makeWorld, type World } from "../harness/world.ts";
import type { Tally } from "./attack.ts";

/** Where approvals are signed, and where a wallet program looks for its first account. */
export const PATH = "m/44'/60'/7'/0/0";
export const WALLET_PATH = "m/44'/60'/0'/0/0";

export const mnemonic = () => generateMnemonic(wordlist, 256);

/** A Ledger that is nobody's yet. */
export function newLedger(serial: string): Device {
  return simulatedDevice(new SimulatedLedger({ model: "nanosp", appVersion: "1.22.0", mnemonic: mnemonic() }), serial);
}

interface Parts {
  readonly world: World;
  readonly members: Readonly<Record<"ann" | "zoe" | "bob" | "dan", Member>>;
  readonly suite: SimulatedSuite;
  readonly trezor: SimulatedTrezor;
  readonly ledger: Device;
  readonly alice: Approver;
}

export class Workplace {
  readonly world: World;
  readonly bob: Member;
  readonly dan: Member;
  readonly ann: Member;
  readonly suite: SimulatedSuite;
  readonly trezor: SimulatedTrezor;
  readonly ledger: Device;
  /** Alice's browser, as it is now. */
  alice: Approver;
  readonly #others: readonly Member[];

  private constructor({ world, members, suite, trezor, ledger, alice }: Parts) {
    this.world = world;
    this.bob = members.bob;
    this.dan = members.dan;
    this.ann = members.ann;
    this.#others = Object.values(members);
    this.suite = suite;
    this.trezor = trezor;
    this.ledger = ledger;
    this.alice = alice;
  }

  static async open(): Promise<Workplace> {
    const endings: (() => unknown)[] = [];
    try {
      const world = await makeWorld({
        people: [
          { name: "Olga", roles: ["initiator"] },
          ...["Ann", "Zoe"].map((name) => ({ name, roles: ["admin"] as const })),
          ...["Alice", "Bob", "Dan"].map((name) => ({ name, roles: ["approver"] as const })),
        ],
      });
      endings.push(async () => await world.dispose());
      const [ann, zoe, bob, dan] = ["Ann", "Zoe", "Bob", "Dan"].map((name) => new Member(world, name)) as [
        Member,
        Member,
        Member,
        Member,
      ];
      endings.push(() => [ann, zoe, bob, dan].forEach((member) => member.close()));
      const trezor = new SimulatedTrezor({ model: "T3B1", mnemonic: mnemonic() });
      const suite = await SimulatedSuite.open(trezor);
      endings.push(async () => await suite.stop());
      const ledger = newLedger("Alice's");
      const alice = await openBrowser(world, suite, "Alice", ledger);
      endings.push(async () => await alice.close());
      await found(world, [ann, zoe, bob, dan, alice]);
      const place = new Workplace({ world, members: { ann, zoe, bob, dan }, suite, trezor, ledger, alice });
      await place.#enrolTrezor();
      return place;
    } catch (error) {
      // Nobody else can end what had begun.
      for (const end of endings.toReversed()) await end();
      throw error;
    }
  }

  /** Thumbprint of the HSM identity. */
  get hsm(): string {
    return this.bob.hsm;
  }

  async end(): Promise<void> {
    await this.alice.close();
    for (const member of this.#others) member.close();
    await this.suite.stop();
    await this.world.dispose();
  }

  /** A browser on this computer: its bridge is the world's, its Suite the one here. `profile` is one that was kept. */
  async browser(name: string, device: Device, profile?: string): Promise<Approver> {
    return await openBrowser(this.world, this.suite, name, device, profile);
  }

  /** A transfer on which people may decide. */
  async propose(options: SendOptions = {}): Promise<RequestView> {
    const { id } = await propose(this.world, options);
    return await waitForRequest(this.world, id, ({ state }) => state !== "proposed");
  }

  /** One try about request `id`: refused with what `work` returns, if the agent shows the request as it was; else it is through. */
  async attempt(tally: Tally, id: string, work: () => Promise<string>): Promise<void> {
    const before = facts(await showRequest(this.world, id));
    const code = await work();
    const after = facts(await showRequest(this.world, id));
    if (before === after) tally.refused(code);
    else tally.through(`answered with ${code}, changed ${before} to ${after}`);
  }

  /** Alice's Trezor signs a text of anybody's choice, after she has read and accepted it there: as any web page may ask. */
  async signedByTrezor(text: string, path = PATH): Promise<string> {
    const [result] = await Promise.all([
      this.trezor.signMessage(path, text),
      simulatedTrezorHands(this.trezor).readAndSign(),
    ]);
    if (!result.success) throw new Error(`the Trezor did not sign: ${result.code}`);
    return `0x${String(result.payload["signature"])}`;
  }

  /** Throws where an honest request is not signed any more with Alice's approval. */
  async requireHonest(): Promise<void> {
    const { id } = await this.propose();
    await this.approve(id);
    await this.bob.decide(id);
    await waitForRequest(this.world, id, ({ state }) => state === "signed");
  }

  /** Alice approves on her Ledger. */
  async approve(id: string): Promise<void> {
    const page = await this.alice.openRequest(id);
    await press(page, "Ledger");
    await readAndSign(this.ledger.hands);
    await page.getByText("Received by the agent").waitFor();
    await page.close();
  }

  async #enrolTrezor(): Promise<void> {
    const page = await this.alice.visit("enrol.html");
    await page.getByRole("radio", { name: /Trezor/ }).check();
    await page.getByRole("button", { name: "Connect your Trezor" }).click();
    await groupsAsked(page);
    await typeGroups(page, await simulatedTrezorHands(this.trezor).confirmAddress());
    await page.getByRole("heading", { name: /^Enrolment sent/ }).waitFor();
    const address = this.trezor.address();
    await until(async () => (await membersOf(this.world)).waiting.some((one) => one.address === address));
    await change(this.world, "members", "enroll", "Alice", "--device", address);
    await page.getByText("Your Trezor counts now").waitFor();
    await page.close();
  }
}

function facts({ state, digest, records, signed, hash }: RequestView): string {
  return JSON.stringify({ state, digest, records, signed, hash });
}

async function openBrowser(
  world: World,
  suite: SimulatedSuite,
  name: string,
  device: Device,
  profile?: string,
): Promise<Approver> {
  const rules = [`MAP 127.0.0.1:8787 127.0.0.1:${world.port}`, `MAP 127.0.0.1:21335 127.0.0.1:${suite.port}`];
  // Of a switch that is given twice Chromium takes the last.
  const args = [`--host-resolver-rules=${rules.join(",")}`];
  return await Approver.open(world, name, { device, args, ...(profile === undefined ? {} : { profile }) });
}

/** Who is a member, and who is on the way to be one. */
export interface People {
  readonly members: readonly {
    readonly name: string;
    readonly extensions: readonly { readonly key: string; readonly kid: string }[];
    readonly devices: readonly { readonly address: string }[];
  }[];
  readonly waiting: readonly { readonly name: string; readonly address: string }[];
  readonly pairings: readonly { readonly name: string; readonly device: string | null }[];
}

export async function membersOf(world: World): Promise<People> {
  return await world.ask<People>({ command: "members.list" });
}

/** Presses the button that asks a device, choosing that device where the page offers another first. */
export async function press(page: Page, vendor: "Ledger" | "Trezor"): Promise<void> {
  const button = page.getByRole("button", { name: `Confirm on ${vendor}` });
  const other = page.getByRole("button", { name: /^Use another device/ });
  await button.or(other).first().waitFor();
  if ((await button.count()) === 0) await other.click();
  await button.click();
}

/** The code in small print of what a page says is wrong with what is done there, once it says so. */
export async function codeOn(page: Page): Promise<string> {
  const line = page.locator("main .code-line code").first();
  await line.waitFor();
  return ((await line.textContent()) ?? "").split(" ")[0] ?? "";
}
