/** What FOUND, ENROLL and REMOVE change: people, roles, keys and whole addresses, for the person who decides. */
import { type Documents, type Motion } from "../../protocol/governance.ts";
import { keyName } from "../../protocol/motion-statement.ts";
import { fingerprint, thumbprint } from "../../protocol/primitive.ts";
import { Fact, QrToggle } from "./fact.tsx";
import { Fours } from "./fours.tsx";
import { removalWords } from "./motion-words.ts";
import { PolicyWhole } from "./policy-whole.tsx";
import { listWords } from "./wording.ts";

type Change<Verb extends Motion["verb"]> = Extract<Motion, { verb: Verb }>["change"];

export function Enrol({ change, inForce }: { change: Change<"ENROLL">; inForce: Documents | null }) {
  const { name, roles, extension, file, device } = change;
  const known = inForce?.people.members.find((member) => member.name === name);
  return (
    <section class="facts" aria-labelledby="enrols">
      <h2 id="enrols">{known === undefined ? "A new person" : `${name} gets more`}</h2>
      <dl>
        <Fact name="Person">{name}</Fact>
        {known !== undefined && <Fact name="Roles so far">{listWords(known.roles)}</Fact>}
        {roles.length > 0 && <Fact name={known === undefined ? "Roles" : "Further roles"}>{listWords(roles)}</Fact>}
        {device !== null && (
          <Fact name="Device">
            {device.vendor} {device.model} <span class="muted">(as stated; a signature does not prove it)</span>
            <Fours text={device.address} ends />
            <QrToggle address={device.address} />
          </Fact>
        )}
        {extension !== null && (
          <Fact name="Browser">
            <Fours text={keyName(thumbprint(extension))} />
          </Fact>
        )}
        {file !== null && (
          <Fact name="Key file">
            <Fours text={keyName(thumbprint(file))} />
            <span class="hint">Whoever holds it proposes as {name}.</span>
          </Fact>
        )}
      </dl>
      {device !== null && (
        <p class="box warning">
          Compare the whole address with {name} over another channel, by telephone or face to face: {name} reads it from
          the device's own screen. If {name}'s computer lied, this is where it is found.
        </p>
      )}
    </section>
  );
}

/** What has to be compared with the person before a device is asked; empty where nothing has. */
export function comparisonFor({ name, device, file }: Change<"ENROLL">): string {
  if (device !== null) return `I compared the whole address with ${name} over another channel`;
  if (file !== null) return `I compared the key file's digits with ${name} over another channel`;
  return "";
}

export function Remove({ change }: { change: Change<"REMOVE"> }) {
  const { removal } = change;
  return (
    <>
      <p class="lede">{removalWords(change)}</p>
      {removal.what === "device" && (
        <p class="print line">
          <Fours text={removal.address} ends />
        </p>
      )}
      {(removal.what === "browser" || removal.what === "file") && (
        <p class="print line">
          <Fours text={keyName(removal.key)} />
        </p>
      )}
    </>
  );
}

export function Found({ change: { people, policy }, hsm }: { change: Change<"FOUND">; hsm: string }) {
  return (
    <>
      <p class="lede">
        Your signature founds it together with everybody else's. Afterwards people and policy change only by a quorum on
        devices. Compare all of this with the others, in one room or on one call.
      </p>
      <section class="facts" aria-labelledby="founders">
        <h2 id="founders">Everybody and their devices</h2>
        <dl>
          {people.members.map(({ name, roles, devices }) => (
            <Fact key={name} name={name}>
              {listWords(roles)}
              {devices.length === 0 && <span class="muted"> (no device)</span>}
              {devices.map(({ address, vendor, model }) => (
                <span key={address}>
                  , {vendor} {model}
                  <Fours text={address} ends />
                </span>
              ))}
            </Fact>
          ))}
        </dl>
      </section>
      <PolicyWhole policy={policy} people={people} />
      <section aria-labelledby="identity">
        <h2 id="identity">The HSM's fingerprint</h2>
        <p class="print">
          <Fours text={fingerprint(hsm)} />
        </p>
      </section>
    </>
  );
}
