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

/** Numbers only: what a name stands for is not ours to say. */
const LoopbackSchema = v.pipe(
  v.string(),
  v.regex(
    /^(127(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|::1)$/,
    "must be an address of this machine only, 127.0.0.1 or ::1",
  ),
);
/** 0 lets the system choose. */
const PortSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(65_535));

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
    /** Folder in which a token of software (SoftHSM) keeps its files: made durable after a key was made. */
    files: v.optional(PathSchema),
  }),
  bridge: v.strictObject({
    /** As the approvers' browsers know it. */
    url: BridgeUrlSchema,
    /** Where to dial instead, when the agent reaches the bridge by another way. */
    dial: v.optional(BridgeUrlSchema),
  }),
  /** Where health and metrics are served; off where it is missing. */
  health: v.optional(
    v.union([
      v.strictObject({ host: LoopbackSchema, port: PortSchema }),
      /** A Unix socket of mode 0600. */
      v.strictObject({ socket: PathSchema }),
    ]),
  ),
  backup: v.optional(
    v.strictObject({
      /** Where backups of the record are kept. */
      folder: PathSchema,
    }),
  ),
});
export type Config = v.InferOutput<typeof ConfigSchema>;
/** Where health and metrics are served. */
export type HealthAddress = NonNullable<Config["health"]>;

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

/** Relative paths are meant from the file's own folder, wherever the command is run. A module's is for the loader. */
function anchor(config: Config, folder: string): Config {
  const { hsm, health, backup } = config;
  const at = (path: string) => resolve(folder, path);
  return {
    ...config,
    data: at(config.data),
    hsm: {
      ...hsm,
      pin: "file" in hsm.pin ? { file: at(hsm.pin.file) } : hsm.pin,
      ...(hsm.files === undefined ? {} : { files: at(hsm.files) }),
    },
    ...(health !== undefined && "socket" in health ? { health: { socket: at(health.socket) } } : {}),
    ...(backup === undefined ? {} : { backup: { folder: at(backup.folder) } }),
  };
}

/** The control socket of an agent. */
export function socketPath(config: Config): string {
  return resolve(config.data, "agent.sock");
}
