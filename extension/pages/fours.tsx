/** Long values for comparing by eye: whole, monospaced, in groups of four. The gaps are style: what is copied has none. */
import { Fragment } from "preact";
import { inFours } from "./wording.ts";

/** `text` in groups of four. A leading `0x` stands by itself; `ends` emphasises the first and last group. */
export function Fours({ text, ends = false }: { text: string; ends?: boolean }) {
  const prefix = text.startsWith("0x") ? "0x" : "";
  const groups = inFours(text.slice(prefix.length));
  return (
    <span class="fours">
      {prefix !== "" && <span class="prefix">{prefix}</span>}
      {groups.map((group, at) => (
        <Fragment key={at}>
          <span class={ends && (at === 0 || at === groups.length - 1) ? "four end" : "four"}>{group}</span>
          <wbr />
        </Fragment>
      ))}
    </span>
  );
}
