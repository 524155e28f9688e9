import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";
import { fault } from "./testing-people.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a second agent is refused while the first answers, and may start after it", async () => {
  const path = join(folder, "agent.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await expect(claimSocket(path)).rejects.toMatchObject(fault("ERR_AGENT_RUNNING"));
  expect(existsSync(path)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  await claimSocket(path);
});

test("a socket that a killed agent left is removed", async () => {
  const path = join(folder, "left.sock");
  writeFileSync(path, "");
  await claimSocket(path);
  expect(existsSync(path)).toBe(false);
});

test("two that start at the same moment: the record itself is locked", () => {
  const path = join(folder, "agent.db");
  const first = new Journal(path);
  expect(() => new Journal(path)).toThrow(expect.objectContaining(fault("ERR_AGENT_RUNNING")));
  first.setMeta("key", "value");
  first.close();
  const second = new Journal(path);
  expect(second.meta("key")).toBe("value");
  second.close();
});
