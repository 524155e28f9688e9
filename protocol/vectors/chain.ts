/** The two chains of acts of charter.json: each step as it was proposed and approved, and what is in force after it. */
import { ACT, type Act, type Charter } from "../charter.ts";
import { payloadText } from "../envelope.ts";
import { applyMotion, type Motion, referencesOf } from "../governance.ts";
import { sha256Hex, thumbprint } from "../primitive.ts";
import { HSM, NEXT_HSM, type VectorKey } from "./keys.ts";
import { actOf, approve, motionRequest, type Plan, signAct } from "./motion.ts";
import { NOW } from "./sample.ts";
import { ada, bob, carol, dan, eve, FOUNDERS, type Person, POLICY, STRICTER } from "./world.ts";

export interface Step {
  readonly what: string;
  readonly plan: Plan;
  readonly approvers: readonly Person[];
  readonly by: VectorKey;
}

/** An act with what is in force after it. */
export interface Link {
  readonly step: Step;
  readonly act: Act;
  readonly jws: string;
  readonly charter: Charter;
}

export function step(what: string, motion: Motion, approvers: Person[], plan: Partial<Plan> = {}): Step {
  const by = plan.by ?? HSM;
  return { what, plan: { name: what, motion, by, ...plan }, approvers, by };
}

const both = { roles: [], extension: null, file: null, device: null };
const FOUNDING = step(
  "a founding",
  { verb: "FOUND", change: { people: FOUNDERS, policy: POLICY } },
  [ada, bob, dan, eve],
  {
    initiator: null,
  },
);
const rotation = (by: VectorKey, at: number) =>
  step(
    `a rotation by ${by === HSM ? "the old" : "the new"} identity`,
    { verb: "ROTATE", change: { to: NEXT_HSM.jwk } },
    [ada, dan],
    {
      by,
      at,
    },
  );
const CAROL: Motion = {
  verb: "ENROLL",
  change: { ...both, name: "Carol", roles: ["approver"], extension: carol.key.jwk, device: carol.enrolled },
};

const LONG: Step[] = [
  FOUNDING,
  step("somebody new", CAROL, [ada, bob], { at: NOW + 3600 }),
  step("a policy", { verb: "POLICY", change: { policy: STRICTER } }, [dan, ada], { at: NOW + 7200 }),
  step("somebody goes", { verb: "REMOVE", change: { name: "Bob", removal: { what: "person" } } }, [ada, dan], {
    at: NOW + 10_800,
  }),
  step("a freeze is lifted", { verb: "UNFREEZE", change: { vault: null } }, [ada, dan], { at: NOW + 14_400 }),
  rotation(HSM, NOW + 18_000),
  step("a recovery", { verb: "ENROLL", change: { ...both, name: "Carol", roles: ["admin"] } }, [dan, eve], {
    at: NOW + 21_600,
    by: NEXT_HSM,
    recovery: true,
  }),
];

const SHORT: Step[] = [
  FOUNDING,
  rotation(NEXT_HSM, NOW + 3600),
  step("somebody new", CAROL, [ada, bob], { at: NOW + 7200, by: NEXT_HSM }),
];

/** An act after `charter`. */
export async function link(charter: Charter | null, one: Step): Promise<Link> {
  const { motion } = one.plan;
  const request = motionRequest(one.plan, charter);
  const approvals = await Promise.all(one.approvers.map(async (person) => await approve(request, person)));
  const act = actOf(request, approvals, charter);
  // Reckoned here and not by applyAct, which is what these vectors test.
  const hsm = motion.verb === "ROTATE" ? motion.change.to : (charter?.hsm ?? HSM.jwk);
  const head = sha256Hex(new TextEncoder().encode(payloadText(ACT, act)));
  const { people, policy } = applyMotion(motion, charter);
  const isKept = ["UNFREEZE", "ROTATE", "RESTORE"].includes(motion.verb);
  const spent = isKept ? [...(charter?.spent ?? []), request.request] : [];
  return { step: one, act, jws: await signAct(act, one.by), charter: { n: act.n, head, hsm, people, policy, spent } };
}

async function chain(steps: readonly Step[]): Promise<Link[]> {
  const links: Link[] = [];
  for (const one of steps) links.push(await link(links.at(-1)?.charter ?? null, one));
  return links;
}

export const LONG_CHAIN = await chain(LONG);
export const SHORT_CHAIN = await chain(SHORT);

/** How a link stands in the file. */
export function vectorOf({ step: { what }, act, jws, charter }: Link) {
  const { n, head, hsm, spent } = charter;
  return {
    what,
    payload: payloadText(ACT, act),
    jws,
    after: { n, head, hsm: thumbprint(hsm), spent, ...referencesOf(charter) },
  };
}
