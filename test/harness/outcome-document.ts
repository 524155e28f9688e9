/** docs/outcomes.md: which outcome is tested on which device, and what a person is told. Made from outcome-table.ts alone; pure. */
import type { DeviceOutcome } from "../../extension/devices/device.ts";
import type { Vendor } from "../../protocol/vendor.ts";
import { ENDINGS, type Ending } from "./outcome-table.ts";

/** The devices that the suite drives, as columns. */
export const DEVICES = [
  { vendor: "Ledger", name: "Nano S Plus 1.22.0" },
  { vendor: "Ledger", name: "Nano S Plus 1.10.4" },
  { vendor: "Ledger", name: "Flex 1.22.0" },
  { vendor: "Trezor", name: "Trezor One" },
  { vendor: "Trezor", name: "Trezor Safe" },
] as const;
export type DeviceName = (typeof DEVICES)[number]["name"];

/** The picture of an outcome, below docs/images/outcomes. */
export function pictureOf(code: DeviceOutcome, vendor: Vendor): string {
  return `${code}-${vendor.toLowerCase()}.png`;
}

/** docs/outcomes.md. */
export function renderOutcomes(): string {
  const cell = (ending: Ending, vendor: Vendor) => ("never" in ending[vendor] ? "—" : "✓");
  const table = [
    ["Outcome", ...DEVICES.map(({ name }) => name)],
    ["---", ...DEVICES.map(() => ":-:")],
    ...ENDINGS.map((ending) => [
      `[${ending.title}](#${ending.code})`,
      ...DEVICES.map(({ vendor }) => cell(ending, vendor)),
    ]),
  ];
  return `${[
    "# How a confirmation can end, by device",
    [
      "Made by `UPDATE=1 node_modules/.bin/vitest run test/outcomes.test.ts` from the cases of the shared suite",
      "(`test/harness/outcome-table.ts`), which brings every ✓ about on that device, in the built extension in Chromium with a real",
      "bridge, agent and SoftHSM: the code, the sentence and the action stand on the page, nothing is signed or sent, the request is",
      "still open, the device was asked no more often than the person wanted, and afterwards the same request is signed. Devices are",
      "simulated; a Trezor Safe's screens are approximate. — cannot happen there; the reason stands below.",
    ].join("\n"),
    table.map((row) => `| ${row.join(" | ")} |`).join("\n"),
    "The pictures are made by `npm run pictures`.",
    ...ENDINGS.map(section),
  ].join("\n\n")}\n`;
}

function section(ending: Ending): string {
  return [
    `<a id="${ending.code}"></a>`,
    `## ${ending.title}`,
    `Code \`${ending.code}\`.`,
    ...(["Ledger", "Trezor"] as const).map((vendor) => {
      const told = ending[vendor];
      if ("never" in told) return `**${vendor}**: cannot happen, because ${told.never}.`;
      return [
        `**${vendor}**, when ${told.when}:`,
        `> ${example(told.sentence)}\n>\n> ${example(told.action)}`,
        `![${ending.title}, on a ${vendor}](images/outcomes/${pictureOf(ending.code, vendor)})`,
      ].join("\n\n");
    }),
  ].join("\n\n");
}

/** A text of the table as a person may meet it. */
function example(text: string): string {
  return text.replace("{other}", "01JDA7Q9T2M4XYZ0").replace("{old}", "1.10.3").replace("{oldest}", "1.10.4");
}
