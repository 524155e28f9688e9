/** The CLI's commands about people: invites, the six words of a pairing, and who is added and removed. All changes are proposals. */
import { type Command, InvalidArgumentError, Option } from "commander";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { encodeInvite } from "../protocol/invite.ts";
import { INVITATION, VOUCH } from "../protocol/message.ts";
import { keyName } from "../protocol/motion-statement.ts";
import { type Removal, type Role, RoleSchema, sortRoles } from "../protocol/people.ts";
import { SecondsSchema } from "../protocol/primitive.ts";
import { isWord, normaliseWords } from "../protocol/words.ts";
import {
  type MotionOptions,
  parseCount,
  proposeMotion,
  recoverable,
  roleOption,
  type Shell,
  signFor,
} from "./cli-shell.ts";
import { makePrivateJwk, readPublicKey } from "./key-file.ts";
import { type MembersView, MembersViewSchema, show } from "./print.ts";
import { StatusViewSchema } from "./print-status.ts";

/** A week. */
const INVITE_HOURS_MAX = 168;

/** Adds `invite`, `pairing` and `members`. */
export function addPeopleCommands(program: Command, shell: Shell): void {
  addInvite(program, shell);
  addPairing(program, shell);
  addMembers(program, shell);
}

function addInvite(program: Command, { ask, out, command }: Shell): void {
  command(
    program,
    "invite <name>",
    "make a one-time code with which a person pairs a browser; without --role, a further browser of a member",
    "opencustody invite Alice --role approver --key olga.jwk",
  )
    .addOption(roleOption())
    .option(
      "--key <file>",
      "your key file; before the founding none, for a founder whose first invite was lost or spoilt",
    )
    .option("--hours <n>", "how long it can be used, at most a week", parseHours, 24)
    .action(async (name: string, options: { role?: Role[]; key?: string; hours: number }) => {
      if (options.key === undefined && options.role !== undefined)
        throw new Fault("ERR_USAGE", "Name your key file with --key; a founder's new invite needs none, and no role.");
      if (options.key === undefined) return out(await ask({ command: "found.invite", name }), show.invite);
      // The private half goes from here into the code, and nowhere else.
      const { d, ...key } = await makePrivateJwk();
      const until = Math.floor(Date.now() / 1000) + options.hours * 3600;
      const body = { name, roles: sortRoles(options.role ?? []), key, until };
      const jws = await signFor(ask, options.key, INVITATION, body);
      const invited = v.parse(InvitedSchema, await ask({ command: "invite", jws }));
      const { hsm, bridge } = v.parse(StatusViewSchema, await ask({ command: "status" }));
      out({ ...invited, code: encodeInvite({ v: 1, bridge: bridge.url, hsm: hsm.thumbprint, key, d }) }, show.invite);
    });
}

const InvitedSchema = v.object({ name: v.string(), exp: SecondsSchema });

function parseHours(text: string): number {
  const hours = parseCount(text);
  if (hours < 1 || hours > INVITE_HOURS_MAX)
    throw new InvalidArgumentError(`it must be 1 to ${INVITE_HOURS_MAX} hours.`);
  return hours;
}

function addPairing(program: Command, { ask, out, command }: Shell): void {
  const pairing = command(
    program,
    "pairing",
    "browsers that are being paired",
    'opencustody pairing confirm Alice "six words that Alice read aloud" --key olga.jwk',
  );
  command(
    pairing,
    "confirm <name> <words...>",
    "enter the six words that the person you invited read to you; at the founding the operator does it, without a key",
    'opencustody pairing confirm Alice "six words that Alice read aloud" --key olga.jwk',
  )
    .option("--key <file>", "your key file")
    .option("--recovery", "have the recovery people decide, after the policy's delay")
    .action(async (name: string, typed: string[], options: { key?: string; recovery?: boolean }) => {
      const words = readWords(typed);
      if (options.key === undefined) out(await ask({ command: "pairing.confirm", name, words }), show.vouched);
      else {
        const jws = await signFor(ask, options.key, VOUCH, { name, words, recovery: options.recovery === true });
        out(await ask({ command: "pairing.vouch", jws }), show.vouched);
      }
    });
}

/**
 * Six words as the agent compares them. A wrong one is told by its place: nothing that was typed is shown again.
 * @throws Fault ERR_USAGE
 */
