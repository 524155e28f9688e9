/**
 * What the agent answers on the control socket, as far as the CLI reads it, and how the CLI shows it to people. With --json the result
 * itself is printed.
 */
import * as v from "valibot";
import { GOVERNANCE_VERBS } from "../protocol/governance.ts";
import { VendorSchema } from "../protocol/vendor.ts";
import { FreezeViewSchema, frozenLine, minute, StatusViewSchema, statusLines } from "./print-status.ts";

/** Turns a result into lines. */
export type Printable = (value: unknown) => string[];

/** Writes a result to stdout. */
export function print(value: unknown, human: Printable, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${human(value).join("\n")}\n`);
}

const VaultViewSchema = v.object({
  name: v.string(),
  id: v.string(),
  publicKey: v.string(),
  address: v.string(),
  backup: v.string(),
});
const ListedVaultSchema = v.object({ ...VaultViewSchema.entries, inPolicy: v.boolean() });

const summaryEntries = { id: v.string(), state: v.string(), initiator: v.nullable(v.string()), expires: v.number() };
const transferEntries = {
  ...summaryEntries,
  verb: v.literal("SEND"),
  amount: v.string(),
  asset: v.string(),
  to: v.string(),
  /** The destination's name in the address book. */
  payee: v.nullable(v.string()),
  vault: v.string(),
  network: v.string(),
  nonce: v.number(),
  hash: v.nullable(v.string()),
};
const motionEntries = { ...summaryEntries, verb: v.picklist(GOVERNANCE_VERBS), title: v.string() };

/** One request in `request list`. */
const SummarySchema = v.variant("verb", [v.object(transferEntries), v.object(motionEntries)]);

const RecordViewSchema = v.object({
  kind: v.string(),
  person: v.string(),
  at: v.number(),
  vendor: v.nullable(v.string()),
  address: v.nullable(v.string()),
  reason: v.nullable(v.string()),
});
const detailEntries = {
  digest: v.string(),
  statement: v.string(),
  threshold: v.number(),
  approvers: v.array(v.string()),
  records: v.array(RecordViewSchema),
  problem: v.nullable(v.string()),
};

/** One request as `request show` gives it. */
export const RequestViewSchema = v.variant("verb", [
  v.object({ ...transferEntries, ...detailEntries, signed: v.nullable(v.string()) }),
  v.object({ ...motionEntries, ...detailEntries, notBefore: v.nullable(v.number()) }),
]);
export type RequestView = v.InferOutput<typeof RequestViewSchema>;

/** `key`: the 16 digits that people compare. `kid`: the whole thumbprint. */
const KeyViewSchema = v.object({ key: v.string(), kid: v.string() });
const DeviceViewSchema = v.object({ address: v.string(), vendor: VendorSchema, model: v.string() });

export const MembersViewSchema = v.object({
  members: v.array(
    v.object({
      name: v.string(),
      roles: v.array(v.string()),
      extensions: v.array(KeyViewSchema),
      files: v.array(KeyViewSchema),
      devices: v.array(v.object({ ...DeviceViewSchema.entries, lastSigned: v.nullable(v.number()) })),
    }),
  ),
  /** Devices of members that no ENROLL named yet. */
  waiting: v.array(v.object({ name: v.string(), ...DeviceViewSchema.entries })),
  pairings: v.array(
    v.object({ name: v.string(), roles: v.array(v.string()), device: v.nullable(v.string()), vouched: v.boolean() }),
  ),
  invites: v.array(v.object({ name: v.string(), roles: v.array(v.string()), exp: v.number() })),
});
export type MembersView = v.InferOutput<typeof MembersViewSchema>;

/** What `opencustody init` returns. */
const FoundedSchema = v.object({
  fingerprint: v.string(),
  vaults: v.array(v.object({ name: v.string(), address: v.string() })),
  invites: v.array(v.object({ name: v.string(), code: v.string(), exp: v.number() })),
});

function view<T>(schema: v.GenericSchema<unknown, T>, lines: (value: T) => string[]): Printable {
  return (value) => lines(v.parse(schema, value));
}

const asRoles = (roles: readonly string[]) => (roles.length === 0 ? "no further role" : roles.join(", "));

function requestLines(r: RequestView): string[] {
  return [
    `request ${r.id}`,
    `state ${r.state}${r.problem === null ? "" : `: ${r.problem}`}`,
    `statement ${r.statement}`,
    `digest ${r.digest}`,
    `needs ${r.threshold} of ${r.approvers.join(", ")}; expires ${minute(r.expires)}`,
    ...(r.verb === "SEND" || r.notBefore === null ? [] : [`takes effect not before ${minute(r.notBefore)}`]),
    ...r.records.map(
      ({ kind, person, at, vendor, address, reason }) =>
        `${kind} by ${person}${vendor === null ? "" : ` on a ${vendor}`}${address === null ? "" : ` ${address}`}${reason === null ? "" : ` (${reason})`} at ${minute(at)}`,
    ),
    ...(r.verb !== "SEND" || r.signed === null ? [] : [`signed transaction ${r.signed}`, `hash ${r.hash ?? ""}`]),
  ];
}

/** The human form of each result. */
export const show = {
  key: (value: unknown) => [JSON.stringify(value)],
  document: (value: unknown) => [JSON.stringify(value, null, 2)],
  noted: () => ["noted"],
  founded: view(FoundedSchema, ({ fingerprint, vaults, invites }) => [
    "HSM identity made. Its fingerprint, to be compared when people pair:",
    `  ${fingerprint}`,
    ...vaults.map(({ name, address }) => `vault ${name}  ${address}`),
    "Give each code to that person alone, over a channel that you trust. It works once:",
    ...invites.flatMap(({ name, code, exp }) => [`${name}  until ${minute(exp)}`, code]),
  ]),
  succeeded: view(v.object({ fingerprint: v.string() }), ({ fingerprint }) => [
    "The next HSM identity is made. Its fingerprint, which the bridge's operator must add:",
    `  ${fingerprint}`,
    'Then start the agent and propose it with "opencustody rotate".',
  ]),
  status: view(StatusViewSchema, statusLines),
  vault: view(VaultViewSchema, ({ name, id, publicKey, address, backup }) => [
    `vault ${name}`,
    `vault address ${address}`,
    `backup ${backup}`,
    "It can be used once a policy names it:",
    `  ${JSON.stringify({ name, id, publicKey })}`,
  ]),
  vaults: view(v.array(ListedVaultSchema), (vaults) =>
    vaults.map(
      ({ name, address, backup, inPolicy }) =>
        `${name}  ${address}  backup ${backup}  ${inPolicy ? "in the policy" : "not in the policy"}`,
    ),
  ),
  freezes: view(v.object({ n: v.number(), freezes: v.array(FreezeViewSchema) }), ({ freezes }) =>
    freezes.map(frozenLine),
  ),
  invite: view(v.object({ name: v.string(), code: v.string(), exp: v.number() }), ({ name, code, exp }) => [
    `Give this code to ${name} alone, over a channel that you trust. It works once, until ${minute(exp)}:`,
    code,
  ]),
  vouched: view(v.object({ name: v.string(), request: v.nullable(v.string()) }), ({ name, request }) => [
    `The words of ${name} are right.`,
    request === null ? "Others still have to be confirmed." : `Next, people approve request ${request}.`,
  ]),
  members: view(MembersViewSchema, ({ members, waiting, pairings, invites }) => [
    ...members.flatMap(({ name, roles, devices, extensions, files }) => [
      `${name}  ${asRoles(roles)}`,
      ...extensions.map(({ key }) => `  browser ${key}`),
      ...files.map(({ key }) => `  key file ${key}`),
      ...devices.map(
        ({ address, vendor, model, lastSigned }) =>
          `  ${address}  ${vendor} ${model} (as stated when enrolled)  ${lastSigned === null ? "never signed" : `last signed ${minute(lastSigned)}`}`,
      ),
    ]),
    ...waiting.map(
      ({ name, address, vendor, model }) => `${name}  ${address}  ${vendor} ${model} waits to be enrolled`,
    ),
    ...pairings.map(
      ({ name, roles, device, vouched }) =>
        `${name}  pairing as ${asRoles(roles)}, ${device ?? "no device yet"}, words ${vouched ? "confirmed" : "not confirmed"}`,
    ),
    ...invites.map(({ name, roles, exp }) => `${name}  invited as ${asRoles(roles)} until ${minute(exp)}`),
  ]),
  requests: view(v.array(SummarySchema), (requests) =>
    requests.map((r) => {
      const what =
        r.verb === "SEND"
          ? `${r.amount} ${r.asset} to ${r.to}${r.payee === null ? "" : ` (${r.payee})`} from ${r.vault}`
          : r.title;
      return `${r.id}  ${r.state}  ${what}${r.initiator === null ? "" : `, by ${r.initiator}`}`;
    }),
  ),
  request: view(RequestViewSchema, requestLines),
  rotation: (value: unknown) => [
    `The next identity's fingerprint, which the bridge's operator must add: ${v.parse(v.object({ fingerprint: v.string() }), value).fingerprint}`,
    ...requestLines(v.parse(RequestViewSchema, value)),
  ],
} satisfies Record<string, Printable>;
