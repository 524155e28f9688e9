/**
 * The manifest for Firefox, made from Chromium's (manifest.json) when the extension is built: what differs, and nothing else.
 * Not part of the extension that runs. Its content security policy stays the one of manifest.json: Firefox adds
 * upgrade-insecure-requests only where a manifest has none, and ws://127.0.0.1 would become wss: then.
 */

/** Fixed for ever: Firefox keeps an installation's records under it. */
export const FIREFOX_ID = "approvals@opencustody";

/** The oldest that knows `data_collection_permissions`, on every system. */
const FIREFOX_OLDEST = "142.0";

/**
 * `chromium` is manifest.json, parsed. Left out: `key`, which fixes Chromium's id, and its oldest version. A service worker becomes a
 * background script: Firefox has no extension service workers. @throws where the manifest is not as expected
 */
export function firefoxManifest(chromium: unknown): Record<string, unknown> {
  if (typeof chromium !== "object" || chromium === null) throw new Error("manifest.json is not an object");
  const { key: _key, minimum_chrome_version: _oldest, ...shared }: Record<string, unknown> = { ...chromium };
  const { content_security_policy: policies, background } = shared;
  const policy = textOf(policies, "extension_pages");
  if (policy.includes("upgrade-insecure-requests"))
    throw new Error("the policy would turn ws: to wss: on this machine");
  return {
    ...shared,
    background: { scripts: [textOf(background, "service_worker")], type: "module" },
    browser_specific_settings: {
      gecko: {
        id: FIREFOX_ID,
        strict_min_version: FIREFOX_OLDEST,
        // What it sends goes to the person's own organisation only, and is about its payments: Firefox says so when it is installed.
        data_collection_permissions: { required: ["financialAndPaymentInfo"] },
      },
    },
  };
}

function textOf(record: unknown, name: string): string {
  const value: unknown = typeof record === "object" && record !== null ? Reflect.get(record, name) : undefined;
  if (typeof value !== "string") throw new Error(`manifest.json has no ${name}`);
  return value;
}
