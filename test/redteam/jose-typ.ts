/** One type of message presented as another, and what the agent or a key file signed presented as a member's. protocol/README.md, "Envelopes". */
import { ACT } from "../../protocol/charter.ts";
import {
  APPROVAL,
  CANCELLATION,
  CARD,
  ENROLMENT,
  FREEZE,
  FREEZES,
  INVITATION,
  LOGIN,
  MOTION,
  PAIR,
  PROPOSAL,
  REFUSAL,
  REJECTION,
  RESEAL,
  ROSTER,
  SYNC,
  VOUCH,
  WELCOME,
  WITHDRAWAL,
  WITNESS,
} from "../../protocol/message.ts";
import { REQUEST } from "../../protocol/request.ts";
import type { Attack } from "./attack.ts";
import { edited, resigned } from "./forge.ts";
import { confusion, type Forge, header } from "./jose-form.ts";
import type { Josed } from "./setting.ts";

const ENTIRE = [APPROVAL, REJECTION, WITHDRAWAL, FREEZE, ENROLMENT, SYNC, PAIR];
const FOREIGN = [
  PROPOSAL,
  CANCELLATION,
  MOTION,
  INVITATION,
  VOUCH,
  LOGIN,
  CARD,
  ROSTER,
  WELCOME,
  REFUSAL,
  FREEZES,
  RESEAL,
  WITNESS,
  REQUEST,
  ACT,
];

export const TYPES: readonly Attack<Josed>[] = [
  confusion(
    "jose-typ-payload",
    "an approval's payload under every other type, and every other type's under an approval's",
    ["ERR_ENVELOPE_PAYLOAD", "ERR_ENVELOPE_KEY", "ERR_ENVELOPE_TYPE"],
    [
      ...[...ENTIRE.slice(1), ...FOREIGN].map(({ typ }) => header({ typ })),
      ...["approval", "decision", "admin", "approvals", "x"].map((name) => header({ typ: `oc-${name}x+jws` })),
      async (_, { stage, other }) =>
        await resigned(
          await stage.sign(stage.ada.key, REJECTION, { request: other.id, digest: other.digest, reason: "other" }),
          stage.ada.key,
          { header: edited({ typ: APPROVAL.typ }) },
        ),
      async (_, { stage, other }) =>
        await resigned(
          await stage.sign(stage.ada.key, REJECTION, { request: other.id, digest: other.digest, reason: "other" }),
          stage.ada.key,
          { header: edited({ typ: WITHDRAWAL.typ }) },
        ),
      async (_, { stage, other }) =>
        await resigned(
          await stage.sign(stage.ada.key, WITHDRAWAL, { request: other.id, digest: other.digest }),
          stage.ada.key,
          { header: edited({ typ: REJECTION.typ }) },
        ),
      async (_, { stage }) =>
        await resigned(await stage.sign(stage.ada.key, FREEZE, { vault: null }), stage.ada.key, {
          header: edited({ typ: APPROVAL.typ }),
        }),
    ],
  ),
  confusion(
    "jose-typ-agent",
    "what the HSM itself signed, sent back to the agent as if by the HSM, by Ada, and under another type",
    ["ERR_ENVELOPE_TYPE", "ERR_ENVELOPE_KEY"],
    [
      ...[0, 1, 2, 3].map(
        (at): Forge =>
          async (_, { stage }) => ({ text: stage.ada.mail.messages[at] ?? "", from: stage.hsm }),
      ),
      (_, { asked }) => asked.jws,
      async (_, { asked, stage }) => ({
        text: await resigned(asked.jws, stage.ada.key, { header: edited({ typ: APPROVAL.typ }) }),
        from: stage.hsm,
      }),
    ],
    "hostile bridge",
  ),
  confusion(
    "jose-typ-file",
    "an approval, a rejection and a freeze signed by Olga's key file, which proposes and no more",
    ["ERR_ENVELOPE_KEY"],
    [
      async (jws, { stage }) => ({
        text: await resigned(jws, stage.olga, {
          header: edited({ kid: stage.olga.signer.kid }),
          payload: edited({ iss: stage.olga.signer.kid }),
        }),
        from: stage.olga.signer.kid,
      }),
      async (_, { stage, other }) => ({
        text: await stage.sign(stage.olga, REJECTION, { request: other.id, digest: other.digest, reason: "other" }),
        from: stage.olga.signer.kid,
      }),
      async (_, { stage }) => ({
        text: await stage.sign(stage.olga, FREEZE, { vault: null }),
        from: stage.olga.signer.kid,
      }),
    ],
    "stolen keys",
  ),
];
