/** Why it did not come to a signature: what is so, the one thing to do, and the code in small print. */
import type { Stop } from "./confirming.ts";
import { CodeLine } from "./problem.tsx";

export function StopBox({ stop }: { stop: Stop }) {
  return (
    <div class="box warning" role="alert">
      <p>{stop.sentence}</p>
      {stop.action !== "" && <p class="action">{stop.action}</p>}
      <CodeLine code={stop.code} />
    </div>
  );
}
