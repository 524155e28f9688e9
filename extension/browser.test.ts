import { beforeEach, expect, test, vi } from "vitest";

type Listener = (message: unknown, sender: { id?: string; url?: string }) => unknown;
const added: Listener[] = [];

vi.mock("webextension-polyfill", () => ({
  default: {
    runtime: {
      id: "ours",
      getURL: (path: string) => `chrome-extension://ours/${path}`,
      getPlatformInfo: async () => await Promise.reject(new Error("closing")),
      onMessage: { addListener: (listener: Listener) => void added.push(listener) },
      sendMessage: async () => await Promise.reject(new Error("no receiver")),
    },
  },
}));
const { onPoke, poke, stayAwake } = await import("./browser.ts");

beforeEach(() => {
  added.length = 0;
});

const SENDERS: [string, unknown, { id?: string; url?: string }, number][] = [
  ["our page", "poke", { id: "ours", url: "chrome-extension://ours/pages/inbox.html?x=1" }, 1],
  ["another extension", "poke", { id: "theirs", url: "chrome-extension://theirs/pages/inbox.html" }, 0],
  ["another extension under our address", "poke", { id: "theirs", url: "chrome-extension://ours/pages/inbox.html" }, 0],
  ["a web page", "poke", { id: "ours", url: "https://example.com/chrome-extension://ours/pages/" }, 0],
  ["nobody", "poke", {}, 0],
  ["our page with another message", { poke: true }, { id: "ours", url: "chrome-extension://ours/pages/inbox.html" }, 0],
];
test.each(SENDERS)("%s wakes the worker or not", (_who, message, sender, times) => {
  const wake = vi.fn();
  onPoke(wake);
  for (const listener of added) listener(message, sender);
  expect(wake).toHaveBeenCalledTimes(times);
});

test("a worker that cannot be reached is no fault, nor a browser that is closing", async () => {
  await expect(poke()).resolves.toBeUndefined();
  await expect(stayAwake()).resolves.toBeUndefined();
});
