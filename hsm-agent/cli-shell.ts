/** What the CLI's commands have in common: how they ask the agent, sign with a key file, propose a motion and follow a request. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import * as v from "valibot";
import type { Claims, MessageType } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { MOTION, type MotionMessage } from "../protocol/message.ts";
import { RoleSchema } from "../protocol/people.ts";
import type { Command as AgentCommand } from "./control.ts";
import { readKeyFile, signAsMember } from "./key-file.ts";
import { type Printable, type RequestView, RequestViewSchema } from "./print.ts";
import { StatusViewSchema } from "./print-status.ts";

/** Milliseconds between looks at a request that `--wait` waits for. */
const WAIT_STEP = 300;

/** What every command of the CLI works with. */
export interface Shell {
  /** Gives the agent a command. */
  readonly ask: (command: AgentCommand) => Promise<unknown>;
  /** Prints a result, for people or as JSON. */
  readonly out: (value: unknown, human: Printable) => void;
  /** Adds a subcommand with an example to its help. */
  readonly command: (parent: Command, name: string, description: string, example: string) => Command;
}
type Ask = Shell["ask"];

/** A message to the agent of this data folder, signed by the key in `file`. @throws Fault ERR_SECRET, ERR_USAGE */
export async function signFor<T extends Claims>(
  ask: Ask,
  file: string,
  type: MessageType<T>,
  body: Omit<T, keyof Claims>,
): Promise<string> {
  const signer = await readKeyFile(file);
  const { hsm } = v.parse(StatusViewSchema, await ask({ command: "status" }));
  return await signAsMember(type, signer, hsm.thumbprint, body);
}

/** The options of every command that proposes a motion. */
export interface MotionOptions {
  key: string;
  recovery?: boolean;
  wait?: boolean;
}

/** Adds `--key` and `--wait`. */
export function signed(command: Command): Command {
  return command.requiredOption("--key <file>", "your key file").option("--wait", "wait until it took effect or ended");
}

/** As `signed`, for what the recovery people may decide as well. */
export function recoverable(command: Command): Command {
  return signed(command).option("--recovery", "ask the recovery people of the policy, and not the admins");
}

/** Proposes a motion and returns its request, with `wait` once it has ended. */
export async function proposeMotion(
  ask: Ask,
  { key, recovery = false, wait = false }: MotionOptions,
  motion: MotionMessage["motion"],
): Promise<RequestView> {
  const jws = await signFor(ask, key, MOTION, { motion, recovery });
  const { request, created, warnings } = v.parse(MotionAnswerSchema, await ask({ command: "motion", jws }));
  if (!created) warn([`This was proposed already, as request ${request}.`]);
  warn(warnings);
  return await follow(ask, request, wait);
}

const MotionAnswerSchema = v.object({ request: v.string(), created: v.boolean(), warnings: v.array(v.string()) });

/** Warnings go to stderr, so that a result stays one value. */
export function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
}

/** A request as it stands; with `wait` once it has ended. */
export async function follow(ask: Ask, id: string, wait: boolean): Promise<RequestView> {
  for (;;) {
    const view = v.parse(RequestViewSchema, await ask({ command: "request.show", id }));
    if (!wait || !["proposed", "pending", "approved"].includes(view.state)) return view;
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP));
  }
}

/** `--role`, which may be given several times. */
export function roleOption(): Option {
  return new Option("--role <role...>", "what the person may do").choices(RoleSchema.options);
}

/** A whole number of an option. */
export function parseCount(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError("it must be a whole number.");
  return Number(text);
}

/** A file that a person wrote. @throws Fault ERR_USAGE */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new Fault("ERR_USAGE", `${path} cannot be read; name ${what}.`);
  }
}
