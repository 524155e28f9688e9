/**
 * The first step of every `npm start`, `npm test` and `npm run …`: installs what is lacking, then runs the task with the pinned
 * Node. Plain JavaScript without dependencies, for the machine's own Node (18 or later). Usage: node scripts/run.mjs TASK [args…]
 *
 * Nothing is ever skipped: what cannot be installed is named, with the command that installs it, and the exit status is 1.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { interruption, run } from "./command.mjs";
import {
  findChromium,
  findFirefox,
  findGcc,
  findP11Kit,
  findProgram,
  findSoftHsm,
  install,
  missingBuildTools,
} from "./machine.mjs";
import { buildPkcs11, chooseNode, environment, installPackages, isReady } from "./packages.mjs";
import { TASKS, taskNamed } from "./tasks.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function main([name = "", ...args]) {
  const task = taskNamed(name);
  if (task === undefined) return fail(`No task "${name}". The tasks: ${Object.keys(TASKS).join(", ")}.`, 2);

  const lacking = (await installSystem(task.needs, !isReady(root))) ?? (await installPackages(root));
  if (lacking !== undefined) return fail(lacking);
  const node = chooseNode(root);
  if ("fault" in node) return fail(node.fault);
  const unbuilt = await buildPkcs11(root, node.file);
  if (unbuilt !== undefined) return fail(unbuilt);

  const env = environment(root, node.file);
  if (task.needs.includes("chromium")) env.CHROMIUM = findChromium().file;
  if (task.needs.includes("firefox")) env.FIREFOX = findFirefox().file;
  return runStages(task.stages(args), node.file, env);
}

/** What is there or not; a browser may be there and broken. */
const TOOLS = { softhsm: findSoftHsm, "p11-kit": findP11Kit, gcc: findGcc, python3: () => findProgram("python3") };

/**
 * Installs the system programs that the task needs, and the build tools if something is to be built: all that is missing at once.
 * Resolves to undefined, or to the sentence for a person.
 */
async function installSystem(needs, building) {
  const look = () => {
    const chromium = needs.includes("chromium") ? findChromium() : { file: "" };
    const firefox = needs.includes("firefox") ? findFirefox() : { file: "" };
    const missing = building ? missingBuildTools() : [];
    for (const [need, find] of Object.entries(TOOLS))
      if (needs.includes(need) && !missing.includes(need) && find() === undefined) missing.push(need);
    if (chromium === undefined) missing.push("chromium");
    if (firefox === undefined) missing.push("firefox");
    return { broken: chromium?.broken ?? firefox?.broken, missing };
  };
  const refused = await install(look().missing);
  if (refused !== undefined) return refused;
  const { broken, missing } = look();
  return missing.length > 0 ? `Still absent after installing it: ${missing.join(", ")}.` : broken;
}

/** Runs stage after stage. All commands of a stage run; the task ends after the stage in which one failed. */
async function runStages(stages, node, env) {
  for (const { name, commands } of stages) {
    const failed = [];
    for (const { program, args } of commands) {
      const file = program === "node" ? node : join(root, "node_modules", ".bin", program);
      const status = await run(file, args, { cwd: root, env });
      if (interruption() !== undefined) return interruption();
      if (status !== 0) failed.push({ program, status });
    }
    if (failed.length > 0) {
      const list = failed.map(({ program, status }) => `${program} (status ${status})`).join(", ");
      if (stages.length > 1 || commands.length > 1) process.stderr.write(`${name} failed: ${list}.\n`);
      return failed[0].status;
    }
  }
  return 0;
}

function fail(sentence, status = 1) {
  if (interruption() !== undefined) return interruption();
  process.stderr.write(`${sentence}\n`);
  return status;
}

process.exitCode = await main(process.argv.slice(2));
