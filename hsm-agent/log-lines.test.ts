import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openLog } from "./log-lines.ts";

function open(minute: number) {
  const lines: Record<string, unknown>[] = [];
  const log = openLog({ write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }, minute);
  return { log, lines, of: (msg: string) => lines.filter((line) => line["msg"] === msg) };
}

test("a flood of one text writes no more than so many lines, and hides no other text", () => {
  const { log, lines, of } = open(3_600_000);
  for (let n = 0; n < 10_000; n += 1) log.warn({ code: `ERR_${n}` }, "message refused");
  log.info("agent ready");
  log.error({ err: new Error("x") }, "request waits");
  expect(of("message refused")).toHaveLength(1_000);
  expect(lines).toHaveLength(1_002);
  expect(of("message refused")[0]).toMatchObject({ level: 40, code: "ERR_0" });
});

test("at the minute's end it says how many were left out, and begins anew", async () => {
  const { log, of } = open(20);
  for (let n = 0; n < 1_150; n += 1) log.warn("message refused");
  while (of("lines left out").length === 0) await sleep(5);
  expect(of("lines left out")).toEqual([expect.objectContaining({ text: "message refused", leftOut: 150 })]);
  log.warn("message refused");
  expect(of("message refused")).toHaveLength(1_001);
});
