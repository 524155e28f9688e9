/** For tests only: this browser as Ada's, from the invite to the founding act, as it goes in life. Not part of the extension. */
import { approve, enrol, pair, signWithDevice } from "./actions.ts";
import { deliver, type HsmDouble, makeHsm } from "./hsm-double.ts";
import { loadOutbox, loadPairing } from "./store.ts";
import { ADA_ROLES, type Asked, makePersonDouble, makeTown, type PersonDouble, type Town } from "./town-double.ts";

export const PATH = "m/44'/60'/7'/0/0";

export interface Stage {
  readonly hsm: HsmDouble;
  readonly town: Town;
  /** Thumbprint of this browser's key. */
  readonly kid: string;
  /** Ada's device. */
  readonly mine: PersonDouble;
}

export interface Founded extends Stage {
  /** The founding act. */
  readonly founding: string;
}

/** Paired, a device enrolled and received, nothing founded. */
export async function pairAda(): Promise<Stage> {
  const hsm = await makeHsm();
  const mine = await makePersonDouble("Ada");
  await pair((await hsm.invite()).code);
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not pairing");
  const { kid } = pairing;
  await deliver(await hsm.welcome(kid, { roles: ADA_ROLES, standing: "pending" }));
  await enrol({ address: mine.address, vendor: "Ledger", model: "flex", path: PATH });
  await deliver(await welcomeOf(hsm, kid, mine, "pending"));
  return { hsm, mine, kid, town: await makeTown(hsm, pairing.pair.key, mine.address) };
}

/** Founded: Ada signed on her device, and the act was followed. */
export async function foundTown(): Promise<Founded> {
  const stage = await pairAda();
  const { hsm, town, kid, mine } = stage;
  const asked = await town.ask(town.founding());
  await deliver(asked.jws);
  const act = await town.act(asked, [await approveAsAda(stage, asked), ...(await others(town, asked))]);
  await town.follow(act);
  await deliver(act);
  await deliver(await welcomeOf(hsm, kid, mine, "enrolled"));
  return { ...stage, founding: act };
}

/** Ada's approval of a request that was delivered: made as the page makes it, and taken from her outbox. */
export async function approveAsAda({ mine }: Stage, { payload: { request } }: Asked): Promise<string> {
  await approve(request, await signWithDevice(request, mine.device));
  const item = (await loadOutbox()).find(({ kind, about }) => kind === "approval" && about === request);
  if (item === undefined) throw new Error("no approval in the outbox");
  return item.jws;
}

/** Bob's and Dan's. */
export async function others(town: Town, asked: Asked): Promise<string[]> {
  return [await town.approve(town.bob, asked), await town.approve(town.dan, asked)];
}

async function welcomeOf(hsm: HsmDouble, kid: string, { address }: PersonDouble, state: "pending" | "enrolled") {
  const devices = [{ address, vendor: "Ledger", model: "flex", state } as const];
  const standing = state === "pending" ? "pending" : "member";
  return await hsm.welcome(kid, { roles: ADA_ROLES, standing, devices });
}
