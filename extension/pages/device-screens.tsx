/**
 * Pictures of the pages in which the reader's own device shows the statement, what is to be compared marked, for comparing by
 * eye. Where pages are not measured for a model, it says so. The pages are computed in devices/screens.ts.
 */
import type { Vendor } from "../../protocol/vendor.ts";
import type { DeviceModel } from "../devices/device.ts";
import { type Page, screensOf } from "../devices/screens.ts";
import { type MarkedRange, markLines, type Piece } from "./marking.ts";
import { modelName } from "./wording.ts";

interface Props {
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  /** Of the Ethereum app or of a Trezor's firmware; null before the device is connected. */
  readonly appVersion: string | null;
  readonly statement: string;
  /** What is marked in it. */
  readonly ranges: readonly MarkedRange[];
  /** What the two marks stand for. */
  readonly legend: { readonly amount: string; readonly address: string };
}

/** The versions whose pages are measured, of the Ethereum app and of the firmware: what is drawn until a device is connected. */
const MEASURED_VERSION: Record<Vendor, string> = { Ledger: "1.22.0", Trezor: "1.14.2" };

export function DeviceScreens({ vendor, model, appVersion, statement, ranges, legend }: Props) {
  const screens = screensOf(model, appVersion ?? MEASURED_VERSION[vendor], statement);
  const name = modelName(model);
  if (screens === null) {
    return (
      <p class="muted">
        The pages of a {name} are not measured. It shows the exact statement below, from beginning to end: read it
        there.
      </p>
    );
  }
  const pages = markPages(screens.pages, statement, ranges);
  const first = pages.filter((page) => page.kind !== "more");
  const more = pages.filter((page) => page.kind === "more");
  return (
    <div class="screens">
      <Strip pages={first} model={model} label={`Pages on your ${name}`} folded={more.length > 0} />
      {more.length > 0 && (
        <>
          <h3>
            Behind <q>More</q>: open it to read the rest
          </h3>
          <Strip pages={more} model={model} label="Pages behind More" folded={false} />
        </>
      )}
      <p class="legend">
        <mark class="amount">{legend.amount}</mark> and <mark class="address">{legend.address}</mark> are marked here
        only: on the device the text is plain.
      </p>
      {!screens.exact && (
        <p class="muted">
          These pages are approximate: this model or version may break lines and pages elsewhere. The text is the same.
        </p>
      )}
    </div>
  );
}

interface MarkedPage {
  readonly title: string | null;
  readonly kind: Page["kind"];
  readonly lines: readonly Piece[][];
}

interface StripProps {
  readonly pages: readonly MarkedPage[];
  readonly model: DeviceModel;
  readonly label: string;
  /** The text page ends with the button More. */
  readonly folded: boolean;
}

function Strip({ pages, model, label, folded }: StripProps) {
  const shape = shapeOf(model);
  return (
    <ol class={`strip ${shape}`} aria-label={label}>
      {pages.map((page, at) => (
        <li key={`${page.kind} ${at}`}>
          <div class={`screen ${page.kind}`}>
            {page.title !== null && <p class="title">{page.title}</p>}
            {page.lines.map((line, row) => (
              <p key={row} class="line">
                {line.map((piece, part) => (piece.mark === null ? piece.text : markOf(piece, part)))}
              </p>
            ))}
            {folded && page.kind === "text" && <p class="button-more">More</p>}
          </div>
        </li>
      ))}
    </ol>
  );
}

/** How the pictures look: a Nano's two lines, a large page, or the four lines of 18 characters of a Trezor One. */
function shapeOf(model: DeviceModel): "oled" | "ink" | "grid" {
  switch (model) {
    case "flex":
    case "stax":
      return "ink";
    case "nano-s":
    case "nano-s-plus":
    case "nano-x":
      return "oled";
    case "trezor-one":
    case "trezor-t":
    case "trezor-safe-3":
    case "trezor-safe-5":
    case "trezor-safe-7":
      return "grid";
  }
}

function markOf({ text, mark }: Piece, key: number) {
  return (
    <mark key={key} class={mark ?? ""}>
      {text}
    </mark>
  );
}

function markPages(pages: readonly Page[], statement: string, ranges: readonly MarkedRange[]): MarkedPage[] {
  // The text runs on from page to page; behind More it starts again.
  const runs = { text: runOf("text"), more: runOf("more") };
  return pages.map((page) => {
    const { title, kind, lines } = page;
    if (kind === "text" || kind === "more") return { title, kind, lines: runs[kind].splice(0, lines.length) };
    return { title, kind, lines: lines.map((text) => [{ text, mark: null }]) };
  });

  function runOf(kind: "text" | "more"): Piece[][] {
    const lines = pages.filter((page) => page.kind === kind).flatMap((page) => page.lines);
    return markLines(lines, statement, ranges);
  }
}
