/** Malware that has the extension's keys sign what it wants, and device signatures from elsewhere: neither half is an approval alone. */
import { INVITATION, MOTION, PROPOSAL, VOUCH } from "../../protocol/message.ts";
import { readAndSign } from "../devices/hands.ts";
import { BridgeClient, type Key, keyOfFile, makeKey, now } from "../harness/bridge-client.ts";
import { changePolicy } from "../harness/company.ts";
import { LooseDevice } from "../harness/loose-device.ts";
import type { Member } from "../harness/member.ts";
import { NETWORK, VAULT } from "../harness/policy-plan.ts";
import { DESTINATION, waitForRequest } from "../harness/requests.ts";
import { type Attack, codeOf } from "./attack.ts";
import { policyText } from "./company.ts";
import { withMalware } from "./computer-malware.ts";
import { codeOn, press, WALLET_PATH, type Workplace } from "./computer-workplace.ts";

const APPROVERS = ["Alice", "Bob", "Dan"];

export const KEYS: readonly Attack<Workplace>[] = [
  {
    id: "approval-without-device",
    by: "hostile computer",
    what: "Malware approves with the extension's own key and without the device: with a key of its own, under its address and under the device's, and with another approver's signature, under either address",
    tries: 4,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE"],
    run: async (place, tally) => {
      const { alice, bob, world, hsm } = place;
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const own = new LooseDevice();
      const address = await place.ledger.address();
      await withMalware(world, hsm, alice, async (malware) => {
        for (const signer of [own, bob.device])
          for (const as of [signer.address, address]) {
            const signed = { address: as, signature: signer.sign(asked.statement) };
            await place.attempt(tally, id, async () => await malware.approve(asked, signed));
          }
      });
    },
  },
  {
    id: "signature-of-something-else",
    by: "hostile computer",
    what: "Malware sends what the enrolled device did sign: another request, also under that one's digest, the statement with one digit changed, its own signature with one digit changed, a request of an older policy, and for that one itself",
    tries: 6,
    refused: ["ERR_APPROVAL_DIGEST", "ERR_APPROVAL_SIGNATURE", "ERR_REQUEST_STATE"],
    run: async (place, tally) => {
      const { alice, bob, world, hsm, trezor } = place;
      const old = await bob.request((await place.propose()).id);
      const ofOld = await place.signedByTrezor(old.statement);
      await changePolicy(world, { approvers: APPROVERS, threshold: 2, contact: "Operations, at night" });
      await waitForRequest(world, old.payload.request, ({ state }) => state === "void");
      const other = await bob.request((await place.propose({ amount: "1.4" })).id);
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const address = trezor.address();
      const ofOther = await place.signedByTrezor(other.statement);
      const changed = await place.signedByTrezor(asked.statement.replace("SEND 1.50", "SEND 1.40"));
      const right = await place.signedByTrezor(asked.statement);
      const digit = `${right.slice(0, 20)}${right[20] === "0" ? "1" : "0"}${right.slice(21)}`;
      await withMalware(world, hsm, alice, async (malware) => {
        for (const signed of [
          { address, signature: ofOther },
          { address, signature: ofOther, digest: other.digest },
          { address, signature: changed },
          { address, signature: digit },
          { address, signature: ofOld },
        ])
          await place.attempt(tally, id, async () => await malware.approve(asked, signed));
        const late = { address, signature: ofOld };
        await place.attempt(tally, old.payload.request, async () => await malware.approve(old, late));
      });
    },
  },
  {
    id: "personal-sign-of-another-account",
    by: "hostile console or page",
    what: "A web page has the real statement signed by another account of the enrolled device, and by a device that is not enrolled; malware sends it with the extension's key, under either address",
    tries: 4,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE"],
    run: async (place, tally) => {
      const { alice, bob, world, hsm, trezor } = place;
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const loose = new LooseDevice();
      const account = await place.signedByTrezor(asked.statement, WALLET_PATH);
      await withMalware(world, hsm, alice, async (malware) => {
        for (const signed of [
          { address: trezor.address(WALLET_PATH), signature: account },
          { address: trezor.address(), signature: account },
          { address: loose.address, signature: loose.sign(asked.statement) },
          { address: trezor.address(), signature: loose.sign(asked.statement) },
        ])
          await place.attempt(tally, id, async () => await malware.approve(asked, signed));
      });
    },
  },
  {
    id: "console-personal-sign",
    by: "hostile console or page",
    what: "A console has the enrolled device sign the real statement, and submits it as an approval without the extension: with a key of its own, with the initiator's, and through another approver's browser under either address",
    tries: 4,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE", "ERR_LOGIN_UNKNOWN"],
    run: async (place, tally) => {
      const { bob, world, hsm, trezor } = place;
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const signature = await place.signedByTrezor(asked.statement);
      const olga = await keyOfFile(world.keyFile("Olga"));
      for (const key of [await makeKey(), olga])
        await place.attempt(tally, id, async () => await codeOfLogin(world.port, hsm, key));
      for (const address of [trezor.address(), bob.device.address])
        await place.attempt(
          tally,
          id,
          async () => await refusalOf(bob, await bob.approve(asked, { address, signature })),
        );
    },
  },
  {
    id: "approved-twice",
    by: "hostile computer",
    what: "One request is approved from two windows at once, and again by malware with the person's other device",
    tries: 2,
    refused: ["ERR_APPROVAL_DUPLICATE", "busy"],
    run: async (place, tally) => {
      const { alice, bob, world, hsm, trezor, ledger } = place;
      const { id } = await place.propose();
      const asked = await bob.request(id);
      const [first, second] = [await alice.openRequest(id), await alice.openRequest(id)];
      await press(first, "Ledger");
      await first.getByRole("heading", { name: "Your Ledger asks you now" }).waitFor();
      await place.attempt(tally, id, async () => {
        await press(second, "Ledger");
        return await codeOn(second);
      });
      await readAndSign(ledger.hands);
      await waitForRequest(world, id, ({ records }) => records.length > 0);
      await second.getByText("Received by the agent").waitFor();
      for (const page of [first, second]) await page.close();
      const again = { address: trezor.address(), signature: await place.signedByTrezor(asked.statement) };
      await withMalware(world, hsm, alice, async (malware) => {
        await place.attempt(tally, id, async () => await malware.approve(asked, again));
      });
    },
  },
  {
    id: "more-than-an-approver",
    by: "hostile computer",
    what: "Malware has the extension's key propose a transfer and a policy, invite somebody, and vouch for words",
    tries: 4,
    refused: ["ERR_ENVELOPE_TYPE"],
    run: async (place, tally) => {
      const { alice, world, hsm } = place;
      const { id } = await place.propose();
      const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
      const transfer = { vault: VAULT, network: NETWORK, asset: "ETH", amount: "1.5", to: DESTINATION, gas };
      const policy = await policyText(world);
      await withMalware(world, hsm, alice, async (malware) => {
        const key = (await makeKey()).jwk;
        const until = now() + 3600;
        for (const jws of [
          await malware.sign(PROPOSAL, transfer),
          await malware.sign(MOTION, { motion: { verb: "POLICY", change: { policy } }, recovery: false }),
          await malware.sign(INVITATION, { name: "Mallory", roles: ["admin"], key, until }),
          await malware.sign(VOUCH, { name: "Alice", words: "a b c d e f", recovery: false }),
        ])
          await place.attempt(tally, id, async () => await malware.send("approval", jws, id));
      });
    },
  },
];

/** The code with which the bridge refuses a login. */
export async function codeOfLogin(port: number, hsm: string, key: Key): Promise<string> {
  try {
    (await BridgeClient.connect(port, hsm, key)).close();
    return "logged in";
  } catch (error) {
    return codeOf(error);
  }
}

async function refusalOf(member: Member, of: string): Promise<string> {
  return (await member.refusal(of)).code;
}
