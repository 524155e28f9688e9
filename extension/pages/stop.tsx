/** Why it did not come to a signature: a small picture, what is so, the one thing to do, and the code in small print. */
import type { DeviceOutcome } from "../devices/device.ts";
import type { Stop } from "./confirming.ts";
import { Glyph } from "./glyph.tsx";
import { CodeLine } from "./problem.tsx";

/** Where the cause may lie outside the device, the page that finds it is one click away. */
const SEEKABLE: ReadonlySet<DeviceOutcome> = new Set<DeviceOutcome>([
  "not-connected",
  "suite-missing",
  "local-network-blocked",
  "in-use",
  "no-permission",
]);

/** `noticed`: the page sees by itself when it has passed. */
export function StopBox({ stop, noticed = false }: { stop: Stop; noticed?: boolean }) {
  const { device } = stop;
  return (
    <div class="box warning stop" role="alert">
      {device !== undefined && <Glyph outcome={device.outcome} vendor={device.vendor} />}
      <div>
        <p>{stop.sentence}</p>
        {stop.action !== "" && <p class="action">{stop.action}</p>}
        {noticed && <p class="muted">This page notices by itself when you have.</p>}
        {device !== undefined && SEEKABLE.has(device.outcome) && (
          <p>
            <a href={`./help.html?device=${device.vendor}`} target="_blank" rel="noopener">
              My device is not found
            </a>
          </p>
        )}
        {device?.outcome === "unknown" && <p class="muted">The code is kept in the inbox for your operator.</p>}
        <CodeLine code={stop.code} detail={device?.detail ?? ""} />
      </div>
    </div>
  );
}
