/**
 * The bridge's configuration file: JSON, closed world, every complaint names its path in the file.
 * Holds places and keys, and how many may connect; other limits are not configurable (server.ts states them). README.md, "Configure the bridge".
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { EXTENSION_ID } from "../protocol/extension-id.ts";
import { BridgeUrlSchema } from "../protocol/invite.ts";
import { hexOf, thumbprintOfFingerprint } from "../protocol/primitive.ts";

/** Stands for every Firefox installation: each has a random origin of its own, so the scheme is all that can be fixed. */
export const ANY_FIREFOX = "moz-extension:*";

const DEFAULT_ORIGINS = [`chrome-extension://${EXTENSION_ID}`, ANY_FIREFOX];

const HostSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9.:-]{1,253}$/, "must be a host name or an address"));
const PathSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
/** 0 lets the system choose; the port chosen is in the log line "listening". */
const PortSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(65_535));
const AddressSchema = v.strictObject({ host: HostSchema, port: PortSchema });

const OriginSchema = v.pipe(
  v.string(),
  v.regex(
    /^(chrome-extension:\/\/[a-p]{32}|moz-extension:\/\/[0-9a-f-]{36}|moz-extension:\*)$/,
    "must be chrome-extension://<id>, moz-extension://<uuid> or moz-extension:*",
  ),
);

/**
 * Where a proxy is in front, all clients come from its address, and share the bound on those that have not logged in. With
 * this they are told apart by what the proxy adds to the header. To be named only where nobody reaches the bridge past the
 * `trusted` proxies, and each of them appends to the header: it would believe whatever the header says.
 */
const ProxySchema = v.strictObject({
  header: v.literal("x-forwarded-for", "must be x-forwarded-for"),
  trusted: v.pipe(
    v.number(),
    v.safeInteger(),
    v.minValue(1, "is the number of proxies, at least 1"),
    v.maxValue(8, "is the number of proxies, at most 8"),
  ),
});

/** At 12 KiB for an idle connection the default is some 120 MiB. Each takes a file descriptor. */
const ConnectionsSchema = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(1, "is how many may connect, at least 1"),
  v.maxValue(50_000, "is how many may connect, at most 50000"),
);

const ConfigSchema = v.strictObject({
  url: BridgeUrlSchema,
  listen: AddressSchema,
  data: PathSchema,
  agents: v.pipe(
    v.array(hexOf(32)),
    v.minLength(1, "must name at least one agent: the 64 hex digits of its HSM identity's fingerprint"),
    v.maxLength(64),
  ),
  origins: v.optional(v.pipe(v.array(OriginSchema), v.minLength(1), v.maxLength(16)), DEFAULT_ORIGINS),
  connections: v.optional(ConnectionsSchema, 10_000),
  health: v.optional(v.union([AddressSchema, v.strictObject({ socket: PathSchema })])),
  proxy: v.optional(ProxySchema),
});

/** Where the health endpoint listens. */
export type HealthAddress = { readonly host: string; readonly port: number } | { readonly socket: string };

/** A configuration that was read and found whole. */
export interface BridgeConfig {
  /** The URL that clients are configured with: `aud` of a login, and the path and Host of an upgrade. */
  readonly url: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Absolute folder. */
  readonly data: string;
  /** Thumbprints (base64url) of the HSM identities that this bridge serves. */
  readonly agents: readonly string[];
  readonly origins: readonly string[];
  /** How many may be connected at a time. */
  readonly connections: number;
  /** undefined: off. */
  readonly health: HealthAddress | undefined;
  /** How many proxies in front append to X-Forwarded-For; 0: it is not looked at. */
  readonly trustedProxies: number;
}

/**
 * Reads the configuration file at `path`. Relative paths in it are relative to its folder.
 * @throws Fault ERR_CONFIG
 */
export function readConfig(path: string): BridgeConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("ERR_CONFIG", `The configuration file ${path} cannot be read; name it with --config.`, { cause });
  }
  return parseConfig(text, path);
}

/** @throws Fault ERR_CONFIG */
export function parseConfig(text: string, path: string): BridgeConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault("ERR_CONFIG", `The configuration file ${path} is not JSON; correct it.`, { cause });
  }
  const parsed = v.safeParse(ConfigSchema, value);
  if (!parsed.success) {
    throw new Fault("ERR_CONFIG", `In the configuration file ${path}, ${complaint(parsed.issues[0])}.`);
  }
  const { url, listen, data, agents, origins, connections, health, proxy } = parsed.output;
  const folder = dirname(resolve(path));
  return {
    url,
    listen,
    data: resolve(folder, data),
    agents: agents.map(thumbprintOfFingerprint),
    origins,
    connections,
    health: health !== undefined && "socket" in health ? { socket: resolve(folder, health.socket) } : health,
    trustedProxies: proxy?.trusted ?? 0,
  };
}

function complaint(issue: v.BaseIssue<unknown>): string {
  const at = v.getDotPath(issue) ?? "the whole";
  if (issue.expected === "never") return `${at}: is not a known key`;
  if (issue.received === "undefined") return `${at}: is missing`;
  return `${at}: ${issue.message}`;
}
