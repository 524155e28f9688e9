/** What an extension is told about itself: name, roles, devices, and whether it counts yet. README.md of protocol/, "Messages". */
import * as v from "valibot";
import type { DeviceRecord, Welcome } from "../protocol/message.ts";
import { findOwner } from "../protocol/people.ts";
import { PublicJwkSchema, sha256Hex, thumbprint } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import type { PairingRow } from "./rows.ts";

type Body = Pick<Welcome, "hsm" | "founder" | "founding" | "name" | "roles" | "devices" | "standing">;

/** The welcome of the extension `kid` as it is now; undefined where it is nobody's. */
export function welcomeBody(desk: Desk, kid: string): Body | undefined {
  const hsm = desk.identity.jwk;
  const founder = thumbprint(v.parse(PublicJwkSchema, JSON.parse(desk.journal.requireMeta("founder"))));
  const [first] = desk.journal.acts();
  const founding = first === undefined ? null : sha256Hex(Buffer.from(first.split(".")[1] ?? "", "base64url"));
  const people = desk.charter.current?.people;
  const owner = people === undefined ? undefined : findOwner(people, kid);
  if (owner?.kind === "extensions") {
    const { name, roles, devices } = owner.member;
    const enrolled = devices.map((device): DeviceRecord => ({ ...device, state: "enrolled" }));
    const waiting = desk.journal
      .waitingDevices()
      .filter((row) => row.name === name)
      .map(({ device }): DeviceRecord => ({ ...device, state: "pending" }));
    return { hsm, founder, founding, name, roles, devices: [...enrolled, ...waiting], standing: "member" };
  }
  const pairing = findPairing(desk, kid);
  if (pairing === undefined) return undefined;
  const { name, roles, device } = pairing;
  const devices: DeviceRecord[] = device === null ? [] : [{ ...device, state: "pending" }];
  return { hsm, founder, founding, name, roles: [...roles], devices, standing: "pending" };
}

/** The browser with this key that has paired and is nobody's yet. */
export function findPairing(desk: Desk, kid: string): PairingRow | undefined {
  return desk.journal.pairings().find((row) => row.kid === kid);
}
