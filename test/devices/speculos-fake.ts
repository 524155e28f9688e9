/**
 * The REST endpoints of Speculos that speculos.ts uses, over a simulated device: for testing speculos.ts where the emulator cannot be had.
 * Events have Speculos' shape: one for each line of text, with its place. `POST /apdu` blocks until the person has decided.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as v from "valibot";
import type { SimulatedLedger } from "./ledger-app.ts";

const Apdu = v.strictObject({ data: v.pipe(v.string(), v.regex(/^([0-9a-f]{2})+$/)) });
const Press = v.strictObject({ action: v.literal("press-and-release") });
const Finger = v.strictObject({
  x: v.pipe(v.number(), v.integer()),
  y: v.pipe(v.number(), v.integer()),
  action: v.literal("press-and-release"),
  delay: v.number(),
});

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as unknown;
}

async function answer(ledger: SimulatedLedger, request: IncomingMessage): Promise<object> {
  const route = `${request.method} ${request.url}`;
  const button = /^POST \/button\/(left|right|both)$/.exec(route)?.[1];
  if (button === "left" || button === "right" || button === "both") {
    v.parse(Press, await bodyOf(request));
    ledger.press(button);
    return {};
  }
  switch (route) {
    case "POST /apdu": {
      const { data } = v.parse(Apdu, await bodyOf(request));
      const bytes = await ledger.exchange(Uint8Array.from(Buffer.from(data, "hex")));
      return { data: Buffer.from(bytes).toString("hex") };
    }
    case "GET /events?currentscreenonly=true":
      return { events: ledger.labels().map(({ text, x, y, w, h }) => ({ text, x, y, w, h, clear: false })) };
    case "POST /finger": {
      const { x, y, delay } = v.parse(Finger, await bodyOf(request));
      ledger.finger(x, y, delay);
      return {};
    }
    default:
      throw new Error(`no such endpoint: ${route}`);
  }
}

/** Serves the device on a loopback port of the system's choice. */
export async function openFakeSpeculos(ledger: SimulatedLedger): Promise<{ url: string; close(): Promise<void> }> {
  const reply = async (request: IncomingMessage, response: ServerResponse) => {
    const [status, body] = await answer(ledger, request).then(
      (body) => [200, body] as const,
      (error: unknown) => [400, { error: String(error) }] as const,
    );
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  };
  const server = createServer((request, response) => void reply(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
