/** A whole policy: its rules in sentences, what its names stand for, and all of its lines on demand. */
import type { People } from "../../protocol/people.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { linesOf } from "./difference.ts";
import { Fact } from "./fact.tsx";
import { Fours } from "./fours.tsx";
import { namedValues, policySentences } from "./policy-words.ts";

export function PolicyWhole({ policy, people }: { policy: PolicyText; people: People }) {
  const values = namedValues(policy);
  return (
    <section class="facts" aria-labelledby="rules">
      <h2 id="rules">The rules</h2>
      <ul class="plain">
        {policySentences(policy, people).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      {values.length > 0 && (
        <dl>
          {values.map(({ name, text }) => (
            <Fact key={`${name} ${text}`} name={name}>
              <Fours text={text} ends />
            </Fact>
          ))}
        </dl>
      )}
      <PolicyLines policy={policy} />
    </section>
  );
}

/** Every line of it, for those who compare. */
export function PolicyLines({ policy }: { policy: PolicyText }) {
  return (
    <details>
      <summary>All lines of the policy</summary>
      <ol class="lines">
        {linesOf(policy).map((text, at) => (
          <li key={at}>{text}</li>
        ))}
      </ol>
    </details>
  );
}
