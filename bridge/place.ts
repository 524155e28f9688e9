/** What a log may say of an unforeseen error: its kind and where it was thrown. What it says may hold what was received. */

/** Kind and place, without the message, though that has lines like those of a stack. */
export function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return "?";
  const lines = (error.stack ?? "").replace(error.message, "").split("\n");
  return `${error.name} ${lines.find((line) => line.startsWith("    at "))?.trim() ?? ""}`;
}
