/** The stories of proof.json: requests that ended in every way. */
import * as v from "valibot";
import { type MotionRequest, REQUEST } from "../request.ts";
import { type Link, link, LONG_CHAIN, SHORT_CHAIN, step } from "./chain.ts";
import { HSM, NEXT_HSM, OLGA, THIRD_HSM } from "./keys.ts";
import { motionRequest } from "./motion.ts";
import { LOG_HEAD, NOW } from "./sample.ts";
import { type Answer, motionFor, proposalOf, signedForm, type Story, transfer } from "./story.ts";
import { ada, bob, dan, eve, type Person } from "./world.ts";

export function nth(links: readonly Link[], n: number): Link {
  const found = links[n - 1];
  if (found === undefined) throw new RangeError("no such act");
  return found;
}

export const FOUNDED = nth(LONG_CHAIN, 1);
export const olga: Person = { ...ada, name: "Olga", key: OLGA };
export const approved = (...people: Person[]): Answer[] => people.map((by) => ({ kind: "approval", by }));

/** The request of an act, as it stands in it. */
function requestOf({ act }: Link): MotionRequest {
  const request = v.parse(REQUEST.schema, JSON.parse(act.request));
  if (request.verb === "SEND") throw new TypeError("not a motion");
  return request;
}

/** A change that took effect, as act `n` of a chain. */
export async function enacted(links: readonly Link[], n: number, to = links): Promise<Story> {
  const one = nth(links, n);
  const request = requestOf(one);
  return {
    links: to,
    request,
    proposal: request.verb === "FOUND" ? null : await motionFor(request),
    answers: approved(...one.step.approvers),
    state: "enacted",
    by: one.step.by,
    noteBy: nth(to, to.length).charter.hsm.x === HSM.jwk.x ? HSM : NEXT_HSM,
    act: one,
  };
}

/** A transfer after the founding that ended like this. */
export async function sent(name: string, state: Story["state"], answers: Answer[], links = [FOUNDED]): Promise<Story> {
  const request = transfer(name, FOUNDED);
  const signed = state === "signed" ? { signed: signedForm(request) } : {};
  return { links, request, proposal: await proposalOf(request), answers, state, ...signed };
}

const TOKENS = await sent("pay", "signed", approved(ada, bob));
const drill = motionRequest({ name: "a drill", motion: { verb: "DRILL", change: { vault: "Treasury-1" } } }, FOUNDED.charter);
const unwelcome = motionRequest(
  { name: "an unwelcome founding", motion: FOUNDED.step.plan.motion, initiator: null },
  null,
);
const unwanted = motionRequest({ name: "an unwanted policy", motion: requestedPolicy() }, FOUNDED.charter);
const recovering = motionRequest(
  { name: "a recovery that is stopped", motion: requestedPolicy(), recovery: true },
  FOUNDED.charter,
);

function requestedPolicy() {
  const request = requestOf(nth(LONG_CHAIN, 3));
  if (request.verb !== "POLICY") throw new TypeError("not a policy");
  return { verb: request.verb, change: request.change };
}

/** A chain with three identities, of which the second signed neither its founding nor its log. */
const third = await link(
  nth(SHORT_CHAIN, 2).charter,
  step("another rotation", { verb: "ROTATE", change: { to: THIRD_HSM.jwk } }, [ada, dan], { by: NEXT_HSM, at: NOW + 7200 }),
);
const restored = await link(
  FOUNDED.charter,
  step(
    "going on from an older record",
    {
      verb: "RESTORE",
      change: {
        log: LOG_HEAD,
        seen: { ...LOG_HEAD, size: 60 },
        nonces: [{ vault: "Treasury-1", network: "eip155:1", nonce: 12 }],
      },
    },
    [ada, bob],
    { at: NOW + 3600 },
  ),
);
export const COIN = transfer("pay in coin", FOUNDED, {
  token: null,
  sign: ["02f00180843b9aca008506fc23ac008252089452908400098527886e0f7030069857d2e4169ee78814d1120d7b16000080c0"],
  effect: {
    amount: "1.50",
    asset: "ETH",
    to: "0x52908400098527886E0F7030069857D2E4169EE7",
    maxFee: "0.00063 ETH",
    nonce: 0,
  },
});
/** Asked for shortly before somebody new came, or the identity was replaced. */
export const LATE = transfer("pay while something changes", FOUNDED, {}, HSM, NOW + 3000);
const late = {
  links: LONG_CHAIN.slice(0, 2),
  request: LATE,
  proposal: await proposalOf(LATE),
  answers: approved(ada, bob),
};
/** When the act of that is signed. */
export const CHANGED = nth(LONG_CHAIN, 2).act.iat;
const coin = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };

