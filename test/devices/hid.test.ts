import framing from "@ledgerhq/hw-transport-webusb/hid-framing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Assembler, HidPipe, toPackets } from "./hid.ts";

// The package's types say CommonJS; what is loaded is its ES module, whose default export is the function itself.
const createFraming = framing as unknown as typeof framing.default;

const bytes = fc.uint8Array({ minLength: 5, maxLength: 300 });
const channel = fc.integer({ min: 0, max: 0xffff });

test("the library's packets become its APDU", () => {
  fc.assert(
    fc.property(bytes, channel, (apdu, channel) => {
      const assembler = new Assembler();
      const transfers = createFraming(channel, 64)
        .makeBlocks(Buffer.from(apdu))
        .flatMap((packet) => assembler.push(packet.slice(0, 64)) ?? []);
      expect(transfers).toEqual([{ channel, data: apdu }]);
    }),
  );
});

test("the device's packets become the library's answer", () => {
  fc.assert(
    fc.property(bytes, channel, (answer, channel) => {
      const framing = createFraming(channel, 64);
      let acc: ReturnType<typeof framing.reduceResponse>;
      for (const packet of toPackets({ channel, data: answer })) {
        expect(packet).toHaveLength(64);
        acc = framing.reduceResponse(acc, Buffer.from(packet));
      }
      expect(new Uint8Array(framing.getReducedResult(acc) ?? [])).toEqual(answer);
    }),
  );
});

test("a packet out of order is dropped together with what came before", () => {
  const assembler = new Assembler();
  const [first, , third] = toPackets({ channel: 7, data: new Uint8Array(200) });
  expect(assembler.push(first ?? new Uint8Array())).toBeUndefined();
  expect(assembler.push(third ?? new Uint8Array())).toBeUndefined();
  const [only] = toPackets({ channel: 7, data: Uint8Array.of(1, 2, 3, 4, 5) });
  expect(assembler.push(only ?? new Uint8Array())?.data).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
});

test("an answer from before a reset is not sent", async () => {
  const sent: Uint8Array[] = [];
  const answers: ((answer: Uint8Array) => void)[] = [];
  const pipe = new HidPipe(
    () => new Promise((resolve) => answers.push(resolve)),
    (packet) => sent.push(packet),
  );
  for (const packet of toPackets({ channel: 1, data: new Uint8Array(5) })) pipe.receive(packet);
  pipe.reset();
  for (const packet of toPackets({ channel: 2, data: new Uint8Array(5) })) pipe.receive(packet);
  for (const answer of answers) answer(Uint8Array.of(0x90, 0x00));
  await Promise.resolve();
  expect(sent.map((packet) => Array.from(packet.slice(0, 9)))).toEqual([[0, 2, 5, 0, 0, 0, 2, 0x90, 0]]);
});
