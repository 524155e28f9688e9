/**
 * Approvals moved to where they were not given: to another agent, request, vault, network, verb or person. Whoever moves them has the
 * extension's key as well, so that only what the device's signature is over, and whom each half belongs to, stands in the way.
 */

import { signEnvelope } from "../../protocol/envelope.ts";
import { APPROVAL, REJECTION, WITHDRAWAL } from "../../protocol/message.ts";
import { newJti, now } from "../harness/bridge-client.ts";
import { NETWORK, VAULT } from "../harness/policy-plan.ts";
import type { Attack } from "./attack.ts";
import type { Bridged } from "./setting.ts";
import { type Asked, NETWORK_2, type Stage, VAULT_2 } from "./stage.ts";

/** The device's signature over one request, in an approval of another. */
async function moved(stage: Stage, from: Asked, to: Asked): Promise<string> {
  return await stage.strikeWith(
    await stage.approval(to, stage.ada, { signature: stage.ada.device.sign(from.statement) }),
  );
}

export const TRANSPLANTS: readonly Attack<Bridged>[] = [
  {
    id: "transplant-agent",
    by: "hostile bridge",
    what: "what Ada sent to one agent delivered to another that knows the same devices: as it is, and opened and sealed anew",
    tries: 4,
    refused: ["ERR_SEAL_KEY", "ERR_ENVELOPE_KEY"],
    run: async ({ stage, second }, tally) => {
      const asked = await second.propose();
      const jws = await second.approval(asked);
      const body = await second.seal(jws);
      await stage.attempt(tally, async () => await stage.strike(body, second.ada.kid));
      await stage.attempt(tally, async () => await stage.strike(body, stage.ada.kid));
      await stage.attempt(tally, async () => await stage.strikeWith(jws, second.ada.kid));
      await stage.attempt(tally, async () => await stage.strikeWith(jws, stage.ada.kid));
    },
  },
  {
    id: "transplant-audience",
    by: "hostile computer",
    what: "an approval, a rejection and a withdrawal that Ada's key signed for another HSM identity",
    tries: 3,
    refused: ["ERR_ENVELOPE_AUDIENCE"],
    run: async ({ stage, second, asked }, tally) => {
      const { request, exp } = asked.payload;
      const { key, device } = stage.ada;
      const claims = { v: 1 as const, iss: key.signer.kid, aud: [second.hsm], iat: now(), exp };
      const about = { request, digest: asked.digest };
      const signature = device.sign(asked.statement);
      const messages = [
        await signEnvelope(
          APPROVAL,
          { ...claims, jti: newJti(), ...about, address: device.address, signature, log: null },
          key.signer,
        ),
        await signEnvelope(REJECTION, { ...claims, jti: newJti(), ...about, reason: "other" }, key.signer),
        await signEnvelope(WITHDRAWAL, { ...claims, jti: newJti(), ...about }, key.signer),
      ];
      for (const jws of messages) await stage.attempt(tally, async () => await stage.strikeWith(jws));
    },
  },
  {
    id: "transplant-device-agent",
    by: "hostile computer",
    what: "a device's signature over the same transfer at another agent, which has the same person, device, vault name and policy number",
    tries: 2,
    refused: ["ERR_APPROVAL_SIGNATURE"],
    run: async ({ stage, second }, tally) => {
      const [here, there] = [await stage.propose(), await second.propose()];
      await stage.attempt(tally, async () => await moved(stage, there, here));
      await second.attempt(tally, async () => await moved(second, here, there));
    },
  },
  {
    id: "transplant-request",
    by: "hostile computer",
    what: "a device's signature, a digest and an id of one request in the approval of another with the same amount and destination",
    tries: 5,
    refused: ["ERR_APPROVAL_SIGNATURE", "ERR_APPROVAL_DIGEST", "ERR_REQUEST_UNKNOWN"],
    run: async ({ stage }, tally) => {
      const [one, two] = [await stage.propose(), await stage.propose()];
      await stage.attempt(tally, async () => await moved(stage, one, two));
      await stage.attempt(tally, async () => await moved(stage, two, one));
      for (const change of [{ digest: one.digest }, { request: one.id }, { request: "0123456789ABCDEF" }])
        await stage.attempt(tally, async () => await stage.strikeWith(await stage.approval(two, stage.ada, change)));
    },
  },
  {
    id: "transplant-vault",
    by: "hostile computer",
    what: "a device's signature over the same transfer from another vault",
    tries: 2,
    refused: ["ERR_APPROVAL_SIGNATURE"],
    run: async ({ stage }, tally) => {
      const [one, two] = [await stage.propose({ vault: VAULT }), await stage.propose({ vault: VAULT_2 })];
      await stage.attempt(tally, async () => await moved(stage, one, two));
      await stage.attempt(tally, async () => await moved(stage, two, one));
    },
  },
  {
    id: "transplant-network",
    by: "hostile computer",
    what: "a device's signature over the same transfer on another network",
    tries: 2,
    refused: ["ERR_APPROVAL_SIGNATURE"],
    run: async ({ stage }, tally) => {
      const [one, two] = [await stage.propose({ network: NETWORK }), await stage.propose({ network: NETWORK_2 })];
      await stage.attempt(tally, async () => await moved(stage, one, two));
      await stage.attempt(tally, async () => await moved(stage, two, one));
    },
  },
  {
    id: "transplant-verb",
    by: "hostile computer",
    what: "a device's signature over a drill in the approval of a transfer, of a removal, and of a lifted freeze, and the other way",
    tries: 6,
    refused: ["ERR_APPROVAL_SIGNATURE"],
    run: async ({ stage }, tally) => {
      await stage.ada.freeze(VAULT_2);
      await stage.settled(stage.ada);
      const drill = await stage.move({ verb: "DRILL", change: { vault: VAULT } });
      const others = [
        await stage.propose(),
        await stage.move({
          verb: "REMOVE",
          change: { name: stage.dan.name, removal: { what: "role", role: "approver" } },
        }),
        await stage.move({ verb: "UNFREEZE", change: { vault: VAULT_2 } }),
      ];
      for (const other of others) {
        await stage.attempt(tally, async () => await moved(stage, drill, other));
        await stage.attempt(tally, async () => await moved(stage, other, drill));
      }
      for (const { id } of others.slice(1)) await stage.bob.reject(await stage.bob.request(id));
      await stage.enact({ verb: "UNFREEZE", change: { vault: null } });
    },
  },
  {
    id: "transplant-member",
    by: "hostile member",
    what: "the halves of two people's approvals put together: Ada's device with Bob's browser and the other way, in each other's name",
    tries: 6,
    refused: ["ERR_APPROVAL_DEVICE", "ERR_APPROVAL_SIGNATURE", "ERR_ENVELOPE_KEY"],
    run: async ({ stage }, tally) => {
      const { ada, bob } = stage;
      const asked = await stage.propose();
      for (const [by, other] of [
        [ada, bob],
        [bob, ada],
      ] as const) {
        const signature = other.device.sign(asked.statement);
        const borrowed = await stage.approval(asked, by, { address: other.device.address, signature });
        await stage.attempt(tally, async () => await stage.strikeWith(borrowed, by.kid), "another's device");
        const claimed = await stage.approval(asked, by, { signature });
        await stage.attempt(
          tally,
          async () => await stage.strikeWith(claimed, by.kid),
          "another's device as one's own",
        );
        const whole = await stage.approval(asked, other);
        await stage.attempt(tally, async () => await stage.strikeWith(whole, by.kid), "another's approval");
      }
    },
  },
  {
    id: "count-once",
    by: "hostile member",
    what: "one person as two: Ada approves twice, with a new message, and in another browser's name",
    tries: 3,
    refused: ["ERR_APPROVAL_DUPLICATE", "ERR_ENVELOPE_KEY"],
    run: async ({ stage, second }, tally) => {
      const asked = await stage.propose();
      await stage.strikeWith(await stage.approval(asked));
      await stage.attempt(tally, async () => await stage.strikeWith(await stage.approval(asked)), "a second message");
      await stage.attempt(tally, async () => await stage.strikeWith(await stage.approval(asked)), "a third message");
      const elsewhere = await second.approval(asked, second.ada);
      await stage.attempt(
        tally,
        async () => await stage.strikeWith(elsewhere, second.ada.kid),
        "her browser at another agent",
      );
    },
  },
];
