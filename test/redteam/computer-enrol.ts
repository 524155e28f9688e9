/** Malware on a computer on which somebody enrols: an address of its own is found by the typed groups, the six words, and the admins. */
import { ENROLMENT } from "../../protocol/message.ts";
import type { Role } from "../../protocol/people.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { wordsOfPairing } from "../../protocol/words.ts";
import { answer, counted } from "../devices/apdu.ts";
import { confirmAddress } from "../devices/hands.ts";
import type { Approver } from "../harness/approver.ts";
import { enact, invite, vouch } from "../harness/company.ts";
import { groupsAsked, readWords, typeGroups } from "../harness/extension-pages.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { waitForRequest } from "../harness/requests.ts";
import { until } from "../harness/retry.ts";
import { storedIn } from "../harness/verdict.ts";
import type { Attack } from "./attack.ts";
import { Malware } from "./computer-malware.ts";
import { membersOf, newLedger, PATH, type Workplace } from "./computer-workplace.ts";
import { governed, mustRefuse } from "./tries.ts";

const OK = 0x9000;
const thief = new LooseDevice();

export const ENROLLING: readonly Attack<Workplace>[] = [
  {
    id: "enrolling-another-address",
    by: "hostile computer",
    what: "While somebody enrols, malware gives its own address for the device's: to the page, to the agent with the words of the right address, and to the agent with the words of its own, which the admins compare with what the device shows",
    tries: 3,
    refused: ["ERR_WORDS", "rejected by the admins", "typed groups differ"],
    run: async (place, tally) => {
      const { world } = place;
      const before = await governed(world);
      const unchanged = async () => (await governed(world)) === before;
      const carla = await place.browser("Carla", newLedger("Carla's"));
      try {
        const { ledger, right } = await ledgerOf(carla);
        await (await carla.pair(await invite(world, "Carla"))).close();
        // The page is given the wrong address, and the person types what the device shows.
        const lying = {
          ...ledger,
          // The device shows its own address; every answer that gives it is replaced.
          exchange: async (apdu: Uint8Array) => {
            const answered = await ledger.exchange(apdu);
            return apdu[1] === 0x02
              ? answer(OK, counted(new Uint8Array(65), new TextEncoder().encode(thief.address.slice(2))))
              : answered;
          },
        };
        carla.bus.unplug(ledger);
        carla.bus.plug(lying);
        const page = await carla.visit("enrol.html");
        await page.getByRole("button", { name: "Connect your Ledger" }).click();
        await groupsAsked(page);
        await typeGroups(page, await confirmAddress(ledger.hands));
        await page.getByText("That is not what your Ledger shows there").waitFor();
        const kept = [...(await storedIn(page, "devices")), ...(await storedIn(page, "outbox"))];
        const known = (await membersOf(world)).pairings.find(({ name }) => name === "Carla");
        await page.close();
        if (kept.length === 0 && known?.device === null && (await unchanged())) tally.refused("typed groups differ");
        else tally.through("an address was sent that the device does not show");
        carla.bus.unplug(lying);
        carla.bus.plug(ledger);

        const malware = await Malware.in(world, place.hsm, carla);
        await enrolAs(malware, thief.address);
        await until(async () => await isPairingWith(place, thief.address));
        const pages = await carla.visit("enrol.html");
        const words = await readWords(pages);
        await pages.close();
        const shown = await wordsFor(place, malware, right);
        await mustRefuse(place, tally, async () => await vouch(world, "Carla", shown));
        // Its own words are the ones of its own address, and that is what the admins read.
        const id = await vouch(world, "Carla", words);
        const { statement } = await waitForRequest(world, id, ({ state }) => state === "pending");
        if (!statement.includes(thief.address) || statement.includes(right)) throw new Error(`it says ${statement}`);
        await place.ann.reject(await place.ann.request(id));
        const { state } = await waitForRequest(world, id, (request) => request.state !== "pending");
        if (state === "rejected" && (await unchanged())) tally.refused("rejected by the admins");
        else tally.through(`the ENROLL of another address is ${state}`);
        await malware.close();
      } finally {
        await carla.close();
      }
    },
  },
  {
    id: "enrolling-replaced-address",
    by: "hostile computer",
    what: "Malware replaces the device's address after the page has shown the words, and after they were read aloud; what is enrolled is what the words were of",
    tries: 2,
    refused: ["ERR_PAIRING", "ERR_WORDS"],
    run: async (place, tally) => {
      const { world } = place;
      const carla = await place.browser("Carla", newLedger("Carla's"));
      try {
        const { right } = await ledgerOf(carla);
        const words = await carla.begin(await invite(world, "Carla"));
        const malware = await Malware.in(world, place.hsm, carla);
        await enrolAs(malware, thief.address);
        await until(async () => await isPairingWith(place, thief.address));
        await mustRefuse(place, tally, async () => await vouch(world, "Carla", words));
        await enrolAs(malware, right);
        await until(async () => await isPairingWith(place, right));
        const id = await vouch(world, "Carla", words);
        const before = await governed(world);
        const code = await malware.send("enrolment", await enrolment(malware, thief.address), thief.address);
        if ((await isPairingWith(place, right)) && (await governed(world)) === before) tally.refused(code);
        else tally.through("an address was replaced after the words were entered");
        await malware.close();
        await enact(world, id);
        const { members } = await membersOf(world);
        const enrolled = members.find(({ name }) => name === "Carla")?.devices.map(({ address }) => address);
        if (enrolled?.join() !== right) tally.through(`${String(enrolled)} was enrolled`);
      } finally {
        await carla.close();
      }
    },
  },
];

async function ledgerOf(browser: Approver) {
  return { ledger: browser.device, right: await browser.device.address() };
}

async function enrolment(malware: Malware, address: string): Promise<string> {
  return await malware.sign(ENROLMENT, { address, vendor: "Ledger", model: "nano-s-plus", path: PATH });
}

/** Enrols an address as this browser's, whatever device is at hand, and forgets every other. */
async function enrolAs(malware: Malware, address: string): Promise<void> {
  const row = { address, vendor: "Ledger", model: "nano-s-plus", path: PATH, state: "sent", problem: null, here: true };
  const others = (await storedIn(malware.page, "devices")) as { address: string }[];
  await malware.edit(...others.map((other) => ({ table: "devices", key: other.address })), {
    table: "devices",
    key: address,
    row,
  });
  await malware.plant("enrolment", await enrolment(malware, address), address);
}

async function isPairingWith({ world }: Workplace, address: string): Promise<boolean> {
  return (await membersOf(world)).pairings.some(({ name, device }) => name === "Carla" && device === address);
}

/** The words that the page would show were the device's address this one. */
async function wordsFor({ hsm }: Workplace, { page }: Malware, address: string): Promise<string> {
  const [pairing] = (await storedIn(page, "pairing")) as {
    name: string;
    roles: Role[];
    pair: { key: PublicJwk; seal: PublicJwk };
  }[];
  if (pairing === undefined) throw new Error("this browser is not pairing");
  const { name, roles, pair } = pairing;
  return wordsOfPairing({ hsm, key: pair.key, seal: pair.seal, name, roles, address });
}
