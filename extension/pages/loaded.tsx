/** What a page shows of its records: nothing while they are read, the problem where they cannot be, and then what it makes of them. */
import type { ComponentChildren } from "preact";
import { Frame } from "./frame.tsx";
import type { Live } from "./live.ts";
import { ProblemBox } from "./problem.tsx";

export function Loaded<T>({ live, children }: { live: Live<T>; children: (value: T) => ComponentChildren }) {
  switch (live.is) {
    case "loading":
      return <Frame>{null}</Frame>;
    case "broken":
      return (
        <Frame>
          <ProblemBox problem={live.problem} tone="danger" />
        </Frame>
      );
    case "ready":
      return <>{children(live.value)}</>;
  }
}
