/**
 * The extension as it is built: what it may do, what is in it, that the same sources give the same bytes, and, in Chromium, that it
 * connects to the paired bridge and nowhere else. Builds into temporary folders of its own.
 */

import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { openDevices } from "./devices/device.ts";
import { Approver } from "./harness/approver.ts";
import { makeRequest } from "./harness/lie.ts";
import { startProgram } from "./harness/program.ts";
import { findSuspicious, stringsOf } from "./harness/program-text.ts";
import { RogueAgent } from "./harness/rogue-agent.ts";

const folders: string[] = [];
let files: Map<string, Buffer>;
let again: Map<string, Buffer>;

beforeAll(async () => {
  [files, again] = await Promise.all([build(), build()]);
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Builds as `npm run build` does, elsewhere. Resolves with every file by its path. */
async function build(): Promise<Map<string, Buffer>> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-build-"));
  folders.push(folder);
  // What a test runner sets would change what is built.
  const { NODE_ENV: _mode, VITEST: _runner, ...env } = process.env;
  const vite = startProgram("node_modules/vite/bin/vite.js", ["build", "--outDir", folder, "--emptyOutDir"], env);
  await once(vite.process, "close");
  if (vite.process.exitCode !== 0) throw new Error(vite.lines.join("\n"));
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = found.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path)]));
}

function texts(ending: RegExp): [string, string][] {
  return [...files].filter(([name]) => ending.test(name)).map(([name, bytes]) => [name, bytes.toString("utf8")]);
}

test("the same sources give the same bytes", () => {
  expect([...again.keys()]).toEqual([...files.keys()]);
  for (const [name, bytes] of files) expect(again.get(name)?.equals(bytes), name).toBe(true);
});

