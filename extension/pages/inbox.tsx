/** The inbox, as popup and as tab: requests in sentences, those that wait for this person first. Everything opens in a tab. */
import { dismissNotices, loadDevices, loadLink, loadNotices, loadPairing, loadRequests } from "../actions.ts";
import type { LinkStatus, Notice, Pairing, StoredDevice, StoredRequest } from "../store.ts";
import { arrange, type Entry } from "./arrange.ts";
import { timeLeft } from "./clock.ts";
import { Fours } from "./fours.tsx";
import { Frame, mount } from "./frame.tsx";
import { Icon } from "./icon.tsx";
import { useLive, useNow } from "./live.ts";
import { CodeLine, ProblemBox } from "./problem.tsx";
import { isAlarming } from "./standing.ts";
import { groupAmount, stateLabel } from "./wording.ts";

interface Stored {
  readonly pairing: Pairing | null;
  readonly devices: StoredDevice[];
  readonly requests: StoredRequest[];
  readonly notices: Notice[];
  readonly link: LinkStatus;
}

async function loadAll(): Promise<Stored> {
  const [pairing, devices, requests, notices, link] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadRequests(),
    loadNotices(),
    loadLink(),
  ]);
  return { pairing, devices, requests, notices, link };
}

function InboxPage() {
  const live = useLive(loadAll);
  if (live.is === "loading") return <Frame>{null}</Frame>;
  if (live.is === "broken") {
    return (
      <Frame>
        <ProblemBox problem={live.problem} tone="danger" />
      </Frame>
    );
  }
  const { pairing, link } = live.value;
  if (pairing?.state !== "paired" || pairing.name === null) {
    return (
      <Frame>
        <main class="first">
          <h1>{pairing === null ? "Welcome" : "Pairing is not finished"}</h1>
          <p>
            To approve your HSM's requests on your own Ledger or Trezor, pair this browser with the invite from your
            operator.
          </p>
          <a class="button primary" href="./pair.html" target="_blank" rel="noopener">
            {pairing === null ? "Pair this browser" : "Go on pairing"}
          </a>
          <p class="muted">Nobody ever asks for your recovery phrase.</p>
        </main>
      </Frame>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <Inbox {...live.value} me={pairing.name} />
    </Frame>
  );
}

function Inbox({ devices, requests, notices, me }: Stored & { me: string }) {
  const now = useNow();
  const { waiting, underWay, ended } = arrange(requests, me, now);
  const enrolled = devices.some((device) => device.state === "enrolled");
  return (
    <main>
      <h1>{headline(waiting.length)}</h1>
      {!enrolled && (
        <p class="box note">
          {devices.length === 0 ? "You have no device yet. " : "Your device is not enrolled yet. "}
          <a href="./enrol.html" target="_blank" rel="noopener">
            {devices.length === 0 ? "Enrol your device" : "See where it stands"}
          </a>
        </p>
      )}
      {notices.length > 0 && <Notices notices={notices} />}
      {waiting.length > 0 && <List entries={waiting} now={now} />}
      {underWay.length > 0 && (
        <section aria-labelledby="under-way">
          <h2 id="under-way">Under way</h2>
          <List entries={underWay} now={now} />
        </section>
      )}
      {ended.length > 0 && (
        <section aria-labelledby="ended">
          <h2 id="ended">Ended</h2>
          <List entries={ended} now={now} />
        </section>
      )}
      {requests.length === 0 && <p class="muted">Requests arrive here by themselves. You can close this window.</p>}
      <footer>
        Signed in as {me}.{" "}
        <a href="./enrol.html" target="_blank" rel="noopener">
          Devices
        </a>{" "}
        <a href="./pair.html" target="_blank" rel="noopener">
          Pairing
        </a>{" "}
        <a href="./help.html" target="_blank" rel="noopener">
          My device is not found
        </a>
      </footer>
    </main>
  );
}

function headline(waiting: number): string {
  if (waiting === 0) return "Nothing waits for you";
  return waiting === 1 ? "1 request waits for you" : `${waiting} requests wait for you`;
}

function List({ entries, now }: { entries: readonly Entry[]; now: number }) {
  return (
    <ul class="requests">
      {entries.map((entry) => (
        <Row key={entry.stored.id} entry={entry} now={now} />
      ))}
    </ul>
  );
}

function Row({ entry: { stored, standing }, now }: { entry: Entry; now: number }) {
  const { effect, vault, exp, quorum } = stored.payload;
  const alarming = isAlarming(stored.problem);
  return (
    <li class={alarming ? "alarming" : standing.state}>
      <a href={`./approval.html?request=${stored.id}`} target="_blank" rel="noopener">
        <span class="what">
          Send{" "}
          <strong>
            {groupAmount(effect.amount)} {effect.asset}
          </strong>{" "}
          to <Fours text={effect.to} ends /> from {vault.name}
        </span>
        <span class="where">
          {alarming ? (
            <>
              <Icon name="stop" /> Do not sign
            </>
          ) : (
            <>
              {stateLabel(standing.state)}
              {standing.open && ` · ${standing.approvals.length} of ${quorum.threshold} · ${timeLeft(exp, now)}`}
              {standing.did !== "nothing" && ` · you ${standing.did}`}
            </>
          )}
        </span>
      </a>
    </li>
  );
}

function Notices({ notices }: { notices: readonly Notice[] }) {
  return (
    <section class="notices" aria-labelledby="notices">
      <h2 id="notices">
        {notices.every(({ code }) => code.startsWith("ERR_")) ? "Refused messages" : "Kept for your operator"}
      </h2>
      {notices.map((notice) => (
        <div key={notice.code} class="box warning">
          <p>
            {notice.message}
            {notice.count > 1 && ` (${notice.count} times)`}
          </p>
          <CodeLine code={notice.code} />
        </div>
      ))}
      <button type="button" class="quiet small" onClick={() => void dismissNotices()}>
        Dismiss
      </button>
    </section>
  );
}

mount(<InboxPage />);
