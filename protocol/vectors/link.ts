/** Makes frame.json, invite.json and login.json: what passes between the bridge and its clients, and how one becomes a member. */
import { base64url } from "jose";
import { encodeFrame } from "../frame.ts";
import { encodeInvite, type Invite } from "../invite.ts";
import { CARD, LOGIN, ROSTER } from "../message.ts";
import { ADA, AGENT_SEAL, BOB, HSM, INVITE, LINK, STRANGER, type VectorKey, wordOf } from "./keys.ts";
import { BRIDGE, BRIDGE_NONCE, claims, loginPayload, NOW, sampleOf } from "./sample.ts";

const ID = wordOf("frame id", 16);
const NONCE = wordOf("frame nonce", 32);
const SEND = { v: 1, t: "send", id: ID, to: HSM.signer.kid, body: "e30.e30.AA" } as const;
const DELIVER = { v: 1, t: "deliver", seq: 1, id: ID, from: ADA.signer.kid, body: "e30.e30.AA" } as const;
const J = JSON.stringify;
const MALFORMED = "ERR_FRAME_MALFORMED";

/** Refused in either direction. */
const NO_FRAME: [string, string, string][] = [
  ["nothing", "", MALFORMED],
  ["not JSON", "{", MALFORMED],
  ["null", "null", MALFORMED],
  ["a text", '"ping"', MALFORMED],
  ["a list", "[]", MALFORMED],
  ["no type", '{"v":1}', MALFORMED],
  ["an unknown type", '{"v":1,"t":"publish"}', MALFORMED],
  ["a type that every object has", '{"v":1,"t":"toString"}', MALFORMED],
];

const CLIENT_REFUSED: [string, string, string][] = [
  ...NO_FRAME,
  ["no version", '{"t":"ping"}', MALFORMED],
  ["version 2", '{"v":2,"t":"ping"}', MALFORMED],
  ["white space", '{"v":1, "t":"ping"}', MALFORMED],
  ["white space at the end", '{"v":1,"t":"ping"}\n', MALFORMED],
  ["two frames in one", '{"v":1,"t":"ping"}{"v":1,"t":"ping"}', MALFORMED],
  ["a member twice", '{"v":1,"v":1,"t":"ping"}', MALFORMED],
  ["members in another order", '{"t":"ping","v":1}', MALFORMED],
  ["an unknown member", '{"v":1,"t":"ping","x":1}', MALFORMED],
  ["a member named __proto__", '{"v":1,"t":"ping","__proto__":{}}', MALFORMED],
  ["a member named constructor", '{"v":1,"t":"ping","constructor":1}', MALFORMED],
  ["a bridge's frame", '{"v":1,"t":"pong"}', MALFORMED],
  ["a sender of one's own choice", J({ ...SEND, from: ADA.signer.kid }), MALFORMED],
  ["no receiver", J({ v: 1, t: "send", id: ID, body: "AA" }), MALFORMED],
  ["a receiver that is no thumbprint", J({ ...SEND, to: "agent" }), MALFORMED],
  ["an id of 15 bytes", J({ ...SEND, id: ID.slice(2) }), MALFORMED],
  ["an id with unused bits", J({ ...SEND, id: `${ID.slice(0, -1)}B` }), MALFORMED],
  ["an empty body", J({ ...SEND, body: "" }), MALFORMED],
  ["a body with other characters", J({ ...SEND, body: "a b" }), MALFORMED],
  ["an acknowledgement of 0", '{"v":1,"t":"ack","seq":0}', MALFORMED],
  ["an acknowledgement in quotes", '{"v":1,"t":"ack","seq":"1"}', MALFORMED],
  ["an acknowledgement with a fraction", '{"v":1,"t":"ack","seq":1.5}', MALFORMED],
  ["an acknowledgement with an exponent", '{"v":1,"t":"ack","seq":1e3}', MALFORMED],
  ["an acknowledgement past 2^53", '{"v":1,"t":"ack","seq":9007199254740993}', MALFORMED],
  ["a login without a card member", J({ v: 1, t: "login", jws: "e30.e30.AA" }), MALFORMED],
  ["a login that is no JWS", J({ v: 1, t: "login", jws: "e30", card: null }), MALFORMED],
];

