/**
 * A governance request in plain words: its title in the lists, its heading on its page, what a removal takes away, and what a recovery
 * is. Pure. It renders for reading; the exact text is the statement's alone.
 */
import type { Documents, Motion } from "../../protocol/governance.ts";
import type { Role } from "../../protocol/people.ts";
import { isTransfer, type MotionRequest, motionOf, type RequestPayload } from "../../protocol/request.ts";
import { momentOf } from "./clock.ts";
import { effectsOf } from "./effect.ts";
import { listWords, sentenceOf } from "./wording.ts";

/** The documents that a request was proposed under, as far as this browser still has them: they are those in force, or unknown. */
export function documentsOf(
  payload: Pick<RequestPayload, "policy" | "people">,
  inForce: Documents | null,
): Documents | null {
  if (inForce === null) return null;
  const isCurrent = payload.policy.n === inForce.policy.n && payload.people.n === inForce.people.n;
  return isCurrent ? inForce : null;
}

/** "Add Carol as approver", "Policy 18: two changes"; a transfer's whole sentence. `inForce`: null before the founding. */
export function titleOf(payload: RequestPayload, inForce: Documents | null): string {
  if (isTransfer(payload)) return sentenceOf(payload);
  const motion = motionOf(payload);
  const documents = documentsOf(payload, inForce);
  switch (motion.verb) {
    case "FOUND":
      return "Founding";
    case "ENROLL":
      return enrolTitle(motion.change, documents);
    case "REMOVE":
      return removeTitle(motion.change);
    case "POLICY":
      return `Policy ${payload.policy.n + 1}${documents === null ? "" : `: ${changeCount(motion.change, documents)}`}`;
    case "ROTATE":
      return "New HSM identity";
    case "UNFREEZE":
      return `Lift the freeze of ${motion.change.vault ?? "everything"}`;
    case "RESTORE":
      return "Go on from an older record";
    case "DRILL":
      return `Drill for ${motion.change.vault}`;
  }
}

type Change<Verb extends Motion["verb"]> = Extract<Motion, { verb: Verb }>["change"];

function enrolTitle(change: Change<"ENROLL">, documents: Documents | null): string {
  const { name, roles, extension, file, device } = change;
  if (isNewPerson(change, documents)) return `Add ${name} as ${listWords(roles)}`;
  const things = [
    ...(extension === null ? [] : ["a browser"]),
    ...(device === null ? [] : ["a device"]),
    ...(file === null ? [] : ["a key file"]),
    ...(roles.length === 0 ? [] : [roleWords(roles)]),
  ];
  return `Add ${listWords(things)} for ${name}`;
}

/** Where the documents are not known any more, whoever gets roles together with a key is taken for new. */
function isNewPerson({ name, roles, extension, file }: Change<"ENROLL">, documents: Documents | null): boolean {
  if (documents === null) return roles.length > 0 && (extension ?? file) !== null;
  return !documents.people.members.some((member) => member.name === name);
}

function removeTitle({ name, removal }: Change<"REMOVE">): string {
  switch (removal.what) {
    case "person":
      return `Remove ${name}`;
    case "role":
      return `Take ${roleWords([removal.role])} from ${name}`;
    case "browser":
      return `Remove a browser of ${name}`;
    case "file":
      return `Remove a key file of ${name}`;
    case "device":
      return `Remove a device of ${name}`;
  }
}

function changeCount({ policy }: Change<"POLICY">, documents: Documents): string {
  const count = effectsOf(documents.policy, policy).length;
  return `${countWord(count)} change${count === 1 ? "" : "s"}`;
}

const COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** "no", "two", up to ten, then digits. */
export function countWord(count: number): string {
  return COUNTS[count] ?? String(count);
}

/** "the role admin", "the roles approver and admin". */
export function roleWords(roles: readonly Role[]): string {
  return `the role${roles.length === 1 ? "" : "s"} ${listWords(roles)}`;
}

/** The heading of the request's page: what is asked for. */
export function headingOf(payload: MotionRequest, inForce: Documents | null): string {
  switch (payload.verb) {
    case "FOUND":
      return "Found this custody: its people, its policy and its HSM";
    case "POLICY":
      return `Put policy ${payload.policy.n + 1} in force`;
    case "ROTATE":
      return "Trust a new HSM identity";
    case "RESTORE":
      return `Go on from an older record of the agent: ${payload.change.log.size} entries`;
    case "DRILL":
      return `Drill: sign something harmless for ${payload.change.vault}`;
    case "ENROLL":
    case "REMOVE":
    case "UNFREEZE":
      return titleOf(payload, inForce);
  }
}

/** What a removal takes away and what stays. */
export function removalWords({ name, removal }: Change<"REMOVE">): string {
  switch (removal.what) {
    case "person":
      return `${name} is cut off at once: roles, browsers, key files and devices. What ${name} approved and is still open does not count any more.`;
    case "role":
      return `${name} is no ${removal.role} any more, and keeps all else.`;
    case "browser":
      return `This browser of ${name} is cut off at once. ${name} keeps the devices, and can pair another browser.`;
    case "file":
      return "Whoever holds this key file cannot propose any more.";
    case "device":
      return `What this device signs does not count any more. Its address can never be another person's.`;
  }
}

/** What everybody must know of a recovery; empty where it is none. */
export function recoverySentence({ notBefore }: Pick<MotionRequest, "notBefore">): string {
  if (notBefore === null) return "";
  const { local, utc } = momentOf(notBefore);
  const moment = local.endsWith(" UTC") ? local : `${local} (${utc})`;
  return `This is a recovery: the people whom the policy names for it act instead of the admins. It takes effect at ${moment} at the earliest.`;
}
