/** A governance request as its reader sees it: the heading, a recovery's warning, what it changes; and everything that it says. */
import type { TreeHead } from "../../protocol/checkpoint.ts";
import type { Documents } from "../../protocol/governance.ts";
import { type MotionRequest, motionOf } from "../../protocol/request.ts";
import { CommonFacts, Fact, StatementText, When } from "./fact.tsx";
import type { Freeze } from "./freeze-words.ts";
import { Icon } from "./icon.tsx";
import { Drill, Rotate, Unfreeze } from "./motion-machine.tsx";
import { Enrol, Found, Remove } from "./motion-people.tsx";
import { PolicyChange } from "./motion-policy.tsx";
import { Restore } from "./motion-restore.tsx";
import { documentsOf, headingOf, recoverySentence } from "./motion-words.ts";

export interface MotionProps {
  readonly payload: MotionRequest;
  /** People and policy that it would change; null where they are unknown. */
  readonly inForce: Documents | null;
  /** Whom to call, as the policy says; null where there is none yet. */
  readonly contact: string | null;
  /** Signed by the next HSM identity and not by the one that is pinned. */
  readonly byNextIdentity: boolean;
  /** Thumbprint of the pinned HSM identity. */
  readonly hsm: string;
  readonly freezes: readonly Freeze[];
  /** What this browser has seen of the agent's log; null where it has seen nothing. */
  readonly known: TreeHead | null;
  /** It can still be decided. */
  readonly open: boolean;
  /** The log that is known here holds the request. */
  readonly inLog: boolean;
  readonly alarmed: boolean;
}

export function MotionLead(props: MotionProps) {
  const { payload, inForce, contact } = props;
  return (
    <>
      <h1 class="sentence">
        <strong>{headingOf(payload, inForce)}</strong>
      </h1>
      <Recovery payload={payload} contact={contact} />
      <MotionBody {...props} inForce={documentsOf(payload, inForce)} />
    </>
  );
}

function Recovery({ payload, contact }: { payload: MotionRequest; contact: string | null }) {
  if (payload.notBefore === null) return null;
  return (
    <div class="box danger" role="alert">
      <p>
        <Icon name="warning" /> <strong>Recovery.</strong> {recoverySentence(payload)}
      </p>
      <p class="action">If you did not expect it, call now: {contact ?? "your operator"}</p>
    </div>
  );
}

function MotionBody({ payload, inForce, byNextIdentity, hsm, freezes, known, open, inLog, alarmed }: MotionProps) {
  const motion = motionOf(payload);
  switch (motion.verb) {
    case "FOUND":
      return <Found change={motion.change} hsm={payload.iss} />;
    case "ENROLL":
      return <Enrol change={motion.change} inForce={inForce} />;
    case "REMOVE":
      return <Remove change={motion.change} />;
    case "POLICY":
      return (
        <PolicyChange
          motion={motion}
          number={payload.policy.n}
          before={inForce?.policy ?? null}
          request={payload.request}
        />
      );
    case "ROTATE":
      return <Rotate change={motion.change} now={byNextIdentity ? hsm : payload.iss} byNextIdentity={byNextIdentity} />;
    case "UNFREEZE":
      return <Unfreeze change={motion.change} freezes={freezes} />;
    case "RESTORE":
      return (
        <Restore
          change={motion.change}
          policy={inForce?.policy ?? null}
          known={known}
          open={open}
          inLog={inLog}
          alarmed={alarmed}
        />
      );
    case "DRILL":
      return <Drill change={motion.change} />;
  }
}

interface FactsProps {
  readonly payload: MotionRequest;
  readonly digest: string;
  readonly statement: string | null;
}

export function MotionFacts({ payload, digest, statement }: FactsProps) {
  return (
    <section class="facts" aria-labelledby="facts-title">
      <h2 id="facts-title">Details</h2>
      <dl>
        {payload.notBefore !== null && (
          <Fact name="Not before">
            <When seconds={payload.notBefore} />
          </Fact>
        )}
        <CommonFacts payload={payload} digest={digest} verified={statement !== null} />
      </dl>
      <StatementText statement={statement} />
    </section>
  );
}
