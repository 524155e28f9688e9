/** Said before a Ledger is plugged in, where the browser cannot reach one; nothing elsewhere. */
import { supportsLedger } from "../devices/support.ts";

export function NoLedger() {
  if (supportsLedger()) return null;
  const browser = location.protocol === "moz-extension:" ? "Firefox" : "This browser";
  return (
    <p class="box warning" role="alert">
      {browser} cannot reach a Ledger: it has no WebUSB. Use Chromium, or a Trezor.
    </p>
  );
}
