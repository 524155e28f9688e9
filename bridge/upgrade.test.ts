import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { ANY_FIREFOX } from "./config.ts";
import { makeRig, type Rig, withRig } from "./testing.ts";
import { refuseUpgrade } from "./upgrade.ts";

const UUID = "0f3c2a1b-1111-4222-8333-944444444444";
const RULES = {
  url: "wss://bridge.example.com/",
  origins: [`chrome-extension://${EXTENSION_ID}`, ANY_FIREFOX],
  connections: 3,
  waitingPerAddress: 2,
};
const EMPTY = { connections: 0, waitingFromHere: 0, isTooFast: false };

function judge(headers: NodeJS.Dict<string[]>, url = "/") {
  return refuseUpgrade(
    { url, httpVersion: "1.1", headersDistinct: { host: ["bridge.example.com"], ...headers } },
    RULES,
    EMPTY,
  );
}

const HOSTILE_ORIGINS = [
  "",
  "null",
  "https://bridge.example.com",
  "https://evil.example",
  "http://127.0.0.1",
  "http://localhost:8787",
  "file://",
  "chrome-extension://",
  "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  `chrome-extension://${EXTENSION_ID}.evil.example`,
  `chrome-extension://${EXTENSION_ID}/`,
  `chrome-extension://${EXTENSION_ID.toUpperCase()}`,
  `https://chrome-extension://${EXTENSION_ID}`,
  `evil-chrome-extension://${EXTENSION_ID}`,
  "moz-extension:*",
  "moz-extension://",
  "moz-extension://evil",
  `moz-extension://${UUID}.evil.example`,
  `https://moz-extension://${UUID}`,
  `safari-web-extension://${UUID}`,
];

test.each(HOSTILE_ORIGINS)("origin %j is refused", (origin) => {
  expect(judge({ origin: [origin] })).toEqual({ status: 403, code: "ERR_LOGIN_ORIGIN" });
});

test.each([undefined, `chrome-extension://${EXTENSION_ID}`, `moz-extension://${UUID}`])(
  "origin %j passes",
  (origin) => {
    expect(judge(origin === undefined ? {} : { origin: [origin] })).toBeUndefined();
  },
);

test("two origins, one of them ours, are refused", () => {
  const origin = [`chrome-extension://${EXTENSION_ID}`, "https://evil.example"];
  expect(judge({ origin })?.status).toBe(403);
});

test.each([
  undefined,
  [""],
  ["evil.example"],
  ["127.0.0.1:8787"],
  ["bridge.example.com:8787"],
  ["bridge.example.com.evil.example"],
  ["bridge.example.com@evil.example"],
  ["bridge.example.com", "evil.example"],
])("host %j is refused", (host) => {
  expect(judge({ host })).toEqual({ status: 421, code: "ERR_LOGIN_HOST" });
});

test("host names have no case", () => {
  expect(judge({ host: ["Bridge.Example.COM"] })).toBeUndefined();
});

test.each(["/x", "//", "/?a=1", "", "http://bridge.example.com/"])("path %j is refused", (path) => {
  expect(judge({}, path)?.status).toBe(404);
});

test("no more connections than there may be, of all and of one address", () => {
  const from = { url: "/", httpVersion: "1.1", headersDistinct: { host: ["bridge.example.com"] } };
  expect(refuseUpgrade(from, RULES, { ...EMPTY, connections: 2, waitingFromHere: 1 })).toBeUndefined();
  expect(refuseUpgrade(from, RULES, { ...EMPTY, connections: 3 })?.status).toBe(503);
  expect(refuseUpgrade(from, RULES, { ...EMPTY, connections: 2, waitingFromHere: 2 })?.status).toBe(429);
  expect(refuseUpgrade(from, RULES, { ...EMPTY, isTooFast: true })?.status).toBe(429);
});

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig([], { waitingPerAddress: 3 });
});
afterAll(async () => rig.end());

