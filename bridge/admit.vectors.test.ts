/** The bridge's side of protocol/vectors/login.json. */

import * as v from "valibot";
import { expect, test } from "vitest";
import { PublicJwkSchema } from "../protocol/primitive.ts";
import vectors from "../protocol/vectors/login.json" with { type: "json" };
import { admit } from "./admit.ts";
import { openRoster, Rosters } from "./roster.ts";

const { url, nonce, agents, card: seen, logins } = vectors;
const hsm = v.parse(PublicJwkSchema, vectors.hsm);
const [agent = ""] = agents;
const rosters = new Rosters(agents);
rosters.put(await openRoster(vectors.roster, { agent, hsm, url, now: vectors.now }));

test.each(logins)("$what", async ({ jws, card, now, party, code }) => {
  const gate = { url, nonce, now, agents, rosters, cardOf: () => seen };
  const admitted = admit({ v: 1, t: "login", jws, card }, gate);
  if (code !== null) await expect(admitted).rejects.toMatchObject({ name: "Fault", code });
  else expect(await admitted).toMatchObject(party ?? {});
});

test("none is lost", () => {
  expect(logins).toHaveLength(21);
});
