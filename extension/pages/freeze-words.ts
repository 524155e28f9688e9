/**
 * What is frozen, in words; and what became of this person's own freeze: only the agent's list, which names the message, says that it
 * was received. Design, section 6. Pure; seconds since 1970.
 */
import type { Freezes } from "../../protocol/message.ts";
import type { StoredStop } from "../store.ts";
import { momentOf } from "./clock.ts";
import type { Step } from "./timeline.ts";

export type Freeze = Freezes["freezes"][number];

/** Without the agent's word for this long a person is told whom to call. Seconds. */
const FREEZE_PATIENCE = 10;

/** "Treasury-1 is frozen: by bob, since …". */
export function frozenSentence({ vault, by, at }: Freeze): string {
  const what = vault === null ? "Everything is frozen" : `${vault} is frozen`;
  return `${what}: by ${by ?? "the operator, on the agent's host"}, since ${momentOf(at).local}.`;
}

/** The freezes, what stops everything first, then the oldest. */
export function inOrder(freezes: readonly Freeze[]): Freeze[] {
  return [...freezes].sort((a, b) => Number(a.vault !== null) - Number(b.vault !== null) || a.at - b.at);
}

/** What can still be frozen: nothing more where everything is. null stands for everything. */
export function freezable(vaults: readonly string[], freezes: readonly Freeze[]): (string | null)[] {
  const frozen = freezes.map(({ vault }) => vault);
  if (frozen.includes(null)) return [];
  return [...vaults.filter((vault) => !frozen.includes(vault)), null];
}

/** "Freeze Treasury-1" or "Freeze everything". */
export function freezeLabel(vault: string | null): string {
  return `Freeze ${vault ?? "everything"}`;
}

/** What became of this person's own freezes, for as long as it is news: not received, or still in force. */
export function freezeSteps(
  stops: readonly StoredStop[],
  freezes: readonly Freeze[],
  contact: string | null,
  now: number,
): Step[] {
  return stops.flatMap((stop): Step[] => {
    const { vault, jti, received, refusal, at } = stop;
    const what = vault ?? "everything";
    const inForce = freezes.some(({ of }) => of === jti);
    if (refusal !== null) return [];
    if (received || inForce)
      return inForce
        ? [
            {
              state: "done",
              label: "Received by the agent",
              detail: `Its list, signed by the HSM, names your freeze of ${what}.`,
            },
          ]
        : [];
    if (now - at < FREEZE_PATIENCE)
      return [{ state: "now", label: `Freezing ${what}…`, detail: "It counts once the agent's signed list names it." }];
    return [{ state: "late", label: `Not received. Call: ${contact ?? "your operator"}`, detail: SECOND_ROAD }];
  });
}

const SECOND_ROAD =
  'Your freeze is kept in this browser and sent again by itself. Do not wait for it: "opencustody freeze" works on the agent\'s host.';
