/** The CLI's commands about policy, stops and the HSM identity. All but `show` and `freeze` are proposals by a key file. */
import { type Command, InvalidArgumentError } from "commander";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { CLOCK } from "../protocol/message.ts";
import { parsePolicy } from "../protocol/policy.ts";
import { fingerprint, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import {
  type MotionOptions,
  parseCount,
  proposeMotion,
  readText,
  recoverable,
  type Shell,
  signed,
  signFor,
} from "./cli-shell.ts";
import { show } from "./print.ts";

/** Adds `policy`, `freeze`, `unfreeze`, `drill`, `rotate` and `clock`. */
export function addGovernanceCommands(program: Command, shell: Shell): void {
  addPolicy(program, shell);
  addStops(program, shell);
  addRotate(program, shell);
  addClock(program, shell);
}

function addPolicy(program: Command, { ask, out, command }: Shell): void {
  const policy = command(program, "policy", "what is permitted, and who approves it", "opencustody policy show");
  command(policy, "show", "print the policy in force, or the one numbered N", "opencustody policy show 3")
    .argument("[n]", "its number", parseOrdinal)
    .action(async (n: number | undefined) => {
      out(await ask({ command: "policy.show", n: n ?? null }), show.document);
    });
  recoverable(
    command(
      policy,
      "propose <file>",
      "propose a new policy; it is what policy show prints, without n and digest",
      "opencustody policy propose policy.json --key olga.jwk",
    ),
  ).action(async (file: string, options: MotionOptions) => {
    const next = parsePolicy(readJson(file));
    out(await proposeMotion(ask, options, { verb: "POLICY", change: { policy: next } }), show.request);
  });
}

function addStops(program: Command, { ask, out, command }: Shell): void {
  command(
    program,
    "freeze [vault]",
    "stop a vault, or everything, at once; only the admins lift it",
    "opencustody freeze Treasury-1",
  ).action(async (vault: string | undefined) => {
    out(await ask({ command: "freeze", vault: vault ?? null }), show.freezes);
  });
  signed(
    command(
      program,
      "unfreeze [vault]",
      "propose to lift a stop",
      "opencustody unfreeze Treasury-1 --key olga.jwk --wait",
    ),
  ).action(async (vault: string | undefined, options: MotionOptions) => {
    out(await proposeMotion(ask, options, { verb: "UNFREEZE", change: { vault: vault ?? null } }), show.request);
  });
  signed(
    command(
      program,
      "drill <vault>",
      "ask a vault's approvers to sign something harmless, to see that enough of them can",
      "opencustody drill Treasury-1 --key olga.jwk --wait",
    ),
  ).action(async (vault: string, options: MotionOptions) => {
    out(await proposeMotion(ask, options, { verb: "DRILL", change: { vault } }), show.request);
  });
}

function addRotate(program: Command, { ask, out, command }: Shell): void {
  recoverable(
    command(program, "rotate", "make the next HSM identity and propose it", "opencustody rotate --key olga.jwk --wait"),
  ).action(async (options: MotionOptions) => {
    const { key } = v.parse(PreparedSchema, await ask({ command: "rotate.prepare" }));
    const view = await proposeMotion(ask, options, { verb: "ROTATE", change: { to: key } });
    // Taken of the key itself, which is what the admins approve.
    out({ ...view, fingerprint: fingerprint(thumbprint(key)) }, show.rotation);
  });
}

function addClock(program: Command, { ask, out, command }: Shell): void {
  const clock = command(program, "clock", "the agent's time", "opencustody clock confirm --key olga.jwk");
  command(
    clock,
    "confirm",
    "after a jump: say that the agent's time is right, so that a recovery can go on",
    "opencustody clock confirm --key olga.jwk",
  )
    .requiredOption("--key <file>", "your key file")
    .action(async (options: { key: string }) => {
      const jws = await signFor(ask, options.key, CLOCK, {});
      await ask({ command: "clock.confirm", jws });
      out(null, show.noted);
    });
}

const PreparedSchema = v.object({ key: PublicJwkSchema });

function parseOrdinal(text: string): number {
  const n = parseCount(text);
  if (n < 1) throw new InvalidArgumentError("policies are numbered from 1.");
  return n;
}

function readJson(path: string): unknown {
  const text = readText(path, "a policy file");
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("ERR_POLICY_DOCUMENT", `${path} is not JSON.`);
  }
}
