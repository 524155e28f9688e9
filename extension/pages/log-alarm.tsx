/** The alarm about the agent's record, above every page: what is so, what to do, and both checkpoints to copy. Given all it shows. */
import { useState } from "preact/hooks";
import type { Alarm } from "../log-alarm.ts";
import { Icon } from "./icon.tsx";
import { alarmSentence, evidenceText } from "./log-words.ts";
import { CodeLine } from "./problem.tsx";

interface LogAlarmProps {
  readonly alarms: readonly Alarm[];
  readonly contact: string | null;
  /** On the page of the one request that ends it. */
  readonly isEndedHere: boolean;
}

export function LogAlarm({ alarms, contact, isEndedHere }: LogAlarmProps) {
  if (alarms.length === 0) return null;
  return (
    <section class="box danger log-alarm" role="alert" aria-labelledby="log-alarm">
      <h2 id="log-alarm">
        <Icon name="stop" /> {isEndedHere ? "Approve nothing but this" : "Approve nothing"}
      </h2>
      <p>
        <strong>{alarmSentence(alarms)}</strong> It may have been set back, or somebody shows different records to
        different people.
      </p>
      <p class="action">
        {isEndedHere ? "First call" : "Call now"}: {contact ?? "your operator"}
      </p>
      <p>
        {isEndedHere
          ? "The request below ends this, if the admins approve it on their devices. Ask why the record is older, and approve only if the answer is right."
          : "You can still reject and freeze. Only the admins can end this, on their devices: by a request to go on from an older record, and by nothing else."}
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
