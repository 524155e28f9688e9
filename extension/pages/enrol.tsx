/**
 * Enrolling a device: enrol.html, in a tab. The page reads the address from the device but never prints it: the person types two
 * groups of it from the device's own screen, and an operator compares all of it over another channel. protocol/README.md, "Devices".
 */
import { useState } from "preact/hooks";
import type { Vendor } from "../../protocol/vendor.ts";
import { enrol, loadDevices, loadLink, loadPairing } from "../actions.ts";
import type { DeviceModel } from "../devices/device.ts";
import type { LinkStatus, Pairing, StoredDevice } from "../store.ts";
import { AddressQuestion } from "./address-question.tsx";
import type { Stop } from "./confirming.ts";
import { Devices, explainAddress } from "./devices.tsx";
import { EnrolmentSent } from "./enrolment-sent.tsx";
import { Frame, mount } from "./frame.tsx";
import { useLive } from "./live.ts";
import { ProblemBox } from "./problem.tsx";
import { explain, withConnected } from "./sign-on-device.ts";
import { StopBox } from "./stop.tsx";
import { firstVendor, VendorChoice } from "./vendor-choice.tsx";

/** A path kept for approving: no wallet uses account 7 by itself. */
const PATH = "m/44'/60'/7'/0/0";

/** What was read from the device. */
interface Found {
  readonly address: string;
  readonly vendor: Vendor;
  readonly model: DeviceModel;
}

type Stage =
  | { readonly at: "start" }
  | { readonly at: "connecting" }
  /** `asked`: the device still shows the address. */
  | ({ readonly at: "showing"; readonly asked: boolean } & Found)
  | ({ readonly at: "sending" } & Found)
  | ({ readonly at: "sent" } & Found);

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
        <h1>Enrol a device</h1>
        <Enrol devices={devices} />
        {devices.length > 0 && <Devices devices={devices} />}
      </main>
    </Frame>
  );
}

function Enrol({ devices }: { devices: readonly StoredDevice[] }) {
  const [vendor, setVendor] = useState<Vendor>(firstVendor);
  const [stage, setStage] = useState<Stage>({ at: "start" });
  const [stop, setStop] = useState<Stop | null>(null);

  const show = async (before: Stage): Promise<void> => {
    setStop(null);
    if (before.at !== "showing") setStage({ at: "connecting" });
    try {
      await withConnected({ vendor, use: "an enrolment" }, async (device) => {
        const address = await device.address(PATH, { show: false });
        const showing = { at: "showing" as const, address, vendor, model: device.model };
        setStage({ ...showing, asked: true });
        await device.address(PATH, { show: true });
        setStage((now) => (now.at === "showing" ? { ...showing, asked: false } : now));
      });
    } catch (error) {
      setStage((now) => (now.at === "sending" || now.at === "sent" ? now : { at: "start" }));
      setStop(explainAddress(error, vendor));
    }
  };

  const send = async ({ address, model }: Found): Promise<void> => {
    const found = { address, vendor, model };
    setStage({ at: "sending", ...found });
    setStop(null);
    try {
      await enrol({ ...found, path: PATH });
      setStage({ at: "sent", ...found });
    } catch (error) {
      setStage({ at: "start" });
      setStop(explain(error, vendor));
    }
  };

  return (
    <>
      {stop !== null && <StopBox stop={stop} />}
      {(stage.at === "start" || stage.at === "connecting") && (
        <>
          <VendorChoice
            chosen={vendor}
            disabled={stage.at === "connecting"}
            onChoose={(next) => {
              setVendor(next);
              setStop(null);
            }}
          />
          <Preparation vendor={vendor} />
          <button type="button" class="primary" disabled={stage.at === "connecting"} onClick={() => void show(stage)}>
            Connect your {vendor}
          </button>
          <p class="muted" role="status">
            {stage.at === "connecting" ? `Connecting to your ${vendor}…` : ""}
          </p>
          <p>
            <a href={`./help.html?device=${vendor}`} target="_blank" rel="noopener">
              My device is not found
            </a>
          </p>
        </>
      )}
      {stage.at === "showing" && (
        <AddressQuestion
          address={stage.address}
          vendor={stage.vendor}
          model={stage.model}
          asked={stage.asked}
          onShow={() => void show(stage)}
          onMatch={() => void send(stage)}
        />
      )}
      {(stage.at === "sending" || stage.at === "sent") && (
        <EnrolmentSent
          vendor={stage.vendor}
          sending={stage.at === "sending"}
          device={devices.find((one) => one.address === stage.address)}
          onAnother={() => setStage({ at: "start" })}
        />
      )}
    </>
  );
}

function Preparation({ vendor }: { vendor: Vendor }) {
  return vendor === "Ledger" ? (
    <ol class="todo">
      <li>Connect your Ledger with its cable and unlock it.</li>
      <li>Open its Ethereum app.</li>
      <li>Press the button and choose your Ledger in the browser's list.</li>
    </ol>
  ) : (
    <ol class="todo">
      <li>Start Trezor Suite on this computer.</li>
      <li>Connect your Trezor, unlock it, and choose in Suite the wallet (passphrase) that you will approve with.</li>
      <li>Press the button, and allow OpenCustody in Trezor Suite's window.</li>
    </ol>
  );
}

mount(<EnrolPage />);
