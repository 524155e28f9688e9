/** The newest drill of each vault: whether a quorum was reached, and when each person answered on which device. */
import type { People } from "../../protocol/people.ts";
import type { StoredRequest } from "../store.ts";
import { When } from "./fact.tsx";
import { Icon } from "./icon.tsx";
import { type DrillResult, drillResults } from "./last-signed.ts";
import { statedDevice } from "./wording.ts";

export function Drills({ requests, people }: { requests: readonly StoredRequest[]; people: People }) {
  const results = drillResults(requests);
  return (
    <section aria-labelledby="drills">
      <h2 id="drills">Drills</h2>
      {results.length === 0 && (
        <p class="muted">
          This browser has seen no drill. <code>opencustody drill VAULT</code> proposes one.
        </p>
      )}
      {results.map((result) => (
        <Result key={result.vault} result={result} people={people} />
      ))}
    </section>
  );
}

function Result({ result, people }: { result: DrillResult; people: People }) {
  const answered = result.people.filter(({ signed }) => signed !== null).length;
  return (
    <div class="drill">
      <h3>
        <a href={`./approval.html?request=${result.request}`}>{result.vault}</a>: {answered} of {result.threshold}{" "}
        needed answered
      </h3>
      <p class="muted">
        {result.reached ? "A quorum was reached." : "No quorum was reached."} Proposed <When seconds={result.at} />
      </p>
      <ul class="answers">
        {result.people.map(({ name, signed }) => (
          <li key={name}>
            <Icon name={signed === null ? "ring" : "check"} />
            <span>
              {name}
              {signed === null ? " has not answered" : `${onDevice(people, name, signed.address)}, `}
              {signed !== null && <When seconds={signed.at} />}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function onDevice(people: People, name: string, address: string | null): string {
  const devices = people.members.find((member) => member.name === name)?.devices ?? [];
  const device = devices.find((one) => one.address === address);
  return device === undefined ? " on a device that is gone" : ` on ${statedDevice(device)}`;
}
