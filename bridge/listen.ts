/** Starting a server on an address of the configuration, with a sentence where that fails. */
import type { Server } from "node:net";
import { Fault } from "../protocol/error.ts";

/**
 * Resolves with the port once `server` listens (0 for a Unix socket).
 * @throws Fault ERR_CONFIG
 */
export async function listen(server: Server, at: { host: string; port: number } | { path: string }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const where = "path" in at ? at.path : `${at.host} port ${at.port}`;
      reject(
        new Fault("ERR_CONFIG", `The bridge cannot listen on ${where}; is it taken, or not of this machine?`, {
          cause,
        }),
      );
    });
    server.listen(at, resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
