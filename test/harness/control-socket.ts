/** Asks a running agent at its control socket, as the CLI does. protocol/README.md, "The control socket". */
import { request } from "node:http";
import type { Answer, Command } from "../../hsm-agent/control.ts";

/** The result of a command. Rejects with the agent's code and sentence; one that is away for a moment is asked again. */
export async function askAgent(socketPath: string, command: Command): Promise<unknown> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await askOnce(socketPath, command);
    } catch (error) {
      const isAway = error instanceof Error && "code" in error && AWAY.has(String(error.code));
      if (!isAway || tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const AWAY = new Set(["ECONNRESET", "ECONNREFUSED", "ENOENT", "EPIPE"]);

async function askOnce(socketPath: string, command: Command): Promise<unknown> {
  const text = await new Promise<string>((resolve, reject) => {
    const asking = request({ socketPath, method: "POST", path: "/" }, (response) => {
      let body = "";
      response.on("data", (data) => (body += String(data)));
      response.on("end", () => resolve(body));
      response.on("error", reject);
    });
    asking.on("error", reject);
    asking.end(JSON.stringify(command));
  });
  const answer = JSON.parse(text) as Answer;
  if ("result" in answer) return answer.result;
  throw Object.assign(new Error(`${answer.error.code}: ${answer.error.message}`), { code: answer.error.code });
}
