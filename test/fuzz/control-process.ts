/**
 * The agent's control socket in a process of its own, at the path that is named: it answers every command with that command. A thread
 * cannot serve it, because the socket's mode is a matter of the process.
 */
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { serveControl } from "../../hsm-agent/control.ts";

await serveControl(process.argv[2] ?? "", async (command) => command);
process.send?.("listening");
// Whoever asks is gone.
process.on("disconnect", () => process.exit());
