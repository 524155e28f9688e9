/** What others' browsers have seen of the agent's record, as the agent handed it on and as it was checked here. Given all it shows. */
import type { StoredLog } from "../log-memory.ts";
import type { StoredWitness } from "../witnesses.ts";
import { When } from "./fact.tsx";

export function Witnesses({ log, witnesses }: { log: StoredLog | null; witnesses: readonly StoredWitness[] }) {
  return (
    <section class="facts" aria-labelledby="witnesses">
      <h2 id="witnesses">What others' browsers have seen of the record</h2>
      {witnesses.length === 0 ? (
        <p class="muted">Nothing of others has come yet. It comes by itself, when they connect.</p>
      ) : (
        <table class="seen">
          <thead>
            <tr>
              <th scope="col">Person</th>
              <th scope="col" class="number">
                Entries
              </th>
              <th scope="col">When</th>
            </tr>
          </thead>
          <tbody>
            {witnesses.map(({ kid, person, size, at }) => (
              <tr key={kid}>
                <th scope="row">{person}</th>
                <td class="number">{size.toLocaleString("en-US")}</td>
                <td>
                  <When seconds={at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {log !== null && (
        <p class="muted">
          This browser has seen {log.head.size.toLocaleString("en-US")}. What they have seen belongs to the same record:
          it was checked here.
        </p>
      )}
    </section>
  );
}
