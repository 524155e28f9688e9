/** The page of usb.spec.ts: the real Ledger transport library, as a product would bundle it, with a few verbs for the test to call. */

import "./usb-spec-buffer.ts";
import Library from "@ledgerhq/hw-transport-webusb";

// The package's types say CommonJS; what is bundled is its ES module, whose default export is the class itself.
const LedgerTransport = Library as unknown as typeof Library.default;

let transport: InstanceType<typeof LedgerTransport> | undefined;
let disconnects = 0;

const page = {
  /** Opens a device through the chooser, or one that is permitted already. Returns its model's name. */
  async open(how: "chooser" | "permitted"): Promise<string | undefined> {
    const opened = how === "chooser" ? await LedgerTransport.request() : await LedgerTransport.openConnected();
    opened?.on("disconnect", () => {
      disconnects += 1;
    });
    transport = opened ?? undefined;
    return opened?.deviceModel?.productName;
  },
  /** One APDU in hex; the answer in hex, or the name and message of the error. */
  async exchange(apdu: string): Promise<string> {
    try {
      if (transport === undefined) return "no transport";
      return (await transport.exchange(Buffer.from(apdu, "hex"))).toString("hex");
    } catch (error) {
      return String(error);
    }
  },
  async close(): Promise<void> {
    await transport?.close();
    transport = undefined;
  },
  disconnects: () => disconnects,
};

export type LedgerPage = typeof page;

Object.assign(globalThis, { ledgerPage: page });
