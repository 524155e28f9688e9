import { join } from "node:path";
import * as v from "valibot";
import { afterAll, expect, test } from "vitest";
import { type Claims, type MessageType, openEnvelope } from "../protocol/envelope.ts";
import { parseInvite } from "../protocol/invite.ts";
import { CLOCK, INVITATION, MOTION, VOUCH } from "../protocol/message.ts";
import { keyName } from "../protocol/motion-statement.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { runCli as run, startFakeAgent, statusOf } from "./cli-testing.ts";
import type { Command as AgentCommand } from "./control.ts";
import { makeKeyFile, makePrivateJwk, readPublicKey } from "./key-file.ts";

const agent = await startFakeAgent();
const { folder, config } = agent;
afterAll(() => agent.stop());

const OLGA = join(folder, "olga.jwk");
const olga = await makeKeyFile(OLGA);
const hsm = thumbprint(await makePrivateJwk());
const ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7";
const ID = "01JDA7Q9T2M4XYZ0";
const kid = thumbprint(olga);
const STATUS = statusOf(hsm);
const MEMBERS = {
  members: [
    {
      name: "Alice",
      roles: ["approver"],
      extensions: [{ key: keyName(kid), kid }],
      files: [{ key: keyName(hsm), kid: hsm }],
      devices: [{ address: ADDRESS, vendor: "Ledger", model: "Flex", lastSigned: null }],
    },
  ],
  waiting: [{ name: "Alice", address: ADDRESS, vendor: "Ledger", model: "Flex" }],
  pairings: [{ name: "Bob", roles: ["admin"], device: null, vouched: false }],
  invites: [{ name: "Carol", roles: [], exp: 1_800_000_000 }],
};
const MOTION_VIEW = {
  id: ID,
  state: "pending",
  verb: "ENROLL",
  title: "ENROLL Alice",
  initiator: "Olga",
  expires: 1_800_000_000,
  digest: "d",
  statement: "ENROLL Alice; needs 2 of 3",
  threshold: 2,
  approvers: ["Alice"],
  problem: null,
  notBefore: null,
  records: [],
};

/** Runs a command against an agent that knows all this; returns what it was told last, and the exit code with the output. */
async function told(...argv: string[]) {
  agent.answer = (command) => {
    switch (command.command) {
      case "status":
        return STATUS;
      case "members.list":
        return MEMBERS;
      case "motion":
        return { request: ID, created: true, warnings: ["Nobody else can approve this."] };
      case "invite":
        return { name: "Alice", exp: 1_800_000_000 };
      case "rotate.prepare":
        return { key: olga, fingerprint: "f" };
      case "freeze":
        return { n: 1, freezes: [{ vault: command.vault, by: null, at: 1_800_000_000 }] };
      case "pairing.confirm":
      case "pairing.vouch":
        return { name: "Alice", request: null };
      case "request.show":
        return { ...MOTION_VIEW, id: command.id };
      case "found":
      case "policy.show":
      case "request.cancel":
      case "request.list":
      case "request.propose":
      case "vault.create":
      case "vault.list":
      case "vault.nonce":
      case "clock.confirm":
      case "backup":
      case "log.head":
      case "log.page":
      case "proof.export":
      case "restore.show":
        return null;
      case "found.invite":
        return { name: command.name, code: "opencustody-invite-A", exp: 1_800_000_000 };
    }
  };
  agent.seen.length = 0;
  const result = await run("--config", config, ...argv);
  return { ...result, commands: agent.seen.filter(({ command }) => command !== "status") };
}

async function opened<T extends Claims>(type: MessageType<T>, command: AgentCommand | undefined): Promise<T> {
  const jws = command !== undefined && "jws" in command ? command.jws : "";
  const now = Math.floor(Date.now() / 1000);
  return (await openEnvelope(jws, { type, keyOf: (one) => (one === kid ? olga : undefined), audience: hsm, now }))
    .payload;
}

