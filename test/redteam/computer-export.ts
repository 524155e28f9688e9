/**
 * Keys that must not leave the browser: whatever script runs in the extension's pages, in its service worker, or in a page that was
 * handed the keys, WebCrypto does not give them out; and they are the same after a restart. That a copy of the whole profile is a
 * stolen key is in computer-profile.ts.
 */

import type { Attack } from "./attack.ts";
import { exportAll, readPrivateKeys } from "./computer-export-script.ts";
import { type Malware, withMalware } from "./computer-malware.ts";
import { webServer } from "./computer-web.ts";
import type { Workplace } from "./computer-workplace.ts";

/** Ways per key: three exports, three of a clone's, two wraps. */
const WAYS = 8;

export const EXPORTS: readonly Attack<Workplace>[] = [
  {
    id: "keys-exported",
    by: "hostile computer",
    what: "A script in a page of the extension, and one in its service worker, export both private keys: raw, PKCS#8, JWK, wrapped, and of a clone",
    tries: 4 * WAYS,
    refused: ["InvalidAccessError"],
    run: async ({ alice }, tally) => {
      const page = await alice.visit("help.html");
      const [worker] = alice.context.serviceWorkers();
      if (worker === undefined) throw new Error("no service worker is running");
      for (const keys of [await page.evaluateHandle(readPrivateKeys), await worker.evaluateHandle(readPrivateKeys)]) {
        for (const answer of await keys.evaluate(exportAll)) judge(answer, tally);
      }
      await page.close();
    },
  },
  {
    id: "keys-handed-over",
    by: "hostile computer",
    what: "A script in a page of the extension hands both private keys to a web page of another origin, which exports them",
    tries: 2 * WAYS,
    refused: ["InvalidAccessError"],
    run: async ({ alice }, tally) => {
      const web = await webServer();
      const page = await alice.visit("help.html");
      try {
        const opened = alice.context.waitForEvent("page");
        const keys = await page.evaluateHandle(readPrivateKeys);
        const handed = keys.evaluate(handOver, web.url);
        const stranger = await opened;
        await stranger.waitForURL(web.url);
        const received = await stranger.evaluateHandle(takeOver);
        await handed;
        for (const answer of await received.evaluate(exportAll)) judge(answer, tally);
        await stranger.close();
      } finally {
        await page.close();
        await web.close();
      }
    },
  },
  {
    id: "keys-after-restart",
    by: "hostile computer",
    what: "After a restart of the browser, with the same keys in it, a script exports them again",
    tries: 2 * WAYS,
    refused: ["InvalidAccessError"],
    run: async (place, tally) => {
      const kidOf = async () => await withMalware(place.world, place.hsm, place.alice, async ({ kid }: Malware) => kid);
      const before = await kidOf();
      await place.alice.close({ keep: true });
      place.alice = await place.browser("Alice", place.ledger, place.alice.profile);
      if ((await kidOf()) !== before) tally.through("the key is another one after the restart");
      const page = await place.alice.visit("help.html");
      const keys = await page.evaluateHandle(readPrivateKeys);
      for (const answer of await keys.evaluate(exportAll)) judge(answer, tally);
      await page.close();
      await place.requireHonest();
    },
  },
];

function judge(answer: string, tally: Parameters<Attack<Workplace>["run"]>[1]): void {
  if (answer === "exported") tally.through("a private key was exported");
  else tally.refused(answer);
}

/** Opens the page, and posts the keys to it until it has them. */
async function handOver(keys: CryptoKey[], url: string): Promise<void> {
  const other = window.open(url);
  if (other === null) throw new Error("the page was not opened");
  await new Promise<void>((resolve) => {
    const again = setInterval(() => other.postMessage(keys, "*"), 100);
    window.addEventListener("message", () => {
      clearInterval(again);
      resolve();
    });
  });
}

/** The keys that came; whoever sent them is told. */
async function takeOver(): Promise<CryptoKey[]> {
  return await new Promise((resolve, reject) => {
    window.addEventListener("messageerror", () => reject(new Error("the keys cannot be handed over")));
    window.addEventListener("message", (event: MessageEvent<CryptoKey[]>) => {
      (event.source as Window).postMessage("thanks", "*");
      resolve(event.data);
    });
  });
}
