/** Where a request stands and the buttons: state, progress, confirm on a device, reject; what the device shows; who has approved. */
import { useState } from "preact/hooks";
import { motionOf } from "../../protocol/request.ts";
import { canSign } from "../actions.ts";
import type { Checked } from "../check.ts";
import { canReach } from "../devices/support.ts";
import type { Problem, StoredDevice, StoredRequest } from "../store.ts";
import { Approvers, Countdown } from "./approvers.tsx";
import { onlyReading } from "./approving-words.ts";
import { askable, deviceName } from "./choosing.ts";
import { Confirm, Stopped, type useConfirmation, Withdrawn } from "./confirm.tsx";
import type { Prompted } from "./confirming.ts";
import { betterKindWords, helps, wrongKindWords } from "./demands.ts";
import { DeviceScreens } from "./device-screens.tsx";
import { rangesOf } from "./marking.ts";
import { type Compared, comparedOf, comparedRanges } from "./motion-compare.ts";
import { comparisonFor } from "./motion-people.tsx";
import { NoLedger } from "./no-ledger.tsx";
import { ProblemBox } from "./problem.tsx";
import { Reject } from "./reject.tsx";
import type { Standing } from "./standing.ts";
import { Steps } from "./steps.tsx";
import { approvalSteps, deliverySteps, isHeldBack, type Post } from "./timeline.ts";
import { groupAmount, modelName, stateLabel } from "./wording.ts";

export interface DecideProps extends ReturnType<typeof useConfirmation> {
  readonly stored: StoredRequest;
  readonly checked: Checked | null;
  readonly problem: Problem | null;
  readonly devices: readonly StoredDevice[];
  readonly me: string;
  readonly roles: readonly string[];
  readonly post: Post;
  readonly standing: Standing;
  readonly now: number;
}

export function Decide(props: DecideProps) {
  const { stored, checked, problem, devices, me, post, standing, now, confirmation, stage } = props;
  const [chosen, setChosen] = useState<string | null>(null);
  const [compared, setCompared] = useState(false);
  // At the founding the device that it enrols.
  const enrolled = devices.filter((one) => canSign(stored, one));
  const { quorum, verb } = stored.payload;
  const used = standing.approvals.map(({ vendor }) => vendor);
  const reachable = askable(
    enrolled,
    (vendor) => canReach(vendor),
    (vendor) => helps(quorum, used, vendor),
  );
  const reached = reachable.find(({ address }) => address === chosen) ?? reachable[0];
  const device = reached ?? enrolled[0];
  const others = reachable.filter((other) => other !== reached);
  const [first] = others;
  const better = first === undefined ? undefined : { vendor: first.vendor, name: deviceName(first) };
  const wrongKind =
    wrongKindWords(
      quorum,
      used,
      enrolled.map((one) => one.vendor),
      standing.waitingFor.filter((person) => person !== me),
    ) || (reached === undefined ? "" : betterKindWords(quorum, used, reached.vendor, better));
  const steps = [...approvalSteps(stored, standing, post, now), ...deliverySteps(stored, post, now)];
  const isHeld = standing.open && isHeldBack(stored, post);
  const prompted = stage.at === "asking" || stage.at === "overdue" ? stage.device : null;
  const vendor = prompted?.vendor ?? device?.vendor;
  const model = prompted?.model ?? device?.model;
  const mayConfirm = standing.mayApprove && checked !== null && problem === null;
  const comparison = comparisonOf(checked);
  return (
    <div class="decide">
      <section class="standing" aria-labelledby="standing-title">
        <div class="state-line">
          <h2 id="standing-title" class={`state ${standing.state}`}>
            {stateLabel(standing.state, verb)}
          </h2>
          {standing.open && <Countdown expires={stored.payload.exp} now={now} />}
        </div>
        <p class="state-sentence" role="status">
          {isHeld ? "The alarm above holds your approval back." : standing.sentence}
        </p>
        {problem !== null && standing.open && !isHeld && <WhyNot {...props} problem={problem} />}
        {standing.refusal !== null && <ProblemBox problem={standing.refusal} tone="warning" about={stored.id} />}
        <Withdrawn stage={stage} />
        {standing.did === "nothing" && <Stopped stage={stage} />}
        {prompted !== null && !mayConfirm && (
          <p class="box warning" role="alert">
            This ended while your {prompted.vendor} was asking. Reject it on the device: a signature would not count any
            more.
          </p>
        )}
        {standing.did === "withdrew" && standing.open && (
          <p class="state-sentence">
            You cancelled while your device was asking: you cannot approve this request any more.
          </p>
        )}
        <Steps steps={steps} />
        <div class="buttons">
          {mayConfirm && device === undefined && (
            <p class="box note">
              You have no enrolled device yet. <a href="./enrol.html">Enrol your device</a>, then come back: the request
              stays here.
            </p>
          )}
          {mayConfirm && reached === undefined && <NoLedger />}
          {mayConfirm && wrongKind !== "" && (
            <p class="box warning" role="status">
              {wrongKind}
            </p>
          )}
          {mayConfirm && comparison !== "" && stage.at !== "asking" && (
            <label class="choice">
              <input
                type="checkbox"
                checked={compared}
                onChange={(event) => setCompared(event.currentTarget.checked)}
              />
              {comparison}
            </label>
          )}
          {mayConfirm && reached !== undefined && (
            <Confirm
              confirmation={confirmation}
              stage={stage}
              compared={comparedIn(checked)}
              first={comparison === "" || compared ? "" : "First compare, and tick the box: then your device is asked."}
              device={reached}
              others={others}
              onChoose={({ address }) => setChosen(address)}
            />
          )}
          {standing.mayReject && stage.at !== "asking" && <Reject requestId={stored.id} />}
        </div>
      </section>
      {(mayConfirm || prompted !== null) && checked !== null && model !== undefined && vendor !== undefined && (
        <section class="device" aria-labelledby="device-title">
          <h2 id="device-title">{whatShows(prompted, device)}</h2>
          <DeviceScreens
            vendor={vendor}
            model={model}
            appVersion={prompted?.appVersion ?? null}
            statement={checked.statement}
            {...markedIn(checked)}
          />
        </section>
      )}
      <Approvers standing={standing} threshold={quorum.threshold} me={me} />
    </div>
  );
}

