/** A page that lies and a USB device that lies: what a Ledger shows and what the agent verifies decide, whatever the computer says. */
import { parseTransaction } from "viem";
import { answer, counted } from "../devices/apdu.ts";
import { decline, messagePages, readAndSign, readMessage } from "../devices/hands.ts";
import type { Device } from "../devices/ledger-device.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { DESTINATION, waitForRequest } from "../harness/requests.ts";
import type { Attack } from "./attack.ts";
import { ELSEWHERE } from "./company.ts";
import { codeOn, press, type Workplace } from "./computer-workplace.ts";

const OK = 0x9000;
const ADDRESS = 0x02;
const SIGN = 0x08;

/** How a device between the page and the Ledger answers; `real` asks the Ledger. */
type Lie = (apdu: Uint8Array, real: Device["exchange"], statement: string) => Promise<Uint8Array>;

const thief = new LooseDevice();
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replace(/^0x/, ""), "hex"));
const ofAddress = (address: string) =>
  answer(OK, counted(new Uint8Array(65), new TextEncoder().encode(address.slice(2))));
/** Answers a command in the Ledger's place. */
const instead =
  (ins: number, answered: (statement: string) => Uint8Array): Lie =>
  async (apdu, real, statement) =>
    apdu[1] === ins ? answered(statement) : await real(apdu);
const bySignature = (signature: string) => {
  const bytes = bytesOf(signature);
  return answer(OK, Uint8Array.from([...bytes.slice(64), ...bytes.slice(0, 64)]));
};

/** `asks`: the Ledger shows something, which its owner signs. */
const LIES: readonly (readonly [lie: Lie, code: string, asks?: "asks"])[] = [
  [instead(ADDRESS, () => ofAddress(thief.address)), "wrong-device"],
  [instead(ADDRESS, () => ofAddress("0xnot an address, but as long as one is.....")), "unknown"],
  [instead(ADDRESS, () => answer(OK, new Uint8Array(8_000).fill(0x61))), "unknown"],
  [instead(SIGN, (statement) => bySignature(thief.sign(statement))), "ERR_APPROVAL_SIGNATURE"],
  [instead(SIGN, () => answer(OK, new Uint8Array(64).fill(27))), "unknown"],
  [instead(SIGN, () => answer(OK, new Uint8Array(8_000).fill(27))), "unknown"],
  [
    async (apdu, real) => {
      const text = Buffer.from(apdu).toString("latin1").replace(DESTINATION, ELSEWHERE);
      return await real(apdu[1] === SIGN ? Uint8Array.from(Buffer.from(text, "latin1")) : apdu);
    },
    "ERR_APPROVAL_SIGNATURE",
    "asks",
  ],
];

export const DEVICES: readonly Attack<Workplace>[] = [
  {
    id: "page-rewritten",
    by: "hostile computer",
    what: "The approval page is rewritten to name another destination than the device: a bad request made to look good, whose owner declines, and a good one made to look bad, which is signed as the device showed it",
    tries: 2,
    refused: ["declined", "signed as shown on the device"],
    run: async (place, tally) => {
      const { alice, ledger } = place;
      const bad = await place.propose({ to: ELSEWHERE });
      await place.attempt(tally, bad.id, async () => {
        const page = await alice.openRequest(bad.id);
        await requireRewritten(page, DESTINATION, ELSEWHERE);
        await press(page, "Ledger");
        const shown = squeeze(messagePages(await readMessage(ledger.hands)).join(""));
        if (!shown.includes(ELSEWHERE.toLowerCase())) throw new Error("the device shows what the page does");
        await decline(ledger.hands);
        const code = await codeOn(page);
        await page.close();
        return code;
      });
      const good = await place.propose();
      const page = await alice.openRequest(good.id);
      await requireRewritten(page, ELSEWHERE, DESTINATION);
      await press(page, "Ledger");
      await readAndSign(ledger.hands);
      await waitForRequest(place.world, good.id, ({ records }) => records.length === 1);
      await page.close();
      await place.bob.decide(good.id);
      const { signed } = await waitForRequest(place.world, good.id, (request) => request.signed !== null);
      if (parseTransaction(signed as `0x02${string}`).to === DESTINATION.toLowerCase())
        tally.refused("signed as shown on the device");
      else tally.through("what the page showed was signed");
    },
  },
  {
    id: "false-usb",
    by: "hostile computer",
    what: "A USB device between page and Ledger reports another address or none, answers with 8 kB, signs itself, has the Ledger sign a text with another destination, answers what is no signature",
    tries: LIES.length,
    refused: ["ERR_APPROVAL_SIGNATURE", "unknown", "wrong-device"],
    run: async (place, tally) => {
      const { alice, ledger } = place;
      const { id } = await place.propose();
      const { statement } = await place.bob.request(id);
      for (const [lie, expected, asks] of LIES) {
        const real = async (apdu: Uint8Array) => await ledger.exchange(apdu);
        const between = { ...ledger, exchange: async (apdu: Uint8Array) => await lie(apdu, real, statement) };
        alice.bus.unplug(ledger);
        alice.bus.plug(between);
        await place.attempt(tally, id, async () => {
          const page = await alice.openRequest(id);
          await press(page, "Ledger");
          if (asks !== undefined) await readAndSign(ledger.hands);
          const code = await codeOn(page);
          await page.close();
          return code === expected ? code : `${code} in the place of ${expected}`;
        });
        alice.bus.unplug(between);
        alice.bus.plug(ledger);
      }
    },
  },
];

type Page = Awaited<ReturnType<Workplace["alice"]["openRequest"]>>;

/** Covers all that the page says of the request, and stays there whatever the page draws. */
async function requireRewritten(page: Page, shown: string, hidden: string): Promise<void> {
  await page.evaluate((to) => {
    const rewrite = (): void => {
      for (const part of document.querySelectorAll(".lead, .device, main > :not(.lead, .decide, #lie)"))
        if (part instanceof HTMLElement) part.hidden = true;
      for (const part of document.querySelectorAll(".lead, .device"))
        if (part instanceof HTMLElement) part.style.display = "none";
      for (const told of document.querySelectorAll(".compare .fours"))
        if (told.textContent !== to) told.textContent = to;
      if (document.querySelector("#lie") !== null) return;
      const lie = Object.assign(document.createElement("h1"), { id: "lie", textContent: `Send 1.50 ETH to ${to}` });
      document.querySelector("main")?.prepend(lie);
    };
    new MutationObserver(rewrite).observe(document.body, { childList: true, subtree: true, characterData: true });
    rewrite();
  }, shown);
  const text = squeeze(await page.locator("main").innerText());
  if (!text.includes(shown.toLowerCase()) || text.includes(hidden.toLowerCase()))
    throw new Error("the page could not be rewritten");
}

function squeeze(text: string): string {
  return text.replaceAll(/\s/g, "").toLowerCase();
}
