/**
 * Attacks on the agent's clock, as a time server or an administrator of its host can make them. Time never goes below the record, so
 * what has ended stays ended. protocol/README.md, "Time".
 */
import { APPROVAL } from "../../protocol/message.ts";
import { now } from "../harness/bridge-client.ts";
import type { Arrived, Member } from "../harness/member.ts";
import { jtiOf, message } from "../harness/message.ts";
import { type MovableClock, movableClock } from "../harness/movable-clock.ts";
import { waitForRequest } from "../harness/requests.ts";
import type { Attack, Group, Tally } from "./attack.ts";
import { type Company, closeCompany, move, openCompany, PAYEE, PLAN, person, policyText, propose } from "./company.ts";
import { onRecord, start, whileEdited } from "./record.ts";
import { linesOf } from "./relog.ts";
import { mustDrop, mustNotCount, mustStay } from "./tries.ts";

interface Timed extends Company {
  readonly clock: MovableClock;
}

const MINUTE = 60;
/** As far as members still take the agent's messages: their clocks may differ by two minutes. */
const AHEAD = 110;
const HOUR = 3600;
const DAY = 24 * HOUR;
/** After the delay of a recovery, and before it expires. */
const BEYOND = DAY + HOUR / 2;

/** In the order in which they stand: a clock that was set back stays in doubt, and then no recovery takes effect at all. */
const ATTACKS: readonly Attack<Timed>[] = [
  {
    id: "recovery-by-the-clock",
    by: "hostile network",
    what: "The clock is set beyond a recovery's delay: while the agent runs, and before it starts",
    tries: 2,
    refused: ["stays approved"],
    run: async (timed, tally) => {
      for (const steps of [[], [BEYOND]]) await recoverEarly(timed, tally, steps);
    },
  },
  {
    id: "recovery-by-small-jumps",
    by: "hostile network",
    what: "The clock is set on by less than a day before each of two starts, together beyond a recovery's delay",
    tries: 1,
    refused: ["stays approved"],
    run: async (timed, tally) => await recoverEarly(timed, tally, [BEYOND - 2 * HOUR, BEYOND]),
  },
  {
    id: "approval-out-of-time",
    by: "hostile computer",
    what: "An approval comes from the future, one has expired, and one ends before its request does",
    tries: 3,
    refused: ["ERR_ENVELOPE_EXPIRED", "ERR_ENVELOPE_TIME"],
    run: async (timed, tally) => {
      const alice = person(timed, "Alice");
      const { id } = await propose(timed);
      const request = await alice.request(id);
      const early = { iat: now() + 600, exp: now() + 90 * MINUTE };
      const late = { iat: now() - 600, exp: now() - 300 };
      for (const times of [early, late])
        await mustDrop(timed, tally, alice, async () => await postAt(alice, request, times));
      const short = { iat: now(), exp: request.payload.exp - 1 };
      await mustNotCount(timed, tally, alice, id, async () => await postAt(alice, request, short));
    },
  },
  {
    id: "expired-request-revived",
    by: "hostile network",
    what: "The clock is set beyond a request's expiry and back: while the agent runs, before it starts, and to a day before the record",
    tries: 4,
    refused: ["ERR_REQUEST_STATE"],
    run: async (timed, tally) => {
      const { world, clock } = timed;
      const [alice, bob] = [person(timed, "Alice"), person(timed, "Bob")];
      const { id } = await propose(timed);
      await alice.decide(id);
      const request = await bob.request(id);
      clock.ahead(AHEAD);
      await waitForRequest(world, id, ({ state }) => state === "expired");
      const times = { iat: now(), exp: now() + 60 * MINUTE };
      const late = async () => await mustNotCount(timed, tally, bob, id, async () => await postAt(bob, request, times));
      await late();
      clock.ahead(0);
      await late();
      for (const seconds of [0, -DAY]) {
        await world.agent().stop();
        clock.ahead(seconds);
        await start(timed);
        await late();
      }
      clock.ahead(0);
    },
  },
  {
    id: "expired-message-revived",
    by: "hostile network",
    what: "The clock is set back by a minute, a day and a year, so that a message would be in time that had expired when the clock was right",
    tries: 3,
    refused: ["ERR_ENVELOPE_EXPIRED"],
    run: async (timed, tally) => {
      const { world, clock } = timed;
      const carol = person(timed, "Carol");
      const request = await carol.request((await propose(timed)).id);
      const expired = { iat: now(), exp: now() + MINUTE / 2 };
      clock.ahead(AHEAD);
      await lookTwice();
      for (const seconds of [MINUTE, -DAY, -365 * DAY]) {
        await world.agent().stop();
        clock.ahead(seconds);
        await start(timed);
        await mustDrop(timed, tally, carol, async () => await postAt(carol, request, expired));
      }
      clock.ahead(0);
    },
  },
  {
    id: "log-back-in-time",
    by: "hostile network",
    what: "The clock is set back by a minute, a day and a year before a rejection, so that the log would tell of it as earlier than it was",
    tries: 3,
    refused: ["at most a minute"],
    run: async (timed, tally) => {
      const { world, clock } = timed;
      const alice = person(timed, "Alice");
      for (const seconds of [-MINUTE, -DAY, -365 * DAY]) {
        const { id } = await propose(timed);
        const request = await alice.request(id);
        await world.agent().stop();
        const before = latest(timed);
        clock.ahead(seconds);
        await start(timed);
        await alice.reject(request);
        const { at } = await alice.receipt(id, ({ state }) => state === "rejected");
        // What the record may have lost of a minute that had begun (README.md of protocol/, "Time").
        if (at >= before - MINUTE) tally.refused("at most a minute");
        else tally.through(`an entry is ${before - at} seconds older than one before it`);
        await world.json("log", "verify");
        await world.agent().stop();
        clock.ahead(0);
        await start(timed);
      }
    },
  },
];

