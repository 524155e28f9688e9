/** For tests only: a disk that dies and a backup that comes back, with what a bridge may keep and play again. Not part of the extension. */
import { decodeJwt } from "jose";
import type { TreeHead } from "../protocol/checkpoint.ts";
import { seal, unseal } from "../protocol/seal.ts";
import { loadAlarms, loadLog, loadRequest } from "./actions.ts";
import { clock } from "./compose.ts";
import { look } from "./database.ts";
import { type Founded, foundTown } from "./founding-double.ts";
import { deliver, type HsmDouble } from "./hsm-double.ts";
import { receive } from "./inbox.ts";
import { makeStation } from "./station.ts";
import { loadNotices, type SealKey, type StoredRequest } from "./store.ts";
import { stateOf } from "./waiting.ts";

/** Transfers by the ids that these tests give them. */
export const [FIRST, SECOND, THIRD, FOURTH] = [
  "0000000000000001",
  "0000000000000002",
  "0000000000000003",
  "0000000000000004",
] as const;

/** A founded town whose log has 8 entries, all known here. `setClock` sets the time of all, in seconds. */
export async function makeScene(setClock: (seconds: number) => void) {
  const stage: Founded = await foundTown();
  const { hsm, kid, town } = stage;
  hsm.log.grow(8);
  await deliver(await hsm.view(kid));
  return {
    ...stage,
    /** A transfer, proposed at `iat`. */
    request: async (id: string, iat = clock()) => await hsm.request(kid, { ...town.transfer(), request: id, iat }),
    receipt: async (id: string, change: Parameters<HsmDouble["receipt"]>[2]) =>
      await hsm.receipt(kid, (await stored(id)).digest, { request: id, ...change }),
    /** The agent's log is that of `size` entries, and the admins decide so, a minute later. Returns the act. */
    goBack: async (size: number): Promise<string> => {
      const seen = hsm.log.head();
      hsm.log = hsm.log.fork(size);
      setClock(clock() + 60);
      return await town.enact({ verb: "RESTORE", change: { log: hsm.log.head(), seen, nonces: [] } });
    },
    play: async (frame: string) => await receive(frame, hsm.signer.kid, clock()),
    synced: async () => await syncTo(hsm),
  };
}
export type Scene = Awaited<ReturnType<typeof makeScene>>;

/** All receiving keys, the oldest first. */
export async function sealKeys(): Promise<SealKey[]> {
  return (await look((records) => records.all("sealKeys"))).sort((a, b) => a.n - b.n);
}

/** What the bridge keeps of a message that the agent sealed to the key of now: bytes that it cannot read. */
export async function record(message: string): Promise<string> {
  const newest = (await sealKeys()).at(-1);
  if (newest === undefined) throw new Error("nothing to receive with");
  return await seal(message, newest.jwk);
}

export async function knownHead(): Promise<TreeHead | undefined> {
  return (await loadLog())?.head;
}

/** The kinds of alarms, and the codes of what was refused. */
export async function trouble(): Promise<[string[], string[]]> {
  return [(await loadAlarms()).map(({ kind }) => kind), (await loadNotices()).map(({ code }) => code)];
}

export async function stored(id: string): Promise<StoredRequest> {
  const found = await loadRequest(id);
  if (found === null) throw new Error(`${id} is not here`);
  return found;
}

export async function states(...ids: string[]): Promise<string[]> {
  return await Promise.all(ids.map(async (id) => stateOf(await stored(id))));
}

/** What the next sync says. */
async function syncTo(hsm: HsmDouble) {
  const station = makeStation("pinned", async () => undefined);
  await station.card(await hsm.card(), hsm.signer.kid);
  const moment = { as: "own", hsm: hsm.signer.kid, fresh: true, sent: new Set<string>() } as const;
  const [frame] = (await station.outgoing(moment)).frames;
  const said = decodeJwt(await unseal(frame?.body ?? "", () => hsm.sealKey.privateKey));
  return said as { known: string[]; seal: { n: number }; log: TreeHead; charter: number };
}
