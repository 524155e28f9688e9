/** Steps of `opencustody hsm check` that make no key: mechanisms, random bytes, sessions. */

import { Fault } from "../../protocol/error.ts";
import { CKM } from "./check-module.ts";
import { attempt, inSession, type Subject } from "./check-subject.ts";
import type { Answer } from "./check-wire.ts";
import type { Session } from "./pkcs11.ts";

/** Names of what may matter to this product or to its owner's backup; all others are shown by number. */
const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(CKM).map(([name, type]): [number, string] => [type, `CKM_${name}`]),
  [0x1, "CKM_RSA_PKCS"],
  [0xd, "CKM_RSA_PKCS_PSS"],
  [0x250, "CKM_SHA256"],
  [0x260, "CKM_SHA384"],
  [0x270, "CKM_SHA512"],
  [0x350, "CKM_GENERIC_SECRET_KEY_GEN"],
  [0x1042, "CKM_ECDSA_SHA1"],
  [0x1043, "CKM_ECDSA_SHA224"],
  [0x1045, "CKM_ECDSA_SHA384"],
  [0x1046, "CKM_ECDSA_SHA512"],
  [0x1050, "CKM_ECDH1_DERIVE"],
  [0x1051, "CKM_ECDH1_COFACTOR_DERIVE"],
  [0x1054, "CKM_RSA_AES_KEY_WRAP"],
  [0x1056, "CKM_EC_MONTGOMERY_KEY_PAIR_GEN"],
  [0x1081, "CKM_AES_ECB"],
  [0x1082, "CKM_AES_CBC"],
  [0x1086, "CKM_AES_CTR"],
  [0x1088, "CKM_AES_CCM"],
  [0x108a, "CKM_AES_CMAC"],
]);

/** CKF_ flags of CK_MECHANISM_INFO. */
const FLAGS: readonly (readonly [number, string])[] = [
  [0x1, "hardware"],
  [0x100, "encrypt"],
  [0x200, "decrypt"],
  [0x400, "digest"],
  [0x800, "sign"],
  [0x2000, "verify"],
  [0x8000, "generate"],
  [0x1_0000, "generate pair"],
  [0x2_0000, "wrap"],
  [0x4_0000, "unwrap"],
  [0x8_0000, "derive"],
  [0x10_0000, "F(p)"],
  [0x20_0000, "F(2^m)"],
  [0x40_0000, "EC parameters"],
  [0x80_0000, "named curves"],
  [0x100_0000, "uncompressed"],
  [0x200_0000, "compressed"],
];

/** Sessions that are opened at most, besides the one that stays. */
const MOST_SESSIONS = 64;

export function checkMechanisms({ probe, token }: Pick<Subject, "probe" | "token">): Answer<"mechanisms"> {
  return probe
    .mechanisms(token)
    .toSorted((a, b) => a.type - b.type)
    .map(({ type, min, max, flags }) => ({
      type: `0x${type.toString(16).padStart(8, "0")}`,
      name: NAMES.get(type) ?? null,
      min,
      max,
      // Not `&`: it would take the highest flag for a sign.
      flags: FLAGS.filter(([bit]) => Math.floor(flags / bit) % 2 === 1).map(([, name]) => name),
    }));
}

export async function checkRandom(subject: Subject): Promise<Answer<"random">> {
  const random = await attempt(() =>
    inSession(subject, "read-only", (session) => {
      const [first, second] = [subject.probe.random(session, 32), subject.probe.random(session, 32)];
      // Not a test of randomness: of a generator that gives nothing.
      if (first.equals(second)) throw new Fault("ERR_HSM_UNSUPPORTED", "the same 32 random bytes came twice");
    }),
  );
  return { random };
}

/** Opens sessions until one is refused, and closes them. */
export async function checkSessions({ probe, token }: Subject): Promise<Answer<"sessions">> {
  const sessions: Session[] = [];
  try {
    while (sessions.length < MOST_SESSIONS) {
      const more = await attempt(() => sessions.push(probe.openSession(token, "read-only")));
      if (!more.works) return { open: sessions.length, end: more.reason };
    }
    return { open: sessions.length, end: null };
  } finally {
    for (const session of sessions) probe.closeSession(session);
  }
}