/** When the last entry of the log was made. */
function latest({ world }: Timed): number {
  return Math.max(...onRecord(world, linesOf).map((line) => (JSON.parse(line) as { at: number }).at));
}

/** A recovery that its people approved, and a clock that is set on before each start: without steps, while the agent runs. */
async function recoverEarly(timed: Timed, tally: Tally, steps: readonly number[]): Promise<void> {
  const { world, clock } = timed;
  const policy = { ...(await policyText(world)), contact: `Recovered in ${steps.length} steps` };
  const id = await move(timed, { verb: "POLICY", change: { policy } }, { recovery: true });
  for (const name of ["Alice", "Bob"]) await person(timed, name).decide(id);
  await waitForRequest(world, id, ({ state }) => state === "approved");
  await whileEdited(
    timed,
    tally,
    () => undefined,
    async () => {
      if (steps.length === 0) await world.startAgent();
      for (const seconds of steps) {
        await world.agent().stop();
        clock.ahead(seconds);
        await world.startAgent();
        await lookTwice();
      }
      clock.ahead(BEYOND);
      await lookTwice();
      await mustStay(timed, tally, id, "approved");
      await world.agent().stop();
      clock.ahead(0);
    },
  );
}

/** The agent looks at its clock every second. */
async function lookTwice(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3000));
}

/** An approval as it would be, but for its times. */
async function postAt(by: Member, { payload, digest, statement }: Arrived, times: { iat: number; exp: number }) {
  const { address } = by.device;
  const said = { request: payload.request, digest, address, signature: by.device.sign(statement), log: null };
  const jws = await message(APPROVAL, by.key, by.hsm, { ...said, ...times });
  await by.postRaw(jws);
  return jtiOf(jws);
}

async function open(): Promise<Timed> {
  const clock = movableClock();
  try {
    const company = await clock.around(
      async () => await openCompany({ policy: { ...PLAN, addressBook: [PAYEE], expiresAfter: 1 } }),
    );
    return { ...company, clock };
  } catch (error) {
    clock.dispose();
    throw error;
  }
}

export const CLOCK: Group<Timed> = {
  name: "the agent's clock",
  open,
  close: async (timed) => {
    try {
      await closeCompany(timed);
    } finally {
      timed.clock.dispose();
    }
  },
  attacks: ATTACKS,
};
