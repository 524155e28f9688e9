/**
 * What a device's screen holds: labels at places, as a person sees and touches them. Knows neither what is reviewed nor
 * how text is broken into lines (layout.ts). Places are close to the real ones, not exact to the pixel: what the
 * recordings back is the text and its order.
 */

/** The models that recordings or measured fonts exist for. */
export type Model = "nanosp" | "nanox" | "flex";
export type AppVersion = "1.22.0" | "1.10.4";
export type Button = "left" | "right" | "both";

/** One line of text. `x`, `y`, `w`, `h` in the device's own pixels; `touch` says what a finger on it does. */
export interface Label {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly touch: "none" | "tap" | "hold";
}

export type Screen = readonly Label[];

/** Size of the glass in pixels. */
export const GLASS = {
  nano: { width: 128, height: 64 },
  flex: { width: 480, height: 600 },
} as const;

/** Where a finger turns a Flex's pages and leaves the text behind More (the arrows carry no text). */
export const FLEX_ARROWS = {
  previous: { x: 320, y: 550 },
  next: { x: 430, y: 550 },
  back: { x: 45, y: 45 },
} as const;

/** The labels' text in the order in which the device draws them: the form of the recordings. */
export function textOf(screen: Screen): string[] {
  return screen.map(({ text }) => text);
}

/** Up to four centred lines on a Nano. */
export function nanoScreen(lines: readonly string[]): Screen {
  const step = 15;
  const top = Math.max(2, Math.round((GLASS.nano.height - lines.length * step) / 2));
  return lines.map((text, i) => {
    const w = Math.min(GLASS.nano.width, text.length * 6);
    return { text, x: Math.round((GLASS.nano.width - w) / 2), y: top + i * step, w, h: 11, touch: "none" };
  });
}

/** A label on a Flex; its width is a fair guess unless given. */
export function flexLabel(text: string, x: number, y: number, touch: Label["touch"] = "none", w?: number): Label {
  return { text, x, y, w: w ?? Math.min(GLASS.flex.width - x, Math.max(40, text.length * 24)), h: 40, touch };
}

/** A line in the middle of a Flex, across its width. */
export function flexCentred(text: string, y: number): Label {
  return flexLabel(text, 32, y, "none", GLASS.flex.width - 64);
}

/** A line in the smaller font that stands behind More. */
export function flexSmall(text: string, x: number, y: number): Label {
  return { ...flexLabel(text, x, y), h: 33 };
}

/** The label under a finger, the topmost last drawn one; touchable labels have a margin of 12 pixels. */
export function labelAt(screen: Screen, x: number, y: number): Label | undefined {
  return screen.findLast((label) => {
    const margin = label.touch === "none" ? 0 : 12;
    return (
      x >= label.x - margin && x < label.x + label.w + margin && y >= label.y - margin && y < label.y + label.h + margin
    );
  });
}

/** A finger stands on an arrow when it is within 30 pixels of it. */
export function arrowAt(x: number, y: number): keyof typeof FLEX_ARROWS | undefined {
  for (const name of ["previous", "next", "back"] as const) {
    const arrow = FLEX_ARROWS[name];
    if (Math.abs(arrow.x - x) <= 30 && Math.abs(arrow.y - y) <= 30) return name;
  }
  return undefined;
}
