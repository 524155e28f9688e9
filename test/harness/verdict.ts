/** How a request stands, by both accounts: what an approver's screen and browser hold, and what the agent's record says. */
import type { Page } from "playwright-core";
import { expect } from "vitest";
import type { Approver } from "./approver.ts";
import { showRequest } from "./requests.ts";
import { type World } from "./world.ts";

/** A sentence, its code in small print, and nothing asked any more. */
export async function says(page: Page, sentence: string | RegExp, code: string | RegExp): Promise<void> {
  const box = page.getByRole("alert").filter({ has: page.locator("code").getByText(code, { exact: true }) });
  await box.getByText(sentence).waitFor();
  expect(await page.getByRole("heading", { name: "Your Ledger asks you now" }).count()).toBe(0);
}

export async function cannotConfirm(page: Page): Promise<void> {
  expect(await page.getByRole("button", { name: "Confirm on Ledger" }).count()).toBe(0);
}

/** The page of a request that was never sent to this browser: a sentence, and nothing to decide. */
export async function notHere(approver: Approver, id: string): Promise<void> {
  const page = await approver.visit(`approval.html?request=${id}`);
  await page.getByRole("heading", { name: "This request is not here" }).waitFor();
  await page.getByText("a transfer goes to the vault's approvers and to auditors only").waitFor();
  await page.getByText(`ERR_REQUEST_UNKNOWN ${id}`).waitFor();
  expect(await page.getByRole("button").allTextContents()).toEqual(["Copy code"]);
  await page.close();
}

/** Not signed, by the agent's word. `records`: what happened, as "kind person". */
export async function unsigned(world: World, id: string, state: string, records: string[]): Promise<void> {
  const request = await showRequest(world, id);
  expect(request).toMatchObject({ state, signed: null, hash: null });
  expect(request.records.map(({ kind, person }) => `${kind} ${person}`)).toEqual(records);
}

/** A table of the records in the browser of an extension's page. */
export async function storedIn(page: Page, table: string): Promise<unknown[]> {
  return await page.evaluate(
    async (name) =>
      await new Promise<unknown[]>((resolve, reject) => {
        const opening = indexedDB.open("opencustody");
        opening.onerror = () => reject(new Error("no database"));
        opening.onsuccess = () => {
          const reading = opening.result.transaction(name).objectStore(name).getAll();
          reading.onerror = () => reject(new Error(`no table ${name}`));
          reading.onsuccess = () => {
            opening.result.close();
            resolve(reading.result as unknown[]);
          };
        };
      }),
    table,
  );
}
