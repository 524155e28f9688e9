/** Frames of another form, from the wrong side, too early, too large, or to somebody whom they may not reach. protocol/README.md, "Frames". */
import { newJti } from "../harness/bridge-client.ts";
import type { Attack } from "./attack.ts";
import { attackOf, type Setting, type Try } from "./setting.ts";
import { Socket } from "./socket.ts";
import type { Stage } from "./stage.ts";

/** Ada's connection to the bridge itself sends something once she is in. */
const byAda =
  (work: (stage: Stage) => object | string | Uint8Array | Promise<object>): Try =>
  async ({ stage }) => {
    const socket = await new Socket(stage.world.port).enter(stage.ada.key, stage.hsm);
    socket.send(await work(stage));
    const refusal = await socket.refusal();
    socket.close();
    return refusal;
  };

export const send = (more: object = {}) => ({ t: "send", id: newJti(), to: "A".repeat(43), body: "AA", ...more });

/** Sends one frame and says what came back. */
export async function answerTo(socket: Socket, frame: { readonly id: string }): Promise<string> {
  socket.send(frame);
  const answer = await socket.take(({ id }) => id === frame.id);
  if (answer === undefined) return socket.ended ?? "no answer";
  return String(answer["t"] === "error" ? answer["code"] : answer["t"]);
}

export const FRAMES: readonly Attack<Setting>[] = [
  attackOf(
    {
      id: "frame-form",
      by: "hostile member",
      what: "frames of another form: types, versions, members, spellings, binary, a second login, an agent's frames",
      refused: ["ERR_FRAME_MALFORMED"],
    },
    [
      ...[
        { t: "nope" },
        { t: "deliver", seq: 1 },
        { t: "hello", nonce: "A".repeat(43) },
        { t: "pong" },
        { t: "ping", more: 1 },
        { t: "ping", v: 2 },
        { t: "ack", seq: 0 },
        { t: "ack", seq: -1 },
        { t: "ack", seq: 1.5 },
        { t: "ack", seq: "1" },
      ].map((frame) => byAda(() => frame)),
      ...[
        send({ id: "short" }),
        send({ to: "nobody" }),
        send({ body: "a b" }),
        send({ body: "" }),
        send({ from: "A".repeat(43) }),
        send({ body: "A".repeat(130_100) }),
      ].map((frame) => byAda(() => frame)),
      ...[
        "",
        "{}",
        "[]",
        "null",
        '{"v":1, "t":"ping"}',
        '{"t":"ping","v":1}',
        '{"v":1,"t":"ping","t":"ping"}',
        '{"v":1,"t":"ping"} ',
        '{"v":1,"t":"p\\u0069ng"}',
        "\0",
      ].map((text) => byAda(() => text)),
      byAda(() => new Uint8Array([123, 125])),
      byAda(
        async ({ relay }) => await Promise.resolve(relay.seen.find(({ frame }) => frame.t === "login")?.frame ?? {}),
      ),
      byAda(
        async ({ relay }) => await Promise.resolve(relay.seen.find(({ frame }) => frame.t === "roster")?.frame ?? {}),
      ),
    ],
  ),
  attackOf(
    {
      id: "frame-early",
      by: "hostile network",
      what: "frames before a login: a message, an acknowledgement, a roster, a card, a ping",
      refused: ["ERR_FRAME_MALFORMED"],
    },
    [{ t: "ping" }, { t: "ack", seq: 1 }, send(), { t: "roster", jws: "a.b.c" }, { t: "card", jws: "a.b.c" }].map(
      (frame): Try =>
        async ({ stage }) => {
          const socket = new Socket(stage.world.port);
          await socket.opened();
          socket.send(frame);
          return await socket.refusal();
        },
    ),
  ),
  attackOf(
    {
      id: "frame-large",
      by: "hostile member",
      what: "a frame longer than any may be, of a megabyte, and of 64 megabytes",
      refused: ["closed with 1009"],
    },
    [131_073, 1 << 20, 1 << 26].map((size) => byAda(() => "A".repeat(size))),
  ),
  attackOf(
    {
      id: "frame-receiver",
      by: "hostile member",
      what: "messages from Ada to another member, to an invite, to a stranger, to herself and to another agent",
      refused: ["ERR_FRAME_UNKNOWN_RECEIVER"],
    },
    (["bob", "dan", "ada", "olga", "stranger"] as const).map(
      (who): Try =>
        async ({ stage }) => {
          const socket = await new Socket(stage.world.port).enter(stage.ada.key, stage.hsm);
          const to = who === "olga" || who === "stranger" ? stage[who].signer.kid : stage[who].kid;
          const refusal = await answerTo(socket, send({ to }));
          socket.close();
          return refusal;
        },
    ),
  ),
  attackOf(
    {
      id: "ack-ahead",
      by: "hostile member",
      what: "acknowledgements of what was never delivered",
      refused: ["ERR_FRAME_MALFORMED"],
    },
    [1_000_000, Number.MAX_SAFE_INTEGER].map((seq) => byAda(() => ({ t: "ack", seq }))),
  ),
];
