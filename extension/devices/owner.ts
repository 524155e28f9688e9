/**
 * One owner at a time: whichever of our windows talks to a device holds a lock of the browser, and a second one says who has it.
 * README.md, "Devices". A second sign request would kill the first one's review on the device. The browser frees the lock when a
 * window goes away; what the device shows then it goes on showing.
 */
import { DeviceFault } from "./device.ts";

const LOCK = "opencustody-device";
/** Taken inside the other one, and named after the use: locks can be listed, what they are for cannot. */
const USE = `${LOCK}: `;
/** A look at a device that nobody asked for, to see whether it is ready: it ends by itself within moments. */
const LOOK = "look";
/** How long a person's click waits for such a look to end. Milliseconds. */
const LOOK_ENDS_WITHIN = 3000;

/** Another of our windows has the device. `use` says for what, e.g. `request 01JDA7Q9T2M4XYZ0`; empty where it is not known. */
export class DeviceTaken extends DeviceFault {
  readonly use: string;

  constructor(use: string) {
    super("busy", "another OpenCustody window is using it");
    this.use = use;
  }
}

/**
 * Runs `work` as the only one of our windows that talks to a device. `use` is shown in the others.
 * @throws DeviceTaken where another window has it, and what `work` throws
 */
export async function withDevice<T>(use: string, work: () => Promise<T>): Promise<T> {
  const first = await attempt(use, work);
  if (first !== TAKEN) return first;
  const holder = await currentUse();
  if (holder !== "" && holder !== LOOK) throw new DeviceTaken(holder);
  const signal = AbortSignal.timeout(LOOK_ENDS_WITHIN);
  let began = false;
  try {
    return await navigator.locks.request(LOCK, { signal }, async () => {
      began = true;
      return await announced(use, work);
    });
  } catch (error) {
    if (began) throw error;
    throw new DeviceTaken(await currentUse());
  }
}

/** As `withDevice`, for a look that no person asked for: it waits for nobody, and a person's click waits until it is over. */
export async function withDeviceIfFree<T>(look: () => Promise<T>): Promise<T> {
  const result = await attempt(LOOK, look);
  if (result === TAKEN) throw new DeviceTaken(await currentUse());
  return result;
}

const TAKEN = Symbol("taken");

async function attempt<T>(use: string, work: () => Promise<T>): Promise<T | typeof TAKEN> {
  return await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) =>
    lock === null ? TAKEN : await announced(use, work),
  );
}

async function announced<T>(use: string, work: () => Promise<T>): Promise<T> {
  return await navigator.locks.request(USE + use, work);
}

async function currentUse(): Promise<string> {
  const { held = [] } = await navigator.locks.query();
  return held.flatMap(({ name }) => (name?.startsWith(USE) === true ? [name.slice(USE.length)] : []))[0] ?? "";
}
