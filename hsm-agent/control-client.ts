/** The CLI's side of the control socket (control.ts). */
import { request } from "node:http";
import * as v from "valibot";
import { ERROR_CODES, Fault } from "../protocol/error.ts";
import type { Command } from "./control.ts";

const AnswerSchema = v.union([
  v.strictObject({ result: v.unknown() }),
  v.strictObject({ error: v.strictObject({ code: v.picklist(ERROR_CODES), message: v.string() }) }),
]);

/** Gives a running agent a command and returns its result. @throws Fault of the agent, ERR_AGENT_UNREACHABLE */
export async function callAgent(socket: string, command: Command): Promise<unknown> {
  const text = await new Promise<string>((resolve, reject) => {
    const fail = () =>
      reject(
        new Fault("ERR_AGENT_UNREACHABLE", 'No agent answers on this data folder; start it with "opencustody agent".'),
      );
    const call = request(
      { socketPath: socket, method: "POST", headers: { "content-type": "application/json" } },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => resolve(body));
        // The agent ended in the middle of its answer.
        response.on("error", fail);
      },
    );
    call.on("error", fail);
    call.end(JSON.stringify(command));
  });
  const answer = v.parse(AnswerSchema, JSON.parse(text));
  if ("error" in answer) throw new Fault(answer.error.code, answer.error.message);
  return answer.result;
}
