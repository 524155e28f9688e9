/** For tests only: what a browser believes before and after the founding of a town, without a store. Not part of the extension. */
import type { Charter } from "../protocol/charter.ts";
import { applyMotion } from "../protocol/governance.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { clock } from "./compose.ts";
import { BRIDGE, makeHsm } from "./hsm-double.ts";
import { makeKey, publicJwkOf } from "./keys.ts";
import { ADA_ROLES, makeTown } from "./town-double.ts";
import type { Trust } from "./trust.ts";

/** Ada's device, which nothing here signs with. */
export const ADDRESS = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

export const hsm = await makeHsm();
const us = await publicJwkOf(await makeKey());
export const kid = thumbprint(us);
export const town = await makeTown(hsm, us, ADDRESS);

/** Ada's, before anything was founded. */
export const unfounded: Trust = {
  hsm: hsm.signer.kid,
  hsmJwk: hsm.jwk,
  kid,
  name: "Ada",
  roles: ADA_ROLES,
  devices: [ADDRESS],
  bridge: BRIDGE,
  charter: null,
  freezes: null,
  alarm: null,
  now: clock(),
};
export const foundingMotion = town.founding();
export const founding = await town.ask(foundingMotion);

export const charter: Charter = {
  ...applyMotion(foundingMotion, null),
  n: 1,
  head: "00".repeat(32),
  hsm: hsm.jwk,
  spent: [],
};
town.charter = charter;

/** Ada's, afterwards. */
export const trust: Trust = { ...unfounded, charter };

/** What a check fails with, or "read". */
export async function faultOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => "read",
    (error: unknown) => error,
  );
}
