/**
 * The commands that the CLI gives a running agent: one JSON object over HTTP on a Unix socket of mode 0600 in the data folder.
 * Whoever can open that socket is the operator, who can read, make vault keys and freeze; all else is signed by a member's key file. README.md, "The control socket".
 */
import { chmodSync } from "node:fs";
import { createServer, type Server } from "node:http";
import * as v from "valibot";
import { describeIssue } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { NameSchema } from "../protocol/name.ts";
import { NetworkIdSchema } from "../protocol/network.ts";
import { OrdinalSchema, RequestIdSchema } from "../protocol/primitive.ts";
import { WordsSchema } from "../protocol/words.ts";

const BODY_MAX = 262_144;
/** A message signed by a key file; the longest carries a whole policy (POLICY_MAX). */
const JwsSchema = v.pipe(v.string(), v.maxLength(65_536));
const NonceSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** `wrap`: only by a wrapping key that the security officer marked as trusted. */
export const BackupSchema = v.picklist(["none", "wrap"]);
/** The next nonce of a vault's account on each network that it is to be used on. */
export const NoncesSchema = v.pipe(
  v.array(v.strictObject({ network: NetworkIdSchema, nonce: NonceSchema })),
  v.check((rows) => new Set(rows.map(({ network }) => network)).size === rows.length, "a network stands twice"),
);

function command<T extends string, E extends v.ObjectEntries>(name: T, entries: E) {
  return v.strictObject({ command: v.literal(name), ...entries });
}

/** What is signed by a key file (`jws`) changes something; what is not reads, stops, or belongs to the founding. */
const CommandSchema = v.variant("command", [
  command("status", {}),
  /** Asks everybody for the founding again, after it was rejected or expired. */
  command("found", {}),
  command("invite", { jws: JwsSchema }),
  /** Only before the founding, where there is no inviter but the operator. */
  command("pairing.confirm", { name: NameSchema, words: WordsSchema }),
  command("pairing.vouch", { jws: JwsSchema }),
  command("members.list", {}),
  command("motion", { jws: JwsSchema }),
  command("vault.create", { name: NameSchema, backup: BackupSchema, nonces: NoncesSchema }),
  command("vault.list", {}),
  /** The first nonce of a further network. */
  command("vault.nonce", { name: NameSchema, network: NetworkIdSchema, nonce: NonceSchema }),
  /** null: the policy in force. */
  command("policy.show", { n: v.nullable(OrdinalSchema) }),
  /** Before the founding: another invite for a founder, whose first was lost, stolen or spoilt. */
  command("found.invite", { name: NameSchema }),
  /** The agent's clock is right, says somebody who may propose. */
  command("clock.confirm", { jws: JwsSchema }),
  /** null: everything. */
  command("freeze", { vault: v.nullable(NameSchema) }),
  /** Makes the next identity key in the HSM, or returns the one made before. */
  command("rotate.prepare", {}),
  /** Writes a backup of the record to a file that is not there yet. */
  command("backup", { path: v.pipe(v.string(), v.startsWith("/"), v.maxLength(4096)) }),
  /** What a RESTORE would have to name. */
  command("restore.show", {}),
  command("request.propose", { jws: JwsSchema }),
  command("request.cancel", { jws: JwsSchema }),
  command("request.list", {}),
  command("request.show", { id: RequestIdSchema }),
  /** One request with everything that it rests on (proof.ts). */
  command("proof.export", { id: RequestIdSchema }),
  /** The whole log, page by page (log-verify.ts). */
  command("log.head", {}),
  command("log.page", { from: NonceSchema }),
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
