/**
 * Where a module computes in this process, its threads fill the cores, and what hands them their work, this process's own loop and its
 * parent, must wait for a turn while they run dry. So they are made to give way to it. Speed only; Linux only, elsewhere nothing happens.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

/** Of the 19 steps by which a thread may be nicer than its process. */
const NICE = 5;

/** For the threads that exist; they all begin with the first work that is given to them. */
export function letThreadsGiveWay(): void {
  try {
    for (const thread of readdirSync("/proc/self/task")) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, "utf8");
      if (name.startsWith("libuv-worker")) setPriority(Number(thread), NICE);
    }
  } catch {
    // No such system, or it may not be done here.
  }
}
