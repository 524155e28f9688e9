/** Malware that edits the extension's records: the page may then say anything, and what is approved is still what the agent has. */
import { readAndSign } from "../devices/hands.ts";
import { withClaims } from "../harness/forgery.ts";
import { until } from "../harness/retry.ts";
import { storedIn } from "../harness/verdict.ts";
import type { Attack } from "./attack.ts";
import { type Edit, type Malware, withMalware } from "./computer-malware.ts";
import { codeOn, newLedger, PATH, press, type Workplace } from "./computer-workplace.ts";
import { droppedFrom } from "./tries.ts";

type Row = Readonly<Record<string, unknown>>;

export const RECORDS: readonly Attack<Workplace>[] = [
  {
    id: "own-device-in-the-records",
    by: "hostile computer",
    what: "Malware writes a Ledger of its own into the extension's records as enrolled there, and approves with it in the page",
    tries: 1,
    refused: ["ERR_APPROVAL_DEVICE"],
    run: async (place, tally) => {
      const { alice, world, hsm, ledger } = place;
      const { id } = await place.propose();
      const own = newLedger("own");
      const address = await own.address();
      await withMalware(world, hsm, alice, async (malware) => {
        const honest = await rowsOf(malware, "devices");
        const entry = { address, vendor: "Ledger", model: "nano-s-plus", path: PATH, state: "enrolled", problem: null };
        await malware.edit(...honest.map(({ address: key }) => ({ table: "devices", key: String(key) })), {
          table: "devices",
          key: address,
          row: { ...entry, here: true },
        });
        alice.bus.unplug(ledger);
        alice.bus.plug(own);
        await place.attempt(tally, id, async () => {
          const known = droppedFrom(place, malware.kid).length;
          const page = await alice.openRequest(id);
          await press(page, "Ledger");
          await readAndSign(own.hands);
          const code = await codeOn(page);
          await page.close();
          await until(() => droppedFrom(place, malware.kid).length > known);
          if (droppedFrom(place, malware.kid)[known] !== code) throw new Error("it was not the agent that refused it");
          return code;
        });
        alice.bus.unplug(own);
        alice.bus.plug(ledger);
        await malware.edit(
          { table: "devices", key: address },
          ...honest.map((row) => ({ table: "devices", key: String(row["address"]), row })),
        );
      });
    },
  },
  {
    id: "records-edited",
    by: "hostile computer",
    what: "Malware edits what the extension keeps: another amount in a request and in its signed bytes, a charter in which one approval is enough, one with another policy number, another HSM identity pinned",
    tries: 4,
    refused: ["ERR_CHARTER", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_SIGNATURE"],
    run: async (place, tally) => {
      const { alice, world, hsm } = place;
      const { id } = await place.propose();
      await (await alice.openRequest(id)).close();
      await withMalware(world, hsm, alice, async (malware) => {
        const request = (await rowsOf(malware, "requests")).find((row) => row["id"] === id) ?? {};
        const [charter = {}] = await rowsOf(malware, "charter");
        const [pairing = {}] = await rowsOf(malware, "pairing");
        const payload = { ...(request["payload"] as Row), ...withAmount(request["payload"] as Row) };
        const policy = charter["policy"] as Row & { n: number; rules: readonly Row[] };
        const rules = policy.rules.map((rule) => ({ ...rule, threshold: 1 }));
        const other = place.bob.kid;
        const edits: readonly [table: string, key: string, before: Row, after: Row][] = [
          ["requests", id, request, { payload, jws: withClaims(String(request["jws"]), withAmount(payload)) }],
          ["charter", "self", charter, { policy: { ...policy, rules } }],
          ["charter", "self", charter, { policy: { ...policy, n: policy.n + 1 } }],
          ["pairing", "self", pairing, { hsm: other, hsmJwk: place.bob.key.jwk }],
        ];
        for (const [table, key, before, after] of edits) {
          const put = (row: Row): Edit => ({ table, key, row });
          // A pin that is not the charter's leaves the charter unread.
          const along =
            table === "pairing" ? [{ table: "charter", key: "self", row: { ...charter, hsm: after["hsmJwk"] } }] : [];
          await malware.edit(put({ ...before, ...after }), ...along);
          await place.attempt(tally, id, async () => {
            const page = await alice.visit(`approval.html?request=${id}`);
            const code = await codeOn(page);
            const asks = await page.getByRole("button", { name: /^Confirm on/ }).count();
            await page.close();
            return asks === 0 ? code : "the page asks";
          });
          await malware.edit(put(before), { table: "charter", key: "self", row: charter });
        }
      });
    },
  },
];

function withAmount({ effect }: Row): { effect: Row } {
  return { effect: { ...(effect as Row), amount: "0.01" } };
}

async function rowsOf({ page }: Malware, table: string): Promise<Row[]> {
  return (await storedIn(page, table)) as Row[];
}
