/** The chain of acts: any act changed on its way, any act signed anew by an HSM that means ill, and whole chains in another order. */
import * as v from "valibot";
import { ACT, applyAct, type Charter } from "../../../protocol/charter.ts";
import { type PublicJwk, thumbprint } from "../../../protocol/primitive.ts";
import {
  isTransfer,
  type MotionRequest,
  motionStatementOf,
  REQUEST,
  requestDigest,
} from "../../../protocol/request.ts";
import { ada, bob, carol, dan, eve } from "../../../protocol/vectors/world.ts";
import { KEYS, readVectors, signAnything } from "../corpus.ts";
import { mutateJson } from "../mutate-json.ts";
import type { Random } from "../random.ts";
import { accept, acceptLater, given, require, requireSame, type Target } from "../target.ts";
import { mutateJws, signedPart } from "./envelope.ts";
import { mutated } from "./frame.ts";

interface Step {
  readonly payload: string;
  readonly jws: string;
  readonly before: Charter | null;
  readonly after: Charter;
}
interface Act {
  readonly iss: string;
  readonly request: string;
  readonly approvals: readonly string[];
}
const VECTORS = readVectors("charter") as {
  hsm: PublicJwk;
  rotatedByTheOld: Step[];
  rotatedByTheNew: Step[];
  refused: { jws: string }[];
};
const CHAINS = [VECTORS.rotatedByTheOld, VECTORS.rotatedByTheNew];
const JWS = [...CHAINS.flat(), ...VECTORS.refused].map(({ jws }) => jws);
const DEVICES = [ada, bob, dan, eve, carol].map(({ device }) => device);
const read = (payload: string) => JSON.parse(payload) as Act;

export async function acts(): Promise<Target> {
  const steps: Step[] = [];
  for (const chain of CHAINS) {
    let before: Charter | null = null;
    for (const { payload, jws } of chain) {
      const { charter: after }: { charter: Charter } = await applyAct(before, jws, VECTORS.hsm);
      steps.push({ payload, jws, before, after });
      before = after;
    }
  }
  const payloads = steps.map(({ payload }) => payload);
  const requests = new Set(payloads.map((payload) => read(payload).request));
  const approvals = new Set(payloads.flatMap((payload) => read(payload).approvals.map(signedPart)));
  const signed = new Set(JWS.map(signedPart));
  return {
    attempt: async (random) => {
      if (random.once(12)) return await order(random);
      if (random.once(8)) return await conspired(random, random.pick(steps));
      const step = random.pick(steps);
      const isResigned = random.once(2);
      const jws = given(isResigned ? resigned(random, step.payload, payloads) : mutateJws(random, step.jws, JWS));
      const applied = await acceptLater(() => applyAct(step.before, jws, VECTORS.hsm));
      if (applied === undefined) return "refused";
      require(isResigned || signed.has(signedPart(jws)), "an act that nobody signed");
      // Whoever has the HSM can sign an act anew, but what people approved stays what it is.
      require(requests.has(applied.act.request), "a request that nobody approved");
      require(applied.act.approvals.every((one) => approvals.has(signedPart(one))), "an approval that nobody gave");
      const { n, hsm, people, policy } = applied.charter;
      const like = steps.find(({ after, payload }) => after.n === n && read(payload).request === applied.act.request);
      requireSame(
        [hsm, people, policy],
        like && [like.after.hsm, like.after.people, like.after.policy],
        "other documents",
      );
      return "accepted";
    },
  };

  /** A chain with acts left out, twice, in another order or of the other chain: what is accepted is a beginning of one of them. */
  async function order(random: Random): Promise<"accepted" | "refused"> {
    let charter: Charter | null = null;
    const taken: string[] = [];
    const chain = random.pick(CHAINS);
    for (const { jws } of chain) {
      const next = given(random.once(4) ? random.pick(JWS) : jws);
      const applied: { charter: Charter } | undefined = await acceptLater(() => applyAct(charter, next, VECTORS.hsm));
      if (applied === undefined) continue;
      charter = applied.charter;
      taken.push(next);
    }
    const isBeginning = CHAINS.some((one) => taken.every((jws, at) => one[at]?.jws === jws));
    require(isBeginning, "acts in another order");
    return taken.length === 0 ? "refused" : "accepted";
  }
}

function resigned(random: Random, payload: string, corpus: readonly string[]): string {
  const kid = random.once(12) ? random.pick([...KEYS.keys()]) : read(payload).iss;
  const key = KEYS.get(kid) ?? KEYS.get(thumbprint(VECTORS.hsm));
  if (key === undefined) throw new TypeError("no key of the HSM identity");
  return signAnything(
    JSON.stringify({ alg: "ES256", typ: ACT.typ, kid: key.kid }),
    mutated(random, payload, corpus),
    key,
  );
}

/** Everybody means ill: people approve, on their devices, a request in whatever spelling, and the HSM signs its act. */
async function conspired(random: Random, { payload, before }: Step): Promise<"accepted" | "refused"> {
  const act = read(payload);
  const request = given(mutateJson(random, act.request, [act.request]));
  const parsed = v.safeParse(REQUEST.schema, parse(request));
  if (!parsed.success || isTransfer(parsed.output)) return "refused";
  const digest = requestDigest(Buffer.from(request));
  const statement = accept(() => motionStatementOf(parsed.output as MotionRequest, digest));
  if (statement === undefined) return "refused";
  const approvals = act.approvals.map((jws) => approveAgain(jws, digest, statement));
  const key = KEYS.get(act.iss);
  if (key === undefined) throw new TypeError("no key of the HSM identity");
  const header = JSON.stringify({ alg: "ES256", typ: ACT.typ, kid: key.kid });
  const jws = signAnything(header, JSON.stringify({ ...act, request, approvals }), key);
  const applied = await acceptLater(() => applyAct(before, jws, VECTORS.hsm));
  if (applied === undefined) return "refused";
  require(JSON.stringify(parsed.output) === applied.act.request, "a request in another spelling");
  require(applied.charter.n === (before?.n ?? 0) + 1, "another place in the chain");
  return "accepted";
}

function approveAgain(jws: string, digest: string, statement: string): string {
  const [header = "", payload = ""] = jws.split(".").map((part) => Buffer.from(part, "base64url").toString());
  const old = JSON.parse(payload) as { iss: string; address: string };
  const { iss, address } = old;
  const device = DEVICES.find((one) => one.address === address);
  const key = KEYS.get(iss);
  if (device === undefined || key === undefined) throw new TypeError("nobody's approval");
  // Members keep the place that they had.
  const said = { ...old, digest, signature: device.sign(statement) };
  return signAnything(header, JSON.stringify(said), key);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
