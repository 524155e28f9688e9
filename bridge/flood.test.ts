/** One key floods: what comes of it, and that it is nobody else's. Counts, never times. */
import { expect, test } from "vitest";
import { type Client, deliveries, error, makeKey, newId, type Rig, withRig } from "./testing.ts";

const [alice, bob] = [await makeKey(), await makeKey()];
/** So slow that no token comes back while a test runs. A login takes one. */
const SLOW = { perSecond: 0.0001, burst: 10 };

function burst(client: Client, rig: Rig, count: number): void {
  for (let at = 0; at < count; at += 1) client.send({ v: 1, t: "send", id: newId(), to: rig.agent.hsm.id, body: "x" });
}

test("who comes again goes on where they left: no more frames for it", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      const first = await rig.member(alice);
      burst(first, rig, 6);
      for (let at = 0; at < 6; at += 1) expect(await first.next()).toMatchObject({ t: "accepted" });
      await first.leave();
      const second = await rig.member(alice);
      burst(second, rig, 3);
      // A refusal does not wait for the store.
      expect(await second.next()).toMatchObject({ code: "ERR_FRAME_RATE" });
      for (let at = 0; at < 2; at += 1) expect(await second.next()).toMatchObject({ t: "accepted" });
      const other = await rig.member(bob);
      expect(await other.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
    },
    { memberRate: SLOW },
  );
});

test("a flood ends its connection, and no other of that key: a thief cannot put the owner out", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const owner = await rig.member(alice);
      for (let at = 0; at < 7; at += 1) {
        const thief = await rig.member(alice);
        burst(thief, rig, 30);
        expect(await thief.closed).toBe(4429);
      }
      const thief = rig.connect();
      expect(await thief.login(alice, rig.agent)).toEqual(error("ERR_FRAME_RATE", null));
      expect(await owner.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
      await owner.leave();
      expect(await (await rig.member(alice)).post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
    },
    { memberRate: SLOW },
  );
});

test("logins are frames, and after a flood from each of its buckets nobody verifies those of that key", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      for (let at = 0; at < 160; at += 1) await (await rig.member(alice)).leave();
      expect(await rig.connect().login(alice, rig.agent)).toEqual(error("ERR_FRAME_RATE", null));
      // By its key alone, whoever signed it; another key is not looked at so.
      for (const [key, code] of [
        [alice, "ERR_FRAME_RATE"],
        [alice, "ERR_FRAME_RATE"],
        [await makeKey(), "ERR_LOGIN_UNKNOWN"],
      ] as const) {
        const forged = rig.connect();
        const answer = await forged.login({ ...key, signer: { ...bob.signer, kid: key.id } }, rig.agent);
        expect(answer).toEqual(error(code, null));
      }
      expect(await (await rig.member(bob)).quiet()).toBe(true);
    },
    { memberRate: SLOW },
  );
});

test("a debt that is paid is forgotten", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const client = await rig.member(alice);
      burst(client, rig, 500);
      expect(await client.closed).toBe(4429);
      let again = rig.connect();
      while ((await again.login(alice, rig.agent))?.t !== "ready") again = rig.connect();
      expect(await again.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
    },
    { memberRate: { perSecond: 200, burst: 20 } },
  );
});

test("no flood: twenty approvals at once, after each of three reconnections", async () => {
  await withRig([alice], async (rig) => {
    for (let round = 0; round < 3; round += 1) {
      const client = await rig.member(alice);
      burst(client, rig, 20);
      for (let at = 0; at < 20; at += 1) expect(await client.next()).toMatchObject({ t: "accepted" });
      await client.leave();
    }
  });
});

test("no flood: acknowledgements of what was given, on two connections of one key", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const [agent, ...twins] = [await rig.agentClient(), await rig.member(alice), await rig.member(alice)];
      for (let at = 0; at < 50; at += 1) {
        const answered = agent.post(alice.id);
        for (const twin of twins) {
          const [message] = await deliveries(twin, 1);
          twin.send({ v: 1, t: "ack", seq: message?.seq ?? 0 });
        }
        expect(await answered).toMatchObject({ t: "accepted" });
      }
      for (const twin of twins) expect(await twin.quiet()).toBe(true);
    },
    { memberRate: SLOW },
  );
});

test("pings of WebSocket are frames: a flood of them ends the connection, before the login too", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const stranger = rig.connect();
      await stranger.nonce();
      for (const client of [stranger, await rig.member(alice)]) {
        let pongs = 0;
        client.socket.on("pong", () => {
          pongs += 1;
        });
        for (let at = 0; at < 100; at += 1) client.socket.ping();
        expect(await client.next()).toEqual(error("ERR_FRAME_RATE", null));
        expect(await client.closed).toBe(4429);
        expect(pongs).toBe(client === stranger ? 10 : 9);
      }
    },
    { memberRate: SLOW },
  );
});

test("a message in more pieces than any client makes ends the connection", async () => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    for (let at = 0; at < 2_000; at += 1) member.socket.send("", { fin: false });
    expect(await member.closed).toBe(1008);
  });
});

test("pings whose answers are not read fill nothing: their sender is dropped", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const member = await rig.member(alice);
      member.socket.pause();
      // More than the system's own buffers hold.
      for (let at = 0; at < 400_000 && rig.bridge.measure().connections > 0; at += 1) {
        member.socket.ping(Buffer.alloc(125));
        if (at % 1_000 === 0) await new Promise(setImmediate);
      }
      expect(rig.bridge.measure().connections).toBe(0);
      expect(rig.log.join("")).toContain("slow receiver dropped");
    },
    { memberRate: { perSecond: 1e9, burst: 1e9 }, sendBuffer: 100_000 },
  );
});