const BRIDGE_REFUSED: [string, string, string][] = [
  ...NO_FRAME,
  ["a client's frame", '{"v":1,"t":"ping"}', MALFORMED],
  ["a nonce of 31 bytes", J({ v: 1, t: "hello", nonce: NONCE.slice(1) }), MALFORMED],
  ["a nonce with unused bits", J({ v: 1, t: "hello", nonce: `${NONCE.slice(0, -1)}B` }), MALFORMED],
  ["a nonce of a person's choice", J({ v: 1, t: "hello", nonce: "sign this" }), MALFORMED],
  ["an unknown code", J({ v: 1, t: "error", code: "ERR_NEW", id: null }), MALFORMED],
  ["a sentence with a code", J({ v: 1, t: "error", code: "ERR_INTERNAL", id: null, message: "x" }), MALFORMED],
  ["a message without a sender", J({ v: 1, t: "deliver", seq: 1, id: ID, body: "AA" }), MALFORMED],
  ["ready without a card member", J({ v: 1, t: "ready" }), MALFORMED],
  ["ready with a card that is no JWS", J({ v: 1, t: "ready", card: "e30" }), MALFORMED],
  ["no card", J({ v: 1, t: "card", jws: null }), MALFORMED],
  ["a sealed message for a card", J({ v: 1, t: "card", jws: "e30..AA.AA.AA" }), MALFORMED],
  ["a message numbered 0", J({ ...DELIVER, seq: 0 }), MALFORMED],
];

const named = (list: [string, string, string][]) => list.map(([what, text, code]) => ({ what, text, code }));

export const FRAMES = {
  client: {
    valid: [
      encodeFrame({ v: 1, t: "login", jws: "e30.e30.AA", card: null }),
      encodeFrame({ v: 1, t: "login", jws: "e30.e30.AA", card: "e30.e30.AA" }),
      encodeFrame({ v: 1, t: "roster", jws: "e30.e30.AA" }),
      encodeFrame({ v: 1, t: "card", jws: "e30.e30.AA" }),
      encodeFrame(SEND),
      encodeFrame({ v: 1, t: "ack", seq: 1 }),
      encodeFrame({ v: 1, t: "ack", seq: Number.MAX_SAFE_INTEGER }),
      encodeFrame({ v: 1, t: "ping" }),
    ],
    refused: named(CLIENT_REFUSED),
  },
  bridge: {
    valid: [
      encodeFrame({ v: 1, t: "hello", nonce: NONCE }),
      encodeFrame({ v: 1, t: "ready", card: null }),
      encodeFrame({ v: 1, t: "ready", card: "e30.e30.AA" }),
      encodeFrame({ v: 1, t: "card", jws: "e30.e30.AA" }),
      encodeFrame({ v: 1, t: "enrolled", n: 5 }),
      encodeFrame({ v: 1, t: "certified", n: 3 }),
      encodeFrame({ v: 1, t: "accepted", id: ID }),
      encodeFrame(DELIVER),
      encodeFrame({ v: 1, t: "pong" }),
      encodeFrame({ v: 1, t: "error", code: "ERR_FRAME_RATE", id: ID }),
      encodeFrame({ v: 1, t: "error", code: "ERR_LOGIN_UNKNOWN", id: null }),
    ],
    refused: named(BRIDGE_REFUSED),
  },
};

const GOOD: Invite = { v: 1, bridge: BRIDGE, hsm: HSM.signer.kid, key: INVITE.jwk, d: INVITE.d };
const CODE = encodeInvite(GOOD);
const code = (value: unknown) => `opencustody-invite-${base64url.encode(J(value))}`;
const bridge = (url: string) => code({ ...GOOD, bridge: url });
const { d, ...withoutSecret } = GOOD;

export const INVITES = {
  valid: [
    { what: "for a bridge with TLS", code: CODE, invite: GOOD },
    { what: "with white space around it", code: `\n ${CODE}\r\n`, invite: GOOD },
    ...["wss://bridge.example:8443/relay", "ws://127.0.0.1:8787/"].map((url) => {
      return { what: `for ${url}`, code: bridge(url), invite: { ...GOOD, bridge: url } };
    }),
  ],
  refused: [
    ["nothing", ""],
    ["the prefix alone", "opencustody-invite-"],
    ["without the prefix", CODE.slice("opencustody-invite-".length)],
    ["another prefix", CODE.replace("opencustody", "OpenCustody")],
    ["cut at its end", CODE.slice(0, -1)],
    ["a character too many", `${CODE}A`],
    ["a line break inside", `${CODE.slice(0, 60)}\n${CODE.slice(60)}`],
    ["padding", `${CODE}=`],
    ["not JSON", `opencustody-invite-${base64url.encode("{")}`],
    ["white space in its JSON", `opencustody-invite-${base64url.encode(J(GOOD, null, 1))}`],
    ["members in another order", code({ d, ...withoutSecret })],
    ["an unknown member", code({ ...GOOD, name: "Ada" })],
    ["version 2", code({ ...GOOD, v: 2 })],
    ["without its secret", code(withoutSecret)],
    ["a key that carries its secret", code({ ...GOOD, key: { ...INVITE.jwk, d } })],
    ["another curve", code({ ...GOOD, key: { ...INVITE.jwk, crv: "secp256k1" } })],
    ["a bridge without TLS", bridge("ws://bridge.example/")],
    ["localhost by name", bridge("ws://localhost:8787/")],
    ["a page", bridge("https://bridge.example/")],
    ["a user name in the URL", bridge("wss://ada@bridge.example/")],
    ["a query in the URL", bridge("wss://bridge.example/?to=evil")],
    ["a fragment in the URL", bridge("wss://bridge.example/#x")],
    ["a URL in another spelling", bridge("WSS://bridge.example/")],
    ["a URL without its slash", bridge("wss://bridge.example")],
    ["too long", code({ ...GOOD, bridge: `wss://bridge.example/${"x".repeat(2048)}` })],
  ].map(([what = "", text = ""]) => ({ what, text, code: "ERR_INVITE" })),
};

