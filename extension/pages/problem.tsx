/** A problem as people see it: a sentence first, the code in small print, copied with one click. */
import { useState } from "preact/hooks";
import { isFault } from "../../protocol/error.ts";
import type { Problem } from "../store.ts";

/** Code and sentence of anything thrown. What is not a fault of ours is named as such, with its own text. */
export function problemOf(error: unknown): Problem {
  if (isFault(error)) return { code: error.code, message: error.message };
  const detail = error instanceof Error ? error.message : String(error);
  return {
    code: "ERR_INTERNAL",
    message: `Something unexpected happened in the extension (${detail}); reload this page, and call your operator if it stays so.`,
  };
}

/** An error's code in small print with a button that copies it with `about` and `detail`. */
export function CodeLine({ code, about, detail = "" }: { code: string; about?: string | undefined; detail?: string }) {
  const [copied, setCopied] = useState(false);
  const text = about === undefined ? code : `${code} ${about}`;
  const copy = (): void => {
    navigator.clipboard.writeText(detail === "" ? text : `${text}: ${detail}`).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <p class="code-line">
      <code>{text}</code>
      {detail !== "" && <span>{detail}</span>}
      <button type="button" class="quiet small" onClick={copy}>
        {copied ? "Copied" : "Copy code"}
      </button>
    </p>
  );
}

/** A box with what is so, and its code. `tone` also chooses how it is announced. */
export function ProblemBox({ problem, tone, about }: { problem: Problem; tone: "warning" | "danger"; about?: string }) {
  return (
    <div class={`box ${tone}`} role={tone === "danger" ? "alert" : "status"}>
      <p>{problem.message}</p>
      <CodeLine code={problem.code} about={about} />
    </div>
  );
}
