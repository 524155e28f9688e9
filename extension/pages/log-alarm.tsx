/** The alarm about the agent's record, above every page: what is so, what to do, and both checkpoints to copy. Given all it shows. */
import { useState } from "preact/hooks";
import type { Alarm } from "../log-alarm.ts";
import { Icon } from "./icon.tsx";
import { alarmSentence, evidenceText } from "./log-words.ts";
import { CodeLine } from "./problem.tsx";

export function LogAlarm({ alarms, contact }: { alarms: readonly Alarm[]; contact: string | null }) {
  if (alarms.length === 0) return null;
  return (
    <section class="box danger log-alarm" role="alert" aria-labelledby="log-alarm">
      <h2 id="log-alarm">
        <Icon name="stop" /> Approve nothing
      </h2>
      <p>
        <strong>{alarmSentence(alarms)}</strong> It may have been set back, or somebody shows different records to
        different people.
      </p>
      <p class="action">Call now: {contact ?? "your operator"}</p>
      <p>
        You can still reject and freeze. Only the admins can end this, on their devices: by a request to go on from an
        older record, and by nothing else.
      </p>
      <Evidence text={evidenceText(alarms)} />
    </section>
  );
}

function Evidence({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <details>
      <summary>Details</summary>
      <p class="muted">Both checkpoints, signed by the HSM. Keep them: they prove it.</p>
      <pre class="evidence">{text}</pre>
      <button type="button" class="small" onClick={copy}>
        {copied ? "Copied" : "Copy the evidence"}
      </button>
      <CodeLine code="ERR_LOG" />
    </details>
  );
}
