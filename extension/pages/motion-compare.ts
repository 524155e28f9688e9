/**
 * What a person compares with the device's screen while it asks for a governance request: the first pieces of its statement, each with
 * a name, and where they stand in the text. From the same pieces as the statement itself. Pure.
 */
import { type Motion } from "../../protocol/governance.ts";
import { motionParts } from "../../protocol/motion-statement.ts";
import type { MarkedRange } from "./marking.ts";

export interface Compared {
  readonly name: string;
  /** As it stands on the screen, without the word before it. */
  readonly text: string;
  /** Long: it is shown whole in groups of four. */
  readonly long: boolean;
}

interface Piece extends Compared {
  /** Where `text` begins in the statement. */
  readonly from: number;
}

/** Words that stand before a value and are no part of it. */
const BEFORE = /^(; (browser|key file) |; | (BY|DEVICE|AS|ROLE|BROWSER|KEY|HSM TO|LOG OF) | )/;

/** What says what the request does; the tail of the statement is the same for every request. */
export function comparedOf(motion: Motion, policyNow: number): Compared[] {
  return piecesOf(motion, policyNow).map(({ name, text, long }) => ({ name, text, long }));
}

/** Where they stand in the statement, to be marked in the pictures of the device. */
export function comparedRanges(motion: Motion, policyNow: number): MarkedRange[] {
  return piecesOf(motion, policyNow).map(({ from, text, long }) => ({
    mark: long ? "address" : "amount",
    from,
    to: from + text.length,
  }));
}

function piecesOf(motion: Motion, policyNow: number): Piece[] {
  let at = 0;
  return motionParts(motion, policyNow).flatMap(([name, part]) => {
    const begin = at;
    at += part.length;
    const before = name === "operation" ? "" : (BEFORE.exec(part)?.[0] ?? "");
    const text = part.slice(before.length);
    // A removal's piece may be empty, and "moves nothing" is a remark.
    if (text === "" || name === "harmlessness" || name === "replaced number") return [];
    return [{ name: named(name), text, long: /(0x)?[0-9A-Fa-f]{16,}$/.test(text), from: begin + before.length }];
  });
}

function named(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
