import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { LedgerModel } from "./device.ts";
import { screensOf } from "./screens.ts";

const STATEMENT = "SEND 250000.00 USDC TO 0x52908400098527886E0F7030069857D2E4169EE7 ON Ethereum FROM Treasury-1";

interface Case {
  name: string;
  message: string;
  screens: string[][];
  more_screens?: string[][];
}
interface Recording {
  model: string;
  version: string;
  cases: Case[];
}

const FOLDER = new URL("../../test/devices/vectors/", import.meta.url);
const trezorOne = JSON.parse(readFileSync(new URL("trezor-one_1.14.2.json", FOLDER), "utf8")) as {
  version: string;
  cases: { name: string; message: string; pages: string[][]; screens: number }[];
};
const MODELS: Readonly<Record<string, LedgerModel[]>> = { nanosp: ["nano-s-plus", "nano-x"], flex: ["flex"] };
/** Buttons and counters that stand around the text; a page's picture draws them itself. */
const FURNITURE = /^(Reject|More|\d of \d)$/;

const recordings = readdirSync(FOLDER)
  .filter((file) => /^ledger-.*_1\.22\.0\.json$/.test(file))
  .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Recording);
const cases = recordings.flatMap(({ model, version, cases }) =>
  (MODELS[model] ?? []).flatMap((ours) => cases.map((one) => [ours, version, one.name, one] as const)),
);

test("the recordings are all there", () => expect(cases.length).toBe(15));

test.each(cases)("%s %s shows %s as it was recorded", (model, version, name, recorded) => {
  const screens = screensOf(model, version, recorded.message);
  expect(screens?.exact).toBe(true);
  const shown = (more: boolean) =>
    screens?.pages
      .filter((page) => (page.kind === "more") === more)
      .map((page) => [...(page.title === null ? [] : [page.title]), ...page.lines]);
  const recordedScreens = recorded.screens.map((lines) => lines.filter((line) => !FURNITURE.test(line)));
  if (!name.endsWith("declined")) expect(shown(false)).toEqual(recordedScreens);
  else expect(recordedScreens.slice(0, -1)).toEqual(shown(false)?.slice(0, recordedScreens.length - 1));
  if (recorded.more_screens !== undefined) expect(shown(true)).toEqual(recorded.more_screens);
});

test.each(trezorOne.cases)("a Trezor One shows $name as it was recorded", ({ message, pages, screens: count }) => {
  const screens = screensOf("trezor-one", trezorOne.version, message);
  expect(screens?.exact).toBe(true);
  expect(screens?.pages).toHaveLength(count);
  expect(screens?.pages.filter((page) => page.kind === "text").map((page) => page.lines)).toEqual(pages);
});

test.each([
  [64, 2],
  [300, 6],
  [800, 13],
  [1024, 16],
])("%i characters are %i screens on a Trezor One", (length, count) => {
  expect(screensOf("trezor-one", "1.14.2", "x".repeat(length))?.pages).toHaveLength(count);
});

test("the pages of the other Trezors are said to be approximate, and hold the whole text", () => {
  for (const model of ["trezor-t", "trezor-safe-3", "trezor-safe-5", "trezor-safe-7"] as const) {
    const screens = screensOf(model, "2.8.9", STATEMENT);
    expect(screens?.exact).toBe(false);
    expect(screens?.pages.flatMap((page) => page.lines).join("")).toBe(STATEMENT);
  }
  expect(screensOf("trezor-one", "1.12.1", STATEMENT)?.exact).toBe(false);
});

test("what was not measured is not drawn, and what is not exact says so", () => {
  for (const model of ["stax", "nano-s"] as const) expect(screensOf(model, "1.22.0", "SEND 1")).toBeNull();
  expect(screensOf("nano-s-plus", "1.10.4", "SEND 1")).toBeNull();
  expect(screensOf("flex", "1.22.0", "SEND é")).toBeNull();
  expect(screensOf("flex", "1.23.1", "SEND 1")?.exact).toBe(false);
});
