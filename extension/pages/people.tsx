/**
 * Everybody, and the policy in force, as the acts that this browser has verified give them: people.html. What it says of signatures is
 * what this browser has seen in the agent's receipts. It changes nothing. Design, section 5.
 */
import type { Charter } from "../../protocol/charter.ts";
import { referencesOf } from "../../protocol/governance.ts";
import { keyName } from "../../protocol/motion-statement.ts";
import type { Member } from "../../protocol/people.ts";
import { fingerprint, thumbprint } from "../../protocol/primitive.ts";
import { loadCharter, loadDevices, loadLink, loadLog, loadPairing, loadRequests, loadWitnesses } from "../actions.ts";
import type { StoredDevice, StoredRequest } from "../store.ts";
import { deviceSentence } from "./arrange.ts";
import { deviceName } from "./choosing.ts";
import { Drills } from "./drills.tsx";
import { Fact, When } from "./fact.tsx";
import { Fours } from "./fours.tsx";
import { Frame, mount } from "./frame.tsx";
import { lastSigned } from "./last-signed.ts";
import { useLive } from "./live.ts";
import { Loaded } from "./loaded.tsx";
import { PolicyWhole } from "./policy-whole.tsx";
import { Witnesses } from "./witnesses.tsx";
import { listWords, statedDevice } from "./wording.ts";

async function loadAll() {
  const [pairing, devices, requests, link, charter, log, witnesses] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadRequests(),
    loadLink(),
    loadCharter(),
    loadLog(),
    loadWitnesses(),
  ]);
  return { pairing, devices, requests, link, charter, log, witnesses };
}

type Stored = Awaited<ReturnType<typeof loadAll>>;

function PeoplePage() {
  return <Loaded live={useLive(loadAll)}>{(stored) => <Page {...stored} />}</Loaded>;
}

function Page({ pairing, devices, requests, link, charter, log, witnesses }: Stored) {
  if (pairing?.state !== "paired" || pairing.name === null) {
    return (
      <Frame>
        <main>
          <h1>Pair this browser first</h1>
          <a href="./pair.html">Pair this browser</a>
        </main>
      </Frame>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <main>
        <h1>People and policy</h1>
        <p>
          You are {pairing.name}, {listWords(pairing.roles)}
          {pairing.standing === "member" ? "." : ": not a member yet. "}
          {pairing.standing !== "member" && <a href="./pair.html">See where it stands</a>}
        </p>
        <Waiting devices={devices} />
        {charter === null ? (
          <p class="box note">
            Nothing is founded yet, or this browser has not seen the record of it. It is asked for by itself.
          </p>
        ) : (
          <InForce charter={charter} requests={requests} me={pairing.name} />
        )}
        {charter !== null && <Witnesses log={log} witnesses={witnesses} />}
        <p>
          <a href="./proof.html">Verify a proof that you were given</a>
        </p>
      </main>
    </Frame>
  );
}

/** This person's devices that do not count yet. */
function Waiting({ devices }: { devices: readonly StoredDevice[] }) {
  const waiting = devices.filter(({ state }) => state !== "enrolled");
  if (waiting.length === 0) return null;
  return (
    <ul class="plain">
      {waiting.map((device) => (
        <li key={device.address}>
          Your {deviceName(device)}: {deviceSentence(device)}. <a href="./enrol.html">See where it stands</a>
        </li>
      ))}
    </ul>
  );
}

interface InForceProps {
  readonly charter: Charter;
  readonly requests: readonly StoredRequest[];
  readonly me: string;
}

function InForce({ charter, requests, me }: InForceProps) {
  const { people, policy, hsm } = charter;
  const { digest } = referencesOf(charter).policy;
  return (
    <>
      <section class="facts" aria-labelledby="everybody">
        <h2 id="everybody">Everybody</h2>
        {people.members.map((member) => (
          <Person key={member.name} member={member} requests={requests} me={me} />
        ))}
        <p class="muted">When a device last signed is what this browser has seen; another may know more.</p>
      </section>
      <Drills requests={requests} people={people} />
      <section class="facts" aria-labelledby="policy">
        <h2 id="policy">Policy {policy.n}</h2>
        <dl>
          <Fact name="Digest">
            <Fours text={digest} />
            <span class="hint">
              Compare it with <code>opencustody policy show</code>; devices show its first 32 digits.
            </span>
          </Fact>
          <Fact name="Call">{policy.contact}</Fact>
          <Fact name="Bridge">{policy.bridge}</Fact>
          <Fact name="HSM fingerprint">
            <Fours text={fingerprint(thumbprint(hsm))} />
          </Fact>
        </dl>
      </section>
      <PolicyWhole policy={policy} people={people} />
    </>
  );
}

function Person({ member, requests, me }: { member: Member; requests: readonly StoredRequest[]; me: string }) {
  const { name, roles, devices, extensions, files } = member;
  const keys = [
    ...extensions.map((key) => ({ kind: "Browser", name: keyName(thumbprint(key)) })),
    ...files.map((key) => ({ kind: "Key file", name: keyName(thumbprint(key)) })),
  ];
  return (
    <section class="person" aria-labelledby={`person-${name}`}>
      <h3 id={`person-${name}`}>{name === me ? `${name} (you)` : name}</h3>
      <dl>
        <Fact name="Roles">{listWords(roles)}</Fact>
        {devices.map((device) => (
          <Fact key={device.address} name={statedDevice(device)}>
            <Fours text={device.address} ends />
            <LastSigned requests={requests} address={device.address} />
          </Fact>
        ))}
        {keys.map((key) => (
          <Fact key={key.name} name={key.kind}>
            <Fours text={key.name} />
          </Fact>
        ))}
      </dl>
    </section>
  );
}

const WHAT = { drill: "a drill", transfer: "a transfer", change: "a change of people or policy" } as const;

function LastSigned({ requests, address }: { requests: readonly StoredRequest[]; address: string }) {
  const last = lastSigned(requests, address);
  return (
    <span class="hint">
      {last === undefined ? (
        "Not seen to sign yet"
      ) : (
        <>
          Last signed {WHAT[last.what]}: <When seconds={last.at} />
        </>
      )}
    </span>
  );
}

mount(<PeoplePage />);
