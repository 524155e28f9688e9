import { expect, test } from "vitest";
import chromium from "./manifest.json" with { type: "json" };
import { FIREFOX_ID, firefoxManifest } from "./manifest.ts";

test("Firefox gets the same permissions and policy, and its own words for the rest", () => {
  const { key: _key, minimum_chrome_version: _oldest, ...shared } = chromium;
  expect(firefoxManifest(chromium)).toEqual({
    ...shared,
    background: { scripts: ["background.js"], type: "module" },
    browser_specific_settings: { gecko: expect.objectContaining({ id: FIREFOX_ID }) as unknown },
  });
});

test("the policy keeps ws: on this computer as it is", () => {
  const { extension_pages: policy } = chromium.content_security_policy;
  expect(policy).toContain("connect-src wss: ws://127.0.0.1:8787 ws://127.0.0.1:21335;");
  const upgrading = { extension_pages: `${policy}; upgrade-insecure-requests` };
  expect(() => firefoxManifest({ ...chromium, content_security_policy: upgrading })).toThrow("ws: to wss:");
});

test.each([null, {}, { ...chromium, background: {} }, { ...chromium, content_security_policy: undefined }])(
  "a manifest that lacks what is changed is refused",
  (manifest) => expect(() => firefoxManifest(manifest)).toThrow("manifest.json"),
);
