/**
 * From a stored request to a device's signature over its statement: the one road to a prompt. README.md, "Devices".
 * Everything is checked again right before the person is asked, and the answer before it is used. Nothing is stored or sent here.
 */
import { recoverSigner } from "../protocol/device-signature.ts";
import { Fault } from "../protocol/error.ts";
import { checkRequest } from "./check.ts";
import { look } from "./database.ts";
import { canSign } from "./deciding.ts";
import { type ApprovalDevice, DeviceFault } from "./devices/device.ts";
import { requireNoAlarm, standingAlarm } from "./log-alarm.ts";
import { loadDevices, loadRequest, type StoredRequest } from "./store.ts";
import { loadTrust } from "./trust.ts";
import { isOpen } from "./waiting.ts";

/**
 * Has `device` sign the statement of a request. Waits as long as the person reads.
 * @throws Fault where the request must not be signed; DeviceFault where the device did not, e.g. "wrong-device", "declined"
 */
export async function signWithDevice(
  requestId: string,
  device: ApprovalDevice,
): Promise<{ address: string; signature: string }> {
  const asked = await requireOpen(requestId);
  // Before all that is read for the check: a Trezor may keep this waiting for minutes.
  const { path, address } = await enrolledOn(device, asked);
  const request = await requireOpen(requestId);
  const { statement } = await checkRequest(request, await loadTrust());
  const signature = await device.signStatement(path, statement);
  if (recoverSigner(statement, signature) !== address) {
    throw new Fault("ERR_APPROVAL_SIGNATURE", "The device's signature is not over this statement; sign again on it.");
  }
  return { address, signature };
}

/**
 * The address of this person that counts for `request` and that the connected device holds. Nothing is shown on it.
 * @throws DeviceFault "wrong-device"; Fault
 */
export async function enrolledOn(
  device: ApprovalDevice,
  request: Pick<StoredRequest, "payload">,
): Promise<{ path: string; address: string }> {
  const enrolled = (await loadDevices()).filter((one) => canSign(request, one) && one.vendor === device.vendor);
  if (enrolled.length === 0) {
    throw new Fault("ERR_APPROVAL_DEVICE", "No device of yours is enrolled yet; enrol one, and have it confirmed.");
  }
  for (const path of new Set(enrolled.map((one) => one.path))) {
    const address = await device.address(path, { show: false });
    if (enrolled.some((one) => one.path === path && one.address === address)) return { path, address };
  }
  throw new DeviceFault("wrong-device");
}

async function requireOpen(requestId: string): Promise<StoredRequest> {
  const request = await loadRequest(requestId);
  if (request === null) throw new Fault("ERR_REQUEST_UNKNOWN", "This request is not known in this browser.");
  if (request.problem !== null) throw new Fault("ERR_REQUEST_DIFFERS", request.problem.message);
  if (!isOpen(request)) {
    throw new Fault("ERR_REQUEST_STATE", "The request is over; nothing was asked of your device.");
  }
  requireNoAlarm(await look(standingAlarm), request.payload.verb);
  return request;
}
