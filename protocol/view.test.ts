/** view.ts: a view opens as it was made, and no part of it can be another one's. */
import { base64url } from "jose";
import { describe, expect, test } from "vitest";
import { originOf, signCheckpoint } from "./checkpoint.ts";
import { type Entry, entryText } from "./log-entry.ts";
import { consistencyPath, inclusionPath, leafHash, type NodeAt, nodeHash, rootAt } from "./merkle.ts";
import { HSM, STRANGER, wordOf } from "./vectors/keys.ts";
import { DIGEST, NOW, REQUEST_PAYLOAD } from "./vectors/sample.ts";
import { encodeView, isView, openView, VIEW_ENTRIES_MAX, VIEW_WITNESSES_MAX, type View } from "./view.ts";

const ORIGIN = originOf(HSM.signer.kid);
const EXPECTED = { origin: ORIGIN, keys: [HSM.jwk] };
const encoder = new TextEncoder();
const LINES = Array.from({ length: 40 }, (_, at) => {
  const entry: Entry = { v: 1, kind: "request", at: NOW + at, request: REQUEST_PAYLOAD.request, digest: DIGEST };
  return entryText(entry);
});
const node: NodeAt = (level, at) =>
  level === 0
    ? leafHash(encoder.encode(LINES[at] ?? ""))
    : nodeHash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1));
const proved = (index: number) => ({ index, text: LINES[index] ?? "", path: inclusionPath(index, 40, node) });

const VIEW: View = {
  v: 1,
  checkpoint: await signCheckpoint(ORIGIN, { size: 40, root: rootAt(40, node) }, HSM.signer, HSM.jwk),
  from: 7,
  consistency: consistencyPath(7, 40, node),
  entries: [proved(3), proved(39)],
  witnesses: [{ jws: `e30.e30.${wordOf("a signature", 32)}`, consistency: [] }],
};
const refusal = (why: string): unknown =>
  expect.objectContaining({ name: "Fault", code: "ERR_LOG", message: expect.stringContaining(why) as unknown });
const encode = (text: string) => `oc-view.1.${base64url.encode(text)}`;

test("a view has three parts, as a sealed message must, and opens as it was made", async () => {
  const message = encodeView(VIEW);
  expect(message.split(".")).toHaveLength(3);
  expect(isView(message)).toBe(true);
  expect(isView(`e30.${message}`)).toBe(false);
  const opened = await openView(message, EXPECTED);
  expect(opened.view).toEqual(VIEW);
  expect(opened.head).toEqual({ size: 40, root: rootAt(40, node) });
  expect(opened.by).toBe(HSM.signer.kid);
  expect(opened.entries.map(entryText)).toEqual([LINES[3], LINES[39]]);
});

describe("refused", () => {
  const text = JSON.stringify(VIEW);
  const other = { ...proved(3), text: LINES[4] ?? "" };
  test.each([
    ["another prefix", encodeView(VIEW).replace(".1.", ".2."), "malformed"],
    ["padding", `${encodeView(VIEW)}=`, "malformed"],
    ["white space", encode(text.replace(",", ", ")), "malformed"],
    [
      "members in another order",
      encode(JSON.stringify(Object.fromEntries(Object.entries(VIEW).toReversed()))),
      "malformed",
    ],
    ["an unknown member", encode(JSON.stringify({ ...VIEW, note: "fine" })), "malformed"],
    ["a member less", encode(text.replace(`"from":7,`, "")), "malformed"],
    ["version 2", encode(text.replace('"v":1', '"v":2')), "malformed"],
    ["half an index", encode(text.replace('"from":7', '"from":7.5')), "malformed"],
    ["not UTF-8", `oc-view.1.${base64url.encode(Uint8Array.of(0xff, 0xfe))}`, "malformed"],
    [
      "too many entries",
      encode(JSON.stringify({ ...VIEW, entries: Array.from({ length: VIEW_ENTRIES_MAX + 1 }, () => proved(3)) })),
      "malformed",
    ],
    [
      "too many witnesses",
      encode(
        JSON.stringify({ ...VIEW, witnesses: Array.from({ length: VIEW_WITNESSES_MAX + 1 }, () => VIEW.witnesses[0]) }),
      ),
      "malformed",
    ],
    [
      "another log",
      encodeView({ ...VIEW, checkpoint: VIEW.checkpoint.replaceAll(HSM.signer.kid, STRANGER.signer.kid) }),
      "another log",
    ],
    [
      "another size",
      encodeView({ ...VIEW, checkpoint: VIEW.checkpoint.replace("\n40\n", "\n41\n") }),
      "does not verify",
    ],
    ["an entry of another place", encodeView({ ...VIEW, entries: [{ ...proved(3), index: 4 }] }), "not in the log"],
    ["another entry", encodeView({ ...VIEW, entries: [other] }), "not in the log"],
    ["an entry that is none", encodeView({ ...VIEW, entries: [{ ...proved(3), text: "{}" }] }), "entries is malformed"],
    [
      "an entry with white space",
      encodeView({ ...VIEW, entries: [{ ...proved(3), text: ` ${LINES[3]}` }] }),
      "entries is malformed",
    ],
    ["no path", encodeView({ ...VIEW, entries: [{ ...proved(3), path: [] }] }), "not in the log"],
    ["the second of two entries wrong", encodeView({ ...VIEW, entries: [proved(1), other] }), "not in the log"],
  ])("%s", async (_what, message, why) => {
    await expect(openView(message, EXPECTED)).rejects.toEqual(refusal(why));
  });
  test("a checkpoint of a key that is not known", async () => {
    const checkpoint = await signCheckpoint(
      ORIGIN,
      { size: 40, root: rootAt(40, node) },
      STRANGER.signer,
      STRANGER.jwk,
    );
    await expect(openView(encodeView({ ...VIEW, checkpoint }), EXPECTED)).rejects.toEqual(refusal("no key"));
  });
});
