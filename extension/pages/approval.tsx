/**
 * The approval page, in a tab: approval.html?request=ID. It shows one request and lets its reader confirm or reject it. It
 * decides nothing: what is verified is in check.ts, what is stored in actions.ts. The order of things is the reader's minute.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { loadDevices, loadLink, loadPairing, loadRequests } from "../actions.ts";
import { type Checked, checkRequest, trustOf } from "../check.ts";
import type { LinkStatus, Pairing, Problem, StoredDevice, StoredRequest } from "../store.ts";
import { Frame, mount } from "./frame.tsx";
import { currentSeconds, useLive } from "./live.ts";
import { CodeLine, ProblemBox, problemOf } from "./problem.tsx";
import { RequestView } from "./request-view.tsx";
import { isAlarming } from "./standing.ts";

const requestId = new URLSearchParams(location.search).get("request") ?? "";

interface Stored {
  readonly pairing: Pairing | null;
  readonly devices: StoredDevice[];
  readonly requests: StoredRequest[];
  readonly link: LinkStatus;
}

async function loadAll(): Promise<Stored> {
  const [pairing, devices, requests, link] = await Promise.all([
    loadPairing(),
    loadDevices(),
    loadRequests(),
    loadLink(),
  ]);
  return { pairing, devices, requests, link };
}

type Check = { readonly checked: Checked | null; readonly problem: Problem | null };

/** Checks the stored request in this page, too: what is shown was verified here and now. Undefined while it runs. */
function useCheck(stored: StoredRequest | undefined, pairing: Pairing | null): Check | undefined {
  const [check, setCheck] = useState<Check | undefined>(undefined);
  useEffect(() => {
    if (stored === undefined || pairing === null) return;
    let current = true;
    const run = async (): Promise<Checked> => await checkRequest(stored, trustOf(pairing, currentSeconds()));
    run().then(
      (checked) => current && setCheck({ checked, problem: null }),
      (error: unknown) => current && setCheck({ checked: null, problem: problemOf(error) }),
    );
    return () => {
      current = false;
    };
  }, [stored?.jws, pairing?.kid, pairing?.name]);
  return check;
}

function Approval() {
  const live = useLive(loadAll);
  const pairing = live.is === "ready" ? live.value.pairing : null;
  const stored = live.is === "ready" ? live.value.requests.find((one) => one.id === requestId) : undefined;
  const check = useCheck(stored, pairing);
  if (live.is === "loading") return <Frame>{null}</Frame>;
  if (live.is === "broken") {
    return (
      <Frame>
        <ProblemBox problem={live.problem} tone="danger" />
      </Frame>
    );
  }
  const { devices, requests, link } = live.value;
  if (pairing === null || pairing.name === null) {
    return (
      <Message title="This browser is not paired">
        <a href="./pair.html">Pair this browser</a>
      </Message>
    );
  }
  if (stored === undefined) {
    return (
      <Message title="This request is not here" link={{ status: link, bridge: pairing.bridge }}>
        <p>
          It may not have arrived yet, or it is not for you: a request goes to the vault's approvers only, and never to
          the person who proposed it.
        </p>
        <p>
          <a href="./inbox.html">Go to the inbox</a>
        </p>
        <CodeLine code="ERR_REQUEST_UNKNOWN" about={requestId} />
      </Message>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }} wide>
      {check !== undefined && (
        <RequestView
          stored={stored}
          checked={check.checked}
          problem={worstOf(stored.problem, check.problem)}
          others={requests}
          devices={devices}
          me={pairing.name}
          online={link.state === "online"}
        />
      )}
    </Frame>
  );
}

/** What was wrong when it arrived stays wrong; what is wrong with the request itself weighs more than whose it is. */
function worstOf(...problems: readonly (Problem | null)[]): Problem | null {
  return problems.find(isAlarming) ?? problems.find((problem) => problem !== null) ?? null;
}

interface MessageProps {
  readonly title: string;
  readonly link?: { readonly status: LinkStatus; readonly bridge: string };
  readonly children: ComponentChildren;
}

function Message({ title, link, children }: MessageProps) {
  return (
    <Frame {...(link === undefined ? {} : { link })}>
      <main>
        <h1>{title}</h1>
        {children}
      </main>
    </Frame>
  );
}

mount(<Approval />);
