import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isFault } from "../../protocol/error.ts";
import { readPin, type Terminal } from "./pin.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-pin-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECRET = "s3cret-1234";

function pinFile(content: string, mode = 0o600): string {
  const path = join(folder, "pin");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

async function refusal(promise: Promise<string>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isFault(error, "ERR_SECRET")) throw new Error("expected ERR_SECRET");
  expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain(SECRET);
  return error.message;
}

test.each([
  [SECRET, SECRET],
  [`${SECRET}\n`, SECRET],
  [`${SECRET}\r\n`, SECRET],
  [` ${SECRET} \n`, ` ${SECRET} `],
])("the file %j holds the PIN %j", async (content, pin) => {
  expect(await readPin({ file: pinFile(content) })).toBe(pin);
  expect(await readPin({ file: pinFile(content, 0o400) })).toBe(pin);
});

test.each([0o640, 0o604, 0o620, 0o601, 0o777])("a file of mode %i is refused", async (mode) => {
  const path = pinFile(SECRET, mode);
  expect(await refusal(readPin({ file: path }))).toContain(`chmod 600 ${path}`);
});

test.each([
  ["", "empty"],
  ["\n", "empty"],
  [`${SECRET}\n\n`, "more than one line"],
  [`${SECRET}\nsecond`, "more than one line"],
  [`${SECRET}\0`, "control characters"],
  [SECRET.repeat(200), "too long"],
])("the content %j is refused as %s", async (content, sentence) => {
  expect(await refusal(readPin({ file: pinFile(content) }))).toContain(sentence);
});

test("a file that is missing, a folder and a named pipe are refused without waiting", async () => {
  expect(await refusal(readPin({ file: join(folder, "none") }))).toContain("ENOENT");
  expect(await refusal(readPin({ file: folder }))).toContain("not a regular file");
  const pipe = join(folder, "pipe");
  expect(spawnSync("mkfifo", ["-m", "600", pipe]).status).toBe(0);
  expect(await refusal(readPin({ file: pipe }))).toContain("not a regular file");
});

test("a descriptor is read to its end", async () => {
  expect(await readPin({ descriptor: openSync(pinFile(`${SECRET}\n`), "r") })).toBe(SECRET);
});

test("a descriptor that is not open is refused", async () => {
  const descriptor = openSync(pinFile(SECRET), "r");
  closeSync(descriptor);
  expect(await refusal(readPin({ descriptor }))).toContain("cannot be read");
  expect(await refusal(readPin({ descriptor: -1 }))).toContain("cannot be read");
});

/** A terminal on which `keys` are typed as soon as somebody reads; it echoes, as terminals do, unless it is raw. */
function typing(keys: string) {
  const seen: string[] = [];
  const modes: boolean[] = [];
  let read: ((data: Buffer) => void) | undefined;
  const input = {
    isTTY: true,
    setRawMode: (raw: boolean) => modes.push(raw),
    on: (_: string, listener: (data: Buffer) => void) => {
      read = listener;
    },
    off: () => {
      read = undefined;
    },
    resume: () => {
      if (modes.at(-1) !== true) seen.push(keys);
      for (const key of keys) read?.(Buffer.from(key));
    },
    pause: () => {},
  };
  const output = { write: (text: string) => seen.push(text) };
  return { terminal: { input, output } as unknown as Terminal, seen, modes };
}

test("a prompt shows nothing of what is typed and gives the terminal back", async () => {
  const { terminal, seen, modes } = typing(`x\x7f${SECRET}\r`);
  expect(await readPin({ prompt: true }, terminal)).toBe(SECRET);
  expect(seen.join("")).toBe("PIN of the HSM token: \n");
  expect(modes).toEqual([true, false]);
});

test("Ctrl-C at the prompt gives up and gives the terminal back", async () => {
  const { terminal, modes } = typing(`${SECRET}\x03`);
  expect(await refusal(readPin({ prompt: true }, terminal))).toContain("not given");
  expect(modes).toEqual([true, false]);
});

test("without a terminal the sentence says what to set", async () => {
  const { terminal } = typing("");
  const piped = { ...terminal, input: { ...terminal.input, isTTY: false } } as unknown as Terminal;
  expect(await refusal(readPin({ prompt: true }, piped))).toContain("hsm.pin.file");
});
