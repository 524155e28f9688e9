/**
 * Sends acts, and again to browsers that have not said that they know them: mail lives a week, and a browser may be away for longer, also
 * while the HSM identity that it speaks with is replaced. README.md of protocol/, "Charter".
 */
import { frameId, hasRoom } from "./answers.ts";
import { allExtensions, type Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";

/** Sends the acts after number `after` to one browser. Under another id each time: the bridge delivers one id once. */
export function postActs(journal: Journal, kid: string, after: number): void {
  for (const jws of journal.acts(after)) journal.post(frameId(), [kid], jws);
}

/** Seconds. */
const EVERY = 86_400;
const KEY = "reposted";

/** Once a day, and at once after `repostSoon`. */
export function repostActs(desk: Desk): void {
  const { journal, charter } = desk;
  const { current } = charter;
  if (current === null || desk.now() < Number(journal.meta(KEY) ?? "0") + EVERY) return;
  journal.transaction(() => {
    journal.setMeta(KEY, String(desk.now()));
    for (const kid of allExtensions(current)) {
      const known = journal.knownActs(kid);
      if (known >= current.n || !hasRoom(desk, kid)) continue;
      postActs(journal, kid, known);
    }
  });
  desk.wake();
}

export function repostSoon({ journal }: Pick<Desk, "journal">): void {
  journal.removeMeta(KEY);
}
