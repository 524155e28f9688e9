/** How the CLI shows results to people. With --json the result itself is printed and nothing here is used. */
import * as v from "valibot";
import { formatMinute } from "../protocol/statement.ts";

/** Turns a result into lines. */
export type Printable = (value: unknown) => string[];

/** Writes a result to stdout. */
export function print(value: unknown, human: Printable, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${human(value).join("\n")}\n`);
}

const VaultViewSchema = v.object({ name: v.string(), address: v.string(), backup: v.string() });
const SummarySchema = v.object({
  id: v.string(),
  state: v.string(),
  amount: v.string(),
  asset: v.string(),
  to: v.string(),
  vault: v.string(),
  network: v.string(),
  nonce: v.number(),
  initiator: v.string(),
  expires: v.number(),
  hash: v.nullable(v.string()),
});
const RecordViewSchema = v.object({
  kind: v.string(),
  person: v.string(),
  at: v.number(),
  vendor: v.nullable(v.string()),
  reason: v.nullable(v.string()),
});

/** One request as `request show` gives it. */
export const RequestViewSchema = v.object({
  ...SummarySchema.entries,
  digest: v.string(),
  statement: v.string(),
  threshold: v.number(),
  approvers: v.array(v.string()),
  records: v.array(RecordViewSchema),
  problem: v.nullable(v.string()),
  signed: v.nullable(v.string()),
});

const MembersSchema = v.object({
  members: v.array(
    v.object({
      name: v.string(),
      roles: v.array(v.string()),
      extensions: v.number(),
      files: v.number(),
      devices: v.array(v.object({ address: v.string(), vendor: v.string(), model: v.string(), state: v.string() })),
    }),
  ),
  invites: v.array(v.object({ name: v.string(), roles: v.array(v.string()), exp: v.number() })),
});

const StatusViewSchema = v.object({
  hsm: v.object({ fingerprint: v.string(), state: v.string() }),
  bridge: v.object({ url: v.string(), state: v.string() }),
  policy: v.number(),
  people: v.number(),
  open: v.number(),
});

function view<T>(schema: v.GenericSchema<unknown, T>, lines: (value: T) => string[]): Printable {
  return (value) => lines(v.parse(schema, value));
}

const minute = (seconds: number) => formatMinute(seconds - (seconds % 60));

/** The human form of each result. */
export const show = {
  founded: view(v.object({ fingerprint: v.string() }), ({ fingerprint }) => [
    `HSM identity made. Its fingerprint, to be compared when people pair:`,
    `  ${fingerprint}`,
  ]),
  status: view(StatusViewSchema, ({ hsm, bridge, policy, people, open }) => [
    `HSM ${hsm.state}, fingerprint ${hsm.fingerprint}`,
    `bridge ${bridge.url} ${bridge.state}`,
    `policy ${policy}, people ${people}, open requests ${open}`,
  ]),
  vault: view(VaultViewSchema, ({ name, address, backup }) => [
    `vault ${name}`,
    `vault address ${address}`,
    `backup ${backup}`,
  ]),
  vaults: view(v.array(VaultViewSchema), (vaults) =>
    vaults.map(({ name, address, backup }) => `${name}  ${address}  backup ${backup}`),
  ),
  invite: view(v.object({ code: v.string(), exp: v.number() }), ({ code, exp }) => [
    `Give this code to that person alone, over a channel that you trust. It works once, until ${minute(exp)}:`,
    code,
  ]),
  members: view(MembersSchema, ({ members, invites }) => [
    ...members.flatMap(({ name, roles, devices, extensions, files }) => [
      `${name}  ${roles.join(", ")}  ${extensions} browsers, ${files} key files`,
      ...devices.map(
        ({ address, vendor, model, state }) => `  ${address}  ${vendor} ${model} (as stated when enrolled)  ${state}`,
      ),
    ]),
    ...invites.map(({ name, roles, exp }) => `${name}  invited as ${roles.join(", ")} until ${minute(exp)}`),
  ]),
  document: (value: unknown) => [JSON.stringify(value, null, 2)],
  policySet: view(
    v.object({ n: v.number(), digest: v.string(), voided: v.array(v.string()) }),
    ({ n, digest, voided }) => [
      `policy ${n} is in force, digest ${digest}`,
      ...voided.map((id) => `request ${id} became void`),
    ],
  ),
  done: view(v.object({ name: v.string(), voided: v.array(v.string()) }), ({ name, voided }) => [
    `done: ${name}`,
    ...voided.map((id) => `request ${id} became void`),
  ]),
  requests: view(v.array(SummarySchema), (requests) =>
    requests.map((r) => `${r.id}  ${r.state}  ${r.amount} ${r.asset} to ${r.to} from ${r.vault}, by ${r.initiator}`),
  ),
  request: view(RequestViewSchema, (r) => [
    `request ${r.id}`,
    `state ${r.state}${r.problem === null ? "" : `: ${r.problem}`}`,
    `statement ${r.statement}`,
    `digest ${r.digest}`,
    `needs ${r.threshold} of ${r.approvers.join(", ")}; expires ${minute(r.expires)}`,
    ...r.records.map(
      ({ kind, person, at, vendor, reason }) =>
        `${kind} by ${person}${vendor === null ? "" : ` on a ${vendor}`}${reason === null ? "" : ` (${reason})`} at ${minute(at)}`,
    ),
    ...(r.signed === null ? [] : [`signed transaction ${r.signed}`, `hash ${r.hash ?? ""}`]),
  ]),
} satisfies Record<string, Printable>;
