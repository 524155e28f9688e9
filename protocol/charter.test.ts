/** What the chain of acts promises whatever is done to it; single faults with their codes are vectors (charter.vectors.test.ts). */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ACT, type Act, applyAct, type Charter, requireRoom } from "./charter.ts";
import { payloadText } from "./envelope.ts";
import { isFault } from "./error.ts";
import type { Motion } from "./governance.ts";
import { SIZE_MAX } from "./merkle.ts";
import { POLICY_MAX, type PolicyText } from "./policy.ts";
import { SEAL_SIZES } from "./seal.ts";
import { type Link, LONG_CHAIN, SHORT_CHAIN } from "./vectors/chain.ts";
import { HSM, NEXT_HSM, type VectorKey } from "./vectors/keys.ts";
import { actOf, approve, motionRequest, signAct, written } from "./vectors/motion.ts";
import { ada, bob, dan, FOUNDED, STRICTER } from "./vectors/world.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.".split("");
const before = (chain: readonly Link[], at: number): Charter | null => chain[at - 1]?.charter ?? null;

/** The charter after the act, or undefined where it was refused in the one way that is allowed. */
async function offered(charter: Charter | null, jws: string): Promise<Charter | undefined> {
  try {
    return (await applyAct(charter, jws, HSM.jwk)).charter;
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined;
  }
}

test("who approved, and with what, is told with the act", async () => {
  const [founding, somebody] = LONG_CHAIN;
  const { approvers, request, act } = await applyAct(founding?.charter ?? null, somebody?.jws ?? "", HSM.jwk);
  expect(approvers).toEqual(
    [ada, bob].map(({ name, enrolled }) => ({ name, vendor: enrolled.vendor, address: enrolled.address })),
  );
  expect([act.n, request.verb, request.initiator]).toEqual([2, "ENROLL", "Olga"]);
});

test("the founding counts only under the pinned identity", async () => {
  const [founding] = LONG_CHAIN;
  await expect(applyAct(null, founding?.jws ?? "", NEXT_HSM.jwk)).rejects.toMatchObject({ code: "ERR_ENVELOPE_KEY" });
});

