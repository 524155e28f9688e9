/** The HSM that tests kill keeps its token, as a real one does. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startP11Kit } from "./harness/p11-kit.ts";
import { makeSoftHsm } from "./softhsm.ts";

const USER = fileURLToPath(new URL("harness/token-user.ts", import.meta.url));
const KILLS = 12;

test("killed while somebody logs in, it has its token still", { timeout: 120_000 }, async () => {
  const soft = makeSoftHsm();
  const server = await startP11Kit(soft);
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const env = { ...process.env, ...server.env };
      const client = fork(USER, ["logins", server.module, soft.tokenLabel, soft.pinFile], { env, silent: true });
      const exited = once(client, "exit");
      const found = await Promise.race([once(client, "message"), exited.then(() => undefined)]);
      expect(found, `after ${kill} kills the token is gone`).toBeDefined();
      await sleep(20 + kill);
      await server.kill();
      client.kill("SIGKILL");
      await exited;
      await server.start();
    }
  } finally {
    await server.dispose();
    soft.dispose();
  }
});
