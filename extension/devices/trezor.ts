/**
 * A Trezor through Trezor Suite on this computer: the three calls that an approval needs, and how everything that can go wrong there is
 * called. The only file that uses Trezor's packages, and of them only the client for Suite's socket: it opens no page. README.md, "Devices".
 * Any local process can own that socket: what comes back is believed only once the caller has verified the signature. No call is ever
 * repeated here. The library's faults end here: calls that never settle, and promises that it drops and rejects.
 */
import { CoreInSuiteDesktop } from "@trezor/connect-web/lib/impl/core-in-suite-desktop.js";
import * as v from "valibot";
import { checksumAddress } from "../../protocol/device-signature.ts";
import { type ApprovalDevice, DeviceFault, type DeviceOutcome, type TrezorModel } from "./device.ts";

/** A running Suite takes the connection at once. Milliseconds. */
const CONNECT_WITHIN = 1000;
/** Suite gives up a call after five minutes, without an answer; a little more for one that is on its way. Milliseconds. */
const PATIENCE = 305_000;
/** What every Trezor takes; a Trezor One fails beyond it with nothing on its screen. Bytes. */
const MAX_STATEMENT = 1024;

/** Suite shows the name, and asks the person once for all three permissions. */
const settings = () => ({
  manifest: { appName: "OpenCustody approvals", appUrl: globalThis.location.origin, email: "none" },
  version: "10.0.0-beta.1",
  requestedPermissions: [
    { permission: "read_features" as const },
    { permission: "read_address" as const, coin: "eth" as const },
    { permission: "sign_message" as const, coin: "eth" as const },
  ],
});

const MODELS: ReadonlyMap<string, TrezorModel> = new Map([
  ["T1B1", "trezor-one"],
  ["T2T1", "trezor-t"],
  ["T2B1", "trezor-safe-3"],
  ["T3B1", "trezor-safe-3"],
  ["T3T1", "trezor-safe-5"],
  ["T3W1", "trezor-safe-7"],
]);

/** Trezor's change logs: the first firmware that shows all pages of a message. Older ones show its beginning only. */
const OLDEST_ONE: readonly number[] = [1, 10, 4];
const OLDEST_OTHER: readonly number[] = [2, 3, 5];

const OUTCOMES: ReadonlyMap<string, DeviceOutcome> = new Map([
  ["Failure_ActionCancelled", "declined"],
  ["Method_Cancel", "cancelled"],
  ["Method_Interrupted", "cancelled"],
  ["Method_PermissionsNotGranted", "no-permission"],
  ["Browser_LocalNetworkPermissionMissing", "local-network-blocked"],
  ["Device_NotFound", "not-connected"],
  ["Transport_Missing", "not-connected"],
  ["Device_Disconnected", "unplugged"],
  ["Device_UsedElsewhere", "in-use"],
  ["Device_CallInProgress", "busy"],
  ["Method_Override", "busy"],
  ["Failure_Busy", "busy"],
  ["Failure_InProgress", "busy"],
  ["Failure_DataError", "too-long"],
  ["Method_DataOverflowModelOne", "too-long"],
  ["Failure_PinExpected", "locked"],
  ["Failure_PinCancelled", "locked"],
  ["Failure_PinInvalid", "locked"],
  ["Device_InvalidState", "wrong-device"],
  ["Device_FwException", "firmware-too-old"],
  ["Device_MissingCapability", "firmware-too-old"],
  ["Device_MissingCapabilityBtcOnly", "wrong-app"],
  ["Device_ModeException", "wrong-app"],
  ["Failure_NotInitialized", "wrong-app"],
]);

const Problem = v.object({ code: v.string(), message: v.optional(v.string(), "") });
const Answer = v.variant("success", [
  v.object({ success: v.literal(true), payload: v.unknown() }),
  v.object({ success: v.literal(false), error: Problem }),
]);
const Version = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const Features = v.object({
  internal_model: v.string(),
  major_version: Version,
  minor_version: Version,
  patch_version: Version,
  bootloader_mode: v.nullish(v.boolean()),
  initialized: v.nullish(v.boolean()),
});
const Address = v.object({
  address: v.pipe(v.string(), v.regex(/^0x[0-9a-fA-F]{40}$/), v.transform(checksumAddress)),
});
const Signature = v.object({
  signature: v.pipe(
    v.string(),
    v.regex(/^(0x)?[0-9a-fA-F]{128}(1[bB]|1[cC])$/),
    v.transform((hex) => `0x${hex.replace(/^0x/, "").toLowerCase()}`),
  ),
});

type Params =
  | { readonly method: "getFeatures" }
  | { readonly method: "ethereumGetAddress"; readonly path: string; readonly showOnTrezor: boolean }
  | { readonly method: "ethereumSignMessage"; readonly path: string; readonly message: string };
/** What it means here that Suite does not answer. */
type Lost = "suite-missing" | "unplugged";

/**
 * Connects to Suite and looks at the Trezor that it holds. Needs no click. Nothing is asked on the device; Suite may ask in its own
 * window whether this program may do so. @throws DeviceFault, within about a second where Suite is not running
 */
