/** Malware that owns Suite's port, 21335: whatever comes back from there is believed only as far as its signature is the enrolled device's. */
import type { Page } from "playwright-core";
import { simulatedTrezorHands } from "../devices/trezor/hands.ts";
import { answer, type Reply, type SimulatedSuite } from "../devices/trezor/suite.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import { waitForRequest } from "../harness/requests.ts";
import { until } from "../harness/retry.ts";
import type { Attack } from "./attack.ts";
import { withMalware } from "./computer-malware.ts";
import { codeOn, PATH, press, type Workplace } from "./computer-workplace.ts";

const thief = new LooseDevice();
const HUGE = "f".repeat(4_000_000);
const asking = (page: Page) => page.getByRole("heading", { name: "Your Trezor asks you now" });

interface Facts {
  readonly place: Workplace;
  readonly suite: SimulatedSuite;
  readonly statement: string;
  /** Alice's own signature of another text, that a web page asked for. */
  readonly other: string;
}

interface Lie {
  readonly code: string;
  readonly tell: (facts: Facts) => void;
  /** What happens once the page has asked. */
  readonly meanwhile?: (facts: Facts, page: Page) => Promise<unknown>;
}

const success =
  (payload: object): Reply =>
  (id) => [{ id, success: true, payload }];
const signing = (code: string, payload: (facts: Facts) => object): Lie => ({
  code,
  tell: (facts) => facts.suite.plan("ethereumSignMessage", success(payload(facts))),
});
const stop = async ({ suite }: Facts) => {
  await suite.stop();
};

const LIES: readonly Lie[] = [
  signing("ERR_APPROVAL_SIGNATURE", ({ statement }) => ({ signature: thief.sign(statement).slice(2) })),
  signing("ERR_APPROVAL_SIGNATURE", ({ other }) => ({ signature: other.slice(2) })),
  signing("unknown", () => ({ signature: "00".repeat(64) })),
  signing("unknown", () => ({ signature: 1 })),
  signing("unknown", () => ({ signature: HUGE })),
  {
    code: "wrong-device",
    tell: ({ suite }) => suite.plan("ethereumGetAddress", success({ address: thief.address })),
  },
  { code: "unknown", tell: ({ suite }) => suite.plan("ethereumGetAddress", success({ address: `0x${HUGE}` })) },
  {
    // First a lie, then the truth: one answer is taken.
    code: "ERR_APPROVAL_SIGNATURE",
    tell: ({ suite, statement }) => {
      const lie = { success: true, payload: { signature: thief.sign(statement).slice(2) } } as const;
      suite.plan("ethereumSignMessage", (id, truth) => [answer(id, lie), answer(id, truth)], { asksDevice: true });
    },
    meanwhile: async ({ place }) => await simulatedTrezorHands(place.trezor).readAndSign(),
  },
  {
    code: "unknown",
    tell: ({ suite }) =>
      suite.plan("ethereumSignMessage", (id) => ["{", "null", "[]", HUGE, { id: "0" }, { id, success: "yes" }]),
  },
  {
    // No answer at all, until Suite ends.
    code: "unplugged",
    tell: ({ suite }) => suite.plan("ethereumSignMessage", () => []),
    meanwhile: async (facts, page) => {
      await asking(page).waitFor();
      await stop(facts);
    },
  },
  {
    code: "suite-missing",
    tell: ({ suite }) => {
      suite.silent = true;
    },
  },
];

export const SUITES: readonly Attack<Workplace>[] = [
  {
    id: "false-suite",
    by: "hostile computer",
    what: "Malware owns port 21335 in the place of Trezor Suite: signs itself, gives the Trezor's signature of another text, names an address of its own, lies first and tells the truth then, answers with noise and with 4 MB, or never",
    tries: LIES.length,
    refused: ["ERR_APPROVAL_SIGNATURE", "suite-missing", "unknown", "unplugged", "wrong-device"],
    run: async (place, tally) => {
      const { alice, suite } = place;
      const { id } = await place.propose();
      const { statement } = await place.bob.request(id);
      const facts = { place, suite, statement, other: await place.signedByTrezor("Sign in to prices.example") };
      for (const { code: expected, tell, meanwhile } of LIES) {
        await place.attempt(tally, id, async () => {
          const page = await alice.openRequest(id);
          tell(facts);
          await press(page, "Trezor");
          await meanwhile?.(facts, page);
          const code = await codeOn(page);
          await page.close();
          return code === expected ? code : `${code} in the place of ${expected}`;
        });
        suite.silent = false;
        await suite.stop();
        await suite.start();
      }
    },
  },
  {
    id: "signature-held-back",
    by: "hostile computer",
    what: "Malware on port 21335 holds the Trezor's signature back until its owner has cancelled, and then sends it with the extension's own key",
    tries: 1,
    refused: ["ERR_APPROVAL_WITHDRAWN"],
    run: async (place, tally) => {
      const { alice, suite, trezor, world } = place;
      const { id } = await place.propose();
      const asked = await place.bob.request(id);
      const page = await alice.openRequest(id);
      suite.plan("ethereumSignMessage", () => []);
      await press(page, "Trezor");
      await asking(page).waitFor();
      const [held] = await Promise.all([
        trezor.signMessage(PATH, asked.statement),
        simulatedTrezorHands(trezor).readAndSign(),
      ]);
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      await waitForRequest(world, id, ({ records }) => records.some(({ kind }) => kind === "withdrawal"));
      await page.close();
      if (!held.success) throw new Error("the Trezor did not sign");
      const signature = `0x${String(held.payload["signature"])}`;
      await withMalware(world, place.hsm, alice, async (malware) => {
        const address = trezor.address();
        await place.attempt(tally, id, async () => await malware.approve(asked, { address, signature }));
      });
      await until(() => !trezor.asking);
    },
  },
];
