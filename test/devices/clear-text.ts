/**
 * How the Ethereum app turns a message's bytes into the text it shows. 1.22.0: white space becomes a space, and one byte that is
 * neither printable nor white space turns the whole message into hex. 1.10.4 escapes such bytes one by one (read in its source, not recorded).
 */

const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const isPrintable = (byte: number) => byte >= 0x20 && byte <= 0x7e;
const hex = (byte: number) => byte.toString(16).padStart(2, "0");

/** The text under 1.22.0. On a Flex a line break may look different: not recorded. */
export function shownText(bytes: readonly number[]): string {
  if (!bytes.every((byte) => isSpace(byte) || isPrintable(byte))) return `0x${bytes.map(hex).join("")}`;
  return bytes.map((byte) => (isSpace(byte) ? " " : String.fromCharCode(byte))).join("");
}

/** The text of one chunk under 1.10.4. */
export function shownTextOlder(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    if (isSpace(byte)) return " ";
    return isPrintable(byte) ? String.fromCharCode(byte) : `\\x${hex(byte)}`;
  }).join("");
}
