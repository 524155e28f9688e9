/**
 * Enrolling a device: enrol.html, in a tab. The page reads the address from the device but never prints it: the person types two
 * groups of it from the device's own screen, and others compare all of it over another channel before they approve its ENROLL.
 * protocol/README.md, "Devices".
 */
import { useState } from "preact/hooks";
import { Fault } from "../../protocol/error.ts";
import type { Vendor } from "../../protocol/vendor.ts";
import { enrol, loadDevices, loadLink, loadPairing, pairingWords } from "../actions.ts";
import type { DeviceModel } from "../devices/device.ts";
import type { StoredDevice } from "../store.ts";
import { AddressQuestion } from "./address-question.tsx";
import type { Stop } from "./confirming.ts";
import { Devices, explainAddress } from "./devices.tsx";
import { EnrolmentSent } from "./enrolment-sent.tsx";
import { Frame, mount } from "./frame.tsx";
import { useLive } from "./live.ts";
import { Loaded } from "./loaded.tsx";
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

async function loadAll() {
  const [pairing, devices, link, words] = await Promise.all([loadPairing(), loadDevices(), loadLink(), pairingWords()]);
  return { pairing, devices, link, words };
}

function EnrolPage() {
  return <Loaded live={useLive(loadAll)}>{(stored) => <Page {...stored} />}</Loaded>;
}

function Page({ pairing, devices, link, words }: Awaited<ReturnType<typeof loadAll>>) {
  if (pairing?.state !== "paired" || pairing.name === null) {
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
  const isMember = pairing.standing === "member";
  return (
    <Frame link={{ status: link, bridge: pairing.bridge }}>
      <main>
        <h1>Enrol a device</h1>
        <Enrol devices={devices} isMember={isMember} words={words} />
        {devices.length > 0 && <Devices devices={devices} me={isMember ? pairing.name : null} />}
      </main>
    </Frame>
  );
}

interface EnrolProps {
  readonly devices: readonly StoredDevice[];
  readonly isMember: boolean;
  /** Of a pairing that waits for them. */
  readonly words: string | null;
}

function Enrol({ devices, isMember, words }: EnrolProps) {
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
        const shown = await device.address(PATH, { show: true });
        // Two answers of one device are one: else something on this computer lies between.
        if (shown !== address)
          throw new Fault(
            "ERR_APPROVAL_DEVICE",
            "The device showed another address than it gave before. Stop, and tell your operator.",
          );
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

  // A pairing brings one device: a page that is opened again shows how far it is.
  const under = isMember ? undefined : devices.find(({ state }) => state === "sent" || state === "pending");
  if (under !== undefined && stage.at !== "sending")
    return <EnrolmentSent vendor={under.vendor} sending={false} device={under} words={words} />;
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
          words={words}
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
