/** What ROTATE, UNFREEZE and DRILL change, for the person who decides. */
import type { Motion } from "../../protocol/governance.ts";
import { fingerprint, thumbprint } from "../../protocol/primitive.ts";
import { Fours } from "./fours.tsx";
import { type Freeze, frozenSentence, inOrder } from "./freeze-words.ts";
import { Icon } from "./icon.tsx";

type Change<Verb extends Motion["verb"]> = Extract<Motion, { verb: Verb }>["change"];

export function Rotate({
  change,
  now,
  byNextIdentity,
}: {
  change: Change<"ROTATE">;
  now: string;
  byNextIdentity: boolean;
}) {
  return (
    <>
      {byNextIdentity && (
        <div class="box danger" role="alert">
          <p>
            <Icon name="stop" /> <strong>The HSM that you trust did not sign this.</strong> Only the new one did: so it
            is when the old one is lost, and so it would be if somebody made an HSM of their own.
          </p>
          <p class="action">
            Approve it only after the other admins have told you, face to face or by telephone, that the old HSM is
            lost.
          </p>
        </div>
      )}
      <p class="lede">
        From then on this browser, the agent and the bridge believe the new HSM identity, and no longer the old one.
      </p>
      <section aria-labelledby="identities">
        <h2 id="identities">Compare the new fingerprint with the operator's, all of it</h2>
        <h3>The HSM now</h3>
        <p class="print">
          <Fours text={fingerprint(now)} />
        </p>
        <h3>The new HSM</h3>
        <p class="print">
          <Fours text={fingerprint(thumbprint(change.to))} />
        </p>
      </section>
    </>
  );
}

export function Unfreeze({ change, freezes }: { change: Change<"UNFREEZE">; freezes: readonly Freeze[] }) {
  const lifted = inOrder(freezes).filter(({ vault }) => change.vault === null || vault === change.vault);
  const stays = freezes.some(({ vault }) => vault === null) && change.vault !== null;
  return (
    <>
      <p class="lede">
        Requests can be signed and released again. Whoever froze it had a reason: ask before you approve this.
      </p>
      {lifted.length > 0 && (
        <ul class="plain">
          {lifted.map((freeze) => (
            <li key={`${freeze.vault ?? ""} ${freeze.at}`}>{frozenSentence(freeze)}</li>
          ))}
        </ul>
      )}
      {lifted.length === 0 && <p class="box note">This browser knows of nothing that it would lift.</p>}
      {stays && (
        <p class="box note">Everything is frozen as well: {change.vault} stays stopped until that is lifted, too.</p>
      )}
    </>
  );
}

export function Drill({ change }: { change: Change<"DRILL"> }) {
  return (
    <p class="lede">
      Nothing is moved or signed by {change.vault}. It shows that your device works, and whether enough people can be
      reached today.
    </p>
  );
}
