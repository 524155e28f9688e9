/** Everything that a request says, and the exact statement: below the sentence and the warnings, for those who compare. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { fingerprint } from "../../protocol/primitive.ts";
import type { RequestPayload } from "../../protocol/request.ts";
import { momentOf } from "./clock.ts";
import { demandWords } from "./demands.ts";
import { Fours } from "./fours.tsx";
import { QrCode } from "./qr.tsx";
import { groupAmount } from "./wording.ts";

interface Props {
  readonly payload: RequestPayload;
  readonly vaultAddress: string;
  readonly digest: string;
  /** Null where the request did not pass its checks: then there is none to sign. */
  readonly statement: string | null;
}

export function Facts({ payload, vaultAddress, digest, statement }: Props) {
  const { effect, network, token, vault } = payload;
  return (
    <section class="facts" aria-labelledby="facts-title">
      <h2 id="facts-title">Details</h2>
      <dl>
        <Fact name="Amount">
          {groupAmount(effect.amount)} {effect.asset}
        </Fact>
        <Fact name="Destination">
          <Fours text={effect.to} ends />
          <QrToggle address={effect.to} />
        </Fact>
        {token === null ? (
          <Fact name="Asset">{network.symbol}, the coin of the network itself</Fact>
        ) : (
          <Fact name="Asset">
            {token.symbol}, token contract <Fours text={token.contract} ends />
          </Fact>
        )}
        <Fact name="Vault">
          {vault.name} <Fours text={vaultAddress} ends />
        </Fact>
        <Fact name="Network">
          {network.name} ({network.id})
        </Fact>
        <Fact name="Highest fee">{effect.maxFee}</Fact>
        <Fact name="Nonce">{effect.nonce}</Fact>
        <Fact name="Proposed by">
          {payload.initiator}, <When seconds={payload.iat} />
        </Fact>
        <Fact name="Expires">
          <When seconds={payload.exp} />
        </Fact>
        <Fact name="Policy">
          number {payload.policy.n}, needs {payload.quorum.threshold} of {payload.quorum.people.length}:{" "}
          {payload.quorum.people.join(", ")}
        </Fact>
        {payload.quorum.vendors.length > 0 && (
          <Fact name="Devices needed">{demandWords(payload.quorum.vendors)} (vendor as stated when enrolled)</Fact>
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
          {statement !== null && (
            <span class="hint">The HSM that signed this request: the one pinned when you paired.</span>
          )}
        </Fact>
      </dl>
      {statement !== null && (
        <>
          <h3>The exact statement that your device signs</h3>
          <blockquote class="statement">{statement}</blockquote>
        </>
      )}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function When({ seconds }: { seconds: number }) {
  const { local, utc, iso } = momentOf(seconds);
  return (
    <time dateTime={iso}>
      {local} {!local.endsWith(" UTC") && <span class="muted">({utc})</span>}
    </time>
  );
}

function QrToggle({ address }: { address: string }) {
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
