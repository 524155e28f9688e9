/** A bridge as a process of its own, at its port: the upgrade as bytes, and what comes on a connection before and after a login. */
import { parseBridgeFrame } from "../../../protocol/frame.ts";
import { CARD, LOGIN, ROSTER } from "../../../protocol/message.ts";
import { ADA, AGENT_SEAL, HSM, LINK, type VectorKey } from "../../../protocol/vectors/keys.ts";
import { startBridge } from "../bridge-process.ts";
import { KEYS, readVectors, signAnything } from "../corpus.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { given, require, type Target } from "../target.ts";
import { framesIn, wsFrame } from "../ws-bytes.ts";
import { mutateJws } from "./envelope.ts";
import { mutated } from "./frame.ts";

const URL_ = "wss://bridge.example/";
const UPGRADE = [
  ["GET / HTTP/1.1", "Host: bridge.example", "Upgrade: websocket", "Connection: Upgrade"],
  ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""],
].flat();
const GOOD = UPGRADE.join("\r\n");
const EXTRA = [
  "Origin: https://example.org",
  "Host: evil.example",
  "X-Forwarded-For: 1.2.3.4",
  "Origin: null",
  "Sec-WebSocket-Extensions: permessage-deflate",
];
const FRAMES = (readVectors("frame") as { client: { valid: string[]; refused: { text: string }[] } }).client;
const PING = JSON.stringify({ v: 1, t: "ping" });
const TEXTS = [...FRAMES.valid, ...FRAMES.refused.map(({ text }) => text)];

export async function upgrades(): Promise<Target> {
  const bridge = await startBridge(URL_, HSM.signer.kid);
  return {
    attempt: async (random) => {
      const lines = UPGRADE.slice(0, -2);
      if (random.once(2)) lines.splice(1 + random.int(lines.length), random.int(2), random.pick(EXTRA));
      const whole = `${lines.join("\r\n")}\r\n\r\n`;
      const text = given(random.once(8) ? whole : mutateText(random, whole, [GOOD, ...EXTRA]));
      const { bytes } = await bridge.exchange(async (socket) => {
        socket.end(text, "latin1");
      });
      await bridge.check();
      const answer = bytes.toString("latin1");
      if (!answer.startsWith("HTTP/1.1 101 ")) {
        require(answer === "" ||
          /^HTTP\/1\.1 (400|403|404|405|408|414|421|426|429|431|503|505) /.test(
            answer,
          ), `an answer of another form: ${answer.slice(0, 80)}`);
        return "refused";
      }
      requireUpgrade(text);
      return "accepted";
    },
    close: () => bridge.close(),
  };
}

/** What was let in said once which host it meant, ours, asked for our path, and named no web page's origin. */
function requireUpgrade(said: string): void {
  // As the bytes that were sent; empty lines before a request are not part of it (RFC 9112, 2.2).
  const text = Buffer.from(said, "latin1")
    .toString("latin1")
    .replace(/^[\r\n]+/, "");
  const [head = ""] = text.split(/\r?\n\r?\n/);
  const lines = head.split(/\r?\n/).filter((line) => line !== "");
  require(/^GET \/ HTTP\/1\.1$/.test(lines[0] ?? ""), `another request line: ${lines[0] ?? ""}`);
  const values = (name: string) =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
  require(values("host").length === 1 && values("host")[0]?.toLowerCase() === "bridge.example", "another host");
  require(values("origin").every((origin) => origin.startsWith("moz-extension://")), "a page's origin");
}

export async function firstFrames(): Promise<Target> {
  const bridge = await startBridge(URL_, HSM.signer.kid);
  const issued = Math.floor(Date.now() / 1000);
  const to = { aud: [URL_], iat: issued, exp: issued + 86_400 };
  const card = signed(
    CARD.typ,
    { ...claims(HSM, 1), ...to, n: 1, hsm: HSM.jwk, link: LINK.jwk, seal: AGENT_SEAL.jwk },
    HSM,
  );
  const roster = signed(ROSTER.typ, { ...claims(HSM, 2), ...to, n: 1, members: [ADA.jwk], invites: [] }, HSM);
  const own = [card, roster];
  const agentFrames = [
    PING,
    JSON.stringify({ v: 1, t: "roster", jws: roster }),
    JSON.stringify({ v: 1, t: "card", jws: card }),
    ...FRAMES.valid,
  ];
  return {
    attempt: async (random) => {
      const isLoggedIn = random.once(2);
      const { bytes } = await bridge.exchange(async (socket, next) => {
        socket.write(GOOD);
        const hello = await next("hello");
        if (hello?.t !== "hello") return void socket.end();
        if (isLoggedIn) {
          const login = {
            ...claims(LINK, random.next()),
            ...to,
            agent: HSM.signer.kid,
            clientNonce: "A".repeat(43),
            bridgeNonce: hello.nonce,
          };
          const jws = signed(LOGIN.typ, login, LINK);
          socket.write(wsFrame(JSON.stringify({ v: 1, t: "login", jws, card })));
          await next("ready");
        }
        const isBroken = random.once(4);
        for (let left = 1 + random.int(2); left > 0; left -= 1) {
          const bytes = frame(random, isLoggedIn ? agentFrames : TEXTS, own);
          socket.write(given(isBroken ? mutateBytes(random, bytes, [wsFrame(PING)]) : bytes));
        }
        // What is no frame may swallow what comes after it: then nothing is waited for but the end.
        if (isBroken) return void socket.end(random.bytes(random.int(40)));
        // Frames are handled in their order: after this one's answer, or the end, all others were.
        socket.write(wsFrame(PING));
        await next("pong");
        socket.end(wsFrame("", 8));
      });
      await bridge.check();
      const frames = framesIn(bytes);
      const texts = frames
        .filter(({ opcode }) => opcode === 1)
        .map(({ data }) => parseBridgeFrame(data.toString("utf8")));
      require(isLoggedIn || texts.every(({ t }) => t === "hello" || t === "error"), "served without a login");
      require(texts.every((one) => one.t !== "error" || one.code !== "ERR_INTERNAL"), "an error of its own");
      require(frames.every(
        ({ opcode, data }) => opcode !== 8 || data.length < 2 || data.readUInt16BE(0) !== 1011,
      ), "a failure of its own");
      const taken = texts.filter(({ t }) => ["enrolled", "certified", "accepted"].includes(t));
      const isTaken = taken.length > 0 || texts.filter(({ t }) => t === "pong").length > 1;
      return isTaken ? "accepted" : "refused";
    },
    close: () => bridge.close(),
  };
}

function frame(random: Random, texts: readonly string[], own: readonly string[]): Uint8Array {
  const text = random.pick(texts);
  if (random.once(5)) return wsFrame(text);
  const held = own.find((jws) => text.includes(jws));
  const made =
    held !== undefined && random.once(2)
      ? text.replace(held, mutateJws(random, held, own))
      : mutated(random, text, texts);
  return wsFrame(made, random.once(12) ? random.int(16) : 1);
}

function claims(key: VectorKey, number: number): object {
  const jti = Buffer.alloc(16, String(number)).toString("base64url");
  return { v: 1, iss: key.signer.kid, aud: [URL_], jti };
}

function signed(typ: string, payload: object, by: VectorKey): string {
  const key = KEYS.get(by.signer.kid);
  if (key === undefined) throw new TypeError("no such key");
  return signAnything(JSON.stringify({ alg: "ES256", typ, kid: key.kid }), JSON.stringify(payload), key);
}
