/** What RESTORE gives up, for the person who decides. */
import type { TreeHead } from "../../protocol/checkpoint.ts";
import type { Motion } from "../../protocol/governance.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { Icon } from "./icon.tsx";
import { ENDS, lossSentence, nonceLines, unnamedSentence } from "./restore-words.ts";

interface Props {
  readonly change: Extract<Motion, { verb: "RESTORE" }>["change"];
  readonly policy: Pick<PolicyText, "networks"> | null;
  /** What this browser has seen of the agent's log. */
  readonly known: TreeHead | null;
  /** It can still be decided. */
  readonly open: boolean;
  /** The log that is known here holds the request. */
  readonly inLog: boolean;
  readonly alarmed: boolean;
}

export function Restore({ change, policy, known, open, inLog, alarmed }: Props) {
  const unnamed = unnamedSentence(change, { known, open, inLog, alarmed });
  const nonces = nonceLines(change, policy);
  return (
    <>
      {unnamed !== "" && (
        <div class={alarmed ? "box danger" : "box warning"} role="alert">
          <p>
            <Icon name={alarmed ? "stop" : "warning"} /> <strong>{unnamed}</strong>
          </p>
        </div>
      )}
      <div class="box danger" role="alert">
        <p>
          <Icon name="warning" /> {lossSentence(change)}
        </p>
        {open && (
          <p class="action">
            Approve it only after the operator has told you, face to face or by telephone, how the newest record was
            lost.
          </p>
        )}
      </div>
      <p class="lede">{ENDS}</p>
      {nonces.length > 0 && (
        <section aria-labelledby="nonces">
          <h2 id="nonces">{open ? "Compare the next nonces with the networks" : "Next nonces"}</h2>
          {open && (
            <p>
              Look each up in an explorer that you trust. One that is too high leaves the vault waiting; one that is too
              low uses a nonce again that a missing transaction may have.
            </p>
          )}
          <ul class="plain">
            {nonces.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