test("the manifest asks for alarms and notifications, and nothing else", () => {
  const manifest = JSON.parse(String(files.get("manifest.json"))) as Record<string, unknown>;
  expect(manifest).toMatchObject({
    manifest_version: 3,
    permissions: ["alarms", "notifications"],
    incognito: "not_allowed",
    background: { service_worker: "background.js", type: "module" },
    content_security_policy: {
      extension_pages:
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'none'; object-src 'none'; " +
        "connect-src wss: ws://127.0.0.1:8787 ws://127.0.0.1:21335; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    },
  });
  // Whatever else grants something has no place: a new key here is a decision, not an accident.
  expect(Object.keys(manifest).sort()).toEqual([
    "action",
    "background",
    "content_security_policy",
    "description",
    "icons",
    "incognito",
    "key",
    "manifest_version",
    "minimum_chrome_version",
    "name",
    "permissions",
    "version",
  ]);
});

test("no file makes code at run time or loads it from elsewhere", () => {
  expect(texts(/\.js$/).length).toBeGreaterThan(5);
  for (const [name, text] of texts(/\.js$/)) expect(findSuspicious(text), name).toEqual([]);
  // The same search finds what it is for.
  const bad = [
    "eval(a)",
    "new Function(a)",
    "setTimeout('a')",
    "import('https://a.example/b.js')",
    "import a from 'b'",
  ];
  for (const text of bad) expect(findSuspicious(text), text).toHaveLength(1);
});

test("pages hold no inline script or style, and name files of their own only", () => {
  const pages = texts(/\.html$/);
  expect(pages.map(([name]) => name)).toEqual(
    ["approval", "enrol", "help", "inbox", "pair", "people", "proof"].map((page) => `pages/${page}.html`),
  );
  for (const [name, html] of pages) {
    for (const [tag = "", body = ""] of html.matchAll(/<script\b[^>]*>([^]*?)<\/script>/g)) {
      expect(tag, name).toMatch(/\ssrc="/);
      expect(body.trim(), name).toBe("");
    }
    expect(html, name).not.toMatch(/<style\b|\son\w+\s*=|\sstyle\s*=|javascript:|<base\b|<iframe\b|http-equiv/);
    for (const [, place = ""] of html.matchAll(/\s(?:src|href)="([^"]*)"/g)) {
      const path = new URL(place, `file:///${name}`).pathname.slice(1);
      expect(place, name).not.toMatch(/^[a-z]+:|^\/\//);
      expect(files.has(path), `${name}: ${place}`).toBe(true);
    }
  }
});

/** Web addresses in code, and whose they are. None of them is opened: see the test in Chromium. */
const ADDRESSES = [
  "ws://127.0.0.1:8787",
  "wss://host/",
  "http://www.w3.org/",
  "https://oxlib.sh",
  "https://viem.sh",
  "https://github.com/wevm/viem",
  // Trezor's client: Suite's socket, an option that a browser's sockets ignore, and the text of an error.
  "ws://127.0.0.1:21335/connect-ws",
  "https://node.trezor.io",
  "https://github.com/trezor/trezor-suite/",
];
test("every web address in code is known", () => {
  for (const [name, text] of [
    ...texts(/\.js$/).map(([file, text]) => [file, stringsOf(text)] as const),
    ...texts(/\.(html|css)$/),
  ]) {
    for (const [address] of text.matchAll(/\b(?:https?|wss?|ftp):\/\/[^\s"'`),;\\<>]+/g)) {
      expect(
        ADDRESSES.some((known) => address.startsWith(known)),
        `${name}: ${address}`,
      ).toBe(true);
    }
  }
});

test("the service worker holds no code of a device", () => {
  const worker = new Map<string, string>();
  const waiting = ["background.js"];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const text = String(files.get(name));
    worker.set(name, text);
    for (const [, place = ""] of text.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)) {
      const path = new URL(place, `file:///${name}`).pathname.slice(1);
      if (!worker.has(path)) waiting.push(path);
    }
  }
  for (const [name, text] of worker)
    expect(text, name).not.toMatch(/navigator\.usb|requestDevice|TransportWebUSB|ledgerhq/i);
  // The same search finds it where it belongs.
  expect(texts(/\.js$/).filter(([, text]) => /requestDevice/.test(text)).length).toBeGreaterThan(0);
});

test("in Chromium it connects to the paired bridge only, and can do no other", async () => {
  const [device] = await openDevices(1, { models: ["nanosp"] });
  if (device === undefined) throw new Error("no device");
  const folder = mkdtempSync(join(tmpdir(), "opencustody-netlog-"));
  folders.push(folder);
  const log = join(folder, "netlog.json");
  const agent = await RogueAgent.open("Alice");
  const strays = await catchStrays();
  const args = [`--log-net-log=${log}`];
  const alice = await Approver.open(agent, "Alice", { device, extension: folders[0] ?? "", args });
  try {
    await alice.begin(await agent.invite());
    await alice.decide(await agent.askFounding());
    await alice.counted();
    const page = await alice.visit("inbox.html");
    const between = { hsm: agent.hsm.signer.kid, to: agent.member, documents: agent.charter };
    const request = makeRequest(between, {});
    await agent.sendRequest(request);
    await (await alice.openRequest(request.request)).close();
    const place = `http://127.0.0.1:${strays.port}`;
    const forbidden = [
      `connect-src ${place}/fetch`,
      "connect-src https://example.com/fetch",
      `connect-src ${place}/request`,
      `connect-src ${place}/beacon`,
      `connect-src ${place.replace("http", "ws")}/socket`,
      `img-src ${place}/image`,
      `script-src-elem ${place}/script`,
      `script-src-elem ${place}/module`,
      "script-src-elem inline",
      "style-src-elem inline",
      `frame-src ${place}`,
      "script-src eval",
    ];
    expect((await page.evaluate(tryEverything, { place, ways: forbidden.length })).sort()).toEqual(forbidden.sort());
    const [worker] = alice.context.serviceWorkers();
    expect(await worker?.evaluate(tryInWorker, strays.port)).toEqual(["blocked", "blocked", "blocked"]);
  } finally {
    await alice.close();
    await agent.close();
    strays.server.close();
  }
  expect(strays.heard).toEqual([]);
  expect(openedBy(`chrome-extension://${EXTENSION_ID}`, readFileSync(log, "utf8"))).toEqual(["ws://127.0.0.1:8787/"]);
});

/** Runs in a page: goes each way out, and resolves with what the policy has stopped when it is as many. */
async function tryEverything({ place, ways }: { place: string; ways: number }): Promise<string[]> {
  const stopped = new Set<string>();
  const all = new Promise<string[]>((resolve) => {
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
      stopped.add(`${effectiveDirective} ${blockedURI}`);
      if (stopped.size === ways) resolve([...stopped]);
    });
  });
  const add = (tag: string, members: Record<string, string>) =>
    document.body.append(Object.assign(document.createElement(tag), members));
  const attempts = [
    () => fetch(`${place}/fetch`),
    () => fetch("https://example.com/fetch"),
    () => {
      const request = new XMLHttpRequest();
      request.open("GET", `${place}/request`);
      request.send();
    },
    () => navigator.sendBeacon(`${place}/beacon`, "x"),
    () => new WebSocket(`${place.replace("http", "ws")}/socket`),
    () => add("img", { src: `${place}/image` }),
    () => add("script", { src: `${place}/script` }),
    () => add("script", { src: `${place}/module`, type: "module" }),
    () => add("script", { textContent: "1" }),
    () => add("style", { textContent: "a{}" }),
    () => add("iframe", { src: `${place}/` }),
    // oxlint-disable-next-line no-eval -- it is what must not work
    () => void globalThis.eval("1"),
  ];
  for (const attempt of attempts) {
    // Not in the call of the tool that runs this, which may lift the policy.
    setTimeout(() => {
      try {
        Promise.resolve(attempt()).catch(() => undefined);
      } catch {
        // The event says why.
      }
    });
  }
  return await all;
}

/** Runs in the service worker. */
async function tryInWorker(port: number): Promise<string[]> {
  const place = `http://127.0.0.1:${port}/`;
  const outcome = async (attempt: Promise<unknown>) => await attempt.then(() => "open").catch(() => "blocked");
  const socket = new Promise((resolve, reject) => {
    const opened = new WebSocket(place.replace("http", "ws"));
    opened.onopen = resolve;
    opened.onerror = reject;
  });
  return await Promise.all([fetch(place), fetch("https://example.com/"), socket].map(outcome));
}

/** What Chromium's own log says was asked for in the name of `origin`, outside the browser. */
function openedBy(origin: string, log: string): string[] {
  const { events } = JSON.parse(log) as { events: { params?: { initiator?: string; url?: string } }[] };
  const urls = events.filter(({ params }) => params?.initiator === origin).map(({ params }) => params?.url ?? "");
  return [...new Set(urls.filter((url) => !url.startsWith("chrome-extension:")))];
}

/** A place to which nothing may be sent. Chromium itself may connect ahead of a navigation that the policy then stops. */
async function catchStrays(): Promise<{ server: Server; port: number; heard: string[] }> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard.push(data.toString("latin1"));
      // Whoever got through shall notice.
      socket.end("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, heard };
}
