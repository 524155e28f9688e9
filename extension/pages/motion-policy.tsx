/** A new policy: number and digest first, for a second machine; then what it means, worst first; then the difference line by line. */
import type { Motion } from "../../protocol/governance.ts";
import type { Policy } from "../../protocol/policy.ts";
import type { Consequence } from "./consequence.ts";
import { type DifferenceLine, differenceOf, linesOf } from "./difference.ts";
import { effectsOf } from "./effect.ts";
import { Fours } from "./fours.tsx";
import { Icon } from "./icon.tsx";
import { comparedOf } from "./motion-compare.ts";
import { PolicyLines } from "./policy-whole.tsx";

interface Props {
  readonly motion: Extract<Motion, { verb: "POLICY" }>;
  /** Of the policy that it replaces. */
  readonly number: number;
  /** That policy; null where this browser does not have it any more. */
  readonly before: Policy | null;
  readonly request: string;
}

export function PolicyChange({ motion, number, before, request }: Props) {
  const { policy } = motion.change;
  const digest = comparedOf(motion, number).find(({ long }) => long)?.text ?? "";
  return (
    <>
      <section aria-labelledby="digest-title">
        <h2 id="digest-title">Policy {number + 1}, and the first 32 digits of its digest</h2>
        <p class="print line">
          <Fours text={digest} />
        </p>
        <p class="muted">
          Your device shows the same. Compare it with <code>opencustody request show {request}</code> on a machine that
          does not run this extension; once it is in force, <code>opencustody policy show</code> prints it.
        </p>
      </section>
      {before === null ? (
        <>
          <p class="box note">
            This browser does not have policy {number} any more, so there is nothing to compare with.
          </p>
          <PolicyLines policy={policy} />
        </>
      ) : (
        <>
          <Meaning consequences={effectsOf(before, policy)} />
          <Difference lines={differenceOf(linesOf(before), linesOf(policy))} />
        </>
      )}
    </>
  );
}

function Meaning({ consequences }: { consequences: readonly Consequence[] }) {
  return (
    <section class="warnings" aria-labelledby="meaning-title">
      <h2 id="meaning-title">What this means</h2>
      {consequences.length === 0 && <p>Nothing changes but the number.</p>}
      <ul>
        {consequences.map(({ level, text, values = [] }, at) => (
          <li key={at} class={level}>
            <Icon name={level} />
            <div>
              <p>
                <span class="unseen">{level === "warning" ? "Attention: " : "Note: "}</span>
                {text}
              </p>
              {values.map(({ label, text: value }) => (
                <p key={label} class="value">
                  <span class="muted">{label}</span>
                  <LongValue text={value} />
                </p>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Addresses and keys in groups of four; what is written in words as it is. */
function LongValue({ text }: { text: string }) {
  return /^(0x)?[0-9A-Fa-f]{20,}$/.test(text) ? <Fours text={text} ends /> : <span class="words-value">{text}</span>;
}

const SIGNS: Record<DifferenceLine["kind"], string> = { added: "+", removed: "−", same: " " };
const SPOKEN: Record<DifferenceLine["kind"], string> = { added: "Added: ", removed: "Removed: ", same: "" };

function Difference({ lines }: { lines: readonly DifferenceLine[] }) {
  const changed = lines.filter(({ kind }) => kind !== "same");
  return (
    <section aria-labelledby="difference-title">
      <h2 id="difference-title">Line by line</h2>
      <Lines lines={changed} />
      <details>
        <summary>
          All {lines.length} lines, also the {lines.length - changed.length} that stay
        </summary>
        <Lines lines={lines} />
      </details>
    </section>
  );
}

function Lines({ lines }: { lines: readonly DifferenceLine[] }) {
  return (
    <ul class="lines difference">
      {lines.map(({ kind, text }, at) => (
        <li key={at} class={kind}>
          <span class="sign" aria-hidden="true">
            {SIGNS[kind]}
          </span>
          <span>
            <span class="unseen">{SPOKEN[kind]}</span>
            {kind === "removed" ? <del>{text}</del> : kind === "added" ? <ins>{text}</ins> : text}
          </span>
        </li>
      ))}
    </ul>
  );
}
