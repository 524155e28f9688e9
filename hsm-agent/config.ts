/**
 * The agent's configuration file: JSON, closed world, every complaint names its path. It holds paths, sockets and where the
 * PIN is, and nothing that a statement's words depend on: that is in the governed policy. README.md, "Configure".
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { describeIssue } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { BridgeUrlSchema } from "../protocol/invite.ts";

const PathSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const LabelSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(64));

const ConfigSchema = v.strictObject({
  /** Folder of the record and of the control socket; made with mode 0700. */
  data: PathSchema,
  hsm: v.strictObject({
    /** The PKCS#11 module, a shared library. */
    module: PathSchema,
    token: v.union([v.strictObject({ label: LabelSchema }), v.strictObject({ serial: LabelSchema })]),
    pin: v.union([
      v.strictObject({ file: PathSchema }),
      v.strictObject({ descriptor: v.pipe(v.number(), v.safeInteger(), v.minValue(3)) }),
      v.strictObject({ prompt: v.literal(true) }),
    ]),
  }),
  bridge: v.strictObject({
    /** As the approvers' browsers know it. */
    url: BridgeUrlSchema,
    /** Where to dial instead, when the agent reaches the bridge by another way. */
    dial: v.optional(BridgeUrlSchema),
  }),
});
export type Config = v.InferOutput<typeof ConfigSchema>;

/** @throws Fault ERR_CONFIG naming the file and the path in it */
export function readConfig(path: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is not JSON${placeOf(cause)}` : "cannot be read";
    throw new Fault("ERR_CONFIG", `The configuration ${path} ${why}; name another with --config FILE.`);
  }
  const parsed = v.safeParse(ConfigSchema, value);
  if (!parsed.success)
    throw new Fault("ERR_CONFIG", `The configuration ${path} does not fit: ${describeIssue(parsed.issues[0])}.`);
  return anchor(parsed.output, dirname(resolve(path)));
}

/** Where it stops being JSON, without the engine's quote from the file: somebody may have named their PIN file. */
function placeOf(error: SyntaxError): string {
  const place = /\(line [0-9]+ column [0-9]+\)/.exec(error.message);
  return place === null ? "" : ` ${place[0]}`;
}

/** Relative paths are meant from the file's own folder, wherever the command is run. */
function anchor(config: Config, folder: string): Config {
  const { pin } = config.hsm;
  return {
    ...config,
    data: resolve(folder, config.data),
    hsm: { ...config.hsm, pin: "file" in pin ? { file: resolve(folder, pin.file) } : pin },
  };
}

/** The control socket of an agent. */
export function socketPath(config: Config): string {
  return resolve(config.data, "agent.sock");
}
