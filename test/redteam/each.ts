/** A group of attacks as tests: one a row. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Group } from "./attack.ts";
import { conduct } from "./conduct.ts";

export function testGroup<Stage>(group: Group<Stage>): void {
  let stage: Stage | undefined;
  beforeAll(async () => {
    stage = await group.open();
  });
  afterAll(async () => {
    if (stage !== undefined) await group.close(stage);
  });
  test.each([...group.attacks])("$by: $what", async (attack) => {
    if (stage === undefined) throw new Error("the group's parts are not running");
    expect((await conduct(attack, stage)).faults).toEqual([]);
  });
}
