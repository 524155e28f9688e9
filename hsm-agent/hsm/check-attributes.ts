/**
 * Steps of `opencustody hsm check`: each attribute that the agent tells a private key (keys.ts), and each that it reads back. Whether
 * a key with these answers is good enough is decided in keys.ts alone: the steps token-p256 and token-secp256k1 ask it.
 */

import { randomBytes } from "node:crypto";
import type { KeyPair } from "./check-module.ts";
import { inSession, makeAnyPair, refusal, type Subject, WORKS } from "./check-subject.ts";
import type { Answer, AttributeFacts, Tried } from "./check-wire.ts";
import type { Attribute, Session, Template } from "./pkcs11.ts";
import { isTemplateRefused } from "./rv.ts";

type Wanted = Readonly<Partial<Record<Attribute, boolean>>>;

/** What the agent tells a private key of each backup mode, besides CKA_TOKEN, CKA_ID and CKA_LABEL. A test compares it with keys.ts. */
export const TOLD: Readonly<Record<"none" | "wrap", Wanted>> = {
  none: {
    PRIVATE: true,
    SENSITIVE: true,
    SIGN: true,
    EXTRACTABLE: false,
    DERIVE: false,
    DECRYPT: false,
    UNWRAP: false,
    MODIFIABLE: false,
    COPYABLE: false,
  },
  wrap: {
    PRIVATE: true,
    SENSITIVE: true,
    SIGN: true,
    EXTRACTABLE: true,
    WRAP_WITH_TRUSTED: true,
    DERIVE: false,
    DECRYPT: false,
    UNWRAP: false,
    MODIFIABLE: false,
    COPYABLE: false,
  },
};

/** What the token says of a new key by itself. */
const FOUND: Readonly<Record<"none" | "wrap", Wanted>> = {
  none: { LOCAL: true, ALWAYS_SENSITIVE: true, NEVER_EXTRACTABLE: true },
  wrap: { LOCAL: true, ALWAYS_SENSITIVE: true, NEVER_EXTRACTABLE: false },
};

export async function checkAttributes(subject: Subject, backup: "none" | "wrap"): Promise<Answer<"attributes">> {
  return await inSession(subject, "read-only", async (session) => {
    const told = entries(TOLD[backup]);
    const refused = new Map<Attribute, string>();
    let generate: Tried = WORKS;
    let pair = await make(subject, session, Object.fromEntries(told)).catch((error: unknown) => {
      if (!isTemplateRefused(error)) throw error;
      return undefined;
    });
    if (pair === undefined) {
      // Not all of them together: so each by itself, and then all that pass.
      for (const [attribute, value] of told) {
        const alone = await tryPair(subject, session, { SIGN: true, [attribute]: value });
        if (!alone.works) refused.set(attribute, alone.reason);
      }
      const passed = Object.fromEntries(told.filter(([attribute]) => !refused.has(attribute)));
      try {
        pair = await make(subject, session, passed);
      } catch (error) {
        generate = refusal(error);
      }
    }
    const handle = pair?.privateKey;
    const look = (attribute: Attribute, wanted: boolean, wasTold: boolean): AttributeFacts => {
      const facts = { attribute, told: wasTold, wanted, read: null, reason: null };
      const reason = refused.get(attribute);
      if (reason !== undefined) return { ...facts, result: "refused", reason };
      if (handle === undefined) return { ...facts, result: "hidden", reason: "there is no key" };
      try {
        const read = subject.probe.read(session, handle, attribute).some((byte) => byte !== 0);
        return { ...facts, result: read === wanted ? "accepted" : "ignored", read };
      } catch (error) {
        const why = refusal(error);
        return { ...facts, result: "hidden", reason: why.works ? null : why.reason };
      }
    };
    return {
      generate,
      attributes: [
        ...told.map(([attribute, wanted]) => look(attribute, wanted, true)),
        ...entries(FOUND[backup]).map(([attribute, wanted]) => look(attribute, wanted, false)),
      ],
    };
  });
}

function entries(wanted: Wanted): [Attribute, boolean][] {
  return Object.entries(wanted) as [Attribute, boolean][];
}

async function make(subject: Subject, session: Session, template: Template): Promise<KeyPair> {
  return await makeAnyPair(subject, session, { ...template, ID: randomBytes(16), LABEL: subject.label });
}

async function tryPair(subject: Subject, session: Session, template: Template): Promise<Tried> {
  try {
    await make(subject, session, template);
    return WORKS;
  } catch (error) {
    return refusal(error);
  }
}
