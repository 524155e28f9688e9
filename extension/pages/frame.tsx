/** What every page stands in: its name, the link to the bridge in words, the content; and how a page is put on the screen. */
import type { ComponentChildren, JSX } from "preact";
import { render } from "preact";
import type { LinkStatus } from "../store.ts";
import { linkSentence } from "./arrange.ts";
import { Icon } from "./icon.tsx";
import { ProblemBox } from "./problem.tsx";

interface FrameProps {
  readonly link?: { readonly status: LinkStatus; readonly bridge: string };
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

export function Frame({ link, wide = false, children }: FrameProps) {
  return (
    <div class={wide ? "frame wide" : "frame"}>
      <header class="bar">
        <span class="brand">OpenCustody</span>
        {link !== undefined && (
          <span class={`link ${link.status.state}`} role="status">
            <Icon name={link.status.state === "online" ? "dot" : "ring"} />
            {linkSentence(link.status, link.bridge)}
          </span>
        )}
      </header>
      {link?.status.problem && <ProblemBox problem={link.status.problem} tone="warning" />}
      {children}
    </div>
  );
}

/** Renders `page` into the document's only element. */
export function mount(page: JSX.Element): void {
  const root = document.getElementById("page");
  if (root === null) throw new Error("the document has no element with the id page");
  render(page, root);
}
