/** This person's devices: their names, and a button that has one show its address again. The page never prints an address. */
import { useRef, useState } from "preact/hooks";
import type { Vendor } from "../../protocol/vendor.ts";
import { renameDevice } from "../actions.ts";
import { DeviceFault } from "../devices/device.ts";
import { canReach } from "../devices/support.ts";
import type { StoredDevice } from "../store.ts";
import { deviceSentence } from "./arrange.ts";
import { deviceName } from "./choosing.ts";
import type { Stop } from "./confirming.ts";
import { ToPropose } from "./enrolment-sent.tsx";
import { Icon } from "./icon.tsx";
import { ProblemBox } from "./problem.tsx";
import { explain, withConnected } from "./sign-on-device.ts";
import { StopBox } from "./stop.tsx";

/** `me`: a member, whose further devices somebody has to propose. */
export function Devices({ devices, me }: { devices: readonly StoredDevice[]; me: string | null }) {
  return (
    <section aria-labelledby="devices-title">
      <h2 id="devices-title">Your devices</h2>
      <ul class="devices">
        {devices.map((device) => (
          <li key={device.address} class={device.state}>
            <Icon name={device.state === "enrolled" ? "check" : device.state === "refused" ? "warning" : "ring"} />
            <div>
              <strong>{deviceName(device)}</strong>
              <p role="status">{deviceSentence(device)}</p>
              <p class="muted">{device.vendor} (as stated when enrolled)</p>
              {device.problem !== null && <ProblemBox problem={device.problem} tone="warning" />}
              {device.state === "pending" && me !== null && <ToPropose me={me} vendor={device.vendor} />}
              <ShowAddress device={device} />
              <Rename device={device} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ShowAddress({ device }: { device: StoredDevice }) {
  const { vendor, address, path } = device;
  const [busy, setBusy] = useState(false);
  const [stop, setStop] = useState<Stop | null>(null);
  if (!canReach(vendor)) return null;
  const show = async (): Promise<void> => {
    setBusy(true);
    setStop(null);
    try {
      await withConnected({ vendor, use: "showing an address" }, async (connected) => {
        const held = await connected.address(path, { show: false });
        if (held !== address) throw new DeviceFault("wrong-device");
        await connected.address(path, { show: true });
      });
    } catch (error) {
      setStop(explainAddress(error, vendor));
    } finally {
      setBusy(false);
    }
  };
  const reading =
    device.state === "enrolled"
      ? `Read the address on your ${vendor}'s screen, then approve it there.`
      : `Read the whole address to an admin from your ${vendor}'s screen, then approve it there.`;
  return (
    <>
      <button type="button" disabled={busy} onClick={() => void show()}>
        Show its address on the device
      </button>
      <p class="muted" role="status">
        {busy ? reading : ""}
      </p>
      {stop !== null && <StopBox stop={stop} />}
    </>
  );
}

function Rename({ device }: { device: StoredDevice }) {
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const save = (event: Event): void => {
    event.preventDefault();
    renameDevice(device.address, input.current?.value ?? "").then(
      () => setOpen(false),
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  };
  const toggle = (): void => {
    setProblem("");
    setOpen(!open);
  };
  return (
    <>
      <button type="button" class="quiet small" aria-expanded={open} onClick={toggle}>
        Rename {deviceName(device)}
      </button>
      {open && (
        <form class="rename" onSubmit={save}>
          <label>
            Its name in this browser{" "}
            <input ref={input} type="text" maxLength={24} autocomplete="off" defaultValue={device.label ?? ""} />
          </label>
          <button type="submit">Save</button>
          <p class="field-problem" role="alert">
            {problem}
          </p>
        </form>
      )}
    </>
  );
}

/** Outcomes while an address is shown: there a decline or another seed concerns no request. */
export function explainAddress(error: unknown, vendor: Vendor): Stop {
  const stop = explain(error, vendor);
  const outcome = stop.device?.outcome;
  if (outcome === "declined") {
    return {
      ...stop,
      sentence: "You rejected the address on the device. Nothing was sent.",
      action: "Connect again when you are ready.",
    };
  }
  if (outcome === "wrong-device") {
    const action = {
      Ledger: "Connect that device, then try again.",
      Trezor: "Choose in Trezor Suite that device and the wallet (passphrase) that you enrolled, then try again.",
    };
    return { ...stop, sentence: "This is not the device that you enrolled here.", action: action[vendor] };
  }
  // The sentences of these speak of a request, and there is none.
  if (outcome === "cancelled" || outcome === "timed-out" || outcome === "unplugged") {
    return { ...stop, sentence: "The address was not confirmed on the device. Nothing was sent." };
  }
  return stop;
}
