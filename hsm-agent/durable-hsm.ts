/**
 * The HSM, asked only once what the question rests on is on the disk: no signature, no key and no anchor can tell of something that a
 * crash takes back. README.md of protocol/, "The record". One of the three exits of the process that wait so; the others are the link
 * and the control socket.
 */
import type { Hsm } from "./hsm/owner.ts";
import type { Journal } from "./journal.ts";

/**
 * The same HSM behind `journal.durable()`. What signs or writes rejects with ERR_RECORD as well. `signed` is told of every signature, by
 * the id of its key, with the seconds that it took.
 */
export function durableFirst(
  hsm: Hsm,
  journal: Pick<Journal, "durable">,
  signed: (id: string, seconds: number) => void = () => {},
): Hsm {
  const after = async <T>(work: () => Promise<T>): Promise<T> => {
    await journal.durable();
    return await work();
  };
  return {
    token: () => hsm.token(),
    generateKey: (request) => after(() => hsm.generateKey(request)),
    findKey: (id) => hsm.findKey(id),
    keys: () => hsm.keys(),
    sign: (id, digest) =>
      after(async () => {
        const began = performance.now();
        const signature = await hsm.sign(id, digest);
        signed(id, (performance.now() - began) / 1000);
        return signature;
      }),
    random: (bytes) => hsm.random(bytes),
    readAnchor: () => hsm.readAnchor(),
    writeAnchor: (text) => after(() => hsm.writeAnchor(text)),
    state: () => hsm.state(),
    health: () => hsm.health(),
    onState: (listener) => hsm.onState(listener),
    pid: () => hsm.pid(),
    close: () => hsm.close(),
  };
}
