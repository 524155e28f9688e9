/** Hands on a simulated device: no clock but the one that gives up waiting. */

import type { Hands } from "./hands.ts";
import type { SimulatedLedger } from "./ledger-app.ts";

const PATIENCE_MS = 120_000;

/** The person's hands on this device. */
export function simulatedHands(ledger: SimulatedLedger): Hands {
  return {
    model: ledger.model,
    version: ledger.version,
    screen: async () => ledger.screen(),
    waitForScreen: (accept) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const lines = ledger.screen();
          if (!accept(lines)) return;
          stop();
          clearTimeout(patience);
          resolve(lines);
        };
        const stop = ledger.onChange(look);
        const patience = setTimeout(() => {
          stop();
          reject(new Error(`the device still shows: ${ledger.screen().join(" | ")}`));
        }, PATIENCE_MS);
        look();
      }),
    press: async (button) => ledger.press(button),
    tap: async (label) => ledger.tap(label),
    hold: async (label) => ledger.hold(label),
    turn: async (to) => {
      const before = ledger.screen().join("\n");
      ledger.turn(to);
      return ledger.screen().join("\n") !== before;
    },
  };
}
