/** A welcome: who this browser is, and which devices of that person count. README.md, "Receiving", "Pairing". */
import { Fault } from "../protocol/error.ts";
import { WELCOME } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { AGAIN, type Arrival, DONE, type Outcome, openPinned, write } from "./arrival.ts";
import { mergeDevices } from "./enrolled.ts";
import { SELF } from "./store.ts";

export async function receiveWelcome(arrival: Arrival): Promise<Outcome> {
  const { pairing } = arrival;
  const { payload: welcome } = await openPinned(arrival, WELCOME);
  if (thumbprint(welcome.hsm) !== pairing.hsm) {
    throw new Fault("ERR_ENVELOPE_KEY", "It names another HSM identity than the one that was pinned at pairing.");
  }
  if (!welcome.aud.includes(pairing.kid)) {
    throw new Fault("ERR_ENVELOPE_AUDIENCE", "It welcomes another browser than this one.");
  }
  // Acts that came before it was known who founds were left: they are asked for again.
  const isFirst = pairing.founder === null;
  await write(arrival, async (records, current) => {
    // One that comes late, or of an identity that was replaced meanwhile.
    if (welcome.iat < current.welcomedAt || welcome.iss !== current.hsm) return;
    const { hsm: hsmJwk, founder, founding, name, roles, standing, iat: welcomedAt } = welcome;
    records.put("pairing", SELF, {
      ...current,
      state: "paired",
      standing,
      invite: null,
      problem: null,
      hsmJwk,
      // The first one stands: it says where the charter begins, for ever.
      founder: current.founder ?? founder,
      founding: current.founding ?? founding,
      name,
      roles,
      welcomedAt,
      joinedAt: current.joinedAt === 0 ? welcomedAt : current.joinedAt,
    });
    for (const item of await records.all("outbox")) {
      const arrived = welcome.devices.some((device) => device.address === item.about);
      if (item.kind === "pair" || (item.kind === "enrolment" && arrived)) records.remove("outbox", item.jti);
    }
    await mergeDevices(records, welcome.devices);
  });
  return isFirst && welcome.standing === "member" ? AGAIN : DONE;
}
