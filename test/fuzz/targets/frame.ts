/** Frames in both directions, and invite codes. */
import { encodeFrame, parseBridgeFrame, parseClientFrame } from "../../../protocol/frame.ts";
import { encodeInvite, parseInvite } from "../../../protocol/invite.ts";
import { readVectors, textsIn } from "../corpus.ts";
import { decode64, encode64, respell64 } from "../mutate-bytes.ts";
import { mutateJson } from "../mutate-json.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, given, require, type Target } from "../target.ts";

const FRAMES = readVectors("frame") as Record<"client" | "bridge", { valid: string[]; refused: { text: string }[] }>;
/** Bodies and JWS of the length that real ones have. */
const BODIES = [
  ...textsIn(readVectors("seal"), (text) => text.split(".").length === 5).slice(0, 8),
  ...textsIn(readVectors("envelope"), (text) => text.split(".").length === 3).slice(0, 8),
];

export function frames(side: "client" | "bridge"): Target {
  const parse = side === "client" ? parseClientFrame : parseBridgeFrame;
  const { valid, refused } = FRAMES[side];
  const long = BODIES.map((body) => valid.map((text) => text.replace("e30.e30.AA", body))).flat();
  const corpus = [...valid, ...refused.map(({ text }) => text), ...long];
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(random.once(4) ? corpus : valid), corpus));
      const frame = accept(() => parse(text));
      if (frame === undefined) return "refused";
      require(encodeFrame(frame) === text, "a frame in another spelling");
      return "accepted";
    },
  };
}

export function mutated(random: Random, text: string, corpus: readonly string[]): string {
  if (random.once(40)) return random.text(random.length());
  return random.once(2) ? mutateJson(random, text, corpus) : mutateText(random, text, corpus);
}

export function invites(): Target {
  const vectors = readVectors("invite") as { valid: { code: string }[]; refused: { text: string }[] };
  const valid = vectors.valid.map(({ code }) => code);
  const corpus = [...valid, ...vectors.refused.map(({ text }) => text)];
  const prefix = "opencustody-invite-";
  return {
    attempt: (random) => {
      const text = given(code(random, random.pick(valid)));
      const invite = accept(() => parseInvite(text));
      if (invite === undefined) return "refused";
      // White space around it is what copying adds.
      require(encodeInvite(invite) === text.trim(), "an invite in another spelling");
      return "accepted";
    },
  };

  function code(random: Random, whole: string): string {
    if (random.once(3)) return mutateText(random, whole, corpus);
    const body = whole.trim().slice(prefix.length);
    if (random.once(4)) return prefix + respell64(random, body);
    return prefix + encode64(mutated(random, Buffer.from(decode64(body)).toString(), corpus));
  }
}
