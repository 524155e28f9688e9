/** The few signs of the pages. Each stands beside a word: none carries meaning alone. */
import type { JSX } from "preact";

const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  warning: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.2",
  stop: "M5.2 2h5.6L14 5.2v5.6L10.8 14H5.2L2 10.8V5.2zM8 5v3.6M8 10.8v.2",
  note: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.4v3.6M8 5v.2",
  dot: "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  ring: "M8 13A5 5 0 1 0 8 3a5 5 0 0 0 0 10z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class={`icon ${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill={name === "dot" ? "currentColor" : "none"}
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
