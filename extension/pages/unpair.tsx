/** Ending a pairing: all keys of this browser are deleted. */
import { useState } from "preact/hooks";
import { unpair } from "../actions.ts";
import type { Problem } from "../store.ts";
import { ProblemBox, problemOf } from "./problem.tsx";

export function Unpair({ label }: { label: string }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const end = (): void => void unpair().catch((error: unknown) => setProblem(problemOf(error)));
  return (
    <>
      <button type="button" onClick={end}>
        {label}
      </button>
      {problem !== null && <ProblemBox problem={problem} tone="danger" />}
    </>
  );
}

/** The same, behind a line that says what it means. */
export function Leave({ label }: { label: string }) {
  return (
    <details>
      <summary>{label === "Unpair" ? "Unpair this browser" : "Stop and begin anew"}</summary>
      <p>
        Its keys are deleted here; you need a new invite to approve again. Have the admins remove this browser, too.
      </p>
      <Unpair label={label} />
    </details>
  );
}