export const STORIES: Record<string, Story> = {
  "a token, signed": TOKENS,
  "the coin, signed": {
    links: [FOUNDED],
    request: COIN,
    proposal: await proposalOf(COIN, { asset: "ETH", amount: "1.5", gas: coin }),
    answers: approved(ada, dan),
    state: "signed",
    signed: signedForm(COIN),
  },
  "signed before all that came later": { ...(await sent("pay before", "signed", approved(dan, bob), LONG_CHAIN)), noteBy: NEXT_HSM },
  "one who withdrew, and two others": await sent("pay with three", "signed", [
    { kind: "approval", by: ada },
    { kind: "withdrawal", by: ada },
    ...approved(bob, dan),
  ]),
  "still open": await sent("pay later", "pending", approved(ada)),
  "approved, and waiting": await sent("pay soon", "approved", approved(ada, bob)),
  "approved while the clock was a minute behind, and before it fell back by one": {
    ...(await sent("pay behind", "approved", [
      { kind: "approval", by: ada, record: { at: NOW - 60 } },
      { kind: "approval", by: bob, record: { at: NOW + 180 } },
    ])),
    issuedAt: NOW - 60,
  },
  "open again, after one withdrew": await sent("pay perhaps", "pending", [
    ...approved(ada, bob),
    { kind: "withdrawal", by: bob },
  ]),
  "signed in its last second": {
    ...(await sent("pay just now", "signed", approved(ada, bob))),
    receipt: { at: transfer("pay just now", FOUNDED).exp },
  },
  "signed while people changed": { ...late, state: "signed", signed: signedForm(LATE), receipt: { at: CHANGED + 300 } },
  "void because people changed": { ...late, state: "void", receipt: { at: CHANGED + 301 } },
  "signed before a rotation, and not handed out in time": {
    ...late,
    links: SHORT_CHAIN.slice(0, 2),
    noteBy: NEXT_HSM,
    state: "expired",
    receipt: { at: LATE.exp },
  },
  rejected: await sent("pay nobody", "rejected", [...approved(ada), { kind: "rejection", by: bob }]),
  cancelled: await sent("pay not", "cancelled", [{ kind: "cancellation", by: olga }]),
  expired: await sent("pay too late", "expired", approved(ada)),
  void: await sent("pay under another policy", "void", approved(dan)),
  failed: await sent("pay with a broken key", "failed", approved(ada, bob)),
  "a founding": await enacted(LONG_CHAIN, 1, [FOUNDED]),
  "a founding that was rejected": {
    links: [],
    request: unwelcome,
    proposal: null,
    answers: [...approved(ada, eve), { kind: "rejection", by: dan }],
    state: "rejected",
  },
  "somebody new": await enacted(LONG_CHAIN, 2, LONG_CHAIN.slice(0, 2)),
  "a policy, replaced later": await enacted(LONG_CHAIN, 3),
  "a rotation by the new identity": await enacted(SHORT_CHAIN, 2, SHORT_CHAIN.slice(0, 2)),
  "a recovery": await enacted(LONG_CHAIN, 7),
  "going on from an older record": await enacted([FOUNDED, restored], 2),
  "a drill": {
    links: [FOUNDED],
    request: drill,
    proposal: await motionFor(drill),
    answers: approved(ada, bob, dan),
    state: "enacted",
  },
  "a change that was rejected": {
    links: [FOUNDED],
    request: unwanted,
    proposal: await motionFor(unwanted),
    answers: [...approved(bob), { kind: "rejection", by: ada }],
    state: "rejected",
  },
  "a recovery that an admin stopped": {
    links: [FOUNDED],
    request: recovering,
    proposal: await motionFor(recovering),
    answers: [...approved(eve), { kind: "rejection", by: bob }],
    state: "rejected",
  },
  "signed by the first of three identities": {
    ...(await sent("pay first", "signed", approved(ada, bob), [...SHORT_CHAIN.slice(0, 2), third])),
    noteBy: THIRD_HSM,
  },
};

