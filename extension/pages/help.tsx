/**
 * "My device is not found": help.html?device=Ledger or Trezor; and further topics below. It finds the cause step by step, and never has a device ask anything. A
 * Ledger is looked at again when it is plugged in; a Trezor is asked for through Suite on a click only, since Suite may raise its window.
 */
import { useEffect, useState } from "preact/hooks";
import type { Vendor } from "../../protocol/vendor.ts";
import type { Step } from "./finding.ts";
import { Frame, mount } from "./frame.tsx";
import { HelpTopics } from "./help-topics.tsx";
import { Icon } from "./icon.tsx";
import { type Findings, findLedger, findTrezor } from "./seeking.ts";
import { firstVendor, VendorChoice } from "./vendor-choice.tsx";

function asked(): Vendor {
  const named = new URLSearchParams(location.search).get("device");
  return named === "Ledger" || named === "Trezor" ? named : firstVendor();
}

function HelpPage() {
  const [vendor, setVendor] = useState<Vendor>(asked);
  const [found, setFound] = useState<Findings | null>(null);
  const [busy, setBusy] = useState(false);

  const look = async (how: "look" | "ask"): Promise<void> => {
    setBusy(true);
    const next =
      vendor === "Ledger" ? await findLedger({ choose: how === "ask" }) : await findTrezor({ ask: how === "ask" });
    setFound(next);
    setBusy(false);
  };

  useEffect(() => {
    setFound(null);
    void look("look");
    if (vendor !== "Ledger" || !("usb" in navigator)) return;
    const ending = new AbortController();
    const again = (): void => void look("look");
    for (const event of ["connect", "disconnect"] as const) {
      navigator.usb.addEventListener(event, again, { signal: ending.signal });
    }
    return () => ending.abort();
  }, [vendor]);

  return (
    <Frame>
      <main>
        <h1>My device is not found</h1>
        <p>This page looks for the cause. It asks nothing on your device and sends nothing.</p>
        <VendorChoice chosen={vendor} disabled={busy} onChoose={setVendor} />
        <section aria-labelledby="found-title">
          <h2 id="found-title">{headline(found, vendor)}</h2>
          <ol class="finding" aria-live="polite">
            {(found?.steps ?? []).map((step) => (
              <FoundStep key={step.title} step={step} />
            ))}
          </ol>
        </section>
        <div class="row">
          <button type="button" class="primary" disabled={busy} onClick={() => void look("ask")}>
            {vendor === "Ledger" ? "Choose your Ledger" : "Ask Trezor Suite"}
          </button>
          <button type="button" disabled={busy} onClick={() => void look("look")}>
            Look again
          </button>
        </div>
        <p class="muted" role="status">
          {busy ? "Looking…" : ""}
        </p>
        <HelpTopics />
        <p>
          Were you given a proof of a request? <a href="./proof.html">Verify it</a>; it needs no device.
        </p>
      </main>
    </Frame>
  );
}

function headline(found: Findings | null, vendor: Vendor): string {
  if (found === null) return "Looking…";
  if (found.steps.some(({ state }) => state === "wrong")) return "This is in the way";
  return found.steps.every(({ state }) => state === "fine")
    ? `Your ${vendor} is found and ready`
    : "So far nothing is in the way";
}

const ICONS = { fine: "check", wrong: "warning", later: "ring" } as const;
const SPOKEN = { fine: "Fine:", wrong: "In the way:", later: "Not looked at yet:" } as const;

function FoundStep({ step: { state, title, text, action, command } }: { step: Step }) {
  return (
    <li class={state}>
      <Icon name={ICONS[state]} />
      <div>
        <p class="title">
          <span class="unseen">{SPOKEN[state]} </span>
          {title}
        </p>
        {text !== "" && <p>{text}</p>}
        {action !== "" && <p class="action">{action}</p>}
        {command !== undefined && <Command text={command} />}
      </div>
    </li>
  );
}

function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <div class="command">
      <code>{text}</code>
      <button type="button" class="quiet small" onClick={copy}>
        {copied ? "Copied" : "Copy command"}
      </button>
    </div>
  );
}

mount(<HelpPage />);
