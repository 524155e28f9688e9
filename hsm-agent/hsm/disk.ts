/**
 * Makes the files of a software token durable: some modules (SoftHSM) write a key and never sync it, so a power cut could take a key
 * whose address is already published.
 *
 * Syncs what stands in one folder, and nothing outside it: symbolic links are neither followed nor opened. Knows nothing of what
 * the files mean. README.md, "Configure": hsm.files.
 */
import { constants, promises } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../protocol/error.ts";

/** A file's clock moves in steps: one that was written so shortly before it was looked at may be written again unseen. Milliseconds. */
const SETTLED = 2_000;

export class Disk {
  readonly #folder: string;
  /** What each file was when it was last synced; a file that is still that needs no sync. */
  #synced = new Map<string, string>();
  #running: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Resolves when all that stood in the folder when this was called is on the disk, the names in the folders too. Rejects with
   * ERR_HSM_DOWN where the disk failed, ERR_HSM_CONFIG where there is no such folder.
   */
  sync(): Promise<void> {
    const done = this.#running.then(() => this.#sync());
    this.#running = done.catch(() => {});
    return done;
  }

  async #sync(): Promise<void> {
    const synced = new Map<string, string>();
    try {
      if (!(await promises.lstat(`${this.#folder}/.`)).isDirectory()) throw new Error("not a folder");
    } catch {
      throw new Fault("ERR_HSM_CONFIG", `The folder ${this.#folder} cannot be read. Correct hsm.files.`);
    }
    try {
      // With the dot, the folder that hsm.files names may itself be a link; what is in it may not.
      await this.#syncFolder(`${this.#folder}/.`, synced);
    } catch (error) {
      // What the system said of a file is not known any more after a failed sync: all of them are synced again.
      this.#synced = new Map();
      const reason = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
      throw new Fault(
        "ERR_HSM_DOWN",
        `The token's files could not be written to the disk for sure${reason}. Check the disk of hsm.files.`,
      );
    }
    this.#synced = synced;
  }

  async #syncFolder(folder: string, synced: Map<string, string>): Promise<void> {
    for (const entry of await promises.readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await present(this.#syncFolder(path, synced));
      else if (entry.isFile()) await present(this.#syncFile(path, synced));
    }
    await sync(folder, constants.O_DIRECTORY);
  }

  async #syncFile(path: string, synced: Map<string, string>): Promise<void> {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await promises.lstat(path, { bigint: true });
    const state = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
    if (this.#synced.get(path) !== state) await sync(path, 0);
    if (ctimeMs < BigInt(Date.now() - SETTLED)) synced.set(path, state);
  }
}

/** A token removes its old files at any time; those need no sync. */
async function present(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
}

async function sync(path: string, flags: number): Promise<void> {
  const file = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
