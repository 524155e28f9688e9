/** Ledger's packages take Node's `Buffer` from the global scope, already while they are loaded: import this before them. */
// oxlint-disable-next-line unicorn/prefer-node-protocol -- npm's buffer for browsers is meant, not Node's own module
import { Buffer } from "buffer";

globalThis.Buffer ??= Buffer;