async function login(key: VectorKey, change: Partial<ReturnType<typeof loginPayload>> = {}): Promise<string> {
  return (await sampleOf(LOGIN, { ...loginPayload(key), ...change }, key)).jws;
}

async function card(n: number, from = HSM, to = BRIDGE): Promise<string> {
  return (
    await sampleOf(
      CARD,
      { ...claims(`card ${n}`, from, [to]), n, hsm: from.jwk, link: LINK.jwk, seal: AGENT_SEAL.jwk },
      from,
    )
  ).jws;
}

const ROSTER_PAYLOAD = {
  ...claims("roster", HSM, [BRIDGE]),
  n: 5,
  members: [ADA.jwk],
  invites: [{ key: INVITE.jwk, exp: NOW + 60 }],
};
const elsewhere = { aud: ["wss://other.example/"] };
const stale = { bridgeNonce: wordOf("another connection's nonce", 32) };
const otherAgent = { agent: STRANGER.signer.kid };
const UNKNOWN = "ERR_LOGIN_UNKNOWN";

interface Login {
  readonly what: string;
  readonly jws: string;
  readonly card: string | null;
  /** Seconds; another time than `now` of the file. */
  readonly now: number;
  /** Whom the connection belongs to, or why it is refused. */
  readonly party: { readonly agent: string; readonly key: string } | null;
  readonly code: string | null;
}

function admitted(what: string, jws: string, key: string, shown: string | null = null): Login {
  return { what, jws, card: shown, now: NOW, party: { agent: HSM.signer.kid, key }, code: null };
}

function refused(what: string, code: string, jws: string, shown: string | null = null, now = NOW): Login {
  return { what, jws, card: shown, now, party: null, code };
}

const CARD_3 = await card(3);

export const LOGINS = {
  url: BRIDGE,
  nonce: BRIDGE_NONCE,
  now: NOW,
  hsm: HSM.jwk,
  agents: [HSM.signer.kid],
  /** The highest card number that the bridge has seen. */
  card: 3,
  roster: (await sampleOf(ROSTER, ROSTER_PAYLOAD, HSM)).jws,
  logins: [
    admitted("a member", await login(ADA), ADA.signer.kid),
    admitted("an invite", await login(INVITE), INVITE.signer.kid),
    admitted("the agent", await login(LINK), HSM.signer.kid, CARD_3),
    admitted("the agent with a newer card", await login(LINK), HSM.signer.kid, await card(4)),
    refused("nobody on the roster", UNKNOWN, await login(BOB)),
    refused("an invite that has expired", UNKNOWN, await login(INVITE), null, NOW + 60),
    refused("a member of another agent", UNKNOWN, await login(ADA, otherAgent)),
    refused("the agent without its card", UNKNOWN, await login(LINK)),
    refused("the HSM identity itself", UNKNOWN, await login(HSM)),
    refused("another connection's nonce", "ERR_LOGIN_NONCE", await login(ADA, stale)),
    refused("another bridge", "ERR_ENVELOPE_AUDIENCE", await login(ADA, elsewhere)),
    refused("a login that has expired", "ERR_ENVELOPE_EXPIRED", await login(ADA), null, NOW + 3600),
    refused("a login from the future", "ERR_ENVELOPE_TIME", await login(ADA), null, NOW - 121),
    refused("a roster for a login", "ERR_ENVELOPE_TYPE", (await sampleOf(ROSTER, ROSTER_PAYLOAD, HSM)).jws),
    refused("an older card", "ERR_CARD_OLD", await login(LINK), await card(2)),
    refused("a card of an agent that is not served", UNKNOWN, await login(LINK), await card(3, STRANGER)),
    refused(
      "a card for another bridge",
      "ERR_ENVELOPE_AUDIENCE",
      await login(LINK),
      await card(3, HSM, "wss://other.example/"),
    ),
    refused("a key that the card does not certify", UNKNOWN, await login(ADA), CARD_3),
    refused("a card's key for another agent", UNKNOWN, await login(LINK, otherAgent), CARD_3),
    refused("the agent with another connection's nonce", "ERR_LOGIN_NONCE", await login(LINK, stale), CARD_3),
    refused("a login for a card", "ERR_ENVELOPE_PAYLOAD", await login(LINK), await login(LINK)),
  ],
};
