/**
 * It goes on by itself: while a device is not ready, or another window has it, the page looks again, and what it says changes. It never
 * asks anything on a device: the person presses the button. Looks are gentle: only while the page is in sight, one at a time.
 */
import { useEffect } from "preact/hooks";
import { LOOK_EVERY } from "../devices/vendors.ts";
import type { StoredRequest } from "../store.ts";
import type { Confirmation, Stage } from "./confirming.ts";
import { isNews, watched } from "./passing.ts";
import { lookAgain } from "./sign-on-device.ts";

/** Keeps `confirmation` in step with the device while that may change by itself. */
export function useWatch(stage: Stage, confirmation: Confirmation, request: Pick<StoredRequest, "payload">): void {
  const watch = watched(stage);
  useEffect(() => {
    if (watch === null) return;
    const { vendor, often } = watch;
    let [looking, ended] = [false, false];
    const look = async (): Promise<void> => {
      if (looking || ended || document.visibilityState !== "visible") return;
      looking = true;
      const found = await lookAgain(vendor, request);
      looking = false;
      if (!ended && isNews(stage, found)) confirmation.found(vendor, found);
    };
    const onEvent = (): void => void look();
    const ending = new AbortController();
    const { signal } = ending;
    const timer = often ? setInterval(onEvent, LOOK_EVERY[vendor]) : undefined;
    document.addEventListener("visibilitychange", onEvent, { signal });
    window.addEventListener("focus", onEvent, { signal });
    if (vendor === "Ledger" && "usb" in navigator) {
      navigator.usb.addEventListener("connect", onEvent, { signal });
      navigator.usb.addEventListener("disconnect", onEvent, { signal });
    }
    return () => {
      ended = true;
      clearInterval(timer);
      ending.abort();
    };
  }, [stage, confirmation]);
}
