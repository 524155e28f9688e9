/**
 * The one seam over the browser's extension APIs. Nothing else imports webextension-polyfill.
 * The listeners below must be registered while background.ts is first evaluated, or a woken service worker misses its event.
 */
import browser, { type Runtime } from "webextension-polyfill";

/** The one message between our pages and the service worker: "the store has changed, look at it". */
const POKE = "poke";
const ALARM = "wake";

/** Wakes the service worker. Never fails: what matters is in the store, and the alarm wakes it too. */
export async function poke(): Promise<void> {
  try {
    await browser.runtime.sendMessage(POKE);
  } catch {
    // The worker is being started or updated; its alarm finds the work within a minute.
  }
}

/** Calls `wake` when a page of this extension pokes. Messages from anywhere else are not for us and get no answer. */
export function onPoke(wake: () => void): void {
  browser.runtime.onMessage.addListener((message: unknown, sender: Runtime.MessageSender) => {
    const ours = sender.id === browser.runtime.id && (sender.url ?? "").startsWith(browser.runtime.getURL("pages/"));
    if (!ours || message !== POKE) return undefined;
    wake();
    return Promise.resolve(true);
  });
}

/** Calls `wake` every minute, so that an evicted service worker comes back, and when the browser or the extension starts. */
export function onWake(wake: () => void): void {
  browser.alarms.onAlarm.addListener((alarm) => {
    if (alarm.name === ALARM) wake();
  });
  browser.runtime.onStartup.addListener(wake);
  browser.runtime.onInstalled.addListener(wake);
  void browser.alarms.create(ALARM, { periodInMinutes: 1 });
}

/**
 * Counts as activity. Firefox suspends a background script after 30 s without any, whatever goes over its sockets, and would be reached
 * half of the time only; in Chromium traffic over a socket counts by itself. Never fails.
 */
export async function stayAwake(): Promise<void> {
  try {
    await browser.runtime.getPlatformInfo();
  } catch {
    // The browser is closing, or the extension is being updated.
  }
}

/** Calls `opened` with the id of a notification that was clicked: that of its request, or of what else it is about. */
export function onNotificationClicked(opened: (id: string) => void): void {
  browser.notifications.onClicked.addListener((id) => {
    void browser.notifications.clear(id);
    opened(id);
  });
}

/** One notification a request: its id is the request's. Another of the same id takes its place. */
export async function notify(id: string, title: string, message: string): Promise<void> {
  const iconUrl = browser.runtime.getURL("icons/128.png");
  await browser.notifications.create(id, { type: "basic", iconUrl, title, message });
}

/** The few characters on the toolbar button; none takes the badge away. */
export async function setBadge(text: string): Promise<void> {
  await browser.action.setBadgeText({ text });
  await browser.action.setBadgeBackgroundColor({ color: "#b3261e" });
}

/** Opens one of our pages in a tab, e.g. `approval.html?request=…`: devices need a tab, a popup closes under the chooser. */
export async function openPage(page: string): Promise<void> {
  await browser.tabs.create({ url: browser.runtime.getURL(`pages/${page}`) });
}
