/** The bridge's side of protocol/vectors/login.json. */

import * as v from "valibot";
import { expect, test } from "vitest";
import { PublicJwkSchema } from "../protocol/primitive.ts";
import vectors from "../protocol/vectors/login.json" with { type: "json" };
import { admit } from "./admit.ts";
import { openRoster } from "./roster.ts";

const { url, nonce, agents, card: seen, logins } = vectors;
const hsm = v.parse(PublicJwkSchema, vectors.hsm);
const [agent = ""] = agents;
const roster = await openRoster(vectors.roster, { agent, hsm, url, now: vectors.now });

test.each(logins)("$what", async ({ jws, card, now, party, code }) => {
  const rosterOf = (name: string) => (name === agent ? roster : undefined);
  const gate = { url, nonce, now, agents, rosterOf, cardOf: () => seen };
  const admitted = admit({ v: 1, t: "login", jws, card }, gate);
  if (code !== null) await expect(admitted).rejects.toMatchObject({ name: "Fault", code });
  else expect(await admitted).toMatchObject(party ?? {});
});

test("none is lost", () => {
  expect(logins).toHaveLength(21);
});
