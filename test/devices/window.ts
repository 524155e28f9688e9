/**
 * A window on a device: a loopback page that draws the glass and the buttons, live, so that a person can use a simulated or emulated
 * device in a browser. It draws and presses; it knows no key and decides nothing. For tests and the demo only.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as v from "valibot";
import type { Device } from "./ledger-device.ts";
import { FLEX_ARROWS, GLASS, type Model } from "./screen.ts";

const Gesture = v.union([
  v.strictObject({ button: v.picklist(["left", "right", "both"]) }),
  v.strictObject({ x: v.number(), y: v.number(), seconds: v.number() }),
]);
const MAX_BODY = 1024;

const MODEL_NAMES: Readonly<Record<Model, string>> = {
  nanosp: "Ledger Nano S Plus",
  nanox: "Ledger Nano X",
  flex: "Ledger Flex",
};

export interface DeviceWindow {
  /** Where the page is: http on 127.0.0.1, a port of the system's choice. */
  readonly url: string;
  close(): Promise<void>;
}

/** Opens the window. `title` is whose device it is, for people. */
export async function openDeviceWindow(device: Device, { title }: { title: string }): Promise<DeviceWindow> {
  const html = await readFile(new URL("window.html", import.meta.url), "utf8");
  const stops = new Set<() => void>();
  let host = "";

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A page elsewhere must not reach the buttons: neither under another name for this address, nor by posting across origins.
    const { origin } = request.headers;
    if (request.headers.host !== host || (origin !== undefined && origin !== `http://${host}`)) {
      response.writeHead(403).end();
      return;
    }
    switch (`${request.method} ${request.url}`) {
      case "GET /":
        page(response, html);
        return;
      case "GET /screen":
        stops.add(stream(device, title, response, (stop) => stops.delete(stop)));
        return;
      case "POST /gesture":
        await act(device, await bodyOf(request));
        response.writeHead(204).end();
        return;
      default:
        response.writeHead(404).end();
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400, { "Content-Type": "text/plain" });
      response.end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}/`,
    close: async () => {
      for (const stop of stops) stop();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function page(response: ServerResponse, html: string): void {
  const nonce = randomBytes(16).toString("base64");
  const policy = `default-src 'none'; connect-src 'self'; img-src data:; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  response.writeHead(200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": policy,
    "Cache-Control": "no-store",
  });
  response.end(html.replaceAll("{{nonce}}", nonce));
}

/** Sends the screen now and after each change. Returns what stops it. */
function stream(
  device: Device,
  title: string,
  response: ServerResponse,
  ended: (stop: () => void) => void,
): () => void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const kind = device.model === "flex" ? "flex" : "nano";
  const about = {
    title,
    kind,
    name: MODEL_NAMES[device.model],
    version: device.version,
    emulated: device.simulated === undefined,
    glass: GLASS[kind],
    arrows: FLEX_ARROWS,
  };
  let last = "";
  const look = async () => {
    const state = JSON.stringify({ ...about, labels: await device.labels() });
    if (state !== last) response.write(`data: ${state}\n\n`);
    last = state;
  };
  // An emulator that does not answer now is asked again at the next change.
  const lookQuietly = () => void look().catch(() => undefined);
  const unwatch = device.onChange(lookQuietly);
  const stop = () => {
    unwatch();
    response.end();
    ended(stop);
  };
  response.on("close", stop);
  lookQuietly();
  return stop;
}

async function act(device: Device, body: unknown): Promise<void> {
  const gesture = v.parse(Gesture, body);
  if ("button" in gesture) await device.hands.press(gesture.button);
  else await device.finger(gesture.x, gesture.y, gesture.seconds);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const part of request) {
    text += String(part);
    if (text.length > MAX_BODY) throw new Error("the body is too long");
  }
  return JSON.parse(text) as unknown;
}
