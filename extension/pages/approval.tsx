/**
 * The approval page, in a tab: approval.html?request=ID. It shows one request and lets its reader confirm or reject it. It
 * decides nothing: what is verified is in check.ts, what is stored in actions.ts. The order of things is the reader's minute.
 */
import { useEffect, useState } from "preact/hooks";
import {
  loadAlarms,
  loadCharter,
  loadDevices,
  loadFreezes,
  loadLink,
  loadLog,
  loadPairing,
  loadPost,
  loadTrust,
} from "../actions.ts";
import { type Checked, checkRequest, readRequest } from "../check.ts";
import type { Problem, StoredRequest } from "../store.ts";
import { isOpen } from "../waiting.ts";
import { CARRIED_OUT, isCarriedOut } from "./carried-out.ts";
import { Frame, mount } from "./frame.tsx";
import { useLive, useNow } from "./live.ts";
import { Loaded } from "./loaded.tsx";
import { CodeLine, problemOf } from "./problem.tsx";
import { RequestView } from "./request-view.tsx";
import { mayEndAlarm } from "./restore-words.ts";
import { isAlarming } from "./standing.ts";

const requestId = new URLSearchParams(location.search).get("request") ?? "";

async function loadAll() {
  const [pairing, devices, post, link, charter, freezes, alarms, log] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadPost(),
    loadLink(),
    loadCharter(),
    loadFreezes(),
    loadAlarms(),
    loadLog(),
  ]);
  return { pairing, devices, ...post, link, charter, freezes, alarms, log };
}

type Stored = Awaited<ReturnType<typeof loadAll>>;

interface Check {
  /** What may be read, where it is right in itself. */
  readonly checked: Checked | null;
  /** Why it must not be signed, or not by this person or not now. */
  readonly problem: Problem | null;
}

async function check(stored: StoredRequest): Promise<Check> {
  const trust = await loadTrust();
  const checked = await readRequest(stored, trust);
  try {
    await checkRequest(stored, trust);
    return { checked, problem: null };
  } catch (error) {
    return { checked, problem: problemOf(error) };
  }
}

const OVER: Check = { checked: null, problem: null };

/** Checks the stored request in this page, too: what is shown was verified here and now. Undefined while it runs. */
function useCheck(
  stored: StoredRequest | undefined,
  { pairing, charter, freezes, alarms }: Partial<Stored>,
): Check | undefined {
  const [found, setFound] = useState<Check | undefined>(undefined);
  // What was decided under documents that are not in force any more cannot be checked again: the receipt says how it ended.
  const open = stored !== undefined && isOpen(stored);
  useEffect(() => {
    if (stored === undefined || pairing === null || pairing === undefined) return;
    if (!open) return setFound((before) => before ?? OVER);
    let current = true;
    const show = (result: Check): void =>
      setFound((before) => {
        const kept = before?.checked ?? null;
        const after = kept?.kind === "motion" ? kept.after : null;
        const over = isCarriedOut(stored.payload, charter ?? null, after);
        return over ? { checked: kept, problem: CARRIED_OUT } : result;
      });
    check(stored).then(
      (result) => current && show(result),
      (error: unknown) => current && show({ checked: null, problem: problemOf(error) }),
    );
    return () => {
      current = false;
    };
  }, [stored?.jws, open, pairing?.kid, pairing?.name, charter?.head, freezes?.n, alarms?.length]);
  return found;
}

function Approval() {
  const live = useLive(loadAll);
  const value: Partial<Stored> = live.is === "ready" ? live.value : {};
  const stored = value.requests?.find((one) => one.id === requestId);
  const found = useCheck(stored, value);
  return <Loaded live={live}>{(all) => <Page {...all} stored={stored} found={found} />}</Loaded>;
}

function Page(props: Stored & { stored: StoredRequest | undefined; found: Check | undefined }) {
  const { pairing, devices, requests, outbox, link, charter, freezes, alarms, log, stored, found } = props;
  const now = useNow();
  if (pairing === null || pairing.name === null) {
    return (
      <Frame>
        <main>
          <h1>This browser is not paired</h1>
          <a href="./pair.html">Pair this browser</a>
        </main>
      </Frame>
    );
  }
  const shown = { status: link, bridge: pairing.bridge };
  if (stored === undefined) {
    return (
      <Frame link={shown}>
        <main>
          <h1>This request is not here</h1>
          <p>
            It may not have arrived yet, or it is not for you: a transfer goes to the vault's approvers and to auditors
            only.
          </p>
          <p>
            <a href="./inbox.html">Go to the inbox</a>
          </p>
          <CodeLine code="ERR_REQUEST_UNKNOWN" about={requestId} />
        </main>
      </Frame>
    );
  }
  const problem = worstOf(stored.problem, found?.problem ?? null);
  const endsAlarm = mayEndAlarm(found?.checked ?? null, problem, { stored, known: log?.head ?? null, now });
  return (
    <Frame link={shown} wide endsAlarm={endsAlarm}>
      {found !== undefined && (
        <RequestView
          stored={stored}
          checked={found.checked}
          problem={problem}
          others={requests}
          devices={devices}
          freezes={freezes?.freezes ?? []}
          charter={charter}
          known={log?.head ?? null}
          hsm={pairing.hsm}
          me={pairing.name}
          roles={pairing.roles}
          post={{ online: link.state === "online", outbox, alarmed: alarms.length > 0 }}
        />
      )}
    </Frame>
  );
}

/** What was wrong when it arrived stays wrong; what is wrong with the request itself weighs more than whose it is. */
function worstOf(...problems: readonly (Problem | null)[]): Problem | null {
  return problems.find(isAlarming) ?? problems.find((problem) => problem !== null) ?? null;
}

mount(<Approval />);
