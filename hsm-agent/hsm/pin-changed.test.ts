/** The token's PIN is changed while the agent runs: it is refused once, and that PIN is not tried again. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startP11Kit } from "../../test/harness/p11-kit.ts";
import { makeSoftHsm } from "../../test/softhsm.ts";
import { openHsm } from "./owner.ts";

const USER = fileURLToPath(new URL("../../test/harness/token-user.ts", import.meta.url));

test("a signing thread with a login of its own is refused; the process is ended, and none is started", async () => {
  const soft = makeSoftHsm();
  // Of p11-kit's client each thread has a login of its own.
  const server = await startP11Kit(soft);
  const { module, tokenLabel, pin, pinFile } = soft;
  const newPinFile = `${pinFile}-new`;
  writeFileSync(newPinFile, randomBytes(8).toString("hex"));
  const change = (from: string, to: string) =>
    execFileSync(process.execPath, [USER, "change-pin", module, tokenLabel, from, to], {
      env: { ...process.env, ...soft.env },
    });
  const refused: unknown = expect.objectContaining({ code: "ERR_HSM_PIN" });
  const backoff = { first: 20, most: 20 };
  const token = { label: tokenLabel };
  const hsm = await openHsm({ module: server.module, token, pin, env: server.env, backoff, probe: 3_600_000 });
  try {
    const { id } = await hsm.generateKey({ curve: "secp256k1", label: "Treasury-1", backup: "none" });
    const sign = () => hsm.sign(id, randomBytes(32));
    change(pinFile, newPinFile);
    await expect(sign()).rejects.toEqual(refused);
    // It would be taken again; nobody tries.
    change(newPinFile, pinFile);
    await sleep(300);
    await expect(sign()).rejects.toEqual(refused);
    expect(hsm.health()).toMatchObject({ state: "down", restarts: 0, lastFault: { code: "ERR_HSM_PIN" } });
  } finally {
    await hsm.close();
    await server.dispose();
    soft.dispose();
  }
});
