/**
 * Pairing this browser with an HSM by an invite: pair.html, the code pasted or in the address's hash. The HSM's fingerprint is
 * shown before anything is sent, and pinned by actions.ts; then the device, the six words and the approvals. Each state goes on by
 * itself. Design, sections 4 and 5.
 */
import { fingerprint } from "../../protocol/primitive.ts";
import {
  loadCharter,
  loadDevices,
  loadLink,
  loadNotices,
  loadPairing,
  loadRequests,
  pairingWords,
} from "../actions.ts";
import { isOpen } from "../waiting.ts";
import { Fours } from "./fours.tsx";
import { Frame, mount } from "./frame.tsx";
import { InviteForm } from "./invite-form.tsx";
import { useLive } from "./live.ts";
import { Loaded } from "./loaded.tsx";
import { inviteInHash, pairingSteps, pendingStage, pendingSteps } from "./pairing-steps.ts";
import { ProblemBox } from "./problem.tsx";
import { Steps } from "./steps.tsx";
import { Leave, Unpair } from "./unpair.tsx";
import { listWords } from "./wording.ts";
import { Words } from "./words.tsx";

const invited = inviteInHash(location.hash);
// The code is a key: it must not stay in the address bar or in the history.
history.replaceState(null, "", location.pathname);

async function loadAll() {
  const [pairing, devices, requests, link, notices, charter, words] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadRequests(),
    loadLink(),
    loadNotices(),
    loadCharter(),
    pairingWords(),
  ]);
  return { pairing, devices, requests, link, notices, charter, words };
}

type Stored = Awaited<ReturnType<typeof loadAll>>;

function PairPage() {
  return <Loaded live={useLive(loadAll)}>{(stored) => <Page {...stored} />}</Loaded>;
}

function Page(stored: Stored) {
  const { pairing, link } = stored;
  if (pairing === null) {
    return (
      <Frame>
        <InviteForm invited={invited} />
      </Frame>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <main>
        <Progress {...stored} pairing={pairing} />
      </main>
    </Frame>
  );
}

interface Begun extends Stored {
  readonly pairing: NonNullable<Stored["pairing"]>;
}

function Progress(props: Begun) {
  const { pairing, link, notices } = props;
  switch (pairing.state) {
    case "pairing":
      return (
        <>
          <h1>Pairing this browser…</h1>
          <Steps steps={pairingSteps(pairing, link)} />
          {notices.map((notice) => (
            <ProblemBox key={notice.code} problem={notice} tone="danger" />
          ))}
          <Unpair label="Stop pairing" />
        </>
      );
    case "refused":
      return (
        <>
          <h1>Pairing was refused</h1>
          {pairing.problem !== null && <ProblemBox problem={pairing.problem} tone="danger" />}
          <p>Ask whoever invited you for a new invite.</p>
          <Unpair label="Start again" />
        </>
      );
    case "paired":
      return pairing.standing === "member" ? <Member {...props} /> : <Waiting {...props} />;
  }
}

/** Welcomed by the HSM and not approved yet. */
function Waiting({ pairing, devices, requests, charter, words }: Begun) {
  const founding = requests.find((request) => request.payload.verb === "FOUND" && isOpen(request));
  const approvals = charter?.policy.governance.threshold ?? null;
  const pending = { devices, words, approvals, founding: founding !== undefined };
  const stage = pendingStage(pending);
  const refused = devices.find(({ state }) => state === "refused")?.problem ?? null;
  return (
    <>
      <h1>{HEADINGS[stage]}</h1>
      {pairing.name !== null && (
        <p class="lede">
          You will be {pairing.name}, {listWords(pairing.roles)}.
        </p>
      )}
      {stage === "device" && (
        <>
          {refused !== null && <ProblemBox problem={refused} tone="warning" />}
          <p>
            <a class="button primary" href="./enrol.html">
              Enrol your device
            </a>
          </p>
        </>
      )}
      {stage === "words" && words !== null && <Words words={words} />}
      {stage === "founding" && founding !== undefined && (
        <p>
          <a class="button primary" href={`./approval.html?request=${founding.id}`}>
            Read and sign the founding
          </a>
        </p>
      )}
      <Steps steps={pendingSteps(pending)} />
      <Leave label="Stop pairing" />
    </>
  );
}

const HEADINGS: Record<ReturnType<typeof pendingStage>, string> = {
  device: "Waiting for your device",
  sending: "Waiting for your device",
  words: "Read these six words aloud",
  founding: "Sign the founding",
};

function Member({ pairing, devices }: Begun) {
  const decides = pairing.roles.includes("approver") || pairing.roles.includes("admin");
  return (
    <>
      <h1>
        You are {pairing.name}, {listWords(pairing.roles)}
      </h1>
      <p class="lede">Requests for you arrive in this browser.</p>
      {decides && devices.length === 0 && (
        <p>
          <a class="button primary" href="./enrol.html">
            Enrol your device
          </a>
        </p>
      )}
      <p>
        <a href="./inbox.html">Inbox</a> · <a href="./people.html">People and policy</a>
      </p>
      <h2>HSM fingerprint</h2>
      <p class="print">
        <Fours text={fingerprint(pairing.hsm)} />
      </p>
      <Leave label="Unpair" />
    </>
  );
}

mount(<PairPage />);
