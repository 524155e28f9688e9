/** What is frozen now, for everybody; and the stop: one step to confirm, no device, and then whether the agent has it. */
import { useState } from "preact/hooks";
import { freeze } from "../actions.ts";
import type { Problem, StoredStop } from "../store.ts";
import { type Freeze, freezable, freezeLabel, freezeSteps, frozenSentence, inOrder } from "./freeze-words.ts";
import { Icon } from "./icon.tsx";
import { ProblemBox, problemOf } from "./problem.tsx";
import { Steps } from "./steps.tsx";

export function FrozenBanner({ freezes }: { freezes: readonly Freeze[] }) {
  if (freezes.length === 0) return null;
  return (
    <div class="box danger" role="status">
      {inOrder(freezes).map((one) => (
        <p key={`${one.vault ?? ""} ${one.at} ${one.by ?? ""}`}>
          <Icon name="stop" /> <strong>{frozenSentence(one)}</strong>
        </p>
      ))}
      <p>Nothing leaves it, whatever is approved, until the admins lift the freeze on their devices.</p>
    </div>
  );
}

/** A freeze of one's own that the agent has not received in time: it stands above all else. */
export function NotReceived({ stops, freezes, contact, now }: Omit<Props, "vaults">) {
  const late = freezeSteps(stops, freezes, contact, now).find(({ state }) => state === "late");
  if (late === undefined) return null;
  return (
    <div class="box danger" role="alert">
      <p>
        <Icon name="warning" /> <strong>{late.label}</strong>
      </p>
      <p>{late.detail}</p>
    </div>
  );
}

interface Props {
  readonly vaults: readonly string[];
  readonly freezes: readonly Freeze[];
  /** This person's own freezes, newest first. */
  readonly stops: readonly StoredStop[];
  readonly contact: string | null;
  readonly now: number;
}

export function FreezeControl({ vaults, freezes, stops, contact, now }: Props) {
  /** What is about to be frozen, null being everything; undefined while nothing is. */
  const [about, setAbout] = useState<string | null | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const choices = freezable(vaults, freezes);
  const refused = stops.find(({ refusal }) => refusal !== null)?.refusal ?? null;

  const stop = (vault: string | null): void => {
    setBusy(true);
    setProblem(null);
    freeze(vault)
      .then(
        () => setAbout(undefined),
        (error: unknown) => setProblem(problemOf(error)),
      )
      .finally(() => setBusy(false));
  };

  return (
    <section class="freeze" aria-labelledby="freeze-title">
      <h2 id="freeze-title">Is something wrong?</h2>
      <Steps steps={freezeSteps(stops, freezes, contact, now)} />
      {refused !== null && <ProblemBox problem={refused} tone="warning" />}
      {problem !== null && <ProblemBox problem={problem} tone="danger" />}
      {about === undefined ? (
        <div class="row">
          {choices.map((vault) => (
            <button key={vault ?? ""} type="button" class="danger" onClick={() => setAbout(vault)}>
              {freezeLabel(vault)}…
            </button>
          ))}
          {choices.length === 0 && <p class="muted">Everything is frozen.</p>}
        </div>
      ) : (
        <Sure vault={about} busy={busy} onYes={() => stop(about)} onNo={() => setAbout(undefined)} />
      )}
    </section>
  );
}

interface SureProps {
  readonly vault: string | null;
  readonly busy: boolean;
  readonly onYes: () => void;
  readonly onNo: () => void;
}

function Sure({ vault, busy, onYes, onNo }: SureProps) {
  return (
    <div class="box danger" role="group" aria-labelledby="sure" ref={focusFirst} tabIndex={-1}>
      <h3 id="sure">{freezeLabel(vault)}?</h3>
      <p>
        At once nothing leaves {vault ?? "any vault"}, also what is approved already. Your device is not needed. Only
        the admins can lift it, on their devices.
      </p>
      <div class="row">
        <button type="button" class="danger solid" disabled={busy} onClick={onYes}>
          {freezeLabel(vault)} now
        </button>
        <button type="button" disabled={busy} onClick={onNo}>
          Do not freeze
        </button>
      </div>
    </div>
  );
}

/** The button that had the focus is gone: the question takes it. */
function focusFirst(element: HTMLElement | null): void {
  element?.focus();
}