async function statusOf(
  headers: Record<string, string>,
  path = "/",
  port = rig.bridge.port,
): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({ port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
const UPGRADE = {
  host: "bridge.example.com",
  connection: "upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

test("over a socket: a status for each", async () => {
  expect(await statusOf(UPGRADE)).toBe(101);
  expect(await statusOf({ ...UPGRADE, origin: "https://evil.example" })).toBe(403);
  expect(await statusOf({ ...UPGRADE, host: "evil.example" })).toBe(421);
  expect(await statusOf(UPGRADE, "/other")).toBe(404);
  expect(await statusOf({ host: "bridge.example.com" })).toBe(426);
  expect(await statusOf({ ...UPGRADE, "sec-websocket-key": "no" })).toBe(400);
});

test("over a socket: two Host headers are refused", async () => {
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(rig.bridge.port, "127.0.0.1", () => {
      const lines = Object.entries({ ...UPGRADE }).map(([name, value]) => `${name}: ${value}`);
      socket.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\nHost: evil.example\r\n\r\n`);
    });
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
  expect(answer).toMatch(/^HTTP\/1\.1 4/);
});

test("over a socket: strangers of one address are bounded, and a place is free when one leaves", async () => {
  const clients = [rig.connect(), rig.connect(), rig.connect()];
  for (const client of clients) await client.nonce();
  expect(await statusOf(UPGRADE)).toBe(429);
  await clients[0]?.leave();
  expect(await statusOf(UPGRADE)).toBe(101);
  for (const client of clients) await client.leave();
});

test("over a socket: behind a proxy that is configured, strangers are bounded apart", async () => {
  const proxy = { header: "x-forwarded-for", trusted: 1 };
  const run = async (proxied: Rig) => {
    const from = (address: string) => proxied.connect({ headers: { "x-forwarded-for": address } });
    const crowd = [from("203.0.113.7"), from("203.0.113.7"), from("1.1.1.1, 203.0.113.7")];
    for (const client of crowd) await client.nonce();
    const status = async (address: string) =>
      await statusOf({ ...UPGRADE, "x-forwarded-for": address }, "/", proxied.bridge.port);
    expect(await status("203.0.113.8, 203.0.113.7")).toBe(429);
    expect(await status("203.0.113.7, 203.0.113.8")).toBe(101);
    // Its direct neighbours, and whoever a proxy does not name, are counted by the socket.
    expect(await statusOf(UPGRADE, "/", proxied.bridge.port)).toBe(101);
    for (const client of crowd) await client.leave();
  };
  await withRig([], run, { waitingPerAddress: 3 }, { config: { proxy } });
});

test("over a socket: without one the header counts for nothing", async () => {
  const clients = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map((address) =>
    rig.connect({ headers: { "x-forwarded-for": address } }),
  );
  for (const client of clients) await client.nonce();
  expect(await statusOf({ ...UPGRADE, "x-forwarded-for": "203.0.113.4" })).toBe(429);
  for (const client of clients) await client.leave();
});

test("over a socket: a refused peer that keeps its half open is cut off", async () => {
  const socket = connect({ port: rig.bridge.port, host: "127.0.0.1", allowHalfOpen: true });
  const lines = Object.entries({ ...UPGRADE, host: "evil.example" }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  let answer = "";
  socket.on("data", (data: Buffer) => {
    answer += data.toString();
  });
  await once(socket, "end");
  expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  // Writing fails once the other side has left whole, and not before.
  socket.on("error", () => undefined);
  while (!socket.destroyed) {
    socket.write("x");
    await setTimeout(5);
  }
});

test("compression is never agreed to", async () => {
  const client = rig.connect({ perMessageDeflate: true });
  await client.nonce();
  expect(client.socket.extensions).toBe("");
  await client.leave();
});

test.each(["0.9", "1.0", "2.0"])("HTTP/%s begins no WebSocket", (httpVersion) => {
  const asked = { url: "/", httpVersion, headersDistinct: { host: ["bridge.example.com"] } };
  expect(refuseUpgrade(asked, RULES, EMPTY)).toEqual({ status: 505, code: null });
});

test("over a socket: those who come faster than their address may are refused, and the log is not flooded", async () => {
  const run = async (rated: Rig) => {
    for (let count = 0; count < 3; count += 1) expect(await statusOf(UPGRADE, "/", rated.bridge.port)).toBe(101);
    for (let count = 0; count < 5; count += 1) expect(await statusOf(UPGRADE, "/", rated.bridge.port)).toBe(429);
    // A sweep may come between two of them.
    const told = () => {
      let sum = 0;
      for (const [, one] of rated.log.join("").matchAll(/"tooFast":([0-9]+)/g)) sum += Number(one);
      return sum;
    };
    while (told() < 5) await setTimeout(5);
    expect(told()).toBe(5);
    expect(rated.log.join("")).not.toContain('"upgrade refused"');
  };
  await withRig([], run, { arrivals: { perSecond: 0.0001, burst: 3 }, sweep: 50 });
});

test("over a socket: strangers do not fill the log; what was left out is counted", async () => {
  const run = async (rated: Rig) => {
    const hostile = { ...UPGRADE, origin: "https://evil.example" };
    for (let count = 0; count < 9; count += 1) expect(await statusOf(hostile, "/", rated.bridge.port)).toBe(403);
    const lines = () => rated.log.filter((line) => line.includes('"upgrade refused"')).length;
    const untold = () => {
      let sum = 0;
      for (const [, one] of rated.log.join("").matchAll(/"untold":([0-9]+)/g)) sum += Number(one);
      return sum;
    };
    while (untold() < 6) await setTimeout(5);
    expect([lines(), untold()]).toEqual([3, 6]);
  };
  await withRig([], run, { strangerLines: { perSecond: 0.0001, burst: 3 }, sweep: 50 });
});

test.each([
  ["was let in and did not log in", 101, UPGRADE],
  ["was refused", 403, { ...UPGRADE, origin: "https://evil.example" }],
] as const)("over a socket: who comes after one that %s waits longer", async (_, status, headers) => {
  const LONGER = 300;
  const run = async (rated: Rig) => {
    expect(await statusOf(headers, "/", rated.bridge.port)).toBe(status);
    while (rated.bridge.measure().connections > 0) await setTimeout(5);
    const began = performance.now();
    await rated.connect().nonce();
    // Never less, on however slow a machine; a timer may come a moment early.
    expect(performance.now() - began).toBeGreaterThan(LONGER - 10);
  };
  await withRig([], run, { intake: 0, intakeAfterStranger: LONGER });
});
