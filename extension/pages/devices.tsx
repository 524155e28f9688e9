/** This person's devices, and a button that has one show its address again: the page never prints it. */
import { useState } from "preact/hooks";
import { DeviceFault } from "../devices/device.ts";
import type { StoredDevice } from "../store.ts";
import { deviceSentence } from "./arrange.ts";
import type { Stop } from "./confirming.ts";
import { Icon } from "./icon.tsx";
import { ProblemBox } from "./problem.tsx";
import { explain, withLedger } from "./sign-on-ledger.ts";
import { StopBox } from "./stop.tsx";
import { modelName } from "./wording.ts";

export function Devices({ devices }: { devices: readonly StoredDevice[] }) {
  return (
    <section aria-labelledby="devices-title">
      <h2 id="devices-title">Your devices</h2>
      <ul class="devices">
        {devices.map((device) => (
          <li key={device.address} class={device.state}>
            <Icon name={device.state === "enrolled" ? "check" : device.state === "refused" ? "warning" : "ring"} />
            <div>
              <strong>{modelName(device.model)}</strong>
              <p role="status">{deviceSentence(device)}</p>
              {(device.state === "sent" || device.state === "pending") && <ShowAddress device={device} />}
              {device.problem !== null && <ProblemBox problem={device.problem} tone="warning" />}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ShowAddress({ device }: { device: StoredDevice }) {
  const [busy, setBusy] = useState(false);
  const [stop, setStop] = useState<Stop | null>(null);
  const show = async (): Promise<void> => {
    setBusy(true);
    setStop(null);
    try {
      await withLedger(async (ledger) => {
        const held = await ledger.address(device.path, { show: false });
        if (held !== device.address) throw new DeviceFault("wrong-device");
        await ledger.address(device.path, { show: true });
      });
    } catch (error) {
      setStop(explainAddress(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" disabled={busy} onClick={() => void show()}>
        Show its address on the device
      </button>
      <p class="muted" role="status">
        {busy ? "Read the whole address to your operator from your Ledger's screen, then approve it there." : ""}
      </p>
      {stop !== null && <StopBox stop={stop} />}
    </>
  );
}

/** Outcomes while an address is shown: there a decline or another seed concerns no request. */
export function explainAddress(error: unknown): Stop {
  const stop = explain(error);
  if (stop.code === "declined") {
    return {
      code: stop.code,
      sentence: "You rejected the address on the device. Nothing was sent.",
      action: "Connect again when you are ready.",
    };
  }
  if (stop.code === "wrong-device") {
    return {
      code: stop.code,
      sentence: "This is not the device that you enrolled here.",
      action: "Connect that device, then try again.",
    };
  }
  return stop;
}
