/** Makes charter.json: two chains of acts from the founding on, and acts that are refused for one fault each. */
import type { Act, Charter } from "../charter.ts";
import type { Documents } from "../governance.ts";
import { payloadText } from "../envelope.ts";
import { type MotionRequest, REQUEST, withMotionStatement } from "../request.ts";
import { type Link, LONG_CHAIN, SHORT_CHAIN, vectorOf } from "./chain.ts";
import { ADAS_DEVICE, BOBS_DEVICE, HSM, NEXT_HSM, OLGA, STRANGER, type VectorKey } from "./keys.ts";
import { actOf, approve, motionRequest, type Plan, signAct } from "./motion.ts";
import { REQUEST_PAYLOAD } from "./sample.ts";
import { ada, bob, carol, dan, eve, type Person, POLICY, STRICTER } from "./world.ts";

/** What is done wrong, each at its place; what is left out is done right. */
interface Wrong {
  readonly plan?: Partial<Plan>;
  /** Changed before people approve. */
  readonly request?: (request: MotionRequest) => MotionRequest;
  readonly approvals?: (request: MotionRequest) => Promise<string[]>;
  /** The request's text, changed after they approved. */
  readonly text?: (text: string) => string;
  readonly act?: (act: Act) => object;
  readonly after?: Documents;
  readonly by?: VectorKey;
}

/** An act like the `n`th of the long chain, with one fault. */
async function refused(what: string, code: string, n: number, fault: Wrong) {
  const model = LONG_CHAIN[n - 1]?.step;
  if (model === undefined) throw new RangeError("no such act");
  const charter: Charter | null = LONG_CHAIN[n - 2]?.charter ?? null;
  const made = motionRequest({ ...model.plan, name: what, ...fault.plan }, charter);
  const request = fault.request?.(made) ?? made;
  const all = async () => await Promise.all(model.approvers.map(async (person) => await approve(request, person)));
  const approvals = await (fault.approvals?.(request) ?? all());
  const act = actOf(request, approvals, charter, fault.after);
  const text = fault.text?.(act.request) ?? act.request;
  const whole = fault.act?.({ ...act, request: text }) ?? { ...act, request: text };
  return { what, after: n - 1, code, jws: await signAct(whole, fault.by ?? model.by) };
}

const by = (...people: Person[]) => {
  return async (request: MotionRequest) =>
    await Promise.all(people.map(async (person) => await approve(request, person)));
};
/** Ada's approval changed, and Bob's as it should be. */
const adas = (change: (request: MotionRequest) => object) => async (request: MotionRequest) => [
  await approve(request, ada, change(request)),
  await approve(request, bob),
];
const anew = (change: (request: MotionRequest) => object) => (request: MotionRequest) =>
  withMotionStatement({ ...request, ...change(request) });
const reworded = (from: string, to: string) => (text: string) => text.replace(from, to);
const ELSE = "f".repeat(64);
const C = "ERR_CHARTER";
const olga = { name: "Olga", key: OLGA, device: ADAS_DEVICE, enrolled: ada.enrolled };
const [FOUNDING, SOMEBODY, RULES, , THAW] = LONG_CHAIN;

