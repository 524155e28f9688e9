/**
 * Reads the token's PIN from where the operator keeps it: a file, an open descriptor, or the keyboard.
 *
 * Never from an argument or the environment, which other processes can read. The PIN is in no error and no log. Implements
 * README.md, "Configure".
 */

import { closeSync, constants, createReadStream, fstatSync, openSync, readFileSync } from "node:fs";
import { Fault } from "../../protocol/error.ts";

/** Exactly one of the three. */
export type PinSource = { readonly file: string } | { readonly descriptor: number } | { readonly prompt: true };

/** The parts of process.stdin and process.stderr that a prompt needs. */
export interface Terminal {
  readonly input: Pick<NodeJS.ReadStream, "isTTY" | "setRawMode" | "resume" | "pause" | "on" | "off">;
  readonly output: Pick<NodeJS.WritableStream, "write">;
}

const LONGEST = 1024;
// stdout is for what a program prints with --json.
const TERMINAL: Terminal = { input: process.stdin, output: process.stderr };

/** The PIN without its trailing newline. ERR_SECRET, with what to do, where it cannot be had safely. */
export async function readPin(source: PinSource, terminal = TERMINAL): Promise<string> {
  if ("file" in source) return check(readPrivateFile(source.file), `The PIN file ${source.file}`);
  if ("descriptor" in source) {
    return check(await readDescriptor(source.descriptor), `Descriptor ${source.descriptor}`);
  }
  return check(await ask(terminal), "The PIN that was typed");
}

function readPrivateFile(path: string): Buffer {
  let file: number;
  try {
    // Without waiting: opening a named pipe would otherwise hang until somebody writes.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new Fault("ERR_SECRET", `The PIN file ${path} cannot be read (${reason}). Check hsm.pin.file.`);
  }
  try {
    // Of the open file, not of the path: what is checked is what is read.
    const status = fstatSync(file);
    if (!status.isFile()) throw new Fault("ERR_SECRET", `The PIN file ${path} is not a regular file.`);
    if ((status.mode & 0o077) !== 0) {
      throw new Fault("ERR_SECRET", `Others can reach the PIN file ${path}. Run: chmod 600 ${path}`);
    }
    if (status.size > LONGEST) throw new Fault("ERR_SECRET", `The PIN file ${path} is too long to be a PIN.`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

async function readDescriptor(descriptor: number): Promise<Buffer> {
  const unreadable = `Descriptor ${descriptor} cannot be read. Open it for the agent, as in: opencustody agent 3< pin`;
  if (!Number.isInteger(descriptor) || descriptor < 0) throw new Fault("ERR_SECRET", unreadable);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream("", { fd: descriptor }) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > LONGEST) break;
    }
  } catch {
    throw new Fault("ERR_SECRET", unreadable);
  }
  return Buffer.concat(chunks);
}

function ask({ input, output }: Terminal): Promise<Buffer> {
  if (!input.isTTY) {
    const sentence = "There is no terminal to ask for the PIN. Set hsm.pin.file or hsm.pin.descriptor.";
    return Promise.reject(new Fault("ERR_SECRET", sentence));
  }
  return new Promise((resolve, reject) => {
    const typed: string[] = [];
    const finish = (settle: () => void) => {
      input.off("data", read);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      settle();
    };
    const read = (data: Buffer) => {
      for (const key of data.toString("utf8")) {
        if (key === "\r" || key === "\n") return finish(() => resolve(Buffer.from(typed.join(""))));
        if (key === CTRL_C || key === CTRL_D) {
          return finish(() => reject(new Fault("ERR_SECRET", "The PIN was not given.")));
        }
        if (key === "\x7f" || key === "\b") typed.pop();
        else typed.push(key);
      }
    };
    output.write("PIN of the HSM token: ");
    // Raw mode is what turns the echo off.
    input.setRawMode(true);
    input.on("data", read);
    input.resume();
  });
}

const CTRL_C = "\x03";
const CTRL_D = "\x04";

function check(raw: Buffer, where: string): string {
  const pin = raw.toString("utf8").replace(/\r?\n$/, "");
  if (pin === "") throw new Fault("ERR_SECRET", `${where} is empty.`);
  if (pin.length > LONGEST) throw new Fault("ERR_SECRET", `${where} is too long to be a PIN.`);
  // A second line or a control character is a mistake that would cost one of the token's few tries.
  if (/\p{Cc}/u.test(pin)) throw new Fault("ERR_SECRET", `${where} has more than one line, or control characters.`);
  return pin;
}
