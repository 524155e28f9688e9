/** Who has approved, who is needed, and how long it stays open. */
import { timeAnnouncement, timeLeft, timeOfDay } from "./clock.ts";
import { stillNeededWords } from "./demands.ts";
import { Icon } from "./icon.tsx";
import type { Standing } from "./standing.ts";

export function Approvers({ standing, threshold, me }: { standing: Standing; threshold: number; me: string }) {
  const named = (person: string) => (person === me ? `${person} (you)` : person);
  return (
    <section class="people" aria-labelledby="people-title">
      <h2 id="people-title">
        {standing.approvals.length} of {threshold} approvals
      </h2>
      <ul>
        {standing.approvals.map((record) => (
          <li key={record.person} class="given">
            <Icon name="check" />
            <span>
              {named(record.person)} approved{record.vendor === null ? "" : ` on a ${record.vendor}`} at{" "}
              {timeOfDay(record.at)}
            </span>
          </li>
        ))}
        {standing.withdrawn.map((person) => (
          <li key={person}>
            <Icon name="note" />
            <span>{named(person)} withdrew</span>
          </li>
        ))}
        {standing.open &&
          standing.waitingFor.map((person) => (
            <li key={person}>
              <Icon name="ring" />
              <span>
                {named(person)}{" "}
                {person === me && standing.did === "approved" ? "approved; not received yet" : "has not approved"}
              </span>
            </li>
          ))}
      </ul>
      {standing.open && standing.stillNeededOn.length > 0 && (
        <p class="kinds">
          {stillNeededWords(standing.stillNeededOn)}{" "}
          <span class="muted">The kind is what was stated at enrolment.</span>
        </p>
      )}
    </section>
  );
}

/** The time left. It ticks quietly; a screen reader hears only the announcements. */
export function Countdown({ expires, now }: { expires: number; now: number }) {
  const soon = expires - now <= 600;
  return (
    <p class={soon ? "countdown soon" : "countdown"}>
      <span role="timer" aria-live="off">
        {timeLeft(expires, now)}
      </span>
      <span class="unseen" aria-live="polite">
        {timeAnnouncement(expires, now)}
      </span>
    </p>
  );
}
