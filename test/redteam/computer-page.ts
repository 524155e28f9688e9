/** A web page in the approver's browser: it reaches neither the extension nor the bridge, and a link to a page of ours asks nothing. */
import type { Frame, Page } from "playwright-core";
import { EXTENSION_ID } from "../../protocol/extension-id.ts";
import { until } from "../harness/retry.ts";
import type { Attack } from "./attack.ts";
import { webServer } from "./computer-web.ts";
import { codeOn, type Workplace } from "./computer-workplace.ts";

const OURS = `chrome-extension://${EXTENSION_ID}`;

export const PAGES: readonly Attack<Workplace>[] = [
  {
    id: "web-page-reaches-extension",
    by: "hostile console or page",
    what: "A web page sends the extension a message, connects to it, fetches, imports, shows and frames its files and pages, and opens its approval page",
    tries: 8,
    refused: ["ERR_BLOCKED_BY_CLIENT", "ERR_FAILED", "no such API"],
    run: async (place, tally) => {
      const { alice } = place;
      const { id } = await place.propose();
      const approval = `${OURS}/pages/approval.html?request=${id}`;
      await inWebPage(place, async (page) => {
        for (const call of ["sendMessage", "connect"]) {
          await place.attempt(tally, id, async () => await page.evaluate(callRuntime, { call, to: EXTENSION_ID }));
        }
        for (const way of ["fetch", "script", "module", "image"] as const) {
          const url = `${OURS}/${way === "image" ? "icons/16.png" : "background.js"}`;
          await place.attempt(tally, id, async () => {
            const failing = page.waitForEvent("requestfailed");
            if ((await page.evaluate(load, { way, url })) === "loaded") return `${way} loaded`;
            return ((await failing).failure()?.errorText ?? "").replace("net::", "");
          });
        }
        await place.attempt(tally, id, async () => {
          await page.evaluate(frame, approval);
          const [framed] = page.frames().filter((one) => one.parentFrame() !== null);
          if (framed === undefined) throw new Error("there is no frame");
          return await errorIn(framed);
        });
        await place.attempt(tally, id, async () => {
          const opening = alice.context.waitForEvent("page");
          await page.evaluate((url) => void window.open(url), approval);
          const opened = await opening;
          await opened.waitForLoadState();
          const error = await errorIn(opened.mainFrame());
          await opened.close();
          return error;
        });
      });
    },
  },
  {
    id: "web-page-login",
    by: "hostile console or page",
    what: "A web page connects to the bridge: from its own origin, from a frame without one, and under a name of its own for the bridge's address",
    tries: 3,
    refused: ["ERR_LOGIN_HOST", "ERR_LOGIN_ORIGIN"],
    run: async (place, tally) => {
      const { world } = place;
      const { id } = await place.propose();
      await inWebPage(place, async (page) => {
        for (const [way, url] of [
          ["own", "ws://127.0.0.1:8787/"],
          ["sandboxed", "ws://127.0.0.1:8787/"],
          ["own", `ws://localhost:${world.port}/`],
        ] as const) {
          await place.attempt(tally, id, async () => {
            const known = refusedUpgrades(world.bridge().lines).length;
            const outcome = await page.evaluate(connect, { way, url });
            if (outcome === "opened") return outcome;
            // The browser may hear of it before the log is read here.
            await until(() => refusedUpgrades(world.bridge().lines).length > known);
            return refusedUpgrades(world.bridge().lines)[known] ?? "";
          });
        }
      });
    },
  },
  {
    id: "crafted-link",
    by: "hostile console or page",
    what: "A link leads to the approval page with a request that is not there, none, two, markup, a path, a script: nothing is asked and nothing runs",
    tries: 7,
    refused: ["ERR_REQUEST_UNKNOWN"],
    run: async (place, tally) => {
      const { alice, ledger } = place;
      const { id } = await place.propose();
      const before = ledger.simulated?.signatures;
      const markup = '<img src=x onerror="document.title=1">';
      for (const query of [
        "?request=0123456789ABCDEF",
        "",
        `?request=0123456789ABCDEF&request=${id}`,
        `?request=${encodeURIComponent(markup)}`,
        `?request=../inbox.html`,
        `?request=${encodeURIComponent(`javascript:${id}`)}`,
        `?Request=${id}#request=${id}`,
      ]) {
        await place.attempt(tally, id, async () => {
          const page = await alice.visit(`approval.html${query}`);
          const code = await codeOn(page);
          const asks = await page.getByRole("button", { name: /^(Confirm|Reject)/ }).count();
          const injected = await page.locator("main img, main script").count();
          const isQuiet =
            asks + injected === 0 && (await page.title()) !== "1" && ledger.simulated?.reviewing === false;
          await page.close();
          return isQuiet && ledger.simulated?.signatures === before ? code : "the page asks or runs something";
        });
      }
    },
  },
];

/** What the browser shows in the place of a page that it did not load. */
async function errorIn(shown: Frame): Promise<string> {
  const { href, text } = await shown.evaluate(() => ({ href: location.href, text: document.body.textContent ?? "" }));
  if (!href.startsWith("chrome-error:")) return `${href} was loaded`;
  return /ERR_[A-Z_]+/.exec(text)?.[0] ?? "error page";
}

async function inWebPage({ alice }: Workplace, work: (page: Page) => Promise<void>): Promise<void> {
  const web = await webServer();
  const page = await alice.context.newPage();
  try {
    await page.goto(web.url);
    await work(page);
  } finally {
    await page.close();
    await web.close();
  }
}

function refusedUpgrades(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.includes('"upgrade refused"'))
    .map((line) => /"code":"(\w+)"/.exec(line)?.[1] ?? "no code");
}

// What follows runs in the web page.

async function callRuntime({ call, to }: { call: string; to: string }): Promise<string> {
  const chrome = Reflect.get(globalThis, "chrome") as {
    runtime?: Record<string, (id: string, word: string) => unknown>;
  };
  const method = chrome?.runtime?.[call];
  if (method === undefined) return "no such API";
  return await Promise.resolve(method(to, "poke")).then(
    () => "answered",
    (error: unknown) => String(error),
  );
}

async function load({ way, url }: { way: "fetch" | "script" | "module" | "image"; url: string }): Promise<string> {
  if (way === "fetch") {
    return await fetch(url).then(
      () => "loaded",
      () => "failed",
    );
  }
  const element = document.createElement(way === "image" ? "img" : "script");
  if (way === "module") element.setAttribute("type", "module");
  const outcome = new Promise<string>((resolve) => {
    element.addEventListener("load", () => resolve("loaded"));
    element.addEventListener("error", () => resolve("failed"));
  });
  element.src = url;
  document.body.append(element);
  return await outcome;
}

async function frame(url: string): Promise<void> {
  const element = document.createElement("iframe");
  const loaded = new Promise((resolve) => (element.onload = resolve));
  element.src = url;
  document.body.append(element);
  await loaded;
}

async function connect({ way, url }: { way: "own" | "sandboxed"; url: string }): Promise<string> {
  if (way === "own") {
    return await new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve("opened");
      socket.onerror = () => resolve("refused");
    });
  }
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.srcdoc = `<script>
    const socket = new WebSocket(${JSON.stringify(url)});
    socket.onopen = () => parent.postMessage("opened", "*");
    socket.onerror = () => parent.postMessage("refused", "*");
  </script>`;
  const told = new Promise<string>((resolve) => {
    window.addEventListener("message", (event: MessageEvent<string>) => resolve(event.data), { once: true });
  });
  document.body.append(frame);
  return await told;
}