/** Why this person cannot decide on it now. */
function WhyNot({ stored, problem, roles }: DecideProps & { problem: Problem }) {
  const reading = onlyReading(problem.code, stored.payload, roles);
  if (reading !== "") return <p class="box note">{reading}</p>;
  return <ProblemBox problem={problem} tone="warning" about={stored.id} />;
}

function comparisonOf(checked: Checked | null): string {
  if (checked?.kind !== "motion" || checked.motion.verb !== "ENROLL") return "";
  return comparisonFor(checked.motion.change);
}

/** What the person compares with the device's screen. */
function comparedIn(checked: Checked): Compared[] {
  if (checked.kind === "motion") return comparedOf(motionOf(checked.payload), checked.payload.policy.n);
  const { amount, asset, to } = checked.decoded;
  return [
    { name: "Amount", text: `${groupAmount(amount)} ${asset}`, long: false },
    { name: "Destination", text: to, long: true },
  ];
}

/** What is marked in the pictures of the device, and what the marks are called. */
function markedIn(checked: Checked) {
  if (checked.kind === "motion") {
    const legend = { amount: "What is asked", address: "what to compare whole" };
    return { ranges: comparedRanges(motionOf(checked.payload), checked.payload.policy.n), legend };
  }
  return {
    ranges: rangesOf(checked.statement, checked.decoded),
    legend: { amount: "Amount", address: "destination" },
  };
}

/** The heading above the pages: of the device that asks, or of the one that would be asked. */
function whatShows(prompted: Prompted | null, device: StoredDevice | undefined): string {
  if (prompted !== null && prompted.model !== device?.model) return `What your ${modelName(prompted.model)} shows`;
  if (device === undefined) return "What your device shows";
  return `What ${device.label === undefined ? "your " : ""}${deviceName(device)} shows`;
}
