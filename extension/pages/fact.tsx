/** One named thing that a request says; a moment in the reader's zone with UTC beside; and what every request says of itself. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { fingerprint } from "../../protocol/primitive.ts";
import type { RequestPayload } from "../../protocol/request.ts";
import { momentOf } from "./clock.ts";
import { demandWords } from "./demands.ts";
import { Fours } from "./fours.tsx";
import { QrCode } from "./qr.tsx";

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function When({ seconds }: { seconds: number }) {
  const { local, utc, iso } = momentOf(seconds);
  return (
    <time dateTime={iso}>
      {local} {!local.endsWith(" UTC") && <span class="muted">({utc})</span>}
    </time>
  );
}

/** A QR code of an address on demand, to compare with a telephone. */
export function QrToggle({ address }: { address: string }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" class="quiet small" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Hide QR code" : "Show QR code"}
      </button>
      {open && <QrCode text={address} label={`QR code of ${address}`} />}
    </>
  );
}

interface CommonProps {
  readonly payload: RequestPayload;
  readonly digest: string;
  /** It passed its checks. */
  readonly verified: boolean;
}

/** Who proposed it, until when, who decides, and how it is compared: at the end of every list of facts. */
export function CommonFacts({ payload, digest, verified }: CommonProps) {
  const { initiator, quorum, policy } = payload;
  return (
    <>
      <Fact name="Proposed by">
        {initiator ?? "the operator, at the founding"}, <When seconds={payload.iat} />
      </Fact>
      <Fact name="Expires">
        <When seconds={payload.exp} />
      </Fact>
      <Fact name="Policy">
        number {policy.n}, needs {quorum.threshold} of {quorum.people.length}: {quorum.people.join(", ")}
      </Fact>
      {quorum.vendors.length > 0 && (
        <Fact name="Devices needed">{demandWords(quorum.vendors)} (vendor as stated when enrolled)</Fact>
      )}
      <Fact name="Request">
        <code>{payload.request}</code>
      </Fact>
      <Fact name="Digest">
        <Fours text={digest} />
        <span class="hint">Compare it with a second machine that does not run this extension.</span>
      </Fact>
      <Fact name="HSM fingerprint">
        <Fours text={fingerprint(payload.iss)} />
        {verified && <span class="hint">The HSM that signed this request.</span>}
      </Fact>
    </>
  );
}

/** The exact text; null where the request did not pass its checks: then there is none to sign. */
export function StatementText({ statement }: { statement: string | null }) {
  if (statement === null) return null;
  return (
    <>
      <h3>The exact statement that your device signs</h3>
      <blockquote class="statement">{statement}</blockquote>
    </>
  );
}
