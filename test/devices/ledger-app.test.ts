import { expect, test } from "vitest";
import { readAndSign } from "./hands.ts";
import { SimulatedLedger } from "./ledger-app.ts";
import type { AppVersion, Model } from "./screen.ts";
import { simulatedHands } from "./simulated-hands.ts";
import flex from "./vectors/ledger-flex_1.22.0.json" with { type: "json" };
import older from "./vectors/ledger-nanosp_1.10.4.json" with { type: "json" };
import nano from "./vectors/ledger-nanosp_1.22.0.json" with { type: "json" };

const fromHex = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function device(model: Model, appVersion: AppVersion, mnemonic = nano.mnemonic) {
  const ledger = new SimulatedLedger({ model, appVersion, mnemonic });
  const send = async (hex: string) => toHex(await ledger.exchange(fromHex(hex)));
  return { ledger, send };
}

const PATH = "058000002c8000003c800000070000000000000000";
const ADDRESS = `e002000015${PATH}`;

const chunk = (p1: "00" | "80", hex: string) => `e008${p1}00${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;

function chunksOf(text: string, size = 150): string[] {
  const bytes = Buffer.from(text);
  const all = `${PATH}${bytes.length.toString(16).padStart(8, "0")}${bytes.toString("hex")}`;
  const parts = all.match(new RegExp(`.{1,${size * 2}}`, "g")) ?? [];
  return parts.map((part, i) => chunk(i === 0 ? "00" : "80", part));
}

const recordings = [
  { ...nano, name: "Nano S Plus 1.22.0", model: "nanosp", version: "1.22.0" },
  { ...older, name: "Nano S Plus 1.10.4", model: "nanosp", version: "1.10.4" },
  { ...nano, name: "Nano X 1.22.0", model: "nanox", version: "1.22.0" },
  { ...flex, name: "Flex 1.22.0", model: "flex", version: "1.22.0" },
] as const;

const DECLINED = "6985";
const isDecline = (lines: string[]) => /^(Reject message|Cancel)/.test(lines[0] ?? "");

test.each(
  recordings.flatMap(({ name, cases, ...rest }) =>
    cases.map((recorded) => ({ ...rest, recorded, title: `${name}: ${recorded.name}` })),
  ),
)("the recording plays: $title", async ({ model, version, mnemonic, recorded }) => {
  const { ledger, send } = device(model, version, mnemonic);
  const decline = recorded.screens.some(isDecline);

  const person = async () => {
    for (const [i, lines] of recorded.screens.entries()) {
      while (ledger.screen().join("|") !== lines.join("|"))
        await new Promise((turned) => ledger.onChange(() => turned(undefined)));
      if (i < recorded.screens.length - 1) {
        if (model !== "flex") ledger.press("right");
        else if (decline) ledger.tap("Reject");
        else ledger.turn("next");
      }
    }
    if (model !== "flex") ledger.press("both");
    else if (decline) ledger.tap("Yes, reject");
    else ledger.hold("Hold to sign");
  };
  const host = async () => {
    const answers: string[][] = [];
    for (const [apdu] of recorded.exchanges) answers.push([apdu ?? "", await send(apdu ?? "")]);
    return answers;
  };
  const [answers] = await Promise.all([host(), person()]);
  expect(answers).toEqual(recorded.exchanges);
  expect(ledger.visited).toEqual(recorded.screens);
  expect(ledger.reviewing).toBe(false);
  expect(ledger.signatures).toBe(answers.at(-1)?.[1] === DECLINED ? 0 : 1);
});

test.each(recordings)("address and configuration as recorded: $name", async ({ model, version, address }) => {
  const { send } = device(model, version);
  expect(await send(ADDRESS)).toBe(address);
  expect(await send("e006000000")).toBe(version === "1.22.0" ? "020116009000" : "0e010a049000");
  const name = Buffer.from(`\x01\x08Ethereum\x06${version}\x01\x02`, "latin1").toString("hex");
  expect(await send("b001000000")).toBe(`${name}9000`);
});

test("what lies behind More on a Flex is opened, and seen to be opened or not", async () => {
  for (const more of [true, false]) {
    const { ledger, send } = device("flex", "1.22.0");
    const recorded = flex.cases[0];
    const [apdus, screens] = [recorded?.exchanges ?? [], recorded?.screens ?? []];
    const answers = (async () => {
      for (const [apdu, answer] of apdus) expect(await send(apdu ?? "")).toBe(answer);
    })();
    const read = await readAndSign(simulatedHands(ledger), { more });
    await answers;
    const [first, second, third] = screens;
    expect(read).toEqual(more ? [first, second, ...(recorded?.more_screens ?? []), third] : screens);
    expect(ledger.visited.some((lines) => lines.includes("OpenCustody v1 7f3a91c2"))).toBe(more);
  }
});

test("reject on a Flex asks twice, and one may go back", async () => {
  const { ledger, send } = device("flex", "1.22.0");
  const answer = send(chunksOf("hello")[0] ?? "");
  ledger.tap("Reject");
  expect(ledger.screen()).toEqual(["Reject message?", "Go back to message", "Yes, reject"]);
  ledger.tap("Go back to message");
  ledger.turn("next");
  expect(ledger.screen()).toEqual(["Message", "hello", "Reject", "2 of 3"]);
  ledger.finger(60, 545);
  ledger.tap("Yes, reject");
  expect(await answer).toBe(DECLINED);
});

test("a tap does not do what a hold does", async () => {
  const { ledger, send } = device("flex", "1.22.0");
  const answer = send(chunksOf("hello")[0] ?? "");
  ledger.turn("next");
  ledger.finger(430, 550);
  ledger.finger(240, 420, 0.2);
  expect(ledger.screen()).toContain("Hold to sign");
  ledger.finger(240, 420, 2.5);
  expect(await answer).toMatch(/^1[bc].{128}9000$/);
});

test("1.10.4 holds back the chunk whose text is not read yet; a double press skips the rest", async () => {
  const { ledger, send } = device("nanosp", "1.10.4");
  const [one, two, three] = chunksOf("x".repeat(300));
  expect(await send(one ?? "")).toBe("9000");
  expect(ledger.reviewing).toBe(false);
  let answered = false;
  const second = send(two ?? "").finally(() => {
    answered = true;
  });
  while (ledger.screen()[0] !== "Press right to") ledger.press("right");
  await Promise.resolve();
  expect(answered).toBe(false);
  ledger.press("both");
  expect(await second).toBe("9000");
  const third = send(three ?? "");
  expect(ledger.screen()).toEqual(["Sign", "message"]);
  ledger.press("both");
  expect(await third).toMatch(/^1[bc].{128}9000$/);
  expect(ledger.visited.filter(([title]) => title === "Message")).toEqual([]);
});

test.each([
  { what: "Bitcoin app", app: "Bitcoin", refusal: 0x6e00, version: "1.22.0", status: "6e00" },
  { what: "an older Bitcoin app", app: "Bitcoin", refusal: 0x6d00, version: "1.22.0", status: "6d00" },
  { what: "dashboard", app: "BOLOS", refusal: 0x6e00, version: "1.22.0", status: "6511" },
  { what: "older dashboard", app: "BOLOS", refusal: 0x6e00, version: "1.10.4", status: "6e01" },
] as const)("$what is open", async ({ app, refusal, version, status }) => {
  const { ledger, send } = device("nanosp", version);
  ledger.openApp(app, refusal);
  expect(await send(ADDRESS)).toBe(status);
  expect(Buffer.from(await send("b001000000"), "hex").toString("latin1")).toContain(app);
  ledger.openApp("Ethereum");
  expect(await send("e006000000")).toBe(version === "1.22.0" ? "020116009000" : "0e010a049000");
});

test("a locked device answers 5515", async () => {
  const { ledger, send } = device("nanosp", "1.22.0");
  ledger.lock();
  expect(await send("b001000000")).toBe("5515");
  ledger.unlock();
  expect(await send("e006000000")).toBe("020116009000");
});

test.each([
  { what: "P1 of an address", apdu: `e002020015${PATH}`, status: "6b00" },
  { what: "P2 of a signature", apdu: `e008000119${PATH}00000005`, status: "6b00" },
  { what: "a continuation without a first chunk", apdu: chunk("80", "aabb"), status: "6a80" },
  { what: "a path cut short", apdu: "e002000005058000002c", status: "6a80" },
  { what: "more than was announced", apdu: chunk("00", `${PATH}00000001aabb`), status: "6a80" },
  { what: "a path outside 44'/60'", apdu: "e002000015058000002c80000000800000070000000000000000", status: "6a15" },
  { what: "too large a message", apdu: chunk("00", `${PATH}00002001aabb`), status: "6a84" },
  { what: "Lc that is not the length", apdu: `e002000016${PATH}`, status: "6a87" },
  { what: "an unknown class", apdu: "e106000000", status: "6e00" },
  { what: "an unknown command", apdu: "e077000000", status: "6d00" },
])("refused: $what", async ({ apdu, status }) => {
  const { ledger, send } = device("nanosp", "1.22.0");
  expect(await send(apdu)).toBe(status);
  expect(ledger.reviewing).toBe(false);
});

test("1.10.4 has its own word for a bad length", async () => {
  expect(await device("nanosp", "1.10.4").send(`e002000016${PATH}`)).toBe("6983");
});

test("a second request under review answers 6980 and kills the review", async () => {
  const { ledger, send } = device("nanosp", "1.22.0");
  const first = send(chunksOf("one")[0] ?? "");
  expect(ledger.screen()).toEqual(["Review message"]);
  expect(await send("e006000000")).toBe("020116009000");
  expect(ledger.reviewing).toBe(true);
  expect(await send(chunksOf("two")[0] ?? "")).toBe("6980");
  expect(ledger.reviewing).toBe(false);
  expect(await first).toBe("6980");
  ledger.press("both");
  expect(ledger.signatures).toBe(0);
});

test("a byte that is not printable turns the whole message into hex on 1.22.0, one escape on 1.10.4", async () => {
  const newer = device("nanosp", "1.22.0");
  const older = device("nanosp", "1.10.4");
  for (const { ledger, send } of [newer, older]) {
    void send(chunksOf("a\tb\nc\x07")[0] ?? "");
    ledger.press("right");
  }
  expect(newer.ledger.screen()).toEqual(["Message", "0x6109620a6307"]);
  expect(older.ledger.screen()).toEqual(["Message", "a b c\\x07"]);
  newer.ledger.lock();
  older.ledger.lock();
});

test("unplugging forgets what was asked", async () => {
  const { ledger, send } = device("nanosp", "1.22.0");
  const answer = send(chunksOf("one")[0] ?? "");
  ledger.unplugged();
  expect(ledger.reviewing).toBe(false);
  expect(await answer).toBe("6980");
});