export async function connectTrezor(): Promise<ApprovalDevice> {
  const suite = await openSuite();
  try {
    const { model, version } = readFeatures(await suite.call({ method: "getFeatures" }, Features, "suite-missing"));
    return {
      vendor: "Trezor",
      model,
      appVersion: version.join("."),
      address: async (path, { show }) =>
        (await suite.call({ method: "ethereumGetAddress", path, showOnTrezor: show }, Address, "unplugged")).address,
      signStatement: async (path, message) => {
        const bytes = new TextEncoder().encode(message).length;
        if (bytes > MAX_STATEMENT) throw new DeviceFault("too-long", `${bytes} bytes`);
        return (await suite.call({ method: "ethereumSignMessage", path, message }, Signature, "unplugged")).signature;
      },
      close: async () => suite.close(new DeviceFault("cancelled")),
    };
  } catch (error) {
    suite.close(new DeviceFault("cancelled"));
    throw error;
  }
}

interface Suite {
  call<T>(params: Params, schema: v.GenericSchema<unknown, T>, lost: Lost): Promise<T>;
  close(reason: DeviceFault): void;
}

async function openSuite(): Promise<Suite> {
  const core = new CoreInSuiteDesktop();
  const connecting = core.init(settings());
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DeviceFault("suite-missing", "no connection in time")),
    CONNECT_WITHIN,
  );
  try {
    await Promise.race([connecting, late.promise]);
  } catch (error) {
    // A connection that still comes about must be closed: the library forgets one that is disposed of before.
    connecting.then(
      () => core.dispose(),
      () => undefined,
    );
    throw faultOf(error, "suite-missing");
  } finally {
    clearTimeout(timer);
  }

  let closed = false;
  let underWay: { readonly callId: string; readonly end: (reason: DeviceFault) => void } | undefined;

  function close(reason: DeviceFault): void {
    if (closed) return;
    closed = true;
    if (underWay !== undefined) {
      withdraw(core, underWay.callId);
      underWay.end(reason);
    }
    void core.dispose();
  }

  async function call<T>(params: Params, schema: v.GenericSchema<unknown, T>, lost: Lost): Promise<T> {
    if (closed) throw new DeviceFault("unplugged", "this connection was closed");
    if (underWay !== undefined) throw new DeviceFault("busy");
    const ended = Promise.withResolvers<never>();
    const callId = crypto.randomUUID();
    underWay = { callId, end: ended.reject };
    // A call that is given up closes the connection: Suite withdraws its prompt then, and a late answer meets nobody.
    const timer = setTimeout(() => close(new DeviceFault("timed-out")), PATIENCE);
    try {
      const answer: unknown = await Promise.race([core.call({ ...params, callId }), ended.promise]);
      return readAnswer(answer, schema, lost);
    } catch (error) {
      throw faultOf(error, lost);
    } finally {
      clearTimeout(timer);
      underWay = undefined;
    }
  }

  return { call, close };
}

/**
 * Takes a call back. The library's own cancel() drops the promise of its message, which Suite never answers: it would be rejected, with
 * nobody listening, when the socket closes. So the same frame is sent through the socket that the library keeps to itself.
 */
function withdraw(core: CoreInSuiteDesktop, callId: string): void {
  const { ws } = core as unknown as { ws: { sendMessage(message: object): Promise<unknown> } };
  ws.sendMessage({ type: "core-call-cancel", payload: { reason: "Cancelled in OpenCustody", callId } }).catch(
    () => undefined,
  );
}

function readAnswer<T>(answer: unknown, schema: v.GenericSchema<unknown, T>, lost: Lost): T {
  const read = v.safeParse(Answer, answer);
  // Among these is a failure in the form of version 9, whose error stands elsewhere: without a code it is not interpreted.
  if (!read.success) throw new DeviceFault("unknown", "an answer without a code");
  if (!read.output.success) throw faultOf(read.output.error, lost);
  const payload = v.safeParse(schema, read.output.payload);
  if (!payload.success) throw new DeviceFault("unknown", "an answer of another form");
  return payload.output;
}

function readFeatures(features: v.InferOutput<typeof Features>): { model: TrezorModel; version: readonly number[] } {
  const { internal_model: name, major_version, minor_version, patch_version } = features;
  const model = MODELS.get(name);
  if (model === undefined) throw new DeviceFault("unknown", `model ${small(name)}`);
  if (features.bootloader_mode === true) throw new DeviceFault("wrong-app", "it is in bootloader mode");
  if (features.initialized === false) throw new DeviceFault("wrong-app", "it is not set up");
  const version = [major_version, minor_version, patch_version];
  const oldest = model === "trezor-one" ? OLDEST_ONE : OLDEST_OTHER;
  const at = oldest.findIndex((part, index) => version[index] !== part);
  if (at !== -1 && (version[at] ?? 0) < (oldest[at] ?? 0)) {
    throw new DeviceFault("firmware-too-old", `version ${version.join(".")}, and ${oldest.join(".")} is the oldest`);
  }
  return { model, version };
}

/** A failure by its code, which is kept for a report. */
function faultOf(error: unknown, lost: Lost): DeviceFault {
  if (error instanceof DeviceFault) return error;
  const problem = v.safeParse(Problem, error);
  if (!problem.success) return new DeviceFault("unknown", small(String(error)), { cause: error });
  const { code, message } = problem.output;
  const detail = small(message === "" ? code : `${code}: ${message}`);
  const outcome = code === "Desktop_ConnectionMissing" ? lost : OUTCOMES.get(code);
  return new DeviceFault(outcome ?? "unknown", detail, { cause: error });
}

/** What another program says, short and printable enough to stand on a page. */
function small(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 100);
}