test("any character of any act changed: refused", async () => {
  const links = fc.nat({ max: LONG_CHAIN.length - 1 });
  await fc.assert(
    fc.asyncProperty(links, fc.nat(), fc.constantFrom(...BASE64URL), async (at, place, by) => {
      const { jws = "" } = LONG_CHAIN[at] ?? {};
      const where = place % jws.length;
      fc.pre(jws[where] !== by);
      const changed = jws.slice(0, where) + by + jws.slice(where + 1);
      expect(await offered(before(LONG_CHAIN, at), changed)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

test("any character of a request or an approval changed, and signed anew by the HSM: refused", async () => {
  const links = fc.nat({ max: LONG_CHAIN.length - 1 });
  const anything = fc.oneof(
    fc.constantFrom(...BASE64URL, " ", '"', ",", "}"),
    fc.string({ minLength: 1, maxLength: 1 }),
  );
  await fc.assert(
    fc.asyncProperty(links, fc.nat(), fc.nat(), anything, async (at, part, place, by) => {
      const link = LONG_CHAIN[at];
      if (link === undefined) throw new RangeError("no such act");
      const texts = [link.act.request, ...link.act.approvals];
      const text = texts[part % texts.length] ?? "";
      const where = place % text.length;
      fc.pre(text[where] !== by);
      const [request = "", ...approvals] = texts.with(
        part % texts.length,
        text.slice(0, where) + by + text.slice(where + 1),
      );
      const jws = await signAct({ ...link.act, request, approvals }, link.step.by);
      expect(await offered(before(LONG_CHAIN, at), jws)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

test("an approval too many or too few, or of another act, and signed anew by the HSM: refused, or the same documents", async () => {
  const pool = [...LONG_CHAIN, ...SHORT_CHAIN].flatMap(({ act }) => act.approvals);
  const links = fc.nat({ max: LONG_CHAIN.length - 1 });
  await fc.assert(
    fc.asyncProperty(links, fc.subarray(pool, { minLength: 1 }), async (at, approvals) => {
      const link = LONG_CHAIN[at];
      if (link === undefined) throw new RangeError("no such act");
      const jws = await signAct({ ...link.act, approvals }, link.step.by);
      const after = await offered(before(LONG_CHAIN, at), jws);
      const isWhole =
        link.act.approvals.length === approvals.length && link.act.approvals.every((one) => approvals.includes(one));
      expect(after !== undefined).toBe(isWhole);
    }),
    { numRuns: 200 },
  );
});

test("acts in another order, left out, twice, or of another chain: no other charter comes of it", async () => {
  const acts = [...LONG_CHAIN, ...SHORT_CHAIN];
  const heads = [LONG_CHAIN, SHORT_CHAIN].map((chain) => chain.map(({ charter }) => charter.head));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...acts), { maxLength: 12 }), fc.boolean(), async (some, isOrdered) => {
      // Half of the runs mostly go forward, so that more than the founding is reached.
      const order = isOrdered ? acts.filter((act) => some.includes(act) || act.act.n < 4) : some;
      let charter: Charter | null = null;
      const path: string[] = [];
      for (const { jws } of order) {
        const after: Charter | undefined = await offered(charter, jws);
        if (after === undefined) continue;
        expect(after.n).toBe((charter?.n ?? 0) + 1);
        charter = after;
        path.push(after.head);
      }
      expect(heads.some((chain) => path.every((head, at) => head === chain[at]))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test("a request that is near the longest: its act fits, and what would not is refused before anybody is asked", async () => {
  const groups = Array.from({ length: 575 }, (_, at) => ({ name: `group.${at}`, members: ["Ada"] }));
  const policy: PolicyText = { ...STRICTER, groups: [...STRICTER.groups, ...groups] };
  expect(JSON.stringify(policy).length).toBeGreaterThan(POLICY_MAX - 1500);
  const request = motionRequest({ name: "a long policy", motion: { verb: "POLICY", change: { policy } } }, FOUNDED);
  const { payload } = written(request);
  // Each names as long a log as there can be.
  const log = { size: SIZE_MAX, root: "0".repeat(64) };
  const approvals = await Promise.all([ada, bob, dan].map(async (person) => await approve(request, person, { log })));
  const act: Act = actOf(request, approvals, { ...FOUNDED, n: 1, head: "0".repeat(64), hsm: HSM.jwk, spent: [] });
  const fits = Array.from({ length: 65 }, (_, at) => at).filter((count) => roomFor(payload, count));
  expect(fits.slice(0, 41)).toEqual(Array.from({ length: 41 }, (_, at) => at));
  expect(fits).not.toContain(60);
  const most = { ...act, approvals: Array.from({ length: fits.at(-1) ?? 0 }, () => approvals[0] ?? "") };
  expect(payloadText(ACT, most)).toBe(JSON.stringify(most));
  const { length } = await signAct(most, HSM);
  expect(length).toBeLessThanOrEqual(Math.max(...SEAL_SIZES));
  expect(length).toBeGreaterThan(Math.max(...SEAL_SIZES) - 1300);
});

test("64 approvals of a short request fit, 65 do not, nor does a request of more than 65,536 characters", () => {
  expect([64, 65].map((count) => roomFor("{}", count))).toEqual([true, false]);
  expect([65_536, 65_537].map((length) => roomFor("x".repeat(length), 1))).toEqual([true, false]);
});

function roomFor(text: string, count: number): boolean {
  try {
    requireRoom(text, count);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: "Fault", code: "ERR_POLICY_DOCUMENT" });
    return false;
  }
}

test("a request is carried out once, also after a rotation there and back", async () => {
  const asked = (name: string, motion: Motion, by: VectorKey) => ({ name, motion, by, initiator: "Olga" });
  const steps = [
    asked("lift", { verb: "UNFREEZE", change: { vault: null } }, HSM),
    asked("there", { verb: "ROTATE", change: { to: NEXT_HSM.jwk } }, HSM),
    asked("back", { verb: "ROTATE", change: { to: HSM.jwk } }, NEXT_HSM),
  ];
  let charter = LONG_CHAIN[0]?.charter ?? null;
  const carryOut = async (plan: (typeof steps)[number]) => {
    const request = motionRequest(plan, charter);
    const approvals = [await approve(request, ada), await approve(request, bob)];
    return await applyAct(charter, await signAct(actOf(request, approvals, charter), plan.by), HSM.jwk);
  };
  for (const plan of steps) ({ charter } = await carryOut(plan));
  expect(charter?.spent).toHaveLength(3);
  for (const plan of [steps[0], steps[1]]) {
    if (plan === undefined) throw new RangeError("no such step");
    await expect(carryOut(plan)).rejects.toMatchObject({ code: "ERR_CHARTER" });
  }
});
