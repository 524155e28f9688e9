/** Which kind of device a person holds: two choices with pictures. One that this browser cannot reach stays there, and says why. */
import type { Vendor } from "../../protocol/vendor.ts";
import { canReach } from "../devices/support.ts";
import { Glyph } from "./glyph.tsx";
import { NoLedger } from "./no-ledger.tsx";

const WHERE: Record<Vendor, string> = {
  Ledger: "with its cable, in this browser",
  Trezor: "through Trezor Suite on this computer",
};

interface Props {
  readonly chosen: Vendor;
  readonly disabled: boolean;
  readonly onChoose: (vendor: Vendor) => void;
}

export function VendorChoice({ chosen, disabled, onChoose }: Props) {
  return (
    <fieldset class="vendors" disabled={disabled}>
      <legend>Which device do you hold?</legend>
      <div class="vendor-cards">
        {(["Ledger", "Trezor"] as const).map((vendor) => {
          const reachable = canReach(vendor);
          return (
            <label key={vendor} class={chosen === vendor ? "vendor chosen" : "vendor"}>
              <Glyph vendor={vendor} plain />
              <span>
                <input
                  type="radio"
                  name="vendor"
                  aria-label={vendor}
                  checked={chosen === vendor}
                  disabled={!reachable}
                  onChange={() => onChoose(vendor)}
                />{" "}
                <strong>{vendor}</strong>
              </span>
              <span class="muted">{WHERE[vendor]}</span>
            </label>
          );
        })}
      </div>
      <NoLedger />
    </fieldset>
  );
}

/** What is chosen when the page opens: what can be reached. */
export function firstVendor(): Vendor {
  return canReach("Ledger") ? "Ledger" : "Trezor";
}
