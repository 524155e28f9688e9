/**
 * Hooks that keep a page in step with what is stored and with the time. No page keeps a copy of its own: every change in the
 * store is announced, and the page reads again.
 */
import { useEffect, useState } from "preact/hooks";
import { watch } from "../actions.ts";
import type { Problem } from "../store.ts";
import { problemOf } from "./problem.tsx";

export type Live<T> =
  | { readonly is: "loading" }
  | { readonly is: "ready"; readonly value: T }
  | { readonly is: "broken"; readonly problem: Problem };

/** What `load` gives, read again after every change of the store. `load` must be the same function at every call. */
export function useLive<T>(load: () => Promise<T>): Live<T> {
  const [live, setLive] = useState<Live<T>>({ is: "loading" });
  useEffect(() => {
    let newest = 0;
    const read = (): void => {
      newest += 1;
      const turn = newest;
      // A slow older read must not replace what a newer one gave.
      load().then(
        (value) => turn === newest && setLive({ is: "ready", value }),
        (error: unknown) => turn === newest && setLive({ is: "broken", problem: problemOf(error) }),
      );
    };
    const stop = watch(read);
    read();
    return () => {
      newest = -1;
      stop();
    };
  }, [load]);
  return live;
}

/** Seconds since 1970, once a second. */
export function useNow(): number {
  const [now, setNow] = useState(currentSeconds);
  useEffect(() => {
    const timer = setInterval(() => setNow(currentSeconds()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function currentSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
