/**
 * The service worker. It expects to be killed at any moment: it holds nothing that is not in the store or cheap to make again, and
 * all listeners are registered while this file is first evaluated. It never touches a device: pages do.
 */
import { drawAttention, pageOf } from "./attention.ts";
import { onNotificationClicked, onPoke, onWake, openPage, stayAwake } from "./browser.ts";
import { type Link, makeLink, type Ports } from "./link.ts";
import { makeStation } from "./station.ts";

const ports: Ports = {
  open: (url, on) => {
    const socket = new WebSocket(url);
    socket.addEventListener("message", (event: MessageEvent<unknown>) => {
      // A binary message is no frame of ours: it is handed on as one that does not parse.
      on.message(typeof event.data === "string" ? event.data : "");
    });
    socket.addEventListener("close", () => on.closed());
    // Among what is sent is a ping every 20 s, as long as the connection stands: so long the background script stays.
    const send = (text: string): void => {
      socket.send(text);
      void stayAwake();
    };
    return { send, close: () => socket.close() };
  },
  now: () => Date.now(),
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    return () => clearTimeout(timer);
  },
};

const links: readonly Link[] = [
  makeLink(ports, makeStation("pinned", changed)),
  makeLink(ports, makeStation("next", changed)),
];

/** What one connection was told may concern the other: a rotation makes the next identity the pinned one. */
async function changed(): Promise<void> {
  for (const link of links) link.wake();
  await drawAttention();
}

function wake(): void {
  for (const link of links) link.wake();
  // A badge that could not be drawn is drawn at the next wake.
  drawAttention().catch(() => undefined);
}

onWake(wake);
onPoke(wake);
onNotificationClicked((id) => void openPage(pageOf(id)));
wake();
