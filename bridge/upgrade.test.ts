import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { ANY_FIREFOX } from "./config.ts";
import { makeRig, type Rig } from "./testing.ts";
import { refuseUpgrade } from "./upgrade.ts";

const UUID = "0f3c2a1b-1111-4222-8333-944444444444";
const RULES = {
  url: "wss://bridge.example.com/",
  origins: [`chrome-extension://${EXTENSION_ID}`, ANY_FIREFOX],
  connections: 3,
  waitingPerAddress: 2,
};
const EMPTY = { connections: 0, waitingFromHere: 0 };

function judge(headers: NodeJS.Dict<string[]>, url = "/") {
  return refuseUpgrade({ url, headersDistinct: { host: ["bridge.example.com"], ...headers } }, RULES, EMPTY);
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
  const from = { url: "/", headersDistinct: { host: ["bridge.example.com"] } };
  expect(refuseUpgrade(from, RULES, { connections: 2, waitingFromHere: 1 })).toBeUndefined();
  expect(refuseUpgrade(from, RULES, { connections: 3, waitingFromHere: 0 })?.status).toBe(503);
  expect(refuseUpgrade(from, RULES, { connections: 2, waitingFromHere: 2 })?.status).toBe(429);
});

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig([], { waitingPerAddress: 3 });
});
afterAll(async () => rig.end());

async function statusOf(headers: Record<string, string>, path = "/"): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({ port: rig.bridge.port, path, headers }, (response) => {
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

test("compression is never agreed to", async () => {
  const client = rig.connect({ perMessageDeflate: true });
  await client.nonce();
  expect(client.socket.extensions).toBe("");
  await client.leave();
});
