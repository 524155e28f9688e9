/** Times as a person reads them: what is left, and a moment in the reader's zone with UTC beside it. Pure; seconds since 1970. */

/** What is left of a request in words; seconds only in the last ten minutes, so that the text rarely changes. */
export function timeLeft(expires: number, now: number): string {
  const left = expires - now;
  if (left <= 0) return "Expired";
  if (left >= 2 * 86_400) return `${Math.floor(left / 86_400)} days left`;
  const minutes = Math.floor((left % 3600) / 60);
  if (left >= 3600) return `${Math.floor(left / 3600)} h${minutes === 0 ? "" : ` ${minutes} min`} left`;
  if (left >= 600) return `${Math.floor(left / 60)} minutes left`;
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
}

/** What a screen reader is told of the time, and only when this text changes: at ten, five and one minute, and at the end. */
export function timeAnnouncement(expires: number, now: number): string {
  const left = expires - now;
  if (left <= 0) return "This request has expired.";
  if (left <= 60) return "Less than one minute left.";
  if (left <= 300) return "Less than five minutes left.";
  if (left <= 600) return "Less than ten minutes left.";
  return "";
}

export interface Moment {
  /** In the reader's zone and language, e.g. `Sun 22 Nov 2026, 10:00 CET`. */
  readonly local: string;
  /** `2026-11-22 09:00 UTC`. */
  readonly utc: string;
  /** For `<time datetime>`. */
  readonly iso: string;
}

/** A moment for reading. `zone` is an IANA name; without it the reader's own. */
export function momentOf(seconds: number, zone?: string): Moment {
  const date = new Date(seconds * 1000);
  const format = new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    ...(zone === undefined ? {} : { timeZone: zone }),
  });
  const iso = date.toISOString();
  return { local: format.format(date), utc: `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`, iso };
}

/** Only the time of day, in the reader's zone: `10:00`. */
export function timeOfDay(seconds: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    ...(zone === undefined ? {} : { timeZone: zone }),
  }).format(new Date(seconds * 1000));
}
