/** One request as its reader sees it, from the large sentence to the small print. Given all it shows; loads nothing. */
import { hexToBytes } from "@noble/hashes/utils.js";
import { useEffect } from "preact/hooks";
import type { Charter } from "../../protocol/charter.ts";
import type { TreeHead } from "../../protocol/checkpoint.ts";
import { addressOfPublicKey } from "../../protocol/device-signature.ts";
import { isTransfer, type TransferRequest } from "../../protocol/request.ts";
import type { Checked } from "../check.ts";
import type { Problem, StoredDevice, StoredRequest } from "../store.ts";
import { appraise, type Seen } from "./concern.ts";
import { useConfirmation } from "./confirm.tsx";
import type { Stage } from "./confirming.ts";
import { Decide } from "./decide.tsx";
import { Facts } from "./facts.tsx";
import { Fours } from "./fours.tsx";
import { FrozenBanner } from "./freeze.tsx";
import type { Freeze } from "./freeze-words.ts";
import { Icon } from "./icon.tsx";
import { useNow } from "./live.ts";
import { MotionFacts, MotionLead } from "./motion-view.tsx";
import { titleOf } from "./motion-words.ts";
import { CodeLine, ProblemBox } from "./problem.tsx";
import { Reject } from "./reject.tsx";
import { contradicts, isAlarming, type Standing, standingOf } from "./standing.ts";
import { Steps } from "./steps.tsx";
import { deliverySteps, type Post } from "./timeline.ts";
import { Warnings } from "./warnings.tsx";
import { groupAmount, stateLabel } from "./wording.ts";

interface Props {
  readonly stored: StoredRequest;
  readonly checked: Checked | null;
  readonly problem: Problem | null;
  readonly others: readonly StoredRequest[];
  readonly devices: readonly StoredDevice[];
  readonly freezes: readonly Freeze[];
  /** What is in force; null before the founding. */
  readonly charter: Charter | null;
  /** What this browser has seen of the agent's log; null where it has seen nothing. */
  readonly known: TreeHead | null;
  /** Thumbprint of the pinned HSM identity. */
  readonly hsm: string;
  readonly me: string;
  readonly roles: readonly string[];
  readonly post: Post;
}

export function RequestView(props: Props) {
  const { stored, checked, problem, me, charter } = props;
  const now = useNow();
  const payload = checked?.payload ?? stored.payload;
  const standing = standingOf(stored, me, now, props.roles, charter);
  useEffect(() => {
    document.title = `${stateLabel(standing.state, payload.verb)}: ${titleOf(payload, charter)}`;
  }, [standing.state, payload, charter]);

  // Up here, so that a prompt under way is not forgotten when the request turns out to be wrong.
  const asked = useConfirmation(stored);

  if (isAlarming(problem) || contradicts(problem, payload, charter))
    return <Alarm {...props} problem={problem} standing={standing} stage={asked.stage} />;
  return (
    <main class="request">
      <div class="lead">
        {isTransfer(payload) ? (
          <TransferLead {...props} payload={payload} open={standing.open} now={now} />
        ) : (
          <MotionLead
            {...props}
            payload={payload}
            inForce={checked?.kind === "motion" ? checked.before : charter}
            contact={charter?.policy.contact ?? null}
            open={standing.open}
            inLog={stored.inLog === true}
            alarmed={props.post.alarmed}
            byNextIdentity={stored.byNextIdentity}
          />
        )}
        {stored.notice !== null && <ProblemBox problem={stored.notice} tone="warning" about={stored.id} />}
      </div>
      <Decide {...props} {...asked} standing={standing} now={now} />
      <Details stored={stored} checked={checked} />
    </main>
  );
}

/** The sentence, and what could be wrong with it. */
function TransferLead(props: Props & { payload: TransferRequest; open: boolean; now: number }) {
  const { payload, stored, others, freezes, open, now, me } = props;
  const { amount, asset, to } = payload.effect;
  const stopped = freezes.filter(({ vault }) => vault === null || vault === payload.vault.name);
  return (
    <>
      <h1 class="sentence">
        Send{" "}
        <strong>
          {groupAmount(amount)} {asset}
        </strong>{" "}
        to{" "}
        {payload.payee !== null && (
          <>
            <strong>{payload.payee}</strong>{" "}
          </>
        )}
        <Fours text={to} ends /> from <strong>{payload.vault.name}</strong>
      </h1>
      <FrozenBanner freezes={stopped} />
      {open && (
        <Warnings
          appraisal={appraise(
            { payload, receipt: stored.receipt },
            vaultAddressOf(payload),
            historyOf(others),
            now,
            me,
          )}
        />
      )}
    </>
  );
}

function Details({ stored, checked }: Pick<Props, "stored" | "checked">) {
  const payload = checked?.payload ?? stored.payload;
  const shown = { digest: checked?.digest ?? stored.digest, statement: checked?.statement ?? null };
  return isTransfer(payload) ? (
    <Facts payload={payload} vaultAddress={vaultAddressOf(payload)} {...shown} />
  ) : (
    <MotionFacts payload={payload} {...shown} />
  );
}

function Alarm(props: Props & { problem: Problem; standing: Standing; stage: Stage }) {
  const { stored, problem, standing, stage } = props;
  return (
    <main class="alarm">
      <div class="box danger" role="alert">
        <h1>
          <Icon name="stop" /> Do not sign this request
        </h1>
        <p>{problem.message}</p>
        {(stage.at === "asking" || stage.at === "overdue") && (
          <p>Your {stage.device.vendor} still asks: reject it on the device. Its signature is not sent.</p>
        )}
        {stage.at === "ready" && standing.did === "nothing" && <p>Nothing was asked of your device.</p>}
        <p>Tell your operator by telephone, and reject the request.</p>
        <CodeLine code={problem.code} about={stored.id} />
      </div>
      <Steps steps={deliverySteps(stored, props.post, useNow())} />
      {standing.refusal !== null && <ProblemBox problem={standing.refusal} tone="warning" about={stored.id} />}
      {!standing.open && (
        <p class="state-sentence" role="status">
          {stateLabel(standing.state, stored.payload.verb)}. {standing.sentence}
        </p>
      )}
      {standing.mayReject && <Reject requestId={stored.id} />}
      <details>
        <summary>What the request claims</summary>
        <p>{titleOf(stored.payload, null)}</p>
        <Details stored={stored} checked={null} />
      </details>
    </main>
  );
}

function vaultAddressOf({ vault }: TransferRequest): string {
  return addressOfPublicKey(hexToBytes(vault.publicKey));
}

/** Transfers that passed their checks: what is refused teaches nothing about what is usual. */
function historyOf(requests: readonly StoredRequest[]): Seen[] {
  return requests.flatMap((stored) =>
    isTransfer(stored.payload) && !isAlarming(stored.problem) ? [{ ...stored, payload: stored.payload }] : [],
  );
}
