/** What every page stands in: its name, the link to the bridge in words, what is wrong with the agent's record, the content; and how a page is put on the screen. */
import type { ComponentChildren, JSX } from "preact";
import { render } from "preact";
import { loadAlarms, loadCharter, loadLog } from "../actions.ts";
import type { LinkStatus } from "../store.ts";
import { linkSentence } from "./arrange.ts";
import { Icon } from "./icon.tsx";
import { useLive, useNow } from "./live.ts";
import { LogAlarm } from "./log-alarm.tsx";
import { lateSentence } from "./log-words.ts";
import { ProblemBox } from "./problem.tsx";

interface FrameProps {
  readonly link?: { readonly status: LinkStatus; readonly bridge: string };
  readonly wide?: boolean;
  /** What this page shows ends the alarm about the agent's record, where there is one. */
  readonly endsAlarm?: boolean;
  readonly children: ComponentChildren;
}

export function Frame({ link, wide = false, endsAlarm = false, children }: FrameProps) {
  return (
    <div class={wide ? "frame wide" : "frame"}>
      <header class="bar">
        <span class="brand">OpenCustody</span>
        {link !== undefined && (
          <span class={`link ${link.status.state}`} role="status">
            <Icon name={link.status.state === "online" ? "dot" : "ring"} />
            {linkSentence(link.status, link.bridge)}
          </span>
        )}
      </header>
      <StandingAlarm isEndedHere={endsAlarm} />
      {link?.status.problem && <ProblemBox problem={link.status.problem} tone="warning" />}
      {children}
    </div>
  );
}

async function loadAlarm() {
  const [alarms, charter, log] = await Promise.all([loadAlarms(), loadCharter(), loadLog()]);
  return { alarms, contact: charter?.policy.contact ?? null, log };
}

/** On every page, whatever it shows: where the records cannot be read the page itself says so. */
function StandingAlarm({ isEndedHere }: { isEndedHere: boolean }) {
  const live = useLive(loadAlarm);
  const now = useNow();
  if (live.is !== "ready") return null;
  const { alarms, log, contact } = live.value;
  // The alarm says more.
  const late = log === null || alarms.length > 0 ? "" : lateSentence(log, now, contact);
  return (
    <>
      <LogAlarm {...live.value} isEndedHere={isEndedHere} />
      {late !== "" && (
        <p class="box warning" role="status">
          {late}
        </p>
      )}
    </>
  );
}

/** Renders `page` into the document's only element. */
export function mount(page: JSX.Element): void {
  const root = document.getElementById("page");
  if (root === null) throw new Error("the document has no element with the id page");
  render(page, root);
}
