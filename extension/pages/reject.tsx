/** Rejecting: as near as confirming, a reason from a short list, no device. It ends the request for everybody. */
import { useState } from "preact/hooks";
import type { RejectReason } from "../../protocol/message.ts";
import { reject } from "../actions.ts";
import type { Problem } from "../store.ts";
import { ProblemBox, problemOf } from "./problem.tsx";
import { REJECT_REASONS, reasonLabel } from "./wording.ts";

export function Reject({ requestId }: { requestId: string }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState<RejectReason | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  const send = (event: Event): void => {
    event.preventDefault();
    if (reason === null || busy) return;
    setBusy(true);
    reject(requestId, reason).then(
      () => setOpen(false),
      (error: unknown) => {
        setBusy(false);
        setProblem(problemOf(error));
      },
    );
  };

  return (
    <div class="reject">
      <button type="button" class="danger" aria-expanded={open} onClick={() => setOpen(!open)} disabled={busy}>
        Reject…
      </button>
      {open && (
        <form onSubmit={send}>
          <fieldset>
            <legend>Why do you reject it?</legend>
            {REJECT_REASONS.map((one) => (
              <label key={one} class="choice">
                <input type="radio" name="reason" checked={reason === one} onChange={() => setReason(one)} />
                {reasonLabel(one)}
              </label>
            ))}
          </fieldset>
          <p class="muted">This ends the request for everybody. Your device is not needed.</p>
          <button type="submit" class="danger solid" disabled={reason === null || busy}>
            Reject this request
          </button>
        </form>
      )}
      {problem !== null && <ProblemBox problem={problem} tone="danger" />}
    </div>
  );
}
