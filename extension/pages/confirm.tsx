/** The one primary button and what the screen says while the device asks. The order of events is confirming.ts's. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { approve, withdraw } from "../actions.ts";
import type { StoredDevice, StoredRequest } from "../store.ts";
import { deviceName } from "./choosing.ts";
import { type Confirmation, createConfirmation, type Stage } from "./confirming.ts";
import { Fours } from "./fours.tsx";
import { Glyph } from "./glyph.tsx";
import type { Compared } from "./motion-compare.ts";
import { watched } from "./passing.ts";
import { patience } from "./patience.ts";
import { explain, signOnDevice } from "./sign-on-device.ts";
import { StopBox } from "./stop.tsx";
import { useWatch } from "./watching.ts";

/** A confirmation of one request that lives as long as its page, whatever is drawn meanwhile. */
export function useConfirmation(request: Pick<StoredRequest, "id" | "payload">): {
  confirmation: Confirmation;
  stage: Stage;
} {
  const requestId = request.id;
  const [stage, setStage] = useState<Stage>({ at: "ready" });
  const wrong = useRef(false);
  const confirmation = useMemo(
    () =>
      createConfirmation(
        {
          sign: async (vendor, onAsk, signal) =>
            await signOnDevice(requestId, { vendor, choose: await severalLedgers(wrong.current), onAsk, signal }),
          approve: async (signed) => await approve(requestId, signed),
          withdraw: async () => await withdraw(requestId),
          explain,
          patience,
        },
        (next) => {
          if (next.at === "stopped") wrong.current = next.stop.code === "wrong-device";
          setStage(next);
        },
      ),
    [requestId],
  );
  useWatch(stage, confirmation, request);
  return { confirmation, stage };
}

/** After the wrong one, and where more than one is permitted, the person picks again in the browser's list. */
async function severalLedgers(wrong: boolean): Promise<boolean> {
  return wrong && "usb" in navigator && (await navigator.usb.getDevices()).length > 1;
}

interface Props {
  readonly confirmation: Confirmation;
  readonly stage: Stage;
  /** What the person compares with the device's screen. */
  readonly compared: readonly Compared[];
  /** What has to be done before the device is asked; empty where nothing has. */
  readonly first: string;
  /** The one that is asked. */
  readonly device: StoredDevice;
  /** This person's others that could be asked instead. */
  readonly others: readonly StoredDevice[];
  readonly onChoose: (device: StoredDevice) => void;
}

export function Confirm({ confirmation, stage, compared, first, device, others, onChoose }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  if (stage.at === "asking") {
    return <Asking confirmation={confirmation} compared={compared} vendor={stage.device.vendor} />;
  }
  const overdue = stage.at === "overdue";
  const busy = overdue || stage.at === "connecting" || stage.at === "keeping";
  return (
    <div class="confirm">
      <button
        ref={button}
        type="button"
        class="primary"
        disabled={busy || first !== ""}
        onClick={() => void confirmation.start(device.vendor)}
      >
        Confirm on {device.vendor}
      </button>
      <p class="muted" role="status">
        {first === "" || busy ? busyWords(stage, device) : first}
      </p>
      {overdue && (
        <button type="button" onClick={() => void confirmation.cancel()}>
          Cancel
        </button>
      )}
      {!busy &&
        others.map((other) => (
          <button
            key={other.address}
            type="button"
            class="quiet small"
            onClick={() => {
              onChoose(other);
              // The button that was pressed is now another device's.
              button.current?.focus();
            }}
          >
            Use another device: {deviceName(other)}
          </button>
        ))}
    </div>
  );
}

/** Why it did not come to a signature, and what to do; or that the device is ready now. The request is still there. */
export function Stopped({ stage }: { stage: Stage }) {
  if (stage.at === "stopped" || stage.at === "overdue")
    return <StopBox stop={stage.stop} noticed={watched(stage) !== null && stage.stop.code !== "busy"} />;
  if (stage.at !== "ready" || stage.after === undefined) return null;
  return (
    <div class="box note stop" role="status">
      <Glyph vendor={stage.after} />
      <p>
        <strong>Ready: press Confirm on {stage.after}.</strong>
      </p>
    </div>
  );
}

function busyWords(stage: Stage, { vendor, label, model }: StoredDevice): string {
  if (stage.at === "connecting") return `Connecting to your ${stage.vendor}…`;
  if (stage.at === "keeping") return "Signed. Keeping your approval…";
  if (stage.at === "overdue")
    return `Your ${stage.device.vendor} still has the question; what you answer there counts.`;
  const which = label === undefined ? `your ${vendor}` : deviceName({ label, model });
  return vendor === "Ledger"
    ? `Unlock ${which} and open its Ethereum app.`
    : `Start Trezor Suite, and connect ${which} there.`;
}

/** Cancel is final for this person: the second half of a double click must not reach it. Milliseconds. */
const SETTLE = 800;

function Asking({
  confirmation,
  compared,
  vendor,
}: Pick<Props, "confirmation" | "compared"> & Pick<StoredDevice, "vendor">) {
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
      <h2 id="asking-title">Your {vendor} asks you now</h2>
      <p role="alert">Read it on the device, and sign only if it shows exactly this:</p>
      <ul class="compare">
        {compared.map(({ name, text, long }) => (
          <li key={name}>
            <span>{name}</span> {long ? <Fours text={text} ends /> : <strong>{text}</strong>}
          </li>
        ))}
      </ul>
      {vendor === "Trezor" && <p class="muted">Trezor Suite may ask first, in its own window: allow it there.</p>}
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
      <p>{withdrawnWords(stage)}</p>
    </div>
  );
}

function withdrawnWords({ vendor, device }: Extract<Stage, { at: "withdrawn" }>): string {
  switch (device) {
    case "asking":
      return vendor === "Ledger"
        ? "Cancelled here. Also reject it on the device: your Ledger still shows it, and only you can end that."
        : "Cancelled here. Your Trezor is told to stop asking.";
    case "unknown":
      return vendor === "Ledger"
        ? "Cancelled here. If your Ledger still shows it, also reject it on the device: what it signs is not sent any more."
        : "Cancelled here, and your Trezor was told to stop asking. If it still shows it, reject it there: what it signs is not sent any more.";
    case "declined":
      return `Cancelled here, and the prompt on your ${vendor} is over. Nothing was signed.`;
    case "signed":
      return `Cancelled here. Your ${vendor} signed afterwards: that signature was thrown away and not sent.`;
  }
}
