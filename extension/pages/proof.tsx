/**
 * Verifies a proof that somebody was given: proof.html. A file and the HSM's fingerprint are all that it needs: no pairing, no network. It
 * shows each step and the request as this extension decodes it, and stores nothing. protocol/README.md, "Verifying a proof".
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import { useEffect, useState } from "preact/hooks";
import { addressOfPublicKey } from "../../protocol/device-signature.ts";
import { fingerprint } from "../../protocol/primitive.ts";
import { NOT_PROVED, type Proved, type StepOutcome, type Verdict } from "../../protocol/proof.ts";
import { PROOF_MAX } from "../../protocol/proof-form.ts";
import { isTransfer } from "../../protocol/request.ts";
import { loadPairing } from "../actions.ts";
import { typedFingerprint, verifyFile } from "../proof.ts";
import type { Problem } from "../store.ts";
import { Fact, When } from "./fact.tsx";
import { Facts } from "./facts.tsx";
import { Fours } from "./fours.tsx";
import { Frame, mount } from "./frame.tsx";
import { Icon } from "./icon.tsx";
import { MotionFacts } from "./motion-view.tsx";
import { ProblemBox, problemOf } from "./problem.tsx";
import { resultHeading, STEP_TITLES } from "./proof-words.ts";

function ProofPage() {
  const [file, setFile] = useState<File | null>(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const hsm = typedFingerprint(typed);

  useEffect(() => {
    // Without a pairing, or where the records cannot be read, somebody types it.
    loadPairing().then(
      (pairing) => setTyped((now) => (now === "" && pairing !== null ? fingerprint(pairing.hsm) : now)),
      () => {},
    );
  }, []);

  const forget = (): void => {
    setVerdict(null);
    setProblem(null);
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (busy || file === null || hsm === undefined) return;
    forget();
    setBusy(true);
    verifyChosen(file, hsm)
      .then(setVerdict, (error: unknown) => setProblem(problemOf(error)))
      .finally(() => setBusy(false));
  };

  return (
    <Frame>
      <main>
        <h1>Verify a proof</h1>
        <p class="lede">
          A proof is one file that shows how a request was approved and what became of it. It is read here and nowhere
          else: nothing is sent, and nothing is kept.
        </p>
        <form onSubmit={submit}>
          <label for="file">The proof</label>
          <input
            id="file"
            type="file"
            accept=".json,application/json"
            onChange={(event) => {
              setFile(event.currentTarget.files?.[0] ?? null);
              forget();
            }}
          />
          <label for="fingerprint">The HSM's fingerprint</label>
          <textarea
            id="fingerprint"
            rows={2}
            spellcheck={false}
            autocomplete="off"
            value={typed}
            aria-describedby="fingerprint-hint fingerprint-problem"
            onInput={(event) => {
              setTyped(event.currentTarget.value);
              forget();
            }}
          />
          <p id="fingerprint-hint" class="muted">
            64 digits. A paired browser fills in its own; without one, ask the operator over a channel that you trust.
          </p>
          <p id="fingerprint-problem" class="field-problem" role="status">
            {typed !== "" && hsm === undefined ? "A fingerprint has 64 digits, 0 to 9 and a to f." : ""}
          </p>
          <button type="submit" class="primary" disabled={busy || file === null || hsm === undefined}>
            Verify
          </button>
        </form>
        <p class="muted" role="status">
          {busy ? "Verifying…" : ""}
        </p>
        {problem !== null && <ProblemBox problem={problem} tone="danger" />}
        {verdict !== null && <Result verdict={verdict} />}
      </main>
    </Frame>
  );
}

async function verifyChosen(file: File, hsm: string): Promise<Verdict> {
  // Too much to be one: its first bytes are refused as any other file's.
  const bytes = await file.slice(0, PROOF_MAX + 1).arrayBuffer();
  return await verifyFile(new Uint8Array(bytes), hsm);
}

function Result({ verdict }: { verdict: Verdict }) {
  const { ok, steps, said, code, proved } = verdict;
  return (
    <section aria-labelledby="result">
      <h2 id="result">{resultHeading(verdict)}</h2>
      {ok ? (
        <p role="status">{NOT_PROVED}</p>
      ) : (
        <ProblemBox problem={{ code: code ?? "ERR_PROOF", message: said }} tone="danger" />
      )}
      <ol class="finding">
        {steps.map((step) => (
          <Taken key={step.name} step={step} />
        ))}
      </ol>
      {proved !== null && <About proved={proved} />}
    </section>
  );
}

function Taken({ step: { name, ok, said } }: { step: StepOutcome }) {
  return (
    <li class={ok ? "fine" : "wrong"}>
      <Icon name={ok ? "check" : "warning"} />
      <div>
        <p class="title">
          <span class="unseen">{ok ? "Holds:" : "Fails:"} </span>
          {STEP_TITLES[name]}
        </p>
        <p>{said}</p>
      </div>
    </li>
  );
}

function About({ proved: { payload, digest, statement, receipt, approvers, head, signer } }: { proved: Proved }) {
  return (
    <>
      <section class="facts" aria-labelledby="became">
        <h2 id="became">What became of it</h2>
        <dl>
          <Fact name="State">
            {receipt.state}, <When seconds={receipt.at} />
          </Fact>
          {receipt.records.map(({ of, kind, person, at, vendor, address }) => (
            <Fact key={of} name={`${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`}>
              {person}
              {vendor !== null && ` on a ${vendor} (as stated when enrolled)`}, <When seconds={at} />
              {address !== null && <Fours text={address} ends />}
            </Fact>
          ))}
          <Fact name="Approvals that count">{approvers.length}</Fact>
          {receipt.hash !== null && (
            <Fact name="Transaction hash">
              <Fours text={receipt.hash} />
            </Fact>
          )}
          <Fact name="Log">
            {head.size} entries, root <Fours text={head.root} />
          </Fact>
          <Fact name="Log signed by HSM identity">
            <Fours text={signer} />
          </Fact>
        </dl>
      </section>
      {isTransfer(payload) ? (
        <Facts
          payload={payload}
          vaultAddress={addressOfPublicKey(hexToBytes(payload.vault.publicKey))}
          digest={digest}
          statement={statement}
        />
      ) : (
        <MotionFacts payload={payload} digest={digest} statement={statement} />
      )}
    </>
  );
}

mount(<ProofPage />);
