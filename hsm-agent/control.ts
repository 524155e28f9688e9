/**
 * The commands that the CLI gives a running agent: one JSON object over HTTP on a Unix socket of mode 0600 in the data folder.
 * Whoever can open that socket is the operator; proposals are signed by a member all the same. README.md, "The control socket".
 */
import { chmodSync } from "node:fs";
import { createServer, type Server } from "node:http";
import * as v from "valibot";
import { EthereumAddressSchema } from "../protocol/device-signature.ts";
import { describeIssue } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { RoleSchema } from "../protocol/message.ts";
import { NameSchema } from "../protocol/name.ts";
import { PublicJwkSchema, RequestIdSchema } from "../protocol/primitive.ts";
import { NetworkIdSchema } from "../protocol/request.ts";

const BODY_MAX = 262_144;
const RolesSchema = v.pipe(v.array(RoleSchema), v.minLength(1));
const NonceSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const JwsSchema = v.pipe(v.string(), v.maxLength(16_384));

function command<T extends string, E extends v.ObjectEntries>(name: T, entries: E) {
  return v.strictObject({ command: v.literal(name), ...entries });
}

const CommandSchema = v.variant("command", [
  command("status", {}),
  command("vault.create", {
    name: NameSchema,
    backup: v.picklist(["none", "wrap"]),
    nonces: v.array(v.strictObject({ network: NetworkIdSchema, nonce: NonceSchema })),
  }),
  command("vault.list", {}),
  command("invite", {
    name: NameSchema,
    roles: RolesSchema,
    hours: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(168)),
  }),
  command("members.list", {}),
  command("members.add", { name: NameSchema, roles: RolesSchema, key: PublicJwkSchema }),
  command("members.confirm", { name: NameSchema, address: EthereumAddressSchema }),
  command("policy.show", {}),
  command("policy.set", { policy: v.unknown() }),
  command("request.propose", { jws: JwsSchema }),
  command("request.cancel", { jws: JwsSchema }),
  command("request.list", {}),
  command("request.show", { id: RequestIdSchema }),
]);
export type Command = v.InferOutput<typeof CommandSchema>;

/** What the socket answers: the result of the command, or a code and a sentence. */
export type Answer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: string; readonly message: string } };

/** Serves commands at `path` until closed. */
export async function serveControl(path: string, run: (command: Command) => Promise<unknown>): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      // The rest is read and forgotten, so that the refusal reaches whoever sends it.
      if (size <= BODY_MAX) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on("end", () => {
      const body = size <= BODY_MAX ? Buffer.concat(chunks).toString("utf8") : undefined;
      void answer(body, run).then((reply) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify(reply));
      });
    });
  });
  const previous = process.umask(0o177);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  }).finally(() => process.umask(previous));
  chmodSync(path, 0o600);
  return server;
}

async function answer(body: string | undefined, run: (command: Command) => Promise<unknown>): Promise<Answer> {
  try {
    if (body === undefined) throw new Fault("ERR_USAGE", `A command is longer than ${BODY_MAX} bytes.`);
    const parsed = v.safeParse(CommandSchema, parseJson(body));
    if (!parsed.success) throw new Fault("ERR_USAGE", `The command does not fit: ${describeIssue(parsed.issues[0])}.`);
    return { result: await run(parsed.output) };
  } catch (error) {
    if (isFault(error)) return { error: { code: error.code, message: error.message } };
    return { error: { code: "ERR_INTERNAL", message: "The agent met an error of its own; its log has the details." } };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("ERR_USAGE", "The command is not JSON.");
  }
}
