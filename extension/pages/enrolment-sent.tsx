/** After the person's own comparison: what the operator does now, and then that the device counts, or why it does not. */
import type { Vendor } from "../../protocol/vendor.ts";
import type { StoredDevice } from "../store.ts";

interface Props {
  readonly vendor: Vendor;
  readonly sending: boolean;
  /** As the store has it now; undefined before it is written. */
  readonly device: StoredDevice | undefined;
  readonly onAnother: () => void;
}

export function EnrolmentSent({ vendor, sending, device, onAnother }: Props) {
  return (
    <>
      <div class={device?.state === "refused" ? "box warning" : "box note"} role="status">
        <Words vendor={vendor} sending={sending} state={device?.state ?? "sent"} />
      </div>
      {!sending && (
        <button type="button" onClick={onAnother}>
          Enrol another device
        </button>
      )}
    </>
  );
}

function Words({ vendor, sending, state }: { vendor: Vendor; sending: boolean; state: StoredDevice["state"] }) {
  switch (state) {
    case "sent":
    case "pending":
      return (
        <>
          <h2>{sending ? "Sending the enrolment…" : "Enrolment sent"}</h2>
          <p>
            Your operator now compares the whole address with you over another channel, for example by telephone: read
            it from your {vendor}'s screen. The device counts after that.
          </p>
        </>
      );
    case "enrolled":
      return (
        <>
          <h2>Your {vendor} counts now</h2>
          <p>Your operator has confirmed its address. Requests can be approved on it from this moment.</p>
        </>
      );
    case "refused":
      return (
        <>
          <h2>The enrolment was refused</h2>
          <p>The device does not count. The reason stands below, with the device.</p>
        </>
      );
  }
}