const MOTIONS: [string[], boolean, unknown][] = [
  [
    ["members", "enroll", "Alice", "--role", "admin", "--role", "approver", "--device", ADDRESS],
    false,
    {
      verb: "ENROLL",
      change: {
        name: "Alice",
        roles: ["approver", "admin"],
        extension: null,
        file: null,
        device: { address: ADDRESS, vendor: "Ledger", model: "Flex" },
      },
    },
  ],
  [
    ["members", "enroll", "Olga", "--role", "initiator", "--file", OLGA, "--recovery"],
    true,
    { verb: "ENROLL", change: { name: "Olga", roles: ["initiator"], extension: null, file: olga, device: null } },
  ],
  [["members", "remove", "Alice"], false, { verb: "REMOVE", change: { name: "Alice", removal: { what: "person" } } }],
  [
    ["members", "remove", "Alice", "--role", "approver"],
    false,
    { verb: "REMOVE", change: { name: "Alice", removal: { what: "role", role: "approver" } } },
  ],
  [
    ["members", "remove", "Alice", "--browser", keyName(kid), "--recovery"],
    true,
    { verb: "REMOVE", change: { name: "Alice", removal: { what: "browser", key: kid } } },
  ],
  [
    ["members", "remove", "Alice", "--file", keyName(hsm)],
    false,
    { verb: "REMOVE", change: { name: "Alice", removal: { what: "file", key: hsm } } },
  ],
  [
    ["members", "remove", "Alice", "--device", ADDRESS],
    false,
    { verb: "REMOVE", change: { name: "Alice", removal: { what: "device", address: ADDRESS } } },
  ],
  [["unfreeze"], false, { verb: "UNFREEZE", change: { vault: null } }],
  [["unfreeze", "Treasury-1"], false, { verb: "UNFREEZE", change: { vault: "Treasury-1" } }],
  [["drill", "Treasury-1"], false, { verb: "DRILL", change: { vault: "Treasury-1" } }],
  [["rotate"], false, { verb: "ROTATE", change: { to: olga } }],
];
test.each(MOTIONS)("%j is a motion signed by the key file", async (argv, recovery, motion) => {
  const { code, stderr, stdout, commands } = await told(...argv, "--key", OLGA);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "Nobody else can approve this.\n" });
  expect(stdout).toContain(`request ${ID}\nstate pending\n`);
  expect(commands.at(-1)).toEqual({ command: "request.show", id: ID });
  expect(await opened(MOTION, commands.at(-2))).toMatchObject({ motion, recovery });
});

const UNKNOWN: [string, string[], string][] = [
  ["a device of nobody", ["members", "enroll", "Bob", "--device", ADDRESS], "ERR_DEVICE_UNKNOWN"],
  [
    "a device in other spelling",
    ["members", "enroll", "Alice", "--device", ADDRESS.toLowerCase()],
    "ERR_DEVICE_UNKNOWN",
  ],
  ["a browser as a key file", ["members", "remove", "Alice", "--file", keyName(kid)], "ERR_MEMBER_UNKNOWN"],
  ["nothing to enroll", ["members", "enroll", "Alice"], "ERR_USAGE"],
];
test.each(UNKNOWN)("not sent: %s", async (_what, argv, code) => {
  const { stderr, commands } = await told(...argv, "--key", OLGA);
  expect(stderr).toContain(`(${code})`);
  expect(commands.filter(({ command }) => command === "motion")).toEqual([]);
});

test("an invite's private half goes into the code and nowhere else", async () => {
  const { stdout, commands } = await told("--json", "invite", "Alice", "--role", "admin", "approver", "--key", OLGA);
  const { code } = v.parse(v.object({ code: v.string() }), JSON.parse(stdout));
  const { d, key, ...place } = parseInvite(code);
  expect(place).toEqual({ v: 1, bridge: STATUS.bridge.url, hsm });
  const invitation = await opened(INVITATION, commands[0]);
  expect(invitation).toMatchObject({ name: "Alice", roles: ["approver", "admin"], key });
  expect(invitation.until - invitation.iat).toBe(86_400);
  expect(JSON.stringify([agent.seen, invitation])).not.toContain(d);
});

const WORDS = "abacus abdomen abdominal abide abiding ability";
test.each([[[WORDS]], [WORDS.toUpperCase().split(" ")], [[` ${WORDS.replaceAll(" ", ", ")} `]]])(
  "six words however they are typed: %j",
  async (typed) => {
    const byOperator = await told("pairing", "confirm", "Alice", ...typed);
    expect(byOperator.commands).toEqual([{ command: "pairing.confirm", name: "Alice", words: WORDS }]);
    const byInviter = await told("pairing", "confirm", "Alice", ...typed, "--key", OLGA);
    expect(await opened(VOUCH, byInviter.commands[0])).toMatchObject({ name: "Alice", words: WORDS });
  },
);

const ABACUS = "abacus ".repeat(6).trim().split(" ");
test.each(ABACUS.map((_, at) => at))("a slip in word %i is told by its place, before anything is sent", async (at) => {
  const { stderr, commands } = await told("pairing", "confirm", "Alice", ...ABACUS.with(at, "s3cr3t"));
  expect(stderr).toContain(`Word ${at + 1} is not on the list`);
  expect(stderr).not.toContain("s3cr3t");
  expect(commands).toEqual([]);
});

