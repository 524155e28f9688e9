import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Outgoing } from "./wire.ts";

test("a client of ws reads what was written, at every length of a header", async () => {
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 131_072].map((length) =>
    "a.Z_9-".repeat(22_000).slice(0, length),
  );
  const http = createServer();
  const server = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const outgoing = new Outgoing();
      for (const [at, text] of texts.entries()) {
        if (at % 2 === 0) outgoing.add(text);
        else {
          const body = text.slice(1, -1);
          outgoing.add(
            text.slice(0, 1),
            at % 4 === 1 ? body : Buffer.from(body),
            text.length > 1 ? text.slice(-1) : "",
          );
        }
      }
      const bytes = outgoing.take();
      expect(bytes.length).toBe(outgoing.length);
      socket.write(bytes);
      webSocket.close(1000);
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`);
  const got: unknown[] = [];
  client.on("message", (data: Buffer, isBinary) => got.push(isBinary || data.toString("utf8")));
  const [code] = (await once(client, "close")) as [number];
  http.close();
  expect(code).toBe(1000);
  expect(got).toEqual(texts);
});
