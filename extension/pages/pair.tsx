/**
 * Pairing this browser with an HSM by an invite: pair.html, the code pasted or in the address's hash. The HSM's fingerprint is
 * shown before anything is sent, and pinned by actions.ts. Design, sections 4 and 5.
 */
import { useState } from "preact/hooks";
import { fingerprint } from "../../protocol/primitive.ts";
import { inspectInvite, loadLink, loadNotices, loadPairing, pair, unpair } from "../actions.ts";
import type { LinkStatus, Notice, Pairing, Problem } from "../store.ts";
import { bridgeHost } from "./arrange.ts";
import { Fours } from "./fours.tsx";
import { Frame, mount } from "./frame.tsx";
import { useLive } from "./live.ts";
import { inviteInHash, pairingSteps } from "./pairing-steps.ts";
import { ProblemBox, problemOf } from "./problem.tsx";
import { Steps } from "./steps.tsx";
import { listWords } from "./wording.ts";

const invited = inviteInHash(location.hash);
// The code is a key: it must not stay in the address bar or in the history.
history.replaceState(null, "", location.pathname);

interface Stored {
  readonly pairing: Pairing | null;
  readonly link: LinkStatus;
  readonly notices: Notice[];
}

async function loadAll(): Promise<Stored> {
  const [pairing, link, notices] = await Promise.all([loadPairing(), loadLink(), loadNotices()]);
  return { pairing, link, notices };
}

function PairPage() {
  const live = useLive(loadAll);
  if (live.is === "loading") return <Frame>{null}</Frame>;
  if (live.is === "broken") {
    return (
      <Frame>
        <ProblemBox problem={live.problem} tone="danger" />
      </Frame>
    );
  }
  const { pairing, link, notices } = live.value;
  if (pairing === null) {
    return (
      <Frame>
        <InviteForm />
      </Frame>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <main>
        <Progress pairing={pairing} link={link} notices={notices} />
      </main>
    </Frame>
  );
}

function Progress({ pairing, link, notices }: { pairing: Pairing; link: LinkStatus; notices: Notice[] }) {
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
          <p>Ask your operator for a new invite.</p>
          <Unpair label="Start again" />
        </>
      );
    case "paired":
      return (
        <>
          <h1>Paired as {pairing.name}</h1>
          <p class="lede">Your role: {listWords(pairing.roles)}. Requests for you will arrive in this browser.</p>
          {pairing.roles.includes("approver") && (
            <p>
              <a class="button primary" href="./enrol.html">
                Enrol your device
              </a>
            </p>
          )}
          <h2>HSM fingerprint</h2>
          <p class="print">
            <Fours text={fingerprint(pairing.hsm)} />
          </p>
          <details>
            <summary>Unpair this browser</summary>
            <p>
              Its keys are deleted here; you need a new invite to approve again. Your operator should remove them too.
            </p>
            <Unpair label="Unpair" />
          </details>
        </>
      );
  }
}

function Unpair({ label }: { label: string }) {
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

function InviteForm() {
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
      <p class="lede">Your operator gave you an invite. It connects this browser to your organisation's HSM, once.</p>
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
              Call your operator, on a number that you know, and read all of it to each other. The bridge is{" "}
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
              I compared this fingerprint with my operator by telephone
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

mount(<PairPage />);
