/**
 * Carries out an approved motion: the act is signed, verified as everybody else will verify it, and stored together with all that
 * follows from it. README.md of protocol/, "Charter". There is no other way to change people, policy, identity, or to lift a freeze.
 */
import { ACT, ACT_EXP, type Applied, applyAct, type Charter } from "../protocol/charter.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { applyMotion, type Motion, referencesOf } from "../protocol/governance.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { type MotionRequest, motionOf } from "../protocol/request.ts";
import { postActs, repostSoon } from "./acts.ts";
import { allExtensions, type Consequence, type Desk, givenUpBy, issue } from "./desk.ts";
import { unfreeze } from "./freeze.ts";
import { requireHeld } from "./motions.ts";
import { backToPending, collect, recheck, requireRow } from "./recheck.ts";
import { nextState } from "./requests.ts";
import { leadsOn, requireRestore, setNonces } from "./restoring.ts";
import type { RequestRow } from "./rows.ts";
import { stopRequest, supersede } from "./stops.ts";
import { readBack } from "./verify.ts";

/** Does it, where the time has come; false where it waits for people or for time. */
export async function enact(desk: Desk, row: RequestRow): Promise<boolean | Consequence> {
  const { payload } = readBack(row);
  if (payload.verb === "SEND") throw new Fault("ERR_STATE", "A transfer is no motion. Nothing is changed.");
  const collected = await collect(desk, row);
  if (backToPending(desk, row, collected)) return true;
  // A delay that a jump of the clock ended was not seen by anybody.
  if (payload.notBefore !== null && (payload.notBefore > desk.now() || desk.clockInDoubt() !== null)) return false;
  if (payload.verb === "DRILL") return endDrill(desk, row, payload);
  if (!leadsOn(desk, payload.verb) && !desk.witnesses.isCurrent) return false;
  // Of an old disk with an approved one on it: the gap that it names is not that of today.
  if (payload.verb === "RESTORE" && !desk.witnesses.isHeard) return false;
  recheck(desk, row.id, collected);
  const before = desk.charter.current;
  let signed: Signed;
  try {
    signed = await signAct(desk, row, payload, before);
  } catch (error) {
    // It could take effect when it was proposed, and nothing has changed since: another try would end the same way.
    if (!isFault(error) || error.code.startsWith("ERR_HSM_")) throw error;
    desk.journal.transaction(() => stopRequest(desk, requireRow(desk, row.id), "failed", error.message));
    return true;
  }
  const requests = desk.journal.transaction(() => {
    recheck(desk, row.id, collected);
    // Another act came first: this one has to be signed anew, after it.
    if (desk.charter.current !== before)
      throw new Fault("ERR_QUORUM", "Another change took effect; it is counted again.");
    return store(desk, row, signed, before);
  });
  desk.charter.current = signed.applied.charter;
  desk.charter.givenUp = [...desk.charter.givenUp, ...givenUpBy(signed.applied)];
  desk.log.info({ act: signed.applied.act.n, verb: payload.verb }, "in force");
  if (signed.applied.charter.policy.bridge !== desk.bridgeUrl)
    desk.log.warn("the policy names another bridge: correct bridge.url in the configuration, and restart");
  desk.wake();
  return { requests, roster: true, rotated: payload.verb === "ROTATE" };
}

/** A drill goes on until everybody has answered, or its time is over: it is to show who can be reached. */
function endDrill(desk: Desk, row: RequestRow, payload: MotionRequest): boolean {
  const answered = new Set(desk.journal.records(row.id).map(({ person }) => person));
  if (answered.size < payload.quorum.people.length) return false;
  desk.journal.transaction(() => {
    const now = requireRow(desk, row.id);
    desk.journal.changeRequest(now.id, { state: nextState(now.state, "enacted") });
  });
  return true;
}

interface Signed {
  readonly jws: string;
  readonly applied: Applied;
}

