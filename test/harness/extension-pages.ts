/** What a person does on the extension's pages whatever device is at hand: types groups of an address, reads words, ticks what was compared. */
import type { Page } from "playwright-core";

/** Types the groups that the page asks for, from an address as the device shows it, and compares. */
export async function typeGroups(page: Page, address: string): Promise<void> {
  for (const group of await page.getByRole("textbox", { name: GROUP }).all()) {
    const [from = 1, to = 4] = [...((await nameOf(group)).match(/\d+/g) ?? [])].map(Number);
    await group.fill(address.slice(2).slice(from - 1, to));
  }
  await page.getByRole("button", { name: "Compare" }).click();
}

/** The page asks for groups of the address, which the device shows meanwhile. */
export async function groupsAsked(page: Page): Promise<void> {
  await page.getByRole("textbox", { name: GROUP }).first().waitFor();
}

/** The six words, once the agent has the device. */
export async function readWords(page: Page): Promise<string> {
  const list = page.getByRole("list", { name: "Your six words" });
  await list.waitFor();
  return (await list.getByRole("listitem").allTextContents()).join(" ");
}

/** Where something has to be compared with somebody before a device is asked, it was. */
export async function tickComparison(page: Page): Promise<void> {
  const box = page.getByRole("checkbox", { name: /^I compared / });
  if ((await box.count()) > 0) await box.check();
}

const GROUP = /^characters \d+ to \d+/i;

async function nameOf(locator: ReturnType<Page["getByRole"]>): Promise<string> {
  return (
    (await locator.getAttribute("aria-label")) ??
    (await locator.evaluate((input) =>
      input instanceof HTMLInputElement ? (input.labels?.[0]?.textContent ?? "") : "",
    ))
  );
}
