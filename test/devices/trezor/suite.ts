/**
 * A simulated Trezor Suite: the WebSocket at /connect-ws that a wallet program reaches on 127.0.0.1, with a simulated Trezor behind it.
 * Its frames are the recorded ones (handshake before calls, ids as decimal strings, failures by code); that a call before the handshake
 * is dropped, that a cancel is not answered itself, and that a closed socket ends its calls is read in Suite's source.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as v from "valibot";
import { type WebSocket, WebSocketServer } from "ws";
import type { Result, SimulatedTrezor } from "./trezor.ts";

/** Where Suite listens, and what the shipped extension has in it. */
export const SUITE_PORT = 21335;

const Frame = v.variant("type", [
  v.object({ type: v.literal("ping"), id: v.string() }),
  v.object({
    type: v.literal("popup-handshake"),
    id: v.string(),
    payload: v.object({
      settings: v.object({
        manifest: v.object({ appName: v.string(), appUrl: v.string(), email: v.string() }),
        version: v.string(),
      }),
    }),
  }),
  v.object({
    type: v.literal("core-call-cancel"),
    id: v.string(),
    payload: v.nullish(v.object({ reason: v.optional(v.string()), callId: v.optional(v.string()) })),
  }),
  v.object({ type: v.literal("iframe-call"), id: v.string(), payload: v.looseObject({ method: v.string() }) }),
]);
const Params = v.variant("method", [
  v.object({ method: v.literal("getFeatures") }),
  v.object({ method: v.literal("ethereumGetAddress"), path: v.string(), showOnTrezor: v.optional(v.boolean(), true) }),
  v.object({ method: v.literal("ethereumSignMessage"), path: v.string(), message: v.string() }),
]);

/** What is sent in place of an answer: frames made from the call's id, texts as they are. */
export type Reply = (id: string, result: Result | undefined) => readonly unknown[];
interface Planned {
  readonly method: string;
  readonly asksDevice: boolean;
  readonly reply: Reply;
}

export class SimulatedSuite {
  /** The one that is plugged in; another one may take its place between calls. */
  trezor: SimulatedTrezor;
  /** What came in, in order: the Origin of each connection, and the type, or method, of each frame. */
  readonly origins: (string | undefined)[] = [];
  readonly frames: string[] = [];
  /** The names under which programs introduced themselves. */
  readonly appNames: string[] = [];
  /** Takes connections, then says nothing, as a program that hangs. */
  silent = false;
  #port: number;
  #http: Server | undefined;
  #planned: Planned[] = [];
  readonly #sockets = new Set<WebSocket>();

  private constructor(trezor: SimulatedTrezor, port: number) {
    this.trezor = trezor;
    this.#port = port;
  }

  /** Listens on `port` of 127.0.0.1, or on one of the system's choice. */
  static async open(trezor: SimulatedTrezor, port = 0): Promise<SimulatedSuite> {
    const suite = new SimulatedSuite(trezor, port);
    await suite.start();
    return suite;
  }

  get port(): number {
    return this.#port;
  }

  /** Starts again after `stop`, on the same port. */
  async start(): Promise<void> {
    const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.#http = createServer((_request, response) => void response.writeHead(404).end());
    this.#http.on("upgrade", (request, socket, head) => {
      if (new URL(request.url ?? "/", "http://localhost").pathname !== "/connect-ws") return void socket.destroy();
      server.handleUpgrade(request, socket, head, (ws) => this.#serve(ws, request));
    });
    this.#http.listen(this.#port, "127.0.0.1");
    await once(this.#http, "listening");
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  /** Suite is closed, or has crashed: every connection breaks, and what was asked is taken back. */
  async stop(): Promise<void> {
    const http = this.#http;
    this.#http = undefined;
    for (const socket of this.#sockets) socket.terminate();
    if (http === undefined) return;
    http.closeAllConnections();
    http.close();
    await once(http, "close");
  }

  /**
   * The next call of `method` is answered by `reply` instead. With `asksDevice` the device is asked first, and its result is in `reply`'s
   * hands; without, no screen is shown.
   */
  plan(method: string, reply: Reply, { asksDevice = false }: { asksDevice?: boolean } = {}): void {
    this.#planned.push({ method, reply, asksDevice });
  }

  /** The next call of `method` fails with this code. */
  fail(method: string, code: string, message = "as the test wants it"): void {
    this.plan(method, (id) => [{ id, success: false, error: { code, message } }]);
  }

  #serve(ws: WebSocket, request: IncomingMessage): void {
    this.origins.push(request.headers.origin);
    this.#sockets.add(ws);
    const calls = new Map<string, string | undefined>();
    let introduced = false;
    ws.on("close", () => {
      this.#sockets.delete(ws);
      if (calls.size > 0) this.trezor.cancel();
    });
    ws.on("error", () => undefined);
    ws.on("message", (data: Buffer) => {
      const read = v.safeParse(Frame, JSON.parse(data.toString("utf8")));
      if (!read.success) {
        this.frames.push("not understood");
        return;
      }
      const frame = read.output;
      this.frames.push(frame.type === "iframe-call" ? frame.payload.method : frame.type);
      if (this.silent) return;
      switch (frame.type) {
        case "ping":
          send(ws, { id: frame.id, type: "pong" });
          return;
        case "popup-handshake":
          introduced = true;
          this.appNames.push(frame.payload.settings.manifest.appName);
          send(ws, { id: frame.id, type: "popup-handshake", payload: "ok" });
          return;
        case "core-call-cancel":
          if ([...calls.values()].includes(frame.payload?.callId)) this.trezor.cancel();
          return;
        case "iframe-call":
          if (!introduced) return;
          calls.set(frame.id, typeof frame.payload["callId"] === "string" ? frame.payload["callId"] : undefined);
          void this.#answer(frame.id, v.parse(Params, frame.payload)).then((frames) => {
            calls.delete(frame.id);
            for (const one of frames) send(ws, one);
          });
      }
    });
  }

  async #answer(id: string, params: v.InferOutput<typeof Params>): Promise<readonly unknown[]> {
    const at = this.#planned.findIndex(({ method }) => method === params.method);
    const [planned] = at === -1 ? [] : this.#planned.splice(at, 1);
    if (planned !== undefined && !planned.asksDevice) return planned.reply(id, undefined);
    const result = await this.#ask(params);
    return planned === undefined ? [answer(id, result)] : planned.reply(id, result);
  }

  async #ask(params: v.InferOutput<typeof Params>): Promise<Result> {
    switch (params.method) {
      case "getFeatures":
        return this.trezor.features();
      case "ethereumGetAddress":
        return await this.trezor.getAddress(params.path, params.showOnTrezor);
      case "ethereumSignMessage":
        return await this.trezor.signMessage(params.path, params.message);
    }
  }
}

/** The frame that carries a result as version 10 does. */
export function answer(id: string, result: Result | undefined): unknown {
  if (result === undefined) return { id, success: false, error: { code: "Failure_UnknownCode", message: "" } };
  if (result.success) return { id, success: true, payload: result.payload, device: { path: "1", instance: 0 } };
  return { id, success: false, error: { code: result.code, message: result.message } };
}

function send(ws: WebSocket, frame: unknown): void {
  if (ws.readyState === ws.OPEN) ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
}
