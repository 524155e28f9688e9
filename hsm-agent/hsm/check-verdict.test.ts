/** What the answers mean, on answers that no SoftHSM gives. */

import { expect, test } from "vitest";
import { judge } from "./check-verdict.ts";
import type { Outcomes, Tried, Verdict } from "./check-wire.ts";

const works: Tried = { works: true };
const no: Tried = { works: false, reason: "CKR_X" };
const ok = <T>(answer: T) => ({ ok: true, answer }) as const;
const missing = { ok: false, reason: "did not answer within 60 s" } as const;

const curve = { generate: works, point: "raw", ecdsa: works, ecdsaSha256: no, signatures: 16, high: 0 } as const;
const key = { made: works, found: works, destroyed: works };
const wrapped = { wrap: works, bytes: 72, unwrap: works };
const unwrapped = { wrap: no, bytes: 0, unwrap: no };
const accepted = (attribute: string, wanted: boolean) =>
  ({ attribute, told: true, wanted, result: "accepted", read: wanted, reason: null }) as const;
const token = {
  label: "x",
  serial: "1",
  manufacturer: "m",
  model: "o",
  hardware: "1.0",
  firmware: "7.8",
  freePublicMemory: null,
  totalPublicMemory: null,
  freePrivateMemory: 1,
  totalPrivateMemory: 2,
  mostSessions: null,
  pin: "ok",
} as const;

/** An HSM that can do all of it. */
const GOOD: Outcomes = {
  library: ok({ cryptoki: "2.40", manufacturer: "m", description: "d", version: "1.0" }),
  slots: ok([]),
  token: ok(token),
  mechanisms: ok([]),
  login: ok({ second: "C_Login: CKR_USER_ALREADY_LOGGED_IN 0x100" }),
  leftovers: ok([]),
  random: ok({ random: works }),
  sessions: ok({ open: 64, end: null }),
  p256: ok(curve),
  secp256k1: ok(curve),
  ed25519: ok({ generate: works, params: "name", point: "raw", eddsa: works }),
  attributes: ok({ generate: works, attributes: [accepted("SENSITIVE", true)] }),
  "backup-attributes": ok({ generate: works, attributes: [accepted("EXTRACTABLE", true)] }),
  "token-p256": ok(key),
  "token-secp256k1": ok(key),
  anchor: ok({ made: works, read: works, changed: no, destroyed: works }),
  speed: ok([]),
  "wrap-aes-kw": ok(unwrapped),
  "wrap-aes-kw-pad": ok(unwrapped),
  "wrap-aes-kwp": ok(wrapped),
  "wrap-aes-gcm": ok(unwrapped),
  "wrap-aes-cbc-pad": ok(unwrapped),
  "wrap-rsa-oaep": ok(unwrapped),
  trusted: ok({ guards: works, user: no }),
};
const CLEAN = ok({ removed: 0, left: [], doubtful: [] });

type Short = Partial<Record<Verdict["capability"], Verdict["verdict"]>>;
const ALL: Short = {
  identity: "works",
  ethereum: "works",
  anchor: "works",
  backup: "works with a remark",
  solana: "works with a remark",
};
const none = "does not work";
const remark = "works with a remark";
const refused = { ...accepted("COPYABLE", false), result: "refused", read: null, reason: "CKR_X" } as const;
const shown = { ...accepted("WRAP_WITH_TRUSTED", true), result: "ignored", read: false } as const;

test.each<[string, Partial<Outcomes>, Short]>([
  ["an HSM that can do all of it", {}, {}],
  ["random bytes missing", { random: ok({ random: no }) }, { identity: none, ethereum: none }],
  ["no P-256", { p256: ok({ ...curve, generate: no }) }, { identity: none }],
  ["no secp256k1", { secp256k1: missing }, { ethereum: none }],
  ["a point of another form", { secp256k1: ok({ ...curve, point: "other" }) }, { ethereum: none }],
  ["wrong signatures", { p256: ok({ ...curve, ecdsa: no }) }, { identity: none }],
  ["a token key that keys.ts refuses", { "token-p256": ok({ ...key, made: no }) }, { identity: none }],
  ["one that is not found again", { "token-secp256k1": ok({ ...key, found: no }) }, { ethereum: none }],
  ["one that cannot be destroyed", { "token-p256": ok({ ...key, destroyed: no }) }, { identity: remark }],
  [
    "few sessions",
    { sessions: ok({ open: 8, end: "CKR_SESSION_COUNT 0xb1" }) },
    { identity: remark, ethereum: remark },
  ],
  [
    "an attribute that is left out",
    { attributes: ok({ generate: works, attributes: [refused] }) },
    { identity: remark, ethereum: remark },
  ],
  [
    "a PIN that was tried wrongly",
    { token: ok({ ...token, pin: "tried wrongly" }) },
    { identity: remark, ethereum: remark },
  ],
  [
    "a data object that reads otherwise",
    { anchor: ok({ made: works, read: no, changed: no, destroyed: works }) },
    { anchor: none },
  ],
  [
    "a data object that stays",
    { anchor: ok({ made: works, read: works, changed: no, destroyed: no }) },
    { anchor: none },
  ],
  ["no wrap that comes back", { "wrap-aes-kwp": ok({ ...wrapped, unwrap: no }) }, { backup: none }],
  ["a wrap that hangs", { "wrap-aes-kwp": missing }, { backup: none }],
  ["keys that any key wraps", { trusted: ok({ guards: no, user: no }) }, { backup: none }],
  ["users who make trusted keys", { trusted: ok({ guards: works, user: works }) }, { backup: none }],
  [
    "CKA_WRAP_WITH_TRUSTED without effect",
    { "backup-attributes": ok({ generate: works, attributes: [shown] }) },
    { backup: none },
  ],
  ["no Ed25519", { ed25519: ok({ generate: no, params: null, point: "none", eddsa: no }) }, { solana: none }],
])("%s", (_, changes, expected) => {
  const verdicts = judge({ ...GOOD, ...changes }, CLEAN);
  expect(Object.fromEntries(verdicts.map(({ capability, verdict }) => [capability, verdict]))).toEqual({
    ...ALL,
    ...expected,
  });
  for (const { verdict, reasons } of verdicts) expect(reasons.length > 0).toBe(verdict !== "works");
});

test("what was left in the token is said with the anchor", () => {
  const [, , anchor] = judge(GOOD, ok({ removed: 0, left: ["CKA_ID 00"], doubtful: [] }));
  expect(anchor).toEqual({ capability: "anchor", verdict: remark, reasons: ["not removed: CKA_ID 00"] });
});
