/**
 * An approver with a real browser that is killed: her device has signed, and agent or bridge are away. What the page called signed must
 * outlive the browser, be shown as not received until there is a receipt, and then be in the agent's record.
 */
import { readlinkSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Approver } from "../harness/approver.ts";
import { until } from "../harness/retry.ts";
import type { World } from "../harness/world.ts";
import { startedIn } from "./contained.ts";
import { PAGE } from "./judge.ts";
import type { Ledger } from "./ledger.ts";

/** How a page says that there is no receipt: at once, without a connection, and after ten seconds. */
const NOT_YET = /waiting for the agent's receipt|waiting for the connection|Not received yet/;

export class BrowserVictim {
  readonly #world: World;
  readonly #ledger: Ledger;
  #approver: Approver;

  constructor(world: World, approver: Approver, ledger: Ledger) {
    this.#world = world;
    this.#approver = approver;
    this.#ledger = ledger;
  }

  /**
   * Signs `request` while something is away, is killed so many milliseconds later, and comes back. `away` ends that something, `back`
   * starts it again; Rejects where a page does not say in time what is so.
   */
  async suffer(request: string, after: number, away: () => Promise<void>, back: () => Promise<void>): Promise<void> {
    const page = await this.#approver.openRequest(request);
    await away();
    try {
      await this.#approver.approve(page);
      await page.getByText("Signed on your Ledger").waitFor();
      await new Promise((resolve) => setTimeout(resolve, after));
      await this.#kill();
      const again = await this.#approver.visit(`approval.html?request=${request}`);
      await again.getByText(NOT_YET).first().waitFor();
      if ((await again.getByText("Received by the agent").count()) > 0)
        throw new Error(`${request} is called received, and nobody was there to receive it`);
      await again.close();
    } finally {
      await back();
    }
    const told = await this.#approver.visit(`approval.html?request=${request}`);
    await told.getByText("Received by the agent").waitFor({ timeout: 60_000 });
    this.#ledger.decided(`${PAGE}${request}`, { kind: "approval", request, person: this.#approver.name });
    await told.close();
  }

  async close(): Promise<void> {
    await this.#approver.close();
  }

  /** Ends all processes of this browser at once, and opens another one on its profile. */
  async #kill(): Promise<void> {
    const { profile, context, device, name } = this.#approver;
    // A crash leaves the browser's socket, which lies outside of the profile.
    const socket = readlinkSync(join(profile, "SingletonSocket"));
    for (const pid of startedIn(`--user-data-dir=${profile}`)) process.kill(pid, "SIGKILL");
    await until(() => startedIn(`--user-data-dir=${profile}`).length === 0);
    await context.close().catch(() => undefined);
    rmSync(dirname(socket), { recursive: true, force: true });
    this.#approver = await Approver.open(this.#world, name, { device, profile });
  }
}
