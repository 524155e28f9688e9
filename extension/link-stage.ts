/** For tests only: a browser, a bridge at the end of each wire and a store, all moved by hand. Not part of the extension. */
import { base64url } from "jose";
import type { Signer } from "../protocol/envelope.ts";
import type { ErrorCode } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseClientFrame } from "../protocol/frame.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { makeKey, publicJwkOf, signerOf } from "./keys.ts";
import { type Credentials, makeLink, type Outgoing } from "./link.ts";
import type { LinkStatus, Problem } from "./store.ts";

export const BRIDGE = "wss://bridge.example/";
export const NOW = 1_795_338_000;
export const ID = base64url.encode(new Uint8Array(16));
export const NONCE = base64url.encode(new Uint8Array(32).fill(7));

export interface Member {
  signer: Signer;
  jwk: PublicJwk;
}
async function member(): Promise<Member> {
  const key = await makeKey();
  return { signer: await signerOf(key), jwk: await publicJwkOf(key) };
}
export const own = await member();
export const once = await member();
export const hsm = (await member()).signer.kid;

export function rehearse(invite: Signer | null = null) {
  const wires: { url: string; sent: ClientFrame[]; closed: boolean; say(frame: BridgeFrame): void; end(): void }[] = [];
  const timers: { at: number; work: () => void }[] = [];
  const statuses: [LinkStatus["state"], string | undefined][] = [];
  const received: string[] = [];
  const cards: [jws: string, hsm: string][] = [];
  let syncs = 0;
  const state = {
    now: NOW * 1000,
    credentials: { bridge: BRIDGE, hsm, own: own.signer, invite } as Credentials | null,
    outbox: [] as Outgoing[],
    failing: false,
    again: false,
    atOnce: false,
    proved: false,
    newer: false,
    problem: null as Problem | null,
    onReceive: () => {},
  };
  const link = makeLink(
    {
      open: (url, on) => {
        const sent: ClientFrame[] = [];
        const wire = {
          url,
          sent,
          closed: false,
          say: (frame: BridgeFrame) => on.message(encodeFrame(frame)),
          end: () => on.closed(),
        };
        wires.push(wire);
        return {
          send: (text) => void sent.push(parseClientFrame(text)),
          close: () => {
            wire.closed = true;
          },
        };
      },
      now: () => state.now,
      random: (bytes) => new Uint8Array(bytes).fill(255),
      after: (milliseconds, work) => {
        const timer = { at: state.now + milliseconds, work };
        timers.push(timer);
        return () => void timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0);
      },
    },
    {
      credentials: async () => state.credentials,
      outgoing: async ({ fresh, sent }) => {
        if (state.problem !== null) return { frames: [], problem: state.problem };
        if (fresh) syncs += 1;
        const sync = { id: `${ID.slice(0, 20)}${"ABCDEFGHIJKLMNOP".charAt(syncs)}Q`, to: hsm, body: "sync" };
        const frames = [...(fresh ? [sync] : []), ...state.outbox].filter(({ id }) => !sent.has(id));
        return { frames, problem: null };
      },
      card: async (jws, of) => {
        cards.push([jws, of]);
        return { again: state.newer };
      },
      receive: async (body) => {
        if (state.failing) throw new Error("the disk is full");
        received.push(body);
        state.onReceive();
        const { again, atOnce, proved } = state;
        return { again, ...(atOnce ? { atOnce } : {}), ...(proved ? { proved } : {}) };
      },
      status: async (now: LinkStatus["state"], problem: Problem | null) => void statuses.push([now, problem?.code]),
    },
  );
  const last = () => {
    const wire = wires.at(-1);
    if (wire === undefined) throw new Error("no wire");
    return wire;
  };
  /** Says a frame and waits until it has been dealt with. */
  const say = async (frame: BridgeFrame, wire = last()) => {
    wire.say(frame);
    await link.settled();
  };
  return {
    wires,
    statuses,
    received,
    cards,
    state,
    link,
    last,
    say,
    pauses: () => timers.map(({ at }) => at - state.now),
    wake: async () => {
      link.wake();
      await link.settled();
    },
    end: async () => {
      last().end();
      await link.settled();
    },
    /** Lets the next timer ring. */
    ring: async () => {
      const [next] = timers.splice(0).sort((a, b) => a.at - b.at);
      state.now = next?.at ?? state.now;
      next?.work();
      await link.settled();
    },
    login: async (card: string | null = null) => {
      await say({ v: 1, t: "hello", nonce: NONCE });
      await say({ v: 1, t: "ready", card });
    },
    refuse: async (code: ErrorCode) => {
      await say({ v: 1, t: "hello", nonce: NONCE });
      await say({ v: 1, t: "error", code, id: null });
    },
  };
}
