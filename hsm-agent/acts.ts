/**
 * Sends acts again to browsers that have not said that they know them: mail lives a week, and a browser may be away for longer, also
 * while the HSM identity that it speaks with is replaced. README.md of protocol/, "Charter".
 */
import { frameId, hasRoom } from "./answers.ts";
import { allExtensions, type Desk } from "./desk.ts";

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
      for (const jws of journal.acts(known)) journal.post(frameId(), [kid], jws);
    }
  });
  desk.wake();
}

export function repostSoon({ journal }: Pick<Desk, "journal">): void {
  journal.removeMeta(KEY);
}
