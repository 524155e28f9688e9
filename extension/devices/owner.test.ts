import { expect, test } from "vitest";
import { DeviceTaken, withDevice, withDeviceIfFree } from "./owner.ts";

test("one owner: the second one is told who has it, and neither runs nor waits", async () => {
  const answer = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<void>();
  const first = withDevice("request A", async () => {
    begun.resolve();
    return await answer.promise;
  });
  await begun.promise;
  let ran = 0;
  const count = async () => void (ran += 1);
  for (const second of [withDevice("request B", count), withDeviceIfFree(count)]) {
    const fault: unknown = await second.catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DeviceTaken);
    expect(fault).toMatchObject({ outcome: "busy", use: "request A" });
  }
  answer.resolve("signed");
  expect(await first).toBe("signed");
  await withDevice("request B", count);
  expect(ran).toBe(1);
});

test("a click waits for a look that nobody asked for, and its fault stays its own", async () => {
  const look = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const looking = withDeviceIfFree(async () => {
    begun.resolve();
    await look.promise;
  });
  await begun.promise;
  const clicked = withDevice("request A", async () => await Promise.reject(new Error("its own")));
  look.resolve();
  await looking;
  await expect(clicked).rejects.toThrow("its own");
});
