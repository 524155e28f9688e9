/**
 * The bridge as a program: `node bridge/main.ts --config bridge.json`. JSON log lines on stdout; the first, "listening",
 * has the port. Ends with 0 on SIGINT or SIGTERM, within 5 s and at once on a second one, 2 where configuration or folder
 * will not do, 1 on a fault of its own or of the store.
 */
import "./young.ts";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { Fault, isFault } from "../protocol/error.ts";
import { readConfig } from "./config.ts";
import { startBridge } from "./server.ts";
import { endFailed, onSignal } from "./stop.ts";

const USAGE = `Relays sealed messages between agents, approvers and consoles.

  node bridge/main.ts [--config FILE]     FILE is ./bridge.json where it is not named
`;

function readArguments(): { config: string; help: boolean } {
  try {
    const { values } = parseArgs({
      options: { config: { type: "string", default: "./bridge.json" }, help: { type: "boolean", default: false } },
    });
    return values;
  } catch (cause) {
    throw new Fault("ERR_USAGE", "The bridge takes --config FILE and nothing else.", { cause });
  }
}

try {
  const { config: path, help } = readArguments();
  if (help) {
    process.stdout.write(USAGE);
  } else {
    // Whatever is written is for this user alone.
    process.umask(0o077);
    const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime });
    const config = readConfig(path);
    const bridge = await startBridge(config, log);
    log.info({ port: bridge.port, health: bridge.health, url: config.url }, "listening");
    let hasFailed = false;
    const stopping = {
      close: () => bridge.close(),
      exit: (code: number) => process.exit(hasFailed ? 1 : code),
      log,
    };
    const stop = onSignal(stopping);
    void bridge.failed.then(() => {
      hasFailed = true;
      endFailed(stopping);
    });
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  }
} catch (error) {
  process.stderr.write(`${isFault(error) ? error.message : String(error)}\n`);
  process.exit(isFault(error) ? 2 : 1);
}
