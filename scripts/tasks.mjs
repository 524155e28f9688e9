/**
 * What each `npm run` task is made of, as data. Pure: nothing is run or looked up here. See README.md, "Development".
 *
 * @typedef {{ program: string, args: string[] }} Command  `program` is "node" or a file of node_modules/.bin
 * @typedef {{ name: string, commands: Command[] }} Stage  all commands of a stage run; one that fails ends the task after it
 * @typedef {{ needs: ("softhsm" | "p11-kit" | "gcc" | "python3" | "chromium" | "firefox")[], stages: (args: string[]) => Stage[] }} Task
 */

/** The extension for Chromium and the one for Firefox. */
const build = (args = []) => ({
  name: "build",
  commands: [
    { program: "vite", args: ["build", ...args] },
    { program: "vite", args: ["build", "--mode", "firefox", ...args] },
  ],
});

const check = () => ({
  name: "check",
  commands: [
    { program: "tsc", args: ["-p", "."] },
    { program: "oxlint", args: ["--type-aware", "--deny-warnings"] },
    { program: "biome", args: ["check", "."] },
    { program: "node", args: ["scripts/licences.ts"] },
  ],
});

const program = (file, args) => ({ name: file, commands: [{ program: "node", args: [file, ...args] }] });

/** A filter asks for some tests only, so then the check is left out; the build is not, as specs load what it made. */
const test = (args) => [
  build(),
  ...(args.length === 0 ? [check()] : []),
  { name: "test", commands: [{ program: "vitest", args: ["run", ...args] }] },
];

/** @type {Readonly<Record<string, Task>>} */
export const TASKS = {
  demo: { needs: ["softhsm", "chromium"], stages: (args) => [build(), program("test/demo.ts", args)] },
  test: { needs: ["softhsm", "p11-kit", "gcc", "python3", "chromium", "firefox"], stages: test },
  check: { needs: [], stages: () => [check()] },
  build: { needs: [], stages: (args) => [build(args)] },
  format: {
    needs: [],
    stages: () => [{ name: "format", commands: [{ program: "biome", args: ["check", "--write", "."] }] }],
  },
  fuzz: { needs: [], stages: (args) => [program("test/fuzz/run.ts", args)] },
  redteam: {
    needs: ["softhsm", "chromium"],
    stages: (args) => [build(["--logLevel", "warn"]), program("test/redteam/run.ts", args)],
  },
  crash: {
    needs: ["softhsm", "p11-kit", "gcc", "chromium"],
    stages: (args) => [build(["--logLevel", "warn"]), program("test/crash/run.ts", args)],
  },
  soak: { needs: ["softhsm"], stages: (args) => [program("test/soak/run.ts", args)] },
  pictures: { needs: ["softhsm", "chromium"], stages: (args) => [build(), program("test/pictures.ts", args)] },
  bench: {
    needs: ["softhsm", "gcc", "chromium"],
    stages: (args) => [build(["--logLevel", "warn"]), program("test/bench.ts", args)],
  },
};

/** The task of that name; `undefined` for a name that is not in the table (never one that an object inherits). */
export function taskNamed(name) {
  return Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
}
