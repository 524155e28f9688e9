/**
 * Frames on the WebSocket between bridge and clients: one JSON text message each, closed world. README.md, "Frames".
 * The bridge sees a receiver, an id and an opaque body, and stamps the sender that it authenticated.
 */
import * as v from "valibot";
import { ERROR_CODES, Fault } from "./error.ts";
import { base64urlOf, OrdinalSchema, ThumbprintSchema } from "./primitive.ts";

/** Longest frame, in UTF-16 code units of its text (all frames are ASCII). */
export const FRAME_MAX = 131_072;

const idSchema = base64urlOf(16);
const bodySchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]+$/), v.maxLength(FRAME_MAX - 1024));
const jwsSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
  v.maxLength(FRAME_MAX - 1024),
);

function frame<T extends string, E extends v.ObjectEntries>(t: T, entries: E) {
  return v.strictObject({ v: v.literal(1), t: v.literal(t), ...entries });
}

const ClientFrameSchema = v.variant("t", [
  /** Answer to `hello`. Only the agent has a card. */
  frame("login", { jws: jwsSchema, card: v.nullable(jwsSchema) }),
  /** Agent only: the roster, signed by its HSM identity. */
  frame("roster", { jws: jwsSchema }),
  /** Agent only: a newer card of the same identity and the same link key as its login's. */
  frame("card", { jws: jwsSchema }),
  frame("send", { id: idSchema, to: ThumbprintSchema, body: bodySchema }),
  /** Everything up to and with `seq` is stored by the receiver. */
  frame("ack", { seq: OrdinalSchema }),
  frame("ping", {}),
]);
/** What a client sends to the bridge. */
export type ClientFrame = v.InferOutput<typeof ClientFrameSchema>;

const BridgeFrameSchema = v.variant("t", [
  frame("hello", { nonce: base64urlOf(32) }),
  /** `card`: the newest one seen of the agent that the login named. `null` for an agent itself, or where none was seen. */
  frame("ready", { card: v.nullable(jwsSchema) }),
  /** To a client: a newer card of the agent that its login named. */
  frame("card", { jws: jwsSchema }),
  /** The roster numbered `n` is in force. */
  frame("enrolled", { n: OrdinalSchema }),
  /** The card numbered `n` is in force. */
  frame("certified", { n: OrdinalSchema }),
  /** The frame `id` is stored for its receiver. */
  frame("accepted", { id: idSchema }),
  frame("deliver", { seq: OrdinalSchema, id: idSchema, from: ThumbprintSchema, body: bodySchema }),
  frame("pong", {}),
  frame("error", { code: v.picklist(ERROR_CODES), id: v.nullable(idSchema) }),
]);
/** What the bridge sends to a client. */
export type BridgeFrame = v.InferOutput<typeof BridgeFrameSchema>;

/** @throws Fault ERR_FRAME_TOO_LARGE, ERR_FRAME_MALFORMED */
export function parseClientFrame(text: string): ClientFrame {
  return parse(ClientFrameSchema, text);
}

/** @throws Fault ERR_FRAME_TOO_LARGE, ERR_FRAME_MALFORMED */
export function parseBridgeFrame(text: string): BridgeFrame {
  return parse(BridgeFrameSchema, text);
}

export function encodeFrame(frame: ClientFrame | BridgeFrame): string {
  return JSON.stringify(frame);
}

function parse<T>(schema: v.GenericSchema<unknown, T>, text: string): T {
  if (text.length > FRAME_MAX)
    throw new Fault("ERR_FRAME_TOO_LARGE", `A frame is longer than ${FRAME_MAX}; send less at once.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault("ERR_FRAME_MALFORMED", "A frame is not JSON.", { cause });
  }
  const parsed = v.safeParse(schema, value);
  // One spelling only: no white space, no member twice, members in the order of the schema.
  if (!parsed.success || JSON.stringify(parsed.output) !== text) {
    throw new Fault(
      "ERR_FRAME_MALFORMED",
      "A frame has an unknown type, member, version or spelling; both sides need the same version.",
    );
  }
  return parsed.output;
}
