/**
 * The id that Chromium gives our extension: it follows from `key` in extension/manifest.json (the first 16 bytes of the SHA-256 of
 * that public key, as letters a to p). README.md, "Login". The bridge lets this origin in; the extension's key then decides.
 */
export const EXTENSION_ID = "hfndbofjikjhbobbfcodddbbefpmjonn";