async function signAct(desk: Desk, row: RequestRow, payload: MotionRequest, before: Charter | null): Promise<Signed> {
  if (payload.verb === "ROTATE") await requireHeld(desk, payload.change.to);
  if (payload.verb === "RESTORE") requireRestore(desk, payload.change);
  const records = desk.journal.records(row.id);
  const stopped = new Set(records.filter(({ kind }) => kind !== "approval").map(({ person }) => person));
  const approvals = records.filter(({ kind, person }) => kind === "approval" && !stopped.has(person));
  const after = referencesOf(applyMotion(motionOf(payload), before));
  const { jws } = await issue(
    desk,
    ACT,
    [desk.identity.signer.kid],
    {
      n: (before?.n ?? 0) + 1,
      previous: before?.head ?? null,
      request: row.payload,
      approvals: approvals.map((record) => record.jws),
      ...after,
    },
    ACT_EXP,
  );
  return { jws, applied: await applyAct(before, jws, desk.identity.jwk) };
}

/** Everything that goes with an act. Returns the requests that it ends or sets going. */
function store(desk: Desk, row: RequestRow, { jws, applied }: Signed, before: Charter | null): string[] {
  const { journal } = desk;
  const { charter, act, request } = applied;
  journal.changeRequest(row.id, { state: nextState(requireRow(desk, row.id).state, "enacted") });
  const isChanged =
    before === null || request.verb === "ROTATE" || request.verb === "RESTORE" || !isSameDocuments(before, charter);
  const ended = isChanged
    ? supersede(desk, ({ id, state }) => id !== row.id && !(request.verb === "ROTATE" && state === "signed"))
    : [];
  // Whoever is removed is told as well, as long as the bridge lets them in; afterwards nothing of them is kept.
  const staying = allExtensions(charter);
  const leaving = before === null ? [] : allExtensions(before).filter((kid) => !staying.includes(kid));
  const goodbyes = leaving.map((kid) => ({ kid, seal: journal.memberSeal(kid) }));
  settle(desk, motionOf(request), before, charter);
  journal.addAct({ n: act.n, verb: request.verb, request: row.id, head: charter.head }, jws);
  for (const { kid, seal } of goodbyes) if (seal !== undefined) journal.post(act.jti, [kid], jws, seal);
  journal.post(act.jti, staying, jws);
  for (const receiver of staying) journal.owe({ what: "welcome", receiver, body: "{}", seal: null });
  const thawed = request.verb === "UNFREEZE" ? journal.requests(["approved"]).map(({ id }) => id) : [];
  return [...ended, ...thawed];
}

function isSameDocuments(one: Charter, other: Charter): boolean {
  return one.policy.n === other.policy.n && one.people.n === other.people.n;
}

/** What an act leaves behind in the rest of the record. */
function settle(desk: Desk, motion: Motion, before: Charter | null, after: Charter): void {
  const { journal } = desk;
  switch (motion.verb) {
    case "FOUND":
      for (const { name } of after.people.members) journal.removePairing(name);
      journal.removeMeta("founding");
      return;
    case "ENROLL": {
      const { name, extension, device } = motion.change;
      if (extension !== null) journal.removePairing(name);
      if (device !== null) journal.removeWaitingDevice(device.address);
      // A member who was new an hour ago has none of the earlier acts.
      if (extension !== null) postActs(journal, thumbprint(extension), 0);
      return;
    }
    case "REMOVE": {
      const { name, removal } = motion.change;
      const left = new Set(allExtensions(after));
      for (const kid of before === null ? [] : allExtensions(before)) if (!left.has(kid)) journal.removeMailOf(kid);
      if (removal.what === "person") journal.removeTracesOf(name);
      if (removal.what === "device") journal.removeWaitingDevice(removal.address);
      return;
    }
    case "UNFREEZE":
      unfreeze(desk, motion.change.vault);
      return;
    case "ROTATE":
      journal.setMeta("identity", journal.requireMeta("next-identity"));
      journal.setMeta("thumbprint", thumbprint(motion.change.to));
      journal.forgetWitnesses();
      repostSoon(desk);
      for (const key of ["next-identity", "next-thumbprint", "next-jwk", "succession"]) journal.removeMeta(key);
      return;
    case "RESTORE":
      desk.witnesses.accept();
      setNonces(journal, motion.change);
      return;
    case "POLICY":
    case "DRILL":
      return;
  }
}
