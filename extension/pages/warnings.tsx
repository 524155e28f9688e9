/** What could be wrong, worst first, each with a sign of its own shape; or that nothing stands out, and what was checked. */
import type { Appraisal, Concern } from "./concern.ts";
import { Icon } from "./icon.tsx";
import { listWords } from "./wording.ts";

export function Warnings({ appraisal }: { appraisal: Appraisal }) {
  const { concerns, checked } = appraisal;
  return (
    <section class="warnings" aria-labelledby="warnings-title">
      <h2 id="warnings-title">{headingOf(concerns)}</h2>
      {concerns.length > 0 && (
        <ul>
          {concerns.map(({ level, text }) => (
            <li key={text} class={level}>
              <Icon name={level} />
              <p>
                <span class="unseen">{level === "warning" ? "Warning: " : "Note: "}</span>
                {text}
              </p>
            </li>
          ))}
        </ul>
      )}
      <p class="muted">Checked: {listWords(checked)}.</p>
    </section>
  );
}

function headingOf(concerns: readonly Concern[]): string {
  if (concerns.length === 0) return "Nothing stands out";
  return concerns.some(({ level }) => level === "warning") ? "What could be wrong" : "Worth knowing";
}
