/**
 * A page that holds the shipped extension/devices/trezor.ts and with it the real client library, in a Chromium for which Suite's fixed
 * port is another one; with a few verbs for specs to call. It is served from 127.0.0.1, and everything that it asks for is recorded.
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { chromiumArgs, chromiumPath } from "../chromium.ts";
import { suiteRule } from "./open.ts";

/** How a call ended: its value, or the outcome and the small print of its fault. */
export type Told<T> = { readonly value: T } | { readonly outcome: string; readonly detail: string };

interface Verbs {
  connect(): Promise<Told<{ vendor: string; model: string; appVersion: string }>>;
  address(path: string, show: boolean): Promise<Told<string>>;
  sign(path: string, statement: string): Promise<Told<string>>;
  close(): Promise<Told<undefined>>;
}

declare global {
  var trezorPage: Verbs;
}

const HTML = `<!doctype html><title>Trezor</title><script type="module">
import { connectTrezor } from "/trezor.js";
let device;
const told = (promise) =>
  promise.then((value) => ({ value }), (error) => ({ outcome: error.outcome ?? "not a DeviceFault", detail: error.detail ?? String(error) }));
globalThis.trezorPage = {
  connect: () => told(connectTrezor().then((it) => {
    device = it;
    return { vendor: it.vendor, model: it.model, appVersion: it.appVersion };
  })),
  address: (path, show) => told(device.address(path, { show })),
  sign: (path, statement) => told(device.signStatement(path, statement)),
  close: () => told(device.close()),
};
</script>`;

const ENTRY = join(import.meta.dirname, "../../../extension/devices/trezor.ts");

async function bundle(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    root: import.meta.dirname,
    build: { write: false, minify: false, lib: { entry: ENTRY, formats: ["es"], fileName: "trezor" } },
  });
  const chunks = (Array.isArray(result) ? result : [result]).flatMap((one) => ("output" in one ? one.output : []));
  return chunks.flatMap((chunk) => (chunk.type === "chunk" ? [chunk.code] : [])).join("\n");
}

export interface TrezorBrowser {
  open(prepare?: (context: BrowserContext) => Promise<void>): Promise<TrezorPage>;
  close(): Promise<void>;
}

/** A browser for which Suite listens on `suitePort`. */
export async function openTrezorBrowser(suitePort: number): Promise<TrezorBrowser> {
  const script = await bundle();
  const server = createServer((request, response) => {
    const wantsScript = request.url === "/trezor.js";
    response.setHeader("Content-Type", wantsScript ? "text/javascript" : "text/html");
    response.end(wantsScript ? script : HTML);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [...chromiumArgs(), `--host-resolver-rules=${suiteRule(suitePort)}`],
  });
  return {
    open: async (prepare) => {
      const context = await browser.newContext();
      await prepare?.(context);
      return await TrezorPage.open(context, origin);
    },
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}

export class TrezorPage {
  readonly page: Page;
  readonly origin: string;
  /** What it asked for beside itself, and what went wrong in it with nobody listening: both should stay empty. */
  readonly strayRequests: string[] = [];
  readonly errors: string[] = [];
  readonly sockets: string[] = [];
  /** Pings that it sent, less the pongs that it was sent. */
  unansweredPings = 0;

  private constructor(page: Page, origin: string) {
    this.page = page;
    this.origin = origin;
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("websocket", (socket) => {
      this.sockets.push(socket.url());
      socket.on("framesent", ({ payload }) => {
        if (String(payload).includes('"ping"')) this.unansweredPings += 1;
      });
      socket.on("framereceived", ({ payload }) => {
        if (String(payload).includes('"pong"')) this.unansweredPings -= 1;
      });
    });
    page.context().on("page", (other) => this.strayRequests.push(`page ${other.url()}`));
    page.context().on("request", (request) => {
      if (!request.url().startsWith(`${origin}/`)) this.strayRequests.push(request.url());
    });
  }

  static async open(context: BrowserContext, origin: string): Promise<TrezorPage> {
    const opened = new TrezorPage(await context.newPage(), origin);
    await opened.page.goto(`${origin}/`);
    await opened.page.waitForFunction(() => globalThis.trezorPage !== undefined);
    return opened;
  }

  connect = () => this.page.evaluate(() => globalThis.trezorPage.connect());
  address = (path: string, show: boolean) =>
    this.page.evaluate(([path, show]) => globalThis.trezorPage.address(path, show), [path, show] as const);
  sign = (path: string, statement: string) =>
    this.page.evaluate(([path, statement]) => globalThis.trezorPage.sign(path, statement), [path, statement] as const);
  disconnect = () => this.page.evaluate(() => globalThis.trezorPage.close());

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
