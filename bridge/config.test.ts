import { expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { parseConfig } from "./config.ts";

const GOOD = {
  url: "wss://bridge.example.com/",
  listen: { host: "127.0.0.1", port: 8787 },
  data: "data",
  agents: ["ab".repeat(32)],
};

test("a whole file, its folders relative to its own", () => {
  expect(parseConfig(JSON.stringify(GOOD), "/etc/oc/bridge.json")).toEqual({
    ...GOOD,
    data: "/etc/oc/data",
    agents: ["q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"],
    origins: [`chrome-extension://${EXTENSION_ID}`, "moz-extension:*"],
    connections: 10_000,
    health: undefined,
    trustedProxies: 0,
  });
  expect(parseConfig(JSON.stringify({ ...GOOD, connections: 3 }), "/etc/oc/bridge.json").connections).toBe(3);
  const health = { socket: "health.sock" };
  expect(parseConfig(JSON.stringify({ ...GOOD, health }), "/etc/oc/bridge.json").health).toEqual({
    socket: "/etc/oc/health.sock",
  });
  const proxy = { header: "x-forwarded-for", trusted: 2 };
  expect(parseConfig(JSON.stringify({ ...GOOD, proxy }), "/etc/oc/bridge.json").trustedProxies).toBe(2);
});

test.each([
  ["no JSON", "{", "is not JSON"],
  ["an unknown key", { ...GOOD, debug: true }, "debug: is not a known key"],
  ["an unknown key deeper", { ...GOOD, listen: { ...GOOD.listen, tls: 1 } }, "listen.tls: is not a known key"],
  ["a key missing", { ...GOOD, data: undefined }, "data: is missing"],
  ["a plain URL", { ...GOOD, url: "ws://bridge.example.com/" }, "url: a bridge is wss://"],
  ["nobody let in", { ...GOOD, connections: 0 }, "connections: is how many"],
  ["a bad port", { ...GOOD, listen: { host: "::1", port: 70_000 } }, "listen.port: "],
  ["another header", { ...GOOD, proxy: { header: "x-real-ip", trusted: 1 } }, "proxy.header: must be x-forwarded-for"],
  ["no proxy to trust", { ...GOOD, proxy: { header: "x-forwarded-for", trusted: 0 } }, "proxy.trusted: is the number"],
  ["a short fingerprint", { ...GOOD, agents: ["ab"] }, "agents.0: must be 64 lower-case hex digits"],
  ["no agent", { ...GOOD, agents: [] }, "agents: must name at least one agent"],
  ["a web page's origin", { ...GOOD, origins: ["https://example.com"] }, "origins.0: must be chrome-extension"],
  ["any Chromium extension", { ...GOOD, origins: ["chrome-extension:*"] }, "origins.0: must be chrome-extension"],
])("refuses %s and names the place", (_, file, complaint) => {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  expect(() => parseConfig(text, "/etc/oc/bridge.json")).toThrow(
    expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining(complaint) as string }),
  );
});
