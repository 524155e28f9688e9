/**
 * The inbox, as popup and as tab: what is frozen, requests in sentences, those that wait for this person first, and the stop.
 * Everything opens in a tab.
 */
import { isTransfer } from "../../protocol/request.ts";
import {
  dismissNotices,
  loadCharter,
  loadDevices,
  loadFreezes,
  loadLink,
  loadLog,
  loadNotices,
  loadPairing,
  loadRequests,
  loadStops,
} from "../actions.ts";
import type { Notice } from "../store.ts";
import { arrange } from "./arrange.ts";
import { Frame, mount } from "./frame.tsx";
import { FreezeControl, FrozenBanner, NotReceived } from "./freeze.tsx";
import { RequestList } from "./inbox-list.tsx";
import { useLive, useNow } from "./live.ts";
import { Loaded } from "./loaded.tsx";
import { recordLine } from "./log-words.ts";
import { CodeLine } from "./problem.tsx";

async function loadAll() {
  const [pairing, devices, requests, notices, link, charter, freezes, stops, log] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadRequests(),
    loadNotices(),
    loadLink(),
    loadCharter(),
    loadFreezes(),
    loadStops(),
    loadLog(),
  ]);
  return { pairing, devices, requests, notices, link, charter, freezes: freezes?.freezes ?? [], stops, log };
}

type Stored = Awaited<ReturnType<typeof loadAll>>;

function InboxPage() {
  return <Loaded live={useLive(loadAll)}>{(stored) => <Page {...stored} />}</Loaded>;
}

function Page(props: Stored) {
  const { pairing, link } = props;
  if (pairing?.state !== "paired" || pairing.name === null) {
    return (
      <Frame>
        <main class="first">
          <h1>{pairing === null ? "Welcome" : "Pairing is not finished"}</h1>
          <p>
            To approve your HSM's requests on your own Ledger or Trezor, pair this browser with the invite that you were
            given.
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
      <Inbox {...props} me={pairing.name} roles={pairing.roles} isMember={pairing.standing === "member"} />
    </Frame>
  );
}

interface InboxProps extends Stored {
  readonly me: string;
  readonly roles: readonly string[];
  readonly isMember: boolean;
}

function Inbox({ devices, requests, notices, charter, freezes, stops, log, me, roles, isMember }: InboxProps) {
  const now = useNow();
  const { waiting, underWay, ended } = arrange(requests, me, now);
  const decides = roles.includes("approver") || roles.includes("admin");
  const lists = [
    { title: "", entries: waiting },
    { title: "Under way", entries: underWay },
    { title: "Ended", entries: ended },
  ];
  const recoveries = [...waiting, ...underWay].filter(
    ({ stored: { payload } }) => !isTransfer(payload) && payload.notBefore !== null,
  );
  return (
    <main>
      <h1>{headline(waiting.length)}</h1>
      <NotReceived stops={stops} freezes={freezes} contact={charter?.policy.contact ?? null} now={now} />
      <FrozenBanner freezes={freezes} />
      {recoveries.length > 0 && (
        <p class="box danger" role="status">
          <strong>A recovery is under way.</strong> If you did not expect it, call now:{" "}
          {charter?.policy.contact ?? "your operator"}
        </p>
      )}
      {!isMember && (
        <p class="box note">
          You are not a member yet.{" "}
          <a href="./pair.html" target="_blank" rel="noopener">
            See where it stands
          </a>
        </p>
      )}
      {isMember && decides && !devices.some(({ state }) => state === "enrolled") && (
        <p class="box note">
          {devices.length === 0 ? "You have no device yet. " : "Your device is not enrolled yet. "}
          <a href="./enrol.html" target="_blank" rel="noopener">
            {devices.length === 0 ? "Enrol your device" : "See where it stands"}
          </a>
        </p>
      )}
      {isMember && !decides && <p class="muted">You see everything and decide nothing: {roles.join(", ")}.</p>}
      {notices.length > 0 && <Notices notices={notices} />}
      {lists.map(({ title, entries }) => (
        <RequestList key={title} title={title} entries={entries} inForce={charter} now={now} />
      ))}
      {requests.length === 0 && <p class="muted">Requests arrive here by themselves. You can close this window.</p>}
      {isMember && decides && charter !== null && (
        <FreezeControl
          vaults={charter.policy.vaults.map(({ name }) => name)}
          freezes={freezes}
          stops={stops}
          contact={charter.policy.contact}
          now={now}
        />
      )}
      {log !== null && <p class="muted">{recordLine(log, now)}</p>}
      <Footer me={me} />
    </main>
  );
}

const PAGES = [
  ["people", "People and policy"],
  ["enrol", "Devices"],
  ["pair", "Pairing"],
  ["help", "Help"],
] as const;

function Footer({ me }: { me: string }) {
  return (
    <footer>
      Signed in as {me}.{" "}
      {PAGES.map(([page, title]) => (
        <a key={page} href={`./${page}.html`} target="_blank" rel="noopener">
          {title}
        </a>
      ))}
    </footer>
  );
}

function headline(waiting: number): string {
  if (waiting === 0) return "Nothing waits for you";
  return waiting === 1 ? "1 request waits for you" : `${waiting} requests wait for you`;
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

// By the address in manifest.json. Only the popup has a least width (inbox.css).
document.documentElement.classList.toggle("popup", location.search === "?popup");
mount(<InboxPage />);