const PLAIN: [string[], AgentCommand][] = [
  [["found"], { command: "found" }],
  [["freeze"], { command: "freeze", vault: null }],
  [["freeze", "Treasury-1"], { command: "freeze", vault: "Treasury-1" }],
  [["policy", "show"], { command: "policy.show", n: null }],
  [["policy", "show", "3"], { command: "policy.show", n: 3 }],
  [["vault", "create", "V"], { command: "vault.create", name: "V", backup: "none", nonces: [] }],
  [
    "vault create V --network eip155:1 --next-nonce 7 --network eip155:10 --next-nonce 0 --backup".split(" "),
    {
      command: "vault.create",
      name: "V",
      backup: "wrap",
      nonces: [
        { network: "eip155:1", nonce: 7 },
        { network: "eip155:10", nonce: 0 },
      ],
    },
  ],
  [
    ["vault", "nonce", "V", "--network", "eip155:10", "--next-nonce", "3"],
    { command: "vault.nonce", name: "V", network: "eip155:10", nonce: 3 },
  ],
];
test.each(PLAIN)("%j is one command", async (argv, command) => {
  expect((await told(...argv, "--json")).commands).toEqual([command]);
});

test("members shows browsers and key files by what people compare, and what waits", async () => {
  expect((await told("members")).stdout).toBe(
    [
      "Alice  approver",
      `  browser ${keyName(kid)}`,
      `  key file ${keyName(hsm)}`,
      `  ${ADDRESS}  Ledger Flex (as stated when enrolled)  never signed`,
      `Alice  ${ADDRESS}  Ledger Flex waits to be enrolled`,
      "Bob  pairing as admin, no device yet, words not confirmed",
      "Carol  invited as no further role until 2027-01-15T08:00Z",
      "",
    ].join("\n"),
  );
});

test("status says what is frozen, and before the founding who still has to sign", async () => {
  agent.answer = () => ({ ...STATUS, frozen: [{ vault: null, by: "Alice", at: 1_800_000_000 }] });
  expect((await run("--config", config, "status")).stdout).toContain(
    "frozen: everything, by Alice at 2027-01-15T08:00Z",
  );
  agent.answer = () => ({ ...STATUS, founded: false, policy: null, people: null, waitingFor: ["Alice", "Bob"] });
  expect((await run("--config", config, "status")).stdout).toContain("not founded yet; waiting for Alice, Bob");
});

test("request list shows transfers and motions", async () => {
  const send = { id: ID, state: "signed", verb: "SEND", initiator: "Olga", expires: 1_800_000_000, amount: "1.50" };
  const rest = { asset: "ETH", to: ADDRESS, payee: "Exchange-1", vault: "Treasury-1", network: "eip155:1" };
  agent.answer = () => [{ ...send, ...rest, nonce: 7, hash: null }, MOTION_VIEW];
  expect((await run("--config", config, "request", "list")).stdout).toBe(
    `${ID}  signed  1.50 ETH to ${ADDRESS} (Exchange-1) from Treasury-1, by Olga\n${ID}  pending  ENROLL Alice, by Olga\n`,
  );
});

test("request list says that older ones are left out", async () => {
  const warned = async () => (await run("--config", config, "request", "list")).stderr;
  agent.answer = () => Array.from({ length: 999 }, () => MOTION_VIEW);
  expect(await warned()).toBe("");
  agent.answer = () => Array.from({ length: 1_000 }, () => MOTION_VIEW);
  expect(await warned()).toContain("opencustody request show");
});

test("--wait waits until a motion took effect", async () => {
  const states = ["proposed", "pending", "approved", "enacted"];
  agent.answer = () => ({ ...MOTION_VIEW, state: states.shift() });
  const { stdout } = await run("--config", config, "request", "show", ID, "--wait");
  expect(stdout).toContain("state enacted");
});

test("key new makes the file and prints the public half alone; it needs no configuration", async () => {
  const path = join(folder, "new.jwk");
  const { code, stdout } = await run("key", "new", path);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(await readPublicKey(path));
  expect(await run("key", "new", path)).toMatchObject({ code: 2, stdout: "" });
});

test("the clock is confirmed by a key file", async () => {
  const { code, commands } = await told("clock", "confirm", "--key", OLGA);
  expect([code, commands.map(({ command }) => command)]).toEqual([0, ["clock.confirm"]]);
  expect(await opened(CLOCK, commands[0])).toMatchObject({ aud: [hsm] });
});

test("an invite without a key is one for a founder", async () => {
  const { code, stdout, commands } = await told("invite", "Alice");
  expect([code, commands]).toEqual([0, [{ command: "found.invite", name: "Alice" }]]);
  expect(stdout).toContain("opencustody-invite-A");
});
