/** After the person's own comparison: six words for a new browser, or who has to propose a further device; and how it ended. */
import type { Vendor } from "../../protocol/vendor.ts";
import type { StoredDevice } from "../store.ts";
import { Words } from "./words.tsx";

interface Props {
  readonly vendor: Vendor;
  readonly sending: boolean;
  /** As the store has it now; undefined before it is written. */
  readonly device: StoredDevice | undefined;
  /** Of a pairing that waits for them; null for a member's further device. */
  readonly words: string | null;
  readonly onAnother?: () => void;
}

export function EnrolmentSent({ vendor, sending, device, words, onAnother }: Props) {
  const state = device?.state ?? "sent";
  if (state === "pending" && words !== null) {
    return (
      <section aria-labelledby="words-title">
        <h2 id="words-title">Enrolment sent: read these six words aloud</h2>
        <Words words={words} />
        <p>
          <a href="./pair.html">See where it stands</a>
        </p>
      </section>
    );
  }
  return (
    <>
      <div class={state === "refused" ? "box warning" : "box note"} role="status">
        <Outcome vendor={vendor} sending={sending} state={state} />
      </div>
      {!sending && onAnother !== undefined && (
        <button type="button" onClick={onAnother}>
          Enrol another device
        </button>
      )}
    </>
  );
}

/** What makes a member's further device count. */
export function ToPropose({ me, vendor }: { me: string; vendor: Vendor }) {
  return (
    <p>
      Ask somebody who may propose to propose it:{" "}
      <code>opencustody members enroll {me} --device ADDRESS --key FILE</code>. The admins then compare the whole
      address with you: read it from your {vendor}'s screen. The device counts once they have approved it.
    </p>
  );
}

interface OutcomeProps extends Pick<Props, "vendor" | "sending"> {
  readonly state: StoredDevice["state"];
}

function Outcome({ vendor, sending, state }: OutcomeProps) {
  switch (state) {
    case "sent":
      return (
        <>
          <h2>{sending ? "Sending the enrolment…" : "Enrolment sent"}</h2>
          <p>It is kept in this browser until the agent has it. This page goes on by itself.</p>
        </>
      );
    case "pending":
      return (
        <>
          <h2>Enrolment sent</h2>
          <p>What has to be done now stands below, with the device. This page goes on by itself.</p>
        </>
      );
    case "enrolled":
      return (
        <>
          <h2>Your {vendor} counts now</h2>
          <p>Its enrolment is approved. Requests can be approved on it from this moment.</p>
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
