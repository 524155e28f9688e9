/**
 * The process of `opencustody hsm check` that has the module: answers one question at a time, and dies with its parent. A process of
 * its own, because a native call that hangs cannot be ended in a thread. The PIN comes in a message.
 */

import * as v from "valibot";
import { Fault, isFault } from "../../protocol/error.ts";
import { checkAttributes } from "./check-attributes.ts";
import { checkMechanisms, checkRandom, checkSessions } from "./check-facts.ts";
import { checkCurve, checkEd25519, checkSpeed } from "./check-keys.ts";
import { openProbe, type Probe, reasonOf } from "./check-module.ts";
import { checkAnchor, checkLeftovers, checkTokenKey, clean } from "./check-objects.ts";
import type { Subject } from "./check-subject.ts";
import { type Answer, type Cleanup, QUESTION, type Question, type Reply, type Step } from "./check-wire.ts";
import { checkTrusted, checkWrap } from "./check-wraps.ts";
import type { Token } from "./pkcs11.ts";
import { isLost } from "./rv.ts";

// Ctrl-C reaches the whole process group: the parent decides what is still to be done.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", die);

interface Begun extends Omit<Subject, "token"> {
  readonly choice: Extract<Question, { ask: "begin" }>["token"];
}
let begun: Begun | undefined;
let loggedIn = false;

process.on("message", (message) => {
  // The schema's own words could quote the PIN, so a message that does not fit gets none.
  const parsed = v.safeParse(QUESTION, message);
  if (!parsed.success) return die();
  Promise.resolve(parsed.output)
    .then(answer)
    .then(
      (value) => reply({ ok: true, value }),
      (error: unknown) => {
        reply({ ok: false, reason: reasonOf(error), lost: isLost(error) || isFault(error, "ERR_HSM_DOWN") });
      },
    );
});

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "begin": {
      const { module, token, label, ids } = question;
      const probe = openProbe(module);
      begun = { probe, choice: token, label, ids };
      return probe.library() satisfies Answer<"library">;
    }
    case "login":
      return login(question.pin);
    case "step":
      return await step(question.step);
    case "cleanup":
      return (await clean(subject())) satisfies Pick<Cleanup, "removed" | "left">;
  }
}

/** One attempt; pkcs11.ts refuses where one more wrong one would lock the token. The second login is of a PIN that was just right. */
function login(pin: string): Answer<"login"> {
  const { probe, token } = found();
  // Stays open: the token would log out with its last session.
  const keeper = probe.openSession(token, "read-only");
  probe.login(keeper, token, pin);
  loggedIn = true;
  return { second: probe.loginAgain(keeper, pin) };
}

async function step(name: Step): Promise<Answer<Step>> {
  switch (name) {
    case "library":
      return open().library();
    case "slots":
      return open().slots();
    case "token":
      return open().facts(found().token);
    case "mechanisms":
      return checkMechanisms(found());
    case "login":
      throw new Fault("ERR_INTERNAL", "a login without a PIN was asked for; please report it");
    case "leftovers":
      return await checkLeftovers(subject());
    case "random":
      return await checkRandom(subject());
    case "sessions":
      return await checkSessions(subject());
    case "p256":
      return await checkCurve(subject(), "P-256");
    case "secp256k1":
      return await checkCurve(subject(), "secp256k1");
    case "ed25519":
      return await checkEd25519(subject());
    case "attributes":
      return await checkAttributes(subject(), "none");
    case "backup-attributes":
      return await checkAttributes(subject(), "wrap");
    case "token-p256":
    case "token-secp256k1":
      return await checkTokenKey(subject(), name);
    case "anchor":
      return await checkAnchor(subject());
    case "speed":
      return await checkSpeed(subject());
    case "wrap-aes-kw":
    case "wrap-aes-kw-pad":
    case "wrap-aes-kwp":
    case "wrap-aes-gcm":
    case "wrap-aes-cbc-pad":
    case "wrap-rsa-oaep":
      return await checkWrap(subject(), name);
    case "trusted":
      return await checkTrusted(subject());
  }
}

function open(): Probe {
  return started().probe;
}

function found(): { probe: Probe; token: Token } {
  const { probe, choice } = started();
  return { probe, token: probe.findToken(choice) };
}

function subject(): Subject {
  if (!loggedIn) throw new Fault("ERR_INTERNAL", "nobody is logged in; please report it");
  const { probe, choice, label, ids } = started();
  return { probe, token: probe.findToken(choice), label, ids };
}

function started(): Begun {
  if (begun === undefined) throw new Fault("ERR_INTERNAL", "the check was not begun; please report it");
  return begun;
}

function reply(message: Reply): void {
  process.send?.(message, undefined, {}, (error) => {
    if (error !== null) die();
  });
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
