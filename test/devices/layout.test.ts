import { expect, test } from "vitest";
import { flexFold, flexMorePages, nanoPages, nanoPagesOlder } from "./layout.ts";
import flex from "./vectors/ledger-flex_1.22.0.json" with { type: "json" };
import older from "./vectors/ledger-nanosp_1.10.4.json" with { type: "json" };
import nano from "./vectors/ledger-nanosp_1.22.0.json" with { type: "json" };

const isText = (lines: string[]) => lines[0]?.startsWith("Message") === true;

test.each(nano.cases)("Nano 1.22.0 pages: $name", ({ message, screens }) => {
  expect(nanoPages("Message", message)).toEqual(screens.filter(isText));
});

test.each(older.cases)("Nano 1.10.4 pages: $name", ({ message, screens }) => {
  const pages = [message.slice(0, 255), message.slice(255)].filter((part) => part !== "");
  expect(pages.flatMap((part) => nanoPagesOlder("Message", part))).toEqual(screens.filter(isText));
});

test.each(flex.cases.filter(({ screens }) => screens.some(isText)))("Flex page: $name", ({ message, screens }) => {
  const { lines, more } = flexFold(message);
  expect([["Message", ...lines, ...(more ? ["More"] : []), "Reject", "2 of 3"]]).toEqual(screens.filter(isText));
});

test("the text behind More on a Flex", () => {
  const recorded = flex.cases.flatMap(({ message, more_screens }) => (more_screens ? [{ message, more_screens }] : []));
  expect(recorded).toHaveLength(1);
  for (const { message, more_screens } of recorded) {
    expect(flexMorePages(message).map((lines) => ["Message", ...lines])).toEqual(more_screens);
  }
});

test("a text without a break character is cut where it stands", () => {
  const pages = nanoPages("Message", "A".repeat(40));
  expect(pages).toEqual([["Message", "A".repeat(16), "A".repeat(16), "A".repeat(8)]]);
  expect(nanoPagesOlder("Message", "A".repeat(40))).toEqual(pages);
});
