/**
 * Steps of `opencustody hsm check` that put something into the token: two key pairs and two data objects, one at a time, each
 * destroyed in its step. Whatever stops a step, `clean` finds by label and id what is left, destroys it, and looks again.
 */

import { attempt, inSession, no, refusal, type Subject, WORKS } from "./check-subject.ts";
import type { Answer, Cleanup, Tried } from "./check-wire.ts";
import { findKey, generateKey } from "./keys.ts";
import { DATA, type ObjectHandle, PRIVATE_KEY, PUBLIC_KEY, type Session, type Template } from "./pkcs11.ts";
import type { Curve } from "./wire.ts";

/** Labels of all checks; the digits are random. */
const LABEL = /^OpenCustody check [0-9a-f]{16}$/;
/** As long as an anchor can be: `v1`, 15 digits, 2,048 characters, two spaces. */
const LONGEST_ANCHOR = 2067;
/** Objects that the search for leftovers reads; each costs a round trip. */
const MOST_LEFTOVERS = 1000;

/** A key pair of the token by the agent's own code: made, checked, found in another session, destroyed. */
export async function checkTokenKey(
  subject: Subject,
  step: "token-p256" | "token-secp256k1",
): Promise<Answer<"token-p256">> {
  const { probe, label } = subject;
  const curve: Curve = step === "token-p256" ? "P-256" : "secp256k1";
  const id = subject.ids[step];
  const made = await attempt(() =>
    inSession(subject, "read-write", (session) =>
      generateKey(probe, session, Buffer.from(id, "hex"), { curve, label, backup: "none" }),
    ),
  );
  const aside = no("not tried: there is no key");
  const found = made.works
    ? await attempt(() => inSession(subject, "read-only", (session) => findKey(probe, session, id)))
    : aside;
  const destroyed = await destroyAll(subject, { ID: Buffer.from(id, "hex") });
  return { made, found, destroyed: made.works ? destroyed : aside };
}

/** Data objects as anchor.ts makes them, under another name. */
export async function checkAnchor(subject: Subject): Promise<Answer<"anchor">> {
  const { probe, label } = subject;
  return await inSession(subject, "read-write", async (session) => {
    const value = Buffer.alloc(LONGEST_ANCHOR, "a");
    const template: Template = {
      CLASS: DATA,
      TOKEN: true,
      APPLICATION: "OpenCustody check",
      LABEL: label,
      PRIVATE: true,
      VALUE: value,
    };
    let handle: ObjectHandle | undefined;
    const made = await attempt(async () => {
      try {
        handle = probe.create(session, { ...template, MODIFIABLE: false });
      } catch (error) {
        // anchor.ts leaves this one out where a token does not take it for data objects.
        refusal(error);
        handle = probe.create(session, template);
      }
    });
    const aside = no("not tried: there is no object");
    if (handle === undefined) return { made, read: aside, changed: aside, destroyed: aside };
    const object = handle;
    let read: Tried = no("the value or CKA_PRIVATE reads otherwise than it was written");
    const shown = await attempt(() => {
      const isPrivate = probe.read(session, object, "PRIVATE").some((byte) => byte !== 0);
      if (isPrivate && probe.read(session, object, "VALUE").equals(value)) read = WORKS;
    });
    const changed = await attempt(() => {
      const other = probe.create(session, { ...template, MODIFIABLE: true });
      probe.change(session, other, { VALUE: Buffer.alloc(LONGEST_ANCHOR, "b") });
    });
    const destroyed = await destroyAll(subject, { LABEL: label });
    return { made, read: shown.works ? read : shown, changed, destroyed };
  });
}

/** Destroys what matches, and looks whether it is gone. */
async function destroyAll(subject: Subject, template: Template): Promise<Tried> {
  return await inSession(subject, "read-write", async (session) => {
    for (const handle of find(subject, session, template)) {
      const destroyed = await attempt(() => subject.probe.destroy(session, handle));
      if (!destroyed.works) return destroyed;
    }
    const left = find(subject, session, template).length;
    return left === 0 ? WORKS : no(`${left} objects are still there after they were destroyed`);
  });
}

function find({ probe }: Subject, session: Session, template: Template): ObjectHandle[] {
  return probe.find(session, { TOKEN: true, ...template }, 100);
}

/** Destroys all that this run put into the token, looks again, and names what it could not remove. */
export async function clean(subject: Subject): Promise<Pick<Cleanup, "removed" | "left">> {
  const searches: [string, Template][] = [
    [`label "${subject.label}"`, { LABEL: subject.label }],
    ...Object.values(subject.ids).map((id): [string, Template] => [`CKA_ID ${id}`, { ID: Buffer.from(id, "hex") }]),
  ];
  return await inSession(subject, "read-write", async (session) => {
    let removed = 0;
    for (const [, template] of searches) {
      for (const handle of find(subject, session, template)) {
        const destroyed = await attempt(() => subject.probe.destroy(session, handle));
        if (destroyed.works) removed += 1;
      }
    }
    const left = searches.filter(([, template]) => find(subject, session, template).length > 0).map(([name]) => name);
    return { removed, left };
  });
}

/** What earlier checks left behind: killed, or refused. Another check may be running, so nothing of it is removed here. */
export async function checkLeftovers(subject: Subject): Promise<Answer<"leftovers">> {
  const { probe } = subject;
  return await inSession(subject, "read-only", (session) =>
    [PRIVATE_KEY, PUBLIC_KEY, DATA].flatMap((kind) =>
      probe.find(session, { TOKEN: true, CLASS: kind }, MOST_LEFTOVERS).flatMap((handle) => {
        const label = text(subject, session, handle);
        if (label === subject.label || !LABEL.test(label)) return [];
        return [{ label, id: kind === DATA ? "" : probe.read(session, handle, "ID").toString("hex") }];
      }),
    ),
  );
}

/** Somebody else's object may go away between search and reading. */
function text({ probe }: Subject, session: Session, handle: ObjectHandle): string {
  try {
    return probe.read(session, handle, "LABEL").toString("utf8");
  } catch (error) {
    refusal(error);
    return "";
  }
}
