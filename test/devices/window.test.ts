import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { simulatedDevice } from "./device.ts";
import { SimulatedLedger } from "./ledger-app.ts";
import vectors from "./vectors/ledger-nanosp_1.22.0.json" with { type: "json" };
import { type DeviceWindow, openDeviceWindow } from "./window.ts";

let ledger: SimulatedLedger;
let window: DeviceWindow;

beforeEach(async () => {
  ledger = new SimulatedLedger({ model: "nanosp", appVersion: "1.22.0", mnemonic: vectors.mnemonic });
  window = await openDeviceWindow(simulatedDevice(ledger, "1"), { title: "Alice <b>" });
});
afterEach(() => window.close());

/** The status of a request with these headers. */
function status(path: string, headers: Record<string, string>, body?: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, window.url), { method: body === undefined ? "GET" : "POST", headers });
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test.each([
  { what: "another host name", headers: { Host: "attacker.example" } },
  { what: "another port", headers: { Host: "127.0.0.1:1" } },
  { what: "a page elsewhere", headers: { Origin: "https://attacker.example" } },
])("$what is turned away from the page, the screen and the buttons", async ({ headers }) => {
  void ledger.exchange(Buffer.from(vectors.cases[2]?.exchanges[0]?.[0] ?? "", "hex"));
  for (const path of ["/", "/screen"]) expect(await status(path, headers)).toBe(403);
  expect(await status("/gesture", headers, '{"button":"right"}')).toBe(403);
  expect(ledger.screen()).toEqual(["Review message"]);
});

test("the page allows its own script and style only", async () => {
  const response = await fetch(window.url);
  expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; connect-src 'self'/);
  const html = await response.text();
  expect(html).not.toContain("{{");
  expect(html).not.toContain("Alice");
});

test("the screen is sent now and after each press", async () => {
  const response = await fetch(new URL("/screen", window.url));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => {
    const text = (await reader?.read())?.value ?? "";
    const state = JSON.parse(text.replace(/^data: /, "")) as { title: string; labels: { text: string }[] };
    return [state.title, ...state.labels.map((label) => label.text)];
  };
  expect(await next()).toEqual(["Alice <b>", "Ethereum", "app is ready"]);
  void ledger.exchange(Buffer.from(vectors.cases[2]?.exchanges[0]?.[0] ?? "", "hex"));
  expect(await next()).toEqual(["Alice <b>", "Review message"]);
  expect(await status("/gesture", {}, '{"button":"right"}')).toBe(204);
  expect(await next()).toEqual(["Alice <b>", ...(vectors.cases[2]?.screens[1] ?? [])]);
  await reader?.cancel();
});

test.each(['{"button":"up"}', '{"x":1}', "{", `{"button":"${"x".repeat(2000)}"}`])(
  "not a gesture: %s",
  async (body) => {
    expect(await status("/gesture", {}, body)).toBe(400);
  },
);
