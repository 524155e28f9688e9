/** The one primary button and what the screen says while the device asks. The order of events is confirming.ts's. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { approve, withdraw } from "../actions.ts";
import { type Confirmation, createConfirmation, type Stage } from "./confirming.ts";
import { Fours } from "./fours.tsx";
import { explain, signOnLedger } from "./sign-on-ledger.ts";
import { StopBox } from "./stop.tsx";
import { groupAmount } from "./wording.ts";

/** A confirmation of one request that lives as long as its page, whatever is drawn meanwhile. */
export function useConfirmation(requestId: string): { confirmation: Confirmation; stage: Stage } {
  const [stage, setStage] = useState<Stage>({ at: "ready" });
  const confirmation = useMemo(
    () =>
      createConfirmation(
        {
          sign: async (onAsk) => await signOnLedger(requestId, onAsk),
          approve: async (signed) => await approve(requestId, signed),
          withdraw: async () => await withdraw(requestId),
          explain,
        },
        setStage,
      ),
    [requestId],
  );
  return { confirmation, stage };
}

interface Props {
  readonly confirmation: Confirmation;
  readonly stage: Stage;
  readonly effect: { readonly amount: string; readonly asset: string; readonly to: string };
}

export function Confirm({ confirmation, stage, effect }: Props) {
  if (stage.at === "asking") return <Asking confirmation={confirmation} effect={effect} />;
  const busy = stage.at === "connecting" || stage.at === "keeping";
  return (
    <div class="confirm">
      <button type="button" class="primary" disabled={busy} onClick={() => void confirmation.start()}>
        Confirm on Ledger
      </button>
      <p class="muted" role="status">
        {busyWords(stage)}
      </p>
    </div>
  );
}

/** Why it did not come to a signature, and what to do. The request is still there. */
export function Stopped({ stage }: { stage: Stage }) {
  if (stage.at !== "stopped") return null;
  return <StopBox stop={stage.stop} />;
}

function busyWords(stage: Stage): string {
  if (stage.at === "connecting") return "Connecting to your Ledger…";
  if (stage.at === "keeping") return "Signed. Keeping your approval…";
  return "Unlock your Ledger and open its Ethereum app.";
}

/** Cancel is final for this person: the second half of a double click must not reach it. Milliseconds. */
const SETTLE = 800;

function Asking({ confirmation, effect }: Omit<Props, "stage">) {
  const box = useRef<HTMLDivElement>(null);
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    // The button that had the focus is gone; focus on Cancel would let a second Enter withdraw.
    box.current?.focus();
    const timer = setTimeout(() => setSettled(true), SETTLE);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="asking" ref={box} tabIndex={-1} role="group" aria-labelledby="asking-title">
      <h2 id="asking-title">Your Ledger asks you now</h2>
      <p role="alert">Read it on the device, and sign only if it shows exactly this:</p>
      <ul class="compare">
        <li>
          <span>Amount</span>{" "}
          <strong>
            {groupAmount(effect.amount)} {effect.asset}
          </strong>
        </li>
        <li>
          <span>Destination</span> <Fours text={effect.to} ends />
        </li>
      </ul>
      <button type="button" disabled={!settled} onClick={() => void confirmation.cancel()}>
        Cancel
      </button>
      <p class="muted">After Cancel you cannot approve this request any more; others can.</p>
    </div>
  );
}

/** After Cancel, for as long as this page is open: what the prompt on the device is worth now. */
export function Withdrawn({ stage }: { stage: Stage }) {
  if (stage.at !== "withdrawn") return null;
  return (
    <div class="box warning" role="alert">
      <p>{WITHDRAWN[stage.device]}</p>
    </div>
  );
}

const WITHDRAWN = {
  asking: "Cancelled here. Also reject it on the device: your Ledger still shows it, and only you can end that.",
  declined: "Cancelled here, and the prompt on your Ledger is over. Nothing was signed.",
  signed: "Cancelled here. Your Ledger signed afterwards: that signature was thrown away and not sent.",
};
