/** What became of this person's own message: ticks that each mean something verified. */
import { Fours } from "./fours.tsx";
import { Icon, type IconName } from "./icon.tsx";
import type { Step } from "./timeline.ts";

const ICONS: Record<Step["state"], IconName> = { done: "check", now: "dot", later: "ring", late: "warning" };
const SPOKEN: Record<Step["state"], string> = { done: "Done:", now: "Now:", later: "Next:", late: "Attention:" };

export function Steps({ steps }: { steps: readonly Step[] }) {
  if (steps.length === 0) return null;
  return (
    <ol class="steps" aria-label="Progress" aria-live="polite">
      {steps.map((step, at) => (
        <li key={at} class={step.state}>
          <Icon name={ICONS[step.state]} />
          <div>
            <p class="label">
              <span class="unseen">{SPOKEN[step.state]} </span>
              {step.label}
            </p>
            <p class="detail">{step.detail}</p>
            {step.value !== undefined && (
              <p class="detail">
                <Fours text={step.value} ends />
              </p>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}
