/** The invite, pasted or from the address's hash, and the whole fingerprint compared before anything is sent. */
import { useState } from "preact/hooks";
import { inspectInvite, pair } from "../actions.ts";
import type { Problem } from "../store.ts";
import { bridgeHost } from "./arrange.ts";
import { Fours } from "./fours.tsx";
import { ProblemBox, problemOf } from "./problem.tsx";

export function InviteForm({ invited }: { invited: string }) {
  const [code, setCode] = useState(invited);
  const [compared, setCompared] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const invite = read(code);

  const submit = (event: Event): void => {
    event.preventDefault();
    if (busy || !compared) return;
    setBusy(true);
    setProblem(null);
    pair(code.trim()).catch((error: unknown) => {
      setBusy(false);
      setProblem(problemOf(error));
    });
  };

  return (
    <main>
      <h1>Pair this browser</h1>
      <p class="lede">You were given an invite. It connects this browser to your organisation's HSM, once.</p>
      <form onSubmit={submit}>
        <label for="code">Invite code</label>
        <textarea
          id="code"
          rows={4}
          spellcheck={false}
          autocomplete="off"
          placeholder="opencustody-invite-…"
          value={code}
          aria-describedby="code-problem"
          onInput={(event) => {
            setCode(event.currentTarget.value);
            setCompared(false);
          }}
        />
        <p id="code-problem" class="field-problem" role="status">
          {"message" in invite ? invite.message : ""}
        </p>
        {"fingerprint" in invite && (
          <>
            <h2>Compare the HSM's fingerprint</h2>
            <p>
              Call whoever invited you, on a number that you know, and read all of it to each other. The bridge is{" "}
              <strong>{bridgeHost(invite.bridge)}</strong>.
            </p>
            <p class="print">
              <Fours text={invite.fingerprint} />
            </p>
            <label class="choice">
              <input
                type="checkbox"
                checked={compared}
                onChange={(event) => setCompared(event.currentTarget.checked)}
              />
              I compared this fingerprint, all of it, with whoever invited me
            </label>
            <button type="submit" class="primary" disabled={!compared || busy}>
              Pair
            </button>
          </>
        )}
        {problem !== null && <ProblemBox problem={problem} tone="danger" />}
      </form>
      <p class="box note">
        Nobody ever asks for your recovery phrase: not this page, not your operator, neither Ledger nor Trezor. Whoever
        asks for it wants to steal from you.
      </p>
    </main>
  );
}

/** What the code says, or what is wrong with it; neither while nothing is pasted. */
function read(code: string): ReturnType<typeof inspectInvite> | { message: string } | Record<string, never> {
  if (code.trim() === "") return {};
  try {
    return inspectInvite(code);
  } catch (error) {
    return { message: problemOf(error).message };
  }
}
