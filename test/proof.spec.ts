/**
 * The page that verifies a proof, in the built extension of a browser that was never paired and reaches no network: what holds is shown
 * with the decoded request, what does not names its step, nothing is stored, and the page is accessible.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../protocol/vectors/proof-file.ts";
import { chromiumArgs, chromiumPath } from "./devices/chromium.ts";
import { ROOT } from "./harness/program.ts";

const EXTENSION = join(ROOT, "dist/extension-chromium");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const profile = mkdtempSync(join(tmpdir(), "opencustody-profile-"));
let context: BrowserContext;
const asked: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    headless: false,
    args: [
      ...chromiumArgs(),
      "--headless=new",
      `--disable-extensions-except=${EXTENSION}`,
      `--load-extension=${EXTENSION}`,
      "--host-resolver-rules=MAP * ~NOTFOUND",
    ],
  });
  context.setDefaultTimeout(30_000);
  context.on("request", (request) => asked.push(request.url()));
});
afterAll(async () => {
  await context?.close();
  rmSync(profile, { recursive: true, force: true });
});

async function visit(): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`chrome-extension://${EXTENSION_ID}/pages/proof.html`);
  return page;
}

async function verify(page: Page, { file, fingerprint }: { file: Uint8Array; fingerprint: string }): Promise<void> {
  const buffer = Buffer.from(file);
  await page
    .getByLabel("The proof", { exact: true })
    .setInputFiles({ name: "proof.json", mimeType: "application/json", buffer });
  await page.getByLabel("The HSM's fingerprint").fill(fingerprint.replaceAll(/(....)/g, "$1 ").trim());
  await page.getByRole("button", { name: "Verify" }).click();
}

async function isAccessible(page: Page, state: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(
      async (values) =>
        await (globalThis as unknown as { axe: { run(how: object): Promise<AxeResults> } }).axe.run({
          runOnly: { type: "tag", values },
        }),
      RULES,
    );
    expect(
      violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
      `${state}, ${colorScheme}`,
    ).toEqual([]);
  }
}

function good(what: string) {
  const found = GOOD_PROOFS.find((proof) => proof.what === what);
  if (found === undefined) throw new Error(`no proof ${what}`);
  return found;
}

test("a transfer that was signed is shown with every step and the request as this extension decodes it", async () => {
  const page = await visit();
  const button = page.getByRole("button", { name: "Verify" });
  expect(await button.isDisabled()).toBe(true);
  await isAccessible(page, "empty");
  await page.getByLabel("The HSM's fingerprint").fill("12 34");
  await page.getByText("A fingerprint has 64 digits").waitFor();
  await verify(page, good("a token, signed"));
  await page.getByRole("heading", { name: "Proved: the request is signed" }).waitFor();
  expect(await page.locator(".finding > li").count()).toBe(11);
  expect(await page.locator(".finding > li.wrong").count()).toBe(0);
  const text = (await page.locator("main").innerText()).replaceAll(/\s+/g, " ");
  for (const part of [
    "250,000.00 USDC",
    "It does not prove that the log ends there",
    "Ada on a Ledger",
    "Proposed by Olga",
  ])
    expect(text.replaceAll("\u202f", ",").replaceAll("\u2009", ",")).toContain(part);
  await isAccessible(page, "proved");
  // Another file, and the result of the first is gone.
  await page.getByLabel("The HSM's fingerprint").fill("0".repeat(64));
  await page.getByRole("heading", { name: "Proved: the request is signed" }).waitFor({ state: "detached" });
  await page.close();
});

test("changes are shown too", async () => {
  const page = await visit();
  await verify(page, good("a policy, replaced later"));
  await page.getByRole("heading", { name: "Proved: the request is enacted" }).waitFor();
  expect(await page.locator("main").innerText()).toContain("POLICY 2 ");
  // By another identity than the one that was typed: the page says whose signature the log has.
  expect(await page.getByText("the log is signed by another").count()).toBe(1);
  expect(await page.getByText("Log signed by HSM identity").count()).toBe(1);
  await page.close();
});

test.each(["form", "identity", "policy", "answers", "transaction"])(
  "one that fails at step %s says so",
  async (step) => {
    const page = await visit();
    const refused = REFUSED_PROOFS.find((proof) => proof.step === step);
    if (refused === undefined) throw new Error(`no proof that fails at ${step}`);
    await verify(page, refused);
    await page.getByRole("alert").getByText(`step "${step}" fails`).waitFor();
    expect(await page.locator(".finding > li.wrong").count()).toBe(1);
    expect(await page.getByRole("heading", { name: "Details" }).count()).toBe(0);
    await isAccessible(page, `refused at ${step}`);
    await page.close();
  },
);

test("nothing was stored, and nothing was asked of any network", async () => {
  const page = await visit();
  const stored = await page.evaluate(async () => {
    const counts: Record<string, number> = {};
    for (const { name = "" } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open(name);
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(new Error("not opened"));
      });
      for (const store of database.objectStoreNames) {
        counts[store] = await new Promise<number>((resolve, reject) => {
          const counting = database.transaction(store).objectStore(store).count();
          counting.onsuccess = () => resolve(counting.result);
          counting.onerror = () => reject(new Error("not counted"));
        });
      }
      database.close();
    }
    return { counts, kept: localStorage.length + sessionStorage.length };
  });
  expect(stored.kept).toBe(0);
  expect(Object.entries(stored.counts).filter(([name, count]) => name !== "link" && count > 0)).toEqual([]);
  expect(asked.filter((url) => !url.startsWith(`chrome-extension://${EXTENSION_ID}/`))).toEqual([]);
  expect(complaints).toEqual([]);
});
