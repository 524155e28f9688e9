/** A list of requests, each a line in plain words with where it stands; a recovery and a request that must not be signed stand out. */
import type { Documents } from "../../protocol/governance.ts";
import { isTransfer, type RequestPayload } from "../../protocol/request.ts";
import { doubtWords } from "./approving-words.ts";
import type { Entry } from "./arrange.ts";
import { momentOf, timeLeft } from "./clock.ts";
import { Fours } from "./fours.tsx";
import { Icon } from "./icon.tsx";
import { titleOf } from "./motion-words.ts";
import { isAlarming } from "./standing.ts";
import { groupAmount, stateLabel } from "./wording.ts";

interface Props {
  /** Empty for the list that needs none. */
  readonly title: string;
  readonly entries: readonly Entry[];
  readonly inForce: Documents | null;
  readonly now: number;
}

export function RequestList({ title, entries, inForce, now }: Props) {
  if (entries.length === 0) return null;
  const list = (
    <ul class="requests">
      {entries.map((entry) => (
        <Row key={entry.stored.id} entry={entry} inForce={inForce} now={now} />
      ))}
    </ul>
  );
  if (title === "") return list;
  const id = title.toLowerCase().replaceAll(" ", "-");
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {list}
    </section>
  );
}

function Row({ entry: { stored, standing }, inForce, now }: { entry: Entry } & Pick<Props, "inForce" | "now">) {
  const { payload } = stored;
  const alarming = isAlarming(stored.problem);
  const notBefore = isTransfer(payload) ? null : payload.notBefore;
  const recovery = notBefore !== null && standing.open;
  return (
    <li class={alarming ? "alarming" : recovery ? "recovery" : standing.state}>
      <a href={`./approval.html?request=${stored.id}`} target="_blank" rel="noopener">
        <span class="what">
          <What payload={payload} inForce={inForce} />
        </span>
        {notBefore !== null && (
          <span class="where soon">
            <Icon name="warning" /> Recovery: takes effect at {momentOf(notBefore).local} at the earliest
          </span>
        )}
        <span class="where">
          {alarming ? (
            <>
              <Icon name="stop" /> Do not sign
            </>
          ) : (
            <>
              {stateLabel(standing.state, payload.verb)}
              {standing.open &&
                ` · ${standing.approvals.length} of ${payload.quorum.threshold} · ${timeLeft(payload.exp, now)}`}
              {doubtWords(standing.state, stored) !== "" && ` · ${doubtWords(standing.state, stored)}`}
              {standing.didWords !== "" && ` · ${standing.didWords}`}
            </>
          )}
        </span>
      </a>
    </li>
  );
}

function What({ payload, inForce }: { payload: RequestPayload; inForce: Documents | null }) {
  if (!isTransfer(payload)) return <strong>{titleOf(payload, inForce)}</strong>;
  const { effect, vault, payee } = payload;
  return (
    <>
      Send{" "}
      <strong>
        {groupAmount(effect.amount)} {effect.asset}
      </strong>{" "}
      to {payee !== null && <strong>{payee} </strong>}
      <Fours text={effect.to} ends /> from {vault.name}
    </>
  );
}
