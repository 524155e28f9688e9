/**
 * The anchor: one small text in the token itself, by which a restored older record of the agent is noticed. Kept as data objects of
 * the form `v1 SEQUENCE TEXT`; the one with the highest sequence number counts.
 *
 * A data object's value cannot be changed, so a new object is made and read back before older ones go: at every moment one that
 * counts is there. Does not know what the text means, and says nothing of it in a fault. Holders of the PIN can write what they
 * like. Implements protocol/README.md, "Keys".
 */

import { Fault } from "../../protocol/error.ts";
import { DATA, type Module, type ObjectHandle, type Session, type Template } from "./pkcs11.ts";
import { isHandleDead, isTemplateRefused } from "./rv.ts";

const NAME: Template = {
  CLASS: DATA,
  // Kept by the token, not by the session.
  TOKEN: true,
  APPLICATION: "OpenCustody",
  LABEL: "OpenCustody anchor",
};

/** More than crashes can leave: each leaves one, and the next write takes all. A listing that is cut short could miss the highest. */
const MOST = 100;
/** One spelling for each pair of number and text; 15 digits, so that the number is exact. */
const FORM = /^v1 ([1-9][0-9]{0,14}) ([\x20-\x7e]{1,2048})$/;
const LAST = 999_999_999_999_999;

interface Anchor {
  readonly sequence: number;
  readonly text: string;
  readonly handle: ObjectHandle;
}

/**
 * The text of the newest anchor, undefined where the token has none. Nothing is awaited.
 * @throws Fault ERR_HSM_KEY_ATTRIBUTES for an anchor of another form or one that needs no login, ERR_HSM_KEY_AMBIGUOUS where two
 * texts have the highest number, ERR_HSM_DOWN where the login is lost: then private objects are hidden and none is not none.
 */
export function readAnchor(module: Module, session: Session): string | undefined {
  return newest(list(module, session))?.text;
}

/**
 * Makes `text` (1 to 2,048 printable ASCII characters, checked by the caller) the anchor, on a read-write session. When it
 * returns, the token has shown the new one and all others are gone. Nothing is awaited, so two writes of one process cannot mix. Its
 * number is `now`, in ms, and always above the last: a write that was given up and lands late comes below those after it.
 * @throws Fault as readAnchor, ERR_HSM_KEY_ATTRIBUTES where the token keeps something else, ERR_HSM_KEY_AMBIGUOUS where another
 * program wrote one in between. After a fault either text may be the newest.
 */
export function writeAnchor(module: Module, session: Session, text: string, now = Date.now()): void {
  const sequence = Math.max((newest(list(module, session))?.sequence ?? 0) + 1, now);
  if (sequence > LAST) throw new Fault("ERR_HSM_KEY_ATTRIBUTES", `The HSM's anchor has no number left. ${REMEDY}`);
  create(module, session, {
    ...NAME,
    // Hidden without a login; and only who is logged in can make one, so nobody else can outbid it.
    PRIVATE: true,
    // Replaced by a whole new one, never edited.
    MODIFIABLE: false,
    VALUE: Buffer.from(`v1 ${sequence} ${text}`, "latin1"),
  });
  const anchors = list(module, session);
  const last = newest(anchors);
  if (last !== undefined && last.sequence > sequence) {
    throw new Fault(
      "ERR_HSM_KEY_AMBIGUOUS",
      "Another program wrote the HSM's anchor at the same time; end all but one.",
    );
  }
  if (last === undefined || last.sequence !== sequence || last.text !== text) {
    throw new Fault("ERR_HSM_KEY_ATTRIBUTES", "The HSM does not show the anchor that it was given. Check the HSM.");
  }
  for (const { handle } of anchors) if (!handle.equals(last.handle)) destroy(module, session, handle);
}

function create(module: Module, session: Session, wanted: Template): void {
  try {
    module.create(session, wanted);
  } catch (error) {
    if (!isTemplateRefused(error)) throw error;
    // Some tokens do not take this one for data objects; nothing else may be left out.
    const { MODIFIABLE: _, ...less } = wanted;
    module.create(session, less);
  }
}

function destroy(module: Module, session: Session, handle: ObjectHandle): void {
  try {
    module.destroy(session, handle);
  } catch (error) {
    // Gone already, which is what was wanted.
    if (!isHandleDead(error)) throw error;
  }
}

/** Undefined for none. Two objects with the same number and text say the same, so either counts. */
function newest(anchors: readonly Anchor[]): Anchor | undefined {
  const [first, ...others] = anchors.toSorted((a, b) => b.sequence - a.sequence);
  if (others.some(({ sequence, text }) => sequence === first?.sequence && text !== first.text)) {
    throw new Fault("ERR_HSM_KEY_AMBIGUOUS", `The HSM has two anchors with the same number. ${REMEDY}`);
  }
  return first;
}

/** All anchors, each checked. Looks once more where one went away between search and reading: another program's write. */
function list(module: Module, session: Session): Anchor[] {
  try {
    return listOnce(module, session);
  } catch (error) {
    if (!isHandleDead(error)) throw error;
    return listOnce(module, session);
  }
}

function listOnce(module: Module, session: Session): Anchor[] {
  const handles = module.find(session, NAME, MOST + 1);
  // Asked after the search: a login that is still there now was there then.
  if (!module.isLoggedIn(session)) {
    throw new Fault("ERR_HSM_DOWN", "The HSM's login was lost; the agent connects to it anew with the next call.");
  }
  if (handles.length > MOST) {
    throw new Fault("ERR_HSM_KEY_AMBIGUOUS", `The HSM has more than ${MOST} anchors. ${REMEDY}`);
  }
  return handles.map((handle) => load(module, session, handle));
}

function load(module: Module, session: Session, handle: ObjectHandle): Anchor {
  if (!module.read(session, handle, "PRIVATE").some((byte) => byte !== 0)) {
    throw new Fault(
      "ERR_HSM_KEY_ATTRIBUTES",
      `The HSM has an anchor that needs no login, so anybody may have made it. ${REMEDY}`,
    );
  }
  const parts = FORM.exec(module.read(session, handle, "VALUE").toString("latin1"));
  const [, sequence, text] = parts ?? [];
  if (sequence === undefined || text === undefined) {
    throw new Fault(
      "ERR_HSM_KEY_ATTRIBUTES",
      `The HSM has an anchor of a form that this release does not know. ${REMEDY}`,
    );
  }
  return { sequence: Number(sequence), text, handle };
}

const REMEDY = 'Find out who made it, and remove the wrong data object "OpenCustody anchor" with the HSM\'s own tool.';