export function readWords(typed: readonly string[]): string {
  const words = normaliseWords(typed.join(" "));
  const list = words.split(" ").filter((word) => word !== "");
  if (list.length !== 6) throw new Fault("ERR_USAGE", `There are six words, and ${list.length} were given.`);
  const wrong = list.findIndex((word) => !isWord(word));
  if (wrong !== -1)
    throw new Fault("ERR_USAGE", `Word ${wrong + 1} is not on the list; ask for it again and have it spelled.`);
  return words;
}

function addMembers(program: Command, { ask, out, command }: Shell): void {
  const list = async () => v.parse(MembersViewSchema, await ask({ command: "members.list" }));
  const print = async () => out(await list(), show.members);
  const members = command(program, "members", "who may do what, and with what", "opencustody members").action(print);
  command(members, "list", "who may do what, and with what", "opencustody members list").action(print);
  recoverable(
    command(
      members,
      "enroll <name>",
      "propose a person's role, waiting device or key file, once you compared it with its owner",
      "opencustody members enroll Alice --device 0x52908400098527886E0F7030069857D2E4169EE7 --key olga.jwk",
    ),
  )
    .addOption(roleOption())
    .option("--device <address>", "a device that waits, by its whole address")
    .option("--file <file>", "a public key, or a key file, of which only the public half is used")
    .action(async (name: string, options: EnrolOptions) => {
      const file = options.file === undefined ? null : await readPublicKey(options.file);
      const device = options.device === undefined ? null : findWaiting(await list(), name, options.device);
      const change = { name, roles: sortRoles(options.role ?? []), extension: null, file, device };
      out(await proposeMotion(ask, options, { verb: "ENROLL", change }), show.request);
    });
  recoverable(
    command(
      members,
      "remove <name>",
      "propose to remove a person, or one role, browser, key file or device of theirs",
      "opencustody members remove Alice --browser 4f1c29aa07d35be8 --key olga.jwk",
    ),
  )
    .addOption(new Option("--role <role>", "only this role").choices(RoleSchema.options))
    .option("--browser <hex>", "a browser, by the 16 digits that members shows")
    .option("--file <hex>", "a key file, by the 16 digits that members shows")
    .option("--device <address>", "a device, by its whole address")
    .action(async (name: string, options: RemoveOptions) => {
      const change = { name, removal: await removalOf(name, options, list) };
      out(await proposeMotion(ask, options, { verb: "REMOVE", change }), show.request);
    });
}

interface EnrolOptions extends MotionOptions {
  role?: Role[];
  device?: string;
  file?: string;
}

function findWaiting({ waiting }: MembersView, name: string, address: string) {
  const found = waiting.find((one) => one.name === name && one.address === address);
  if (found === undefined)
    throw new Fault(
      "ERR_DEVICE_UNKNOWN",
      `No device of ${name} with this address waits; compare every character with "opencustody members".`,
    );
  return { address: found.address, vendor: found.vendor, model: found.model };
}

interface RemoveOptions extends MotionOptions {
  role?: Role;
  browser?: string;
  file?: string;
  device?: string;
}

async function removalOf(name: string, options: RemoveOptions, list: () => Promise<MembersView>): Promise<Removal> {
  const { role, browser, file, device } = options;
  if ([role, browser, file, device].filter((one) => one !== undefined).length > 1)
    throw new Fault("ERR_USAGE", "Name one of --role, --browser, --file and --device, or none to remove the person.");
  if (role !== undefined) return { what: "role", role };
  if (device !== undefined) return { what: "device", address: device };
  if (browser !== undefined) return { what: "browser", key: findKey(await list(), name, "extensions", browser) };
  if (file !== undefined) return { what: "file", key: findKey(await list(), name, "files", file) };
  return { what: "person" };
}

/** The whole thumbprint of a member's key. Two keys with the same 16 digits are told apart by nobody, so neither is taken. */
function findKey({ members }: MembersView, name: string, kind: "extensions" | "files", hex: string): string {
  const keys = members.find((member) => member.name === name)?.[kind] ?? [];
  const [found, other] = keys.filter(({ kid }) => keyName(kid) === hex);
  if (found === undefined || other !== undefined)
    throw new Fault("ERR_MEMBER_UNKNOWN", `${name} has no such key; see "opencustody members".`);
  return found.kid;
}
