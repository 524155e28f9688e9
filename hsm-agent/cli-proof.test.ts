import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprint } from "../protocol/primitive.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../protocol/vectors/proof-file.ts";
import { backUp } from "./backup.ts";
import { runCli as run, startFakeAgent } from "./cli-testing.ts";
import { readHead, readPage } from "./log-verify.ts";
import { exportProof } from "./proof.ts";
import { newestCheckpoint } from "./showing.ts";
import { Office } from "./testing.ts";
import { makePerson } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const agent = await startFakeAgent();
const folder = mkdtempSync(join(tmpdir(), "opencustody-cli-proof-"));
let office: Office;
let id: string;
beforeAll(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  id = await office.carry(await office.propose(OLGA), [ALICE, BOB]);
  await newestCheckpoint(office.desk);
  agent.answer = async (command) => {
    if (command.command === "proof.export") return await exportProof(office.desk, command.id);
    if (command.command === "log.head") return readHead(office.desk.journal);
    if (command.command === "log.page") return readPage(office.desk.journal, command.from);
    throw new Error(`unexpected ${command.command}`);
  };
});
afterAll(() => {
  agent.stop();
  office.dispose();
  rmSync(folder, { recursive: true, force: true });
});
const hsm = () => fingerprint(office.desk.identity.signer.kid);
const at = ["--config", agent.config];
const [good, [bad]] = [GOOD_PROOFS[0], REFUSED_PROOFS.filter(({ step }) => step === "answers")];

test("a proof is exported to a new file of one's own, and verified without an agent or a configuration", async () => {
  const path = join(folder, "proof.json");
  expect(await run(...at, "proof", "export", id, "--out", path)).toEqual({
    code: 0,
    stdout: `proof ${path}\n`,
    stderr: "",
  });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await run(...at, "proof", "export", id, "--out", path)).code).toBe(2);
  const { code, stdout } = await run("--config", "/nowhere.json", "proof", "verify", path, "--hsm", hsm());
  expect(code).toBe(0);
  const lines = stdout.trim().split("\n");
  expect(lines.slice(0, -1).every((line) => line.startsWith("ok   "))).toBe(true);
  expect(lines).toHaveLength(12);
  expect(lines.at(-1)).toContain(`Proved: request ${id} is signed. It does not prove that`);
});

test("without a file it is printed, and what is printed is the file", async () => {
  const plain = await run(...at, "proof", "export", id);
  const json = await run("--json", ...at, "proof", "export", id);
  expect(plain.stdout).toBe(json.stdout);
  const path = join(folder, "printed.json");
  writeFileSync(path, plain.stdout);
  expect((await run("proof", "verify", path, "--hsm", hsm())).code).toBe(0);
});

test("one that does not hold is exit code 1, and the step that fails is named", async () => {
  const path = join(folder, "bad.json");
  writeFileSync(path, bad?.file ?? "");
  const plain = await run("proof", "verify", path, "--hsm", bad?.fingerprint ?? "");
  expect(plain.code).toBe(1);
  expect(plain.stdout).toMatch(/\nFAIL answers +\S/);
  expect(plain.stderr).toContain("(ERR_PROOF)");
  const json = await run("--json", "proof", "verify", path, "--hsm", bad?.fingerprint ?? "");
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, code: "ERR_PROOF" });
  expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: "ERR_PROOF" } });
});

test("the fingerprint may be typed in groups, and must be one", async () => {
  const path = join(folder, "good.json");
  writeFileSync(path, good?.file ?? "");
  const grouped = (good?.fingerprint ?? "").toUpperCase().replaceAll(/(....)/g, "$1 ");
  expect((await run("proof", "verify", path, "--hsm", grouped)).code).toBe(0);
  for (const wrong of ["", "abc", `${good?.fingerprint ?? ""}0`])
    expect((await run("proof", "verify", path, "--hsm", wrong)).code).toBe(2);
  expect((await run("proof", "verify", path)).code).toBe(2);
  expect((await run("proof", "verify", join(folder, "nothing"), "--hsm", hsm())).code).toBe(2);
});

test("the log of a running agent is verified, and that of a backup without one, which stays as it is", async () => {
  const online = await run(...at, "log", "verify");
  expect(online.code).toBe(0);
  expect(online.stdout).toContain(`founded by the HSM identity ${hsm()}: compare it`);
  const path = join(folder, "backup.db");
  const { entries } = await backUp(office.desk.journal, office.folder, path, office.now);
  const before = readFileSync(path);
  const offline = await run("--json", "log", "verify", path, "--hsm", hsm());
  expect(JSON.parse(offline.stdout)).toMatchObject({ entries, founder: hsm() });
  expect(readFileSync(path)).toEqual(before);
  expect(offline.stderr).toBe("");
  expect((await run("log", "verify", path, "--hsm", "0".repeat(64))).code).toBe(1);
  expect((await run("log", "verify", join(folder, "good.json"))).code).toBe(1);
});
