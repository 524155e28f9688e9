/** One request as its reader sees it, from the large sentence to the small print. Given all it shows; loads nothing. */
import { hexToBytes } from "@noble/hashes/utils.js";
import { useEffect, useState } from "preact/hooks";
import { addressOfPublicKey } from "../../protocol/device-signature.ts";
import type { Checked } from "../check.ts";
import { canReach } from "../devices/support.ts";
import type { Problem, StoredDevice, StoredRequest } from "../store.ts";
import { askable, deviceName } from "./choosing.ts";
import { appraise } from "./concern.ts";
import { Confirm, Stopped, useConfirmation, Withdrawn } from "./confirm.tsx";
import type { Prompted, Stage } from "./confirming.ts";
import { betterKindWords, helps, wrongKindWords } from "./demands.ts";
import { DeviceScreens } from "./device-screens.tsx";
import { Facts } from "./facts.tsx";
import { Fours } from "./fours.tsx";
import { Icon } from "./icon.tsx";
import { useNow } from "./live.ts";
import { NoLedger } from "./no-ledger.tsx";
import { Countdown, People } from "./people.tsx";
import { CodeLine, ProblemBox } from "./problem.tsx";
import { Reject } from "./reject.tsx";
import { isAlarming, type Standing, standingOf } from "./standing.ts";
import { Steps } from "./steps.tsx";
import { approvalSteps, deliverySteps } from "./timeline.ts";
import { Warnings } from "./warnings.tsx";
import { groupAmount, modelName, sentenceOf, stateLabel } from "./wording.ts";

interface Props {
  readonly stored: StoredRequest;
  readonly checked: Checked | null;
  readonly problem: Problem | null;
  readonly others: readonly StoredRequest[];
  readonly devices: readonly StoredDevice[];
  readonly me: string;
  readonly online: boolean;
}

export function RequestView(props: Props) {
  const { stored, checked, problem, me } = props;
  const now = useNow();
  const payload = checked?.payload ?? stored.payload;
  const standing = standingOf(stored, me, now);
  const vaultAddress = addressOfPublicKey(hexToBytes(payload.vault.publicKey));
  useEffect(() => {
    document.title = `${stateLabel(standing.state)}: ${sentenceOf(payload)}`;
  }, [standing.state, payload]);

  // Up here, so that a prompt under way is not forgotten when the request turns out to be wrong.
  const asked = useConfirmation(stored.id);

  if (isAlarming(problem))
    return <Alarm {...props} problem={problem} standing={standing} vaultAddress={vaultAddress} stage={asked.stage} />;
  const appraisal = appraise({ payload, receipt: stored.receipt }, vaultAddress, historyOf(props.others), now, me);
  return (
    <main class="request">
      <div class="lead">
        <Sentence payload={payload} />
        {stored.notice !== null && <ProblemBox problem={stored.notice} tone="warning" about={stored.id} />}
        {standing.open && <Warnings appraisal={appraisal} />}
      </div>
      <Decide {...props} {...asked} standing={standing} now={now} />
      <Facts
        payload={payload}
        vaultAddress={vaultAddress}
        digest={checked?.digest ?? stored.digest}
        statement={checked?.statement ?? null}
      />
    </main>
  );
}

function Sentence({ payload }: { payload: StoredRequest["payload"] }) {
  const { amount, asset, to } = payload.effect;
  return (
    <h1 class="sentence">
      Send{" "}
      <strong>
        {groupAmount(amount)} {asset}
      </strong>{" "}
      to <Fours text={to} ends /> from <strong>{payload.vault.name}</strong>
    </h1>
  );
}

function Decide({
  stored,
  checked,
  problem,
  devices,
  me,
  online,
  standing,
  now,
  confirmation,
  stage,
}: Props & ReturnType<typeof useConfirmation> & { standing: Standing; now: number }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const enrolled = devices.filter((one) => one.state === "enrolled");
  const { quorum } = stored.payload;
  const used = standing.approvals.map(({ vendor }) => vendor);
  const reachable = askable(
    devices,
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
  const steps = [...approvalSteps(stored, standing, online, now), ...deliverySteps(stored, online, now)];
  const prompted = stage.at === "asking" || stage.at === "overdue" ? stage.device : null;
  const vendor = prompted?.vendor ?? device?.vendor;
  const model = prompted?.model ?? device?.model;
  const mayConfirm = standing.mayApprove && checked !== null;
  return (
    <div class="decide">
      <section class="standing" aria-labelledby="standing-title">
        <div class="state-line">
          <h2 id="standing-title" class={`state ${standing.state}`}>
            {stateLabel(standing.state)}
          </h2>
          {standing.open && <Countdown expires={stored.payload.exp} now={now} />}
        </div>
        <p class="state-sentence" role="status">
          {standing.sentence}
        </p>
        {problem !== null && standing.open && <ProblemBox problem={problem} tone="warning" about={stored.id} />}
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
          {mayConfirm && reached !== undefined && (
            <Confirm
              confirmation={confirmation}
              stage={stage}
              effect={stored.payload.effect}
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
            words={checked.decoded}
          />
        </section>
      )}
      <People standing={standing} threshold={stored.payload.quorum.threshold} me={me} />
    </div>
  );
}

function Alarm(props: Props & { problem: Problem; standing: Standing; vaultAddress: string; stage: Stage }) {
  const { stored, problem, standing, vaultAddress, stage } = props;
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
      <Steps steps={deliverySteps(stored, props.online, useNow())} />
      {standing.refusal !== null && <ProblemBox problem={standing.refusal} tone="warning" about={stored.id} />}
      {!standing.open && (
        <p class="state-sentence" role="status">
          {stateLabel(standing.state)}. {standing.sentence}
        </p>
      )}
      {standing.mayReject && <Reject requestId={stored.id} />}
      <details>
        <summary>What the request claims</summary>
        <Facts payload={stored.payload} vaultAddress={vaultAddress} digest={stored.digest} statement={null} />
      </details>
    </main>
  );
}

/** The heading above the pages: of the device that asks, or of the one that would be asked. */
function whatShows(prompted: Prompted | null, device: StoredDevice | undefined): string {
  if (prompted !== null && prompted.model !== device?.model) return `What your ${modelName(prompted.model)} shows`;
  if (device === undefined) return "What your device shows";
  return `What ${device.label === undefined ? "your " : ""}${deviceName(device)} shows`;
}

/** Requests that passed their checks: what is refused teaches nothing about what is usual. */
function historyOf(requests: readonly StoredRequest[]): StoredRequest[] {
  return requests.filter((request) => !isAlarming(request.problem));
}
