/** Everything that a transfer says, and the exact statement: below the sentence and the warnings, for those who compare. */
import type { TransferRequest } from "../../protocol/request.ts";
import { CommonFacts, Fact, QrToggle, StatementText } from "./fact.tsx";
import { Fours } from "./fours.tsx";
import { groupAmount } from "./wording.ts";

interface Props {
  readonly payload: TransferRequest;
  readonly vaultAddress: string;
  readonly digest: string;
  /** Null where the request did not pass its checks. */
  readonly statement: string | null;
}

export function Facts({ payload, vaultAddress, digest, statement }: Props) {
  const { effect, network, token, vault, payee } = payload;
  return (
    <section class="facts" aria-labelledby="facts-title">
      <h2 id="facts-title">Details</h2>
      <dl>
        <Fact name="Amount">
          {groupAmount(effect.amount)} {effect.asset}
        </Fact>
        <Fact name="Destination">
          {payee !== null && <>{payee} in the address book: </>}
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
        <CommonFacts payload={payload} digest={digest} verified={statement !== null} />
      </dl>
      <StatementText statement={statement} />
    </section>
  );
}
