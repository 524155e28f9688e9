/**
 * Enrolling a Ledger: enrol.html, in a tab. The page reads the address from the device but never prints it: the person types two
 * groups of it from the device's own screen, and an operator compares all of it over another channel. protocol/README.md, "Devices".
 */
import { useState } from "preact/hooks";
import { enrol, loadDevices, loadLink, loadPairing } from "../actions.ts";
import type { DeviceModel } from "../devices/device.ts";
import { supportsLedger } from "../devices/support.ts";
import type { LinkStatus, Pairing, StoredDevice } from "../store.ts";
import { AddressQuestion } from "./address-question.tsx";
import type { Stop } from "./confirming.ts";
import { Devices, explainAddress } from "./devices.tsx";
import { Frame, mount } from "./frame.tsx";
import { useLive } from "./live.ts";
import { NoLedger } from "./no-ledger.tsx";
import { ProblemBox } from "./problem.tsx";
import { explain, withLedger } from "./sign-on-ledger.ts";
import { StopBox } from "./stop.tsx";

/** A path kept for approving: no wallet uses account 7 by itself. */
const PATH = "m/44'/60'/7'/0/0";

type Stage =
  | { readonly at: "start" }
  | { readonly at: "connecting" }
  /** `asked`: the device still shows the address. */
  | { readonly at: "showing"; readonly address: string; readonly model: DeviceModel; readonly asked: boolean }
  | { readonly at: "sending" }
  | { readonly at: "sent" };

async function loadAll(): Promise<{ pairing: Pairing | null; devices: StoredDevice[]; link: LinkStatus }> {
  const [pairing, devices, link] = await Promise.all([loadPairing(), loadDevices(), loadLink()]);
  return { pairing, devices, link };
}

function EnrolPage() {
  const live = useLive(loadAll);
  if (live.is === "loading") return <Frame>{null}</Frame>;
  if (live.is === "broken") {
    return (
      <Frame>
        <ProblemBox problem={live.problem} tone="danger" />
      </Frame>
    );
  }
  const { pairing, devices, link } = live.value;
  if (pairing?.state !== "paired") {
    return (
      <Frame>
        <main>
          <h1>Pair this browser first</h1>
          <p>A device is enrolled for a person: the invite says who you are.</p>
          <a href="./pair.html">Pair this browser</a>
        </main>
      </Frame>
    );
  }
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <main>
        <h1>Enrol a Ledger</h1>
        <Enrol />
        {devices.length > 0 && <Devices devices={devices} />}
      </main>
    </Frame>
  );
}

function Enrol() {
  const [stage, setStage] = useState<Stage>({ at: "start" });
  const [stop, setStop] = useState<Stop | null>(null);
  if (!supportsLedger()) return <NoLedger />;

  const show = async (before: Stage): Promise<void> => {
    setStop(null);
    if (before.at !== "showing") setStage({ at: "connecting" });
    try {
      await withLedger(async (device) => {
        const address = await device.address(PATH, { show: false });
        const showing = { at: "showing" as const, address, model: device.model };
        setStage({ ...showing, asked: true });
        await device.address(PATH, { show: true });
        setStage((now) => (now.at === "showing" ? { ...showing, asked: false } : now));
      });
    } catch (error) {
      setStage((now) => (now.at === "sending" || now.at === "sent" ? now : { at: "start" }));
      setStop(explainAddress(error));
    }
  };

  const send = async (address: string, model: DeviceModel): Promise<void> => {
    setStage({ at: "sending" });
    setStop(null);
    try {
      await enrol({ address, vendor: "Ledger", model, path: PATH });
      setStage({ at: "sent" });
    } catch (error) {
      setStage({ at: "start" });
      setStop(explain(error));
    }
  };

  return (
    <>
      {stop !== null && <StopBox stop={stop} />}
      {(stage.at === "start" || stage.at === "connecting") && (
        <>
          <ol class="todo">
            <li>Connect your Ledger with its cable and unlock it.</li>
            <li>Open its Ethereum app.</li>
            <li>Press the button and choose your Ledger in the browser's list.</li>
          </ol>
          <button type="button" class="primary" disabled={stage.at === "connecting"} onClick={() => void show(stage)}>
            Connect your Ledger
          </button>
          <p class="muted" role="status">
            {stage.at === "connecting" ? "Connecting to your Ledger…" : ""}
          </p>
        </>
      )}
      {stage.at === "showing" && (
        <AddressQuestion
          address={stage.address}
          model={stage.model}
          asked={stage.asked}
          onShow={() => void show(stage)}
          onMatch={() => void send(stage.address, stage.model)}
        />
      )}
      {(stage.at === "sending" || stage.at === "sent") && (
        <div class="box note" role="status">
          <h2>{stage.at === "sending" ? "Sending the enrolment…" : "Enrolment sent"}</h2>
          <p>
            Your operator now compares the whole address with you over another channel, for example by telephone: read
            it from your Ledger's screen. The device counts after that.
          </p>
        </div>
      )}
    </>
  );
}

mount(<EnrolPage />);