export const CHARTERS = {
  /** The identity that is pinned before the founding. */
  hsm: HSM.jwk,
  next: NEXT_HSM.jwk,
  rotatedByTheOld: LONG_CHAIN.map(vectorOf),
  rotatedByTheNew: SHORT_CHAIN.map(vectorOf),
  /** Each is offered after so many acts of the first chain. */
  refused: [
    // 1. Who signed it.
    await refused("signed by a stranger", "ERR_ENVELOPE_KEY", 2, {
      by: STRANGER,
      act: (act) => ({ ...act, iss: STRANGER.signer.kid }),
    }),
    await refused("a founding by another identity than the pinned", "ERR_ENVELOPE_KEY", 1, {
      plan: { by: STRANGER },
      by: STRANGER,
    }),
    await refused("an enrolment by the next identity", "ERR_ENVELOPE_KEY", 2, { plan: { by: NEXT_HSM }, by: NEXT_HSM }),
    await refused("a rotation by a third identity", "ERR_ENVELOPE_KEY", 6, { plan: { by: STRANGER }, by: STRANGER }),
    await refused("the old identity after a rotation", "ERR_ENVELOPE_KEY", 7, { plan: { by: HSM }, by: HSM }),
    await refused("signed by another than its issuer", "ERR_ENVELOPE_KEY", 2, {
      act: (act) => ({ ...act, iss: STRANGER.signer.kid }),
    }),
    await refused("an act that expires", "ERR_ENVELOPE_EXPIRED", 2, {
      act: (act) => ({ ...act, exp: act.iat + 86_400 }),
    }),
    await refused("an unknown member", "ERR_ENVELOPE_PAYLOAD", 2, { act: (act) => ({ ...act, note: "fine" }) }),
    await refused("no approvals", "ERR_ENVELOPE_PAYLOAD", 2, { approvals: by() }),
    // 2. Its place.
    await refused("a number too high", C, 2, { act: (act) => ({ ...act, n: 3 }) }),
    await refused("the same number again", C, 2, { act: (act) => ({ ...act, n: 1 }) }),
    await refused("another act before it", C, 2, { act: (act) => ({ ...act, previous: ELSE }) }),
    await refused("none before it", C, 2, { act: (act) => ({ ...act, previous: null }) }),
    await refused("an act before the founding", C, 1, { act: (act) => ({ ...act, previous: ELSE }) }),
    // 3. Its request.
    await refused("a request that is not JSON", C, 2, { text: (text) => text.slice(0, -1) }),
    await refused("a request with white space", C, 2, { text: reworded('{"v":1,', '{"v":1, ') }),
    await refused("a request with a member twice", C, 2, { text: reworded('{"v":1,', '{"v":1,"v":1,') }),
    await refused("a request with an unknown member", C, 2, { text: reworded('{"v":1,', '{"v":1,"w":1,') }),
    await refused("a request by another identity", C, 2, {
      plan: { by: STRANGER },
      act: (act) => ({ ...act, iss: HSM.signer.kid, aud: [HSM.signer.kid] }),
    }),
    await refused("a rotation that the old identity asked for and the new one signed", C, 6, {
      by: NEXT_HSM,
      act: (act) => ({ ...act, iss: NEXT_HSM.signer.kid, aud: [NEXT_HSM.signer.kid] }),
    }),
    await refused("a rotation to the same identity", C, 6, {
      plan: { motion: { verb: "ROTATE", change: { to: HSM.jwk } } },
    }),
    await refused("a transfer for an act", C, 2, { text: () => payloadText(REQUEST, REQUEST_PAYLOAD) }),
    await refused("a drill for an act", C, 2, { plan: { motion: { verb: "DRILL", change: { vault: "Treasury-1" } } } }),
    await refused("a second founding", C, 2, {
      request: () => (FOUNDING ? motionRequest(FOUNDING.step.plan, null) : none()),
      approvals: async (request) => await by(ada, bob, dan, eve)(request),
      after: FOUNDING?.charter ?? none(),
    }),
    await refused("an enrolment for a founding", C, 1, {
      request: () => (SOMEBODY && FOUNDING ? motionRequest(SOMEBODY.step.plan, FOUNDING.charter) : none()),
      after: SOMEBODY?.charter ?? none(),
    }),
    await refused("decided under other people", C, 2, {
      request: anew(({ people }) => ({ people: { ...people, digest: ELSE } })),
    }),
    await refused("decided under another policy", C, 2, {
      request: anew(({ policy }) => ({ policy: { ...policy, digest: ELSE } })),
    }),
    await refused("decided under a later policy", C, 2, {
      request: anew(({ policy }) => ({ policy: { ...policy, n: 2 } })),
    }),
    await refused("a request that was carried out before", C, 6, {
      request: () => (THAW ? motionRequest(THAW.step.plan, LONG_CHAIN[3]?.charter ?? null) : none()),
      approvals: async () => THAW?.act.approvals ?? [],
    }),
    // 4. Its quorum.
    await refused("a lower threshold", C, 2, {
      request: anew(({ quorum }) => ({ quorum: { ...quorum, threshold: 1 } })),
    }),
    await refused("somebody more in the quorum", C, 2, {
      request: anew(({ quorum }) => ({ quorum: { ...quorum, people: [...quorum.people, "Eve"] } })),
    }),
    await refused("somebody less in the quorum", C, 2, {
      request: anew(({ quorum }) => ({ quorum: { ...quorum, people: quorum.people.slice(0, 2) } })),
    }),
    await refused("a founding without one of its founders", C, 1, {
      request: anew(({ quorum }) => ({ quorum: { ...quorum, threshold: 3, people: quorum.people.slice(0, 3) } })),
    }),
    await refused("an initiator without whom too few are left", "ERR_POLICY_QUORUM", 5, {
      request: anew(({ quorum }) => ({ initiator: "Ada", quorum: { ...quorum, threshold: 1, people: ["Dan"] } })),
      approvals: by(dan),
    }),
    await refused("an initiator without a key file", "ERR_MEMBER_ROLE", 2, {
      request: anew(({ quorum }) => ({ initiator: "Bob", quorum: { ...quorum, people: ["Ada", "Dan"] } })),
      approvals: by(ada, dan),
    }),
    await refused("an initiator who is nobody", "ERR_MEMBER_ROLE", 2, { request: anew(() => ({ initiator: "Zoe" })) }),
    await refused("an initiator who is gone", "ERR_MEMBER_ROLE", 5, { request: anew(() => ({ initiator: "Bob" })) }),
    await refused("a rotation by the new identity that nobody proposed", "ERR_MEMBER_ROLE", 6, {
      plan: { by: NEXT_HSM },
      request: anew(() => ({ initiator: "Eve" })),
      by: NEXT_HSM,
    }),
    // 5. Its time.
    await refused("a recovery without its delay", C, 7, { request: anew(({ iat }) => ({ notBefore: iat })) }),
    await refused("a recovery a minute too early", C, 7, {
      request: anew(({ notBefore }) => ({ notBefore: (notBefore ?? 0) - 60 })),
    }),
    await refused("a recovery that took effect before its time", C, 7, {
      act: (act) => ({ ...act, iat: act.iat - 61 }),
    }),
    await refused("an act after its request expired", C, 2, { act: (act) => ({ ...act, iat: act.iat + 86_340 }) }),
    await refused("an act before its request", C, 2, { act: (act) => ({ ...act, iat: act.iat - 61 }) }),
    // 6. Its approvals.
    await refused("one approval of two", "ERR_QUORUM", 2, { approvals: by(ada) }),
    await refused("a founding without one signature", "ERR_QUORUM", 1, { approvals: by(ada, bob, dan) }),
    await refused("a rotation by the new identity with one approval", "ERR_QUORUM", 6, {
      plan: { by: NEXT_HSM },
      by: NEXT_HSM,
      approvals: by(dan),
    }),
    await refused("a recovery with one approval", "ERR_QUORUM", 7, { approvals: by(eve) }),
    await refused("one approval twice", "ERR_APPROVAL_DUPLICATE", 2, { approvals: by(ada, ada) }),
    await refused("two approvals of one person", "ERR_APPROVAL_DUPLICATE", 2, {
      approvals: async (request) => [
        await approve(request, ada),
        await approve(request, ada, { iat: request.iat + 1 }),
        await approve(request, bob),
      ],
    }),
    await refused("an approval by somebody who is no admin", "ERR_APPROVAL_NOT_ELIGIBLE", 2, {
      approvals: by(ada, eve),
    }),
    await refused("an admin's approval of a recovery", "ERR_APPROVAL_NOT_ELIGIBLE", 7, { approvals: by(dan, ada) }),
    await refused("an approval with a key file", "ERR_APPROVAL_NOT_ELIGIBLE", 2, { approvals: by(olga, bob) }),
    await refused("an approval by the initiator", "ERR_APPROVAL_INITIATOR", 2, { plan: { initiator: "Ada" } }),
    await refused("an approval by who is enrolled with it", "ERR_ENVELOPE_KEY", 2, { approvals: by(ada, carol) }),
    await refused("an approval by somebody who is gone", "ERR_ENVELOPE_KEY", 5, { approvals: by(ada, bob) }),
    await refused("an approval of another request", "ERR_APPROVAL_DIGEST", 2, {
      approvals: adas(() => ({ request: "0000000000000000" })),
    }),
    await refused("an approval of other bytes", "ERR_APPROVAL_DIGEST", 2, {
      approvals: adas(() => ({ digest: ELSE })),
    }),
    await refused("an approval for another HSM", "ERR_ENVELOPE_AUDIENCE", 2, {
      approvals: adas(() => ({ aud: [STRANGER.signer.kid] })),
    }),
    await refused("an approval on another's device", "ERR_APPROVAL_DEVICE", 2, {
      approvals: by({ ...ada, device: BOBS_DEVICE }, dan),
    }),
    await refused("an approval signed by another's device", "ERR_APPROVAL_SIGNATURE", 2, {
      approvals: by({ ...ada, device: { ...BOBS_DEVICE, address: ADAS_DEVICE.address } }, dan),
    }),
    await refused("an approval whose device signed something else", "ERR_APPROVAL_SIGNATURE", 2, {
      approvals: adas(() => ({ signature: ADAS_DEVICE.sign("ENROLL Carol") })),
    }),
    await refused("an approval from after the act", "ERR_ENVELOPE_TIME", 2, {
      approvals: adas(({ iat }) => ({ iat: iat + 181 })),
    }),
    await refused("an approval that had expired", "ERR_ENVELOPE_EXPIRED", 2, {
      approvals: adas(({ iat }) => ({ exp: iat + 60 })),
    }),
    await refused("an approval that ends before its request", "ERR_ENVELOPE_EXPIRED", 2, {
      approvals: adas(({ exp }) => ({ exp: exp - 1 })),
    }),
    await refused("an approval altered after it was signed", "ERR_ENVELOPE_SIGNATURE", 2, {
      approvals: async (request) => {
        const [first = "", second = ""] = await by(ada, bob)(request);
        return [
          first,
          second
            .split(".")
            .with(2, first.split(".")[2] ?? "")
            .join("."),
        ];
      },
    }),
    await refused("a policy edited after they approved", "ERR_STATEMENT_DIFFERS", 3, {
      text: reworded('"book"', '"any"'),
    }),
    await refused("a policy and its statement edited after they approved", "ERR_APPROVAL_DIGEST", 3, {
      plan: { name: "a policy", motion: { verb: "POLICY", change: { policy: STRICTER } } },
      text: () => (RULES ? otherPolicy(RULES) : none()),
    }),
    await refused("a person edited after they approved", "ERR_APPROVAL_DIGEST", 2, {
      text: (text) => text.replaceAll('"Carol"', '"Carla"').replaceAll("ENROLL Carol", "ENROLL Carla"),
    }),
    await refused("an expiry put off after they approved", "ERR_STATEMENT_DIFFERS", 2, {
      text: (text) => text.replace(/"exp":(\d+)/, (_, exp) => `"exp":${Number(exp) + 60}`),
    }),
    // 7. What it makes.
    await refused("other people than it says", C, 2, {
      act: (act) => ({ ...act, people: { ...act.people, digest: ELSE } }),
    }),
    await refused("another policy than it says", C, 3, {
      act: (act) => ({ ...act, policy: { ...act.policy, digest: ELSE } }),
    }),
    await refused("another number than it says", C, 2, { act: (act) => ({ ...act, people: { ...act.people, n: 3 } }) }),
    await refused("a change that changes nothing", C, 2, { act: (act) => ({ ...act, people: FOUNDING?.act.people }) }),
    await refused("a removal after which nobody could decide", "ERR_POLICY_QUORUM", 5, {
      plan: { motion: { verb: "REMOVE", change: { name: "Dan", removal: { what: "role", role: "admin" } } } },
      after: LONG_CHAIN[3]?.charter ?? none(),
    }),
  ],
};

/** The same request for a policy that is laxer, its statement with it. */
function otherPolicy({ step, act }: Link): string {
  const request = motionRequest(step.plan, LONG_CHAIN[act.n - 2]?.charter ?? null);
  return payloadText(REQUEST, withMotionStatement({ ...request, change: { policy: POLICY } }));
}

function none(): never {
  throw new RangeError("no such act");
}
