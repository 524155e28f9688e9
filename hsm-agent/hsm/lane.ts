/**
 * A lane: one thread of the HSM child that does nothing but sign, on a session of its own, one request after the other from its pipe.
 * It blocks while it waits and while the module works, and its process can be killed all the same.
 *
 * Decides nothing and logs nothing. A request that does not fit ends the process.
 */
import { readSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Fault, isFault } from "../../protocol/error.ts";
import { encodeAnswer, type LaneAnswer, parseRequests, type Request } from "./lane-wire.ts";
import { callsOf, guard, loadBinding, type Module, type TokenChoice } from "./pkcs11.ts";
import { Pool } from "./pool.ts";

/** What a lane is started with: by child.ts, in the same process. */
export interface LaneStart {
  /** Its end of the pipe. */
  readonly descriptor: number;
  readonly module: string;
  readonly token: TokenChoice;
  readonly pin: string;
}

/** What it says once, to child.ts: that it reads, or, in a sentence, that the token refused the PIN. Any other fault ends the process. */
export type LaneWord = "ready" | { readonly refused: string };

const MOST_BYTES = 4_096;
const CKM_ECDSA = 0x1041;

const { descriptor, module: path, token: choice, pin } = workerData as LaneStart;
const pool = join();
say(pool instanceof Fault ? { refused: pool.message } : "ready");
if (pool instanceof Pool) await serve(pool);

function say(word: LaneWord): void {
  parentPort?.postMessage(word);
}

/** Most modules are one in a process, its login too; of some (p11-kit's client) each thread that loads them has its own. */
function join(): Pool | Fault {
  const module = openHere();
  const token = module.findToken(choice);
  const session = module.openSession(token, "read-only");
  const isShared = module.isLoggedIn(session);
  module.closeSession(session);
  try {
    return new Pool(module, token, isShared ? undefined : pin, 1);
  } catch (error) {
    if (isFault(error, "ERR_HSM_PIN")) return error;
    throw error;
  }
}

/** Signing blocks this thread: handing each call to another one costs a tenth of a signature. */
function openHere(): Module {
  const raw = loadBinding(path, "beside");
  return {
    ...callsOf(raw),
    sign: async (session, key, digest) => {
      guard("C_SignInit", () => raw.C_SignInit(session, { mechanism: CKM_ECDSA }, key));
      return guard("C_Sign", () => raw.C_Sign(session, Buffer.from(digest), Buffer.alloc(256)));
    },
  };
}

async function serve(from: Pool): Promise<void> {
  const input = Buffer.alloc(MOST_BYTES);
  let kept = 0;
  for (;;) {
    const read = readSync(descriptor, input, kept, input.length - kept, null);
    const parsed = parseRequests(input.subarray(0, kept + read));
    // The parent is gone, or not what it should be.
    if (read === 0 || parsed === undefined) return die();
    for (const request of parsed.frames) send(encodeAnswer(await answer(from, request)));
    kept = parsed.rest.copy(input);
  }
}

async function answer(from: Pool, request: Request): Promise<LaneAnswer> {
  const { number } = request;
  try {
    if (request.kind === "sign") {
      return { number, kind: "signed", signature: await from.sign(request.key, request.digest) };
    }
    from.reopen();
    return { number, kind: "reopened" };
  } catch (error) {
    const mistake = new Fault("ERR_INTERNAL", "The HSM process made a mistake; please report it.");
    return { number, kind: "failed", fault: error instanceof Fault ? error : mistake };
  }
}

function send(bytes: Buffer): void {
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(descriptor, bytes, sent);
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
