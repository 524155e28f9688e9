/**
 * Starts a company of Olga, Ada, Bob and Dan: SoftHSM, agent and bridge as processes, a relay between them and the people, all founded.
 * Ends whatever had begun where it cannot.
 */
import { type Key, keyOfFile, makeKey } from "../harness/bridge-client.ts";
import { found } from "../harness/company.ts";
import { HostileRelay } from "../harness/hostile-relay.ts";
import { Member } from "../harness/member.ts";
import { makeWorld, type World, type WorldOptions } from "../harness/world.ts";

/** Long enough to be found in no ciphertext by chance. */
export const NAMES = { olga: "Olympias", ada: "Adelheid", bob: "Bertrand", dan: "Dietlind" } as const;

export interface Options extends Pick<WorldOptions, "bridge"> {
  /** A company whose people have the same devices in this one. */
  readonly devicesOf?: Pick<Parts, "ada" | "bob" | "dan">;
}

export interface Parts {
  readonly world: World;
  readonly relay: HostileRelay;
  readonly ada: Member;
  readonly bob: Member;
  readonly dan: Member;
  /** Olga's key file. */
  readonly olga: Key;
  /** Keys that nobody here knows. */
  readonly stranger: Key;
  readonly marker: Key;
}

/** @throws what the first part throws that cannot be started */
export async function assemble({ devicesOf, bridge }: Options = {}): Promise<Parts> {
  const endings: (() => unknown)[] = [];
  try {
    let relay: HostileRelay | undefined;
    const world = await makeWorld({
      people: [
        { name: NAMES.olga, roles: ["initiator"] },
        ...[NAMES.ada, NAMES.bob, NAMES.dan].map((name) => ({ name, roles: ["approver", "admin"] as const })),
      ],
      between: async (port) => {
        relay = await HostileRelay.open(port);
        endings.push(async () => await relay?.close());
        return relay.port;
      },
      ...(bridge === undefined ? {} : { bridge }),
    });
    endings.push(async () => await world.dispose());
    if (relay === undefined) throw new Error("no relay");
    const through = { port: relay.port };
    const join = (who: "ada" | "bob" | "dan") =>
      new Member(through, NAMES[who], devicesOf === undefined ? {} : { device: devicesOf[who].device });
    const [ada, bob, dan] = [join("ada"), join("bob"), join("dan")];
    endings.push(() => [ada, bob, dan].forEach((member) => member.close()));
    await found(world, [ada, bob, dan]);
    const olga = await keyOfFile(world.keyFile(NAMES.olga));
    return { world, relay, ada, bob, dan, olga, stranger: await makeKey(), marker: await makeKey() };
  } catch (error) {
    // Nobody else can end what had begun.
    for (const end of endings.toReversed()) await end();
    throw error;
  }
}
