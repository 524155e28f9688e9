/** The proofs of proof.json that are refused. The keys of HSM, people and devices sign what they should not, each in one place. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { fingerprint, thumbprint } from "../primitive.ts";
import { type TransferRequest, withMotionStatement } from "../request.ts";
import { LONG_CHAIN } from "./chain.ts";
import { CHARTERS } from "./charter.ts";
import { ADA, ADAS_DEVICE, ADAS_FILE, HSM, NEXT_HSM, OTHER_DEVICE, STRANGER, VAULT } from "./keys.ts";
import { motionRequest, written } from "./motion.ts";
import { answered, asked, changed, ended, type Fault, good, one, otherwise, PAY, proposed, storyOf, text } from "./proof-fault.ts";
import { approved, CHANGED, COIN, FOUNDED, LATE, nth, olga } from "./stories.ts";
import { motionFor, proposalOf, signedForm, type Story, tell, transfer } from "./story.ts";
import { ada, bob, carol, dan, eve } from "./world.ts";

/** Another character near the end, so that it stays base64url or hex. */
const flip = (jws: string) => jws.slice(0, -9) + (jws.at(-9) === "A" ? "B" : "A") + jws.slice(-8);
const flipHex = (hex: string) => hex.slice(0, -9) + (hex.at(-9) === "0" ? "1" : "0") + hex.slice(-8);
const ELSE = "f".repeat(64);
const request = storyOf(PAY).request as TransferRequest;
const [unsigned = ""] = request.sign;
const { quorum, effect, vault } = request;
const signed = signedForm(request);
const refusedAct = (what: string) => CHARTERS.refused.find((act) => act.what === what)?.jws ?? "";
const NEW = "somebody new";
const REJECTED = "a change that was rejected";
const UNWELCOME = "a founding that was rejected";
const STOPPED = "a recovery that an admin stopped";
const stopped = storyOf(STOPPED).request;
const laxer = { ...quorum, threshold: 1 };
const carols = { ...carol, name: "Carol" };
const drills = motionRequest({ name: "a drill", motion: { verb: "DRILL", change: { vault: "Treasury-1" } } }, FOUNDED.charter);
const enrolment = storyOf(NEW).request;
/** A change as the HSM should not have asked for it. */
async function asking(of: string, members: object, answers = storyOf(of).answers): Promise<Partial<Story>> {
  const before = storyOf(of).request;
  if (before.verb === "SEND") throw new TypeError("not a motion");
  const request = withMotionStatement({ ...before, ...members });
  return { request, proposal: before.verb === "FOUND" ? null : await motionFor(request), answers };
}

function highS(): object {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const [recovery = 0, ...rs] = VAULT.signHash(keccak_256(hexToBytes(unsigned)));
  const s = order - BigInt(`0x${bytesToHex(Uint8Array.from(rs.slice(32)))}`);
  return { s: `0x${s.toString(16)}`, yParity: 1 - recovery };
}

/** More than a minute before the founding took effect. */
const EARLY = transfer("pay early", FOUNDED, {}, HSM, request.iat - 60);
/** No file can be made so; its text can. */
const wrong = (what: string, members: object): Fault => ({ what, step: "form", of: PAY, with: members });
const paid = await good(PAY);
const first = (all: readonly string[]) => all[0] ?? "";
const logged = async (what: string, record: object) =>
  await otherwise("log", what, { answers: [one("approval", ada, {}, record), one("approval", bob)] });
const otherLog = await tell({ ...storyOf(PAY), founder: STRANGER });
const otherRequest = await good("the coin, signed");

export const FAULTS: Fault[] = [
  text("version 2", '{"v":1,"kind"', '{"v":2,"kind"'),
  text("another kind", "OpenCustody proof", "OpenCustody Proof"),
  text("an unknown member", '{"v":1,"kind"', '{"v":1,"w":1,"kind"'),
  text("a member twice", '{"v":1,"kind"', '{"v":1,"v":1,"kind"'),
  text("members in another order", '{"v":1,"kind":"OpenCustody proof"', '{"kind":"OpenCustody proof","v":1'),
  text("white space", '{"v":1,"kind"', '{"v":1, "kind"'),
  text("a mark before it", '{"v":1,"kind"', '\ufeff{"v":1,"kind"'),
  text("no line feed at its end", "}\n", "}"),
  text("two line feeds at its end", "}\n", "}\n\n"),
  text("cut at its end", `"signed":"0x`, ""),
  text("a letter escaped", '"kind":"Open', '"kind":"\\u004fpen'),
  text("an index that is a text", '"proposed":{"index":', '"proposed":{"index":"'),
  text("an upper-case signed transaction", `"${signed}"`, `"0x${signed.slice(2).toUpperCase()}"`),
  text("padding in a message", '"],"proposed"', '="],"proposed"'),
  text("no signed member", `,"signed":"${signed}"`, ""),
  text("a version that is no number", '{"v":1,"kind"', '{"v":true,"kind"'),
  ...(["acts", "messages"] as const).map((name) => wrong(`${name} that are an object`, { [name]: { [first(paid[name])]: 1 } })),
  wrong("a path that is an object", { entry: { ...paid.entry, path: Object.fromEntries(paid.entry.path.map((hash) => [hash, 1])) } }),
  wrong("no proposal of it in the log", { proposed: null }),
  wrong("an index beyond every log", { entry: { ...paid.entry, index: 2 ** 40 + 1 } }),
  wrong("an index below none", { entry: { ...paid.entry, index: -1 } }),
  wrong("a path longer than any tree is high", { entry: { ...paid.entry, path: Array.from({ length: 43 }, () => ELSE) } }),
  wrong("a hash in upper case", { entry: { ...paid.entry, path: paid.entry.path.map((hash) => hash.toUpperCase()) } }),
  wrong("more messages than people answer", { messages: Array.from({ length: 161 }, () => "a.b.c") }),
  wrong("a checkpoint that is no text", { checkpoint: null }),
  wrong("a founder with a short coordinate", { founder: { ...HSM.jwk, x: HSM.jwk.x.slice(1) } }),
  wrong("a founder with something more", { founder: { ...HSM.jwk, use: "sig" } }),
  wrong("a founder on another curve", { founder: { ...HSM.jwk, crv: "P-384" } }),
  // 2. charter
  await changed("charter", "one character of an act", ({ acts }) => ({ acts: [flip(acts[0] ?? "")] })),
  await changed("charter", "another founder", () => ({ founder: STRANGER.jwk })),
  await changed("charter", "a founder that is no point", ({ founder }) => ({ founder: { ...founder, y: STRANGER.jwk.y } })),
  await changed("charter", "an act left out", ({ acts }) => ({ acts: acts.toSpliced(3, 1) }), "signed before all that came later"),
  await changed("charter", "two acts changed about", ({ acts }) => ({ acts: acts.toReversed() }), NEW),
  await changed("charter", "an act twice", ({ acts }) => ({ acts: [...acts, ...acts.slice(-1)] }), NEW),
  ...(await Promise.all(
    ["one approval of two", "a lower threshold", "decided under other people", "an approval on another's device", "other people than it says"].map(
      async (what) => await changed("charter", `an act: ${what}`, ({ acts }) => ({ acts: [...acts.slice(0, 1), refusedAct(what)] }), NEW),
    ),
  )),
  // 3. checkpoint
  await changed("checkpoint", "another size", ({ checkpoint }) => ({ checkpoint: checkpoint.replace(/\n(\d+)\n/, "\n1$1\n") })),
  await changed("checkpoint", "one character of its signature", ({ checkpoint }) => ({ checkpoint: flip(checkpoint) })),
  await changed("checkpoint", "another signature beside it", ({ checkpoint }) => ({ checkpoint: `${checkpoint}\u2014 witness.example/1 ${btoa("x".repeat(69))}\n` })),
  await changed("checkpoint", "no acts that founded anything under its signer", () => ({ acts: [] }), "a rotation by the new identity"),
  await otherwise("checkpoint", "signed by a stranger", { noteBy: STRANGER }),
  await otherwise("checkpoint", "signed by the next identity before it is in force", { noteBy: NEXT_HSM }),
  await otherwise("checkpoint", "signed by the identity before the rotation", { noteBy: HSM }, "signed before all that came later"),
  await changed("checkpoint", "of another log", () => ({ checkpoint: otherLog.checkpoint })),
  // 4. identity
  { what: "another HSM's fingerprint", step: "identity", of: PAY, fingerprint: fingerprint(thumbprint(STRANGER.jwk)) },
  { what: "the next identity, which has signed nothing yet", step: "identity", of: PAY, fingerprint: fingerprint(thumbprint(NEXT_HSM.jwk)) },
  { what: "an identity in between that signed none of it", step: "identity", of: "signed by the first of three identities", fingerprint: fingerprint(thumbprint(NEXT_HSM.jwk)) },
  // 5. log
  await changed("log", "one character of a path", ({ entry }) => ({ entry: { ...entry, path: [flipHex(entry.path[0] ?? ""), ...entry.path.slice(1)] } })),
  await changed("log", "a hash too few", ({ entry }) => ({ entry: { ...entry, path: entry.path.slice(1) } })),
  await changed("log", "another index", ({ issued }) => ({ issued: { ...issued, index: issued.index - 1 } })),
  await changed("log", "an entry with another time", ({ entry }) => ({ entry: { ...entry, text: entry.text.replace(/"at":(\d+)\d,/, '"at":$13,') } })),
  await changed("log", "the issue for the proposal", ({ issued }) => ({ proposed: issued })),
  await changed("log", "the proposal for the state", ({ proposed: entry }) => ({ entry })),
  await changed("log", "an act for nothing", ({ entry }) => ({ act: entry })),
  await changed("log", "an entry of white space", ({ entry }) => ({ entry: { ...entry, text: ` ${entry.text}` } })),
  await otherwise("log", "a state a minute older than its request", { receipt: { at: request.iat - 61 } }),
  await otherwise("log", "asked for more than a minute before it was proposed", { issuedAt: request.iat - 61 }),
  await otherwise("log", "a proposal by what is no name", { proposer: "0x1234567890" }),
  await logged("a record of a vendor that nobody knows", { vendor: "Keepkey" }),
  await logged("a record of a reason that nobody knows", { reason: "bogus" }),
  await logged("a record of nobody", { person: "to" }),
  await logged("a record of no message", { of: "AAAAAAAAAAAAAAAAAAAAAAA" }),
  await logged("a record of an address with another checksum", { address: ADAS_DEVICE.address.toLowerCase() }),
  await otherwise("log", "a state of other bytes", { receipt: { digest: ELSE } }),
  await otherwise("log", "a state of another request", { receipt: { request: "0000000000000000" } }),
  // 6. request
  await changed("request", "one character of its signature", ({ request: jws }) => ({ request: flip(jws) })),
  await changed("request", "one character of its payload", ({ request: jws }) => ({ request: jws.replace(/^([^.]+\.[^.]{200})(.)/, (_all, before, c) => before + (c === "A" ? "B" : "A")) })),
  await changed("request", "another request", () => ({ request: otherRequest.request })),
  await otherwise("request", "signed by a stranger", { request: { ...request, iss: STRANGER.signer.kid }, by: STRANGER, noteBy: HSM }),
  await asked("request", "under another policy", { policy: { ...request.policy, digest: ELSE } }),
  await otherwise("request", "asked for before its documents were there", {
    request: EARLY,
    proposal: await proposalOf(EARLY),
    signed: signedForm(EARLY),
  }),
  await asked("request", "under other people", { people: { ...request.people, n: 2 } }),
  await asked("request", "bytes of another amount", { sign: [unsigned.replace("3a352944", "3a352945")] }),
  await asked("request", "bytes to another address", { sign: [unsigned.replace("52908400", "52908401")] }),
  await asked("request", "bytes for another chain", { sign: [unsigned.replace("02f86d01", "02f86d05")] }),
  await asked("request", "another effect than its bytes have", { effect: { ...effect, amount: "2.50" } }),
  await asked("request", "no bytes that anybody can read", { sign: [unsigned.slice(0, -2)] }, { signed }),
  await otherwise("request", "a statement of something else", {
    request: { ...request, statement: request.statement.replace("Treasury-1", "Treasury-2") },
  }),
  await otherwise("request", "a founding of other documents than it makes", await asking(UNWELCOME, { policy: { n: 1, digest: ELSE } }), UNWELCOME),
  // 7. policy
  await asked("policy", "a lower threshold", { quorum: laxer }, { answers: approved(ada) }),
  await asked("policy", "somebody more in the quorum", { quorum: { ...quorum, people: [...quorum.people, "Eve"] } }),
  await asked("policy", "somebody less in the quorum", { quorum: { ...quorum, people: ["Ada", "Bob"] } }),
  await asked("policy", "a vendor that the rule does not ask for", { quorum: { ...quorum, vendors: [{ vendor: "Ledger", atLeast: 1 }] } }),
  await asked("policy", "another key under the vault's name", { vault: { ...vault, publicKey: OTHER_DEVICE.publicKey } }, { signed: signedForm(request, OTHER_DEVICE) }),
  await asked("policy", "a vault without a rule", { vault: { ...vault, name: "Treasury-2" } }, {}, { vault: "Treasury-2" }),
  await asked("policy", "another name for the network", { network: { ...request.network, name: "Mainnet" } }),
  await asked("policy", "a payee of another name", { payee: "Ace" }),
  await asked("policy", "no payee", { payee: null }),
  await asked("policy", "an expiry put off", { exp: request.exp + 60 }),
  await asked("policy", "an initiator who is none", { initiator: "Eve" }, {}, {}),
  await asked("policy", "a fee above the rule's", {
    sign: [unsigned.replace("22ecb25c00", "e8d4a51000")],
    effect: { ...effect, maxFee: "0.06 ETH" },
  }),
  await otherwise("policy", "a change under a lower threshold", await asking(REJECTED, { quorum: { ...enrolment.quorum, threshold: 1 } }), REJECTED),
  await otherwise("policy", "a recovery without its delay", await asking(STOPPED, { notBefore: stopped.iat + 60 }), STOPPED),
  // 8. proposal
  await changed("proposal", "no proposal", () => ({ proposal: null })),
  await changed("proposal", "one character of it", ({ proposal }) => ({ proposal: flip(proposal ?? "") })),
  { what: "another than the log names", step: "proposal", of: PAY, with: { proposal: await proposalOf(request, { exp: request.iat + 299 }) } },
  await proposed("by somebody else's key file", await proposalOf(request, {}, { ...ADAS_FILE })),
  await proposed("by an extension's key", await proposalOf(request, {}, ADA)),
  await proposed("by somebody else, as the log says", await proposalOf(request), "Ada"),
  await proposed("for another HSM", await proposalOf(request, { aud: [STRANGER.signer.kid] })),
  await proposed("of another amount", await proposalOf(request, { amount: "25000" })),
  await proposed("of another asset", await proposalOf(request, { asset: "ETH" })),
  await proposed("to another address", await proposalOf(request, { to: ADAS_DEVICE.address })),
  await proposed("from another vault", await proposalOf(request, { vault: "Treasury-2" })),
  await proposed("with other gas", await proposalOf(request, { gas: { limit: "60001", maxFeePerGas: "150000000000", maxPriorityFeePerGas: "1000000000" } })),
  await proposed("with its gas in another order", await proposalOf(request, { gas: { maxFeePerGas: "150000000000", limit: "60000", maxPriorityFeePerGas: "1000000000" } })),
  await proposed("with gas in numbers", await proposalOf(request, { gas: { limit: 60000, maxFeePerGas: 150000000000, maxPriorityFeePerGas: 1000000000 } })),
  await proposed("with another spelling of its amount", await proposalOf(request, { amount: "0250000" })),
  await proposed("with a version that is no number", await proposalOf(request, { v: true })),
  await proposed("for nobody and the HSM", await proposalOf(request, { aud: [HSM.signer.kid, ""] })),
  await proposed("of a change", await motionFor(drills)),
  await otherwise("proposal", "of another change", { proposal: await motionFor(enrolment, { motion: { verb: "UNFREEZE", change: { vault: null } } }) }, NEW),
  await otherwise("proposal", "of a recovery", { proposal: await motionFor(enrolment, { recovery: true }) }, NEW),
  await otherwise("proposal", "a founding that somebody proposed", { proposal: await motionFor(drills) }, "a founding"),
  // 9. answers
  await changed("answers", "one message less", ({ messages }) => ({ messages: messages.slice(1) })),
  await changed("answers", "one message more", ({ messages }) => ({ messages: [...messages, ...messages.slice(1)] })),
  await changed("answers", "two messages changed about", ({ messages }) => ({ messages: messages.toReversed() })),
  await changed("answers", "one character of a signature", ({ messages }) => ({ messages: messages.map(flip) })),
  await answered("an approval of other bytes", [one("approval", ada, { digest: ELSE }), one("approval", bob)]),
  await answered("an approval of another request", [one("approval", ada, { request: "0000000000000000" }), one("approval", bob)]),
  await answered("an approval for another HSM", [one("approval", ada, { aud: [STRANGER.signer.kid] }), one("approval", bob)]),
  await answered("a device that signed something else", [one("approval", ada, { signature: ADAS_DEVICE.sign("SEND 1.00 ETH") }), one("approval", bob)]),
  await answered("another's device", [one("approval", { ...ada, device: OTHER_DEVICE }, {}, { address: ADAS_DEVICE.address }), one("approval", bob)]),
  await answered("another device's signature", [one("approval", ada, { signature: OTHER_DEVICE.sign(written(request).statement) }), one("approval", bob)]),
  await answered("one person twice", [one("approval"), one("approval", ada, { jti: "AAAAAAAAAAAAAAAAAAAAAA" })]),
  await answered("one approval twice", [one("approval"), one("approval")]),
  await answered("somebody who does not decide", approved(ada, eve)),
  await answered("somebody whom nobody knows", approved(ada, carols)),
  await answered("one who is recorded as another", [one("approval"), one("approval", bob, {}, { person: "Dan" })]),
  await answered("another vendor in the record", [one("approval", ada, {}, { vendor: "Trezor" }), one("approval", bob)]),
  await answered("another device in the record", [one("approval", ada, {}, { address: OTHER_DEVICE.address }), one("approval", bob)]),
  await answered("another message in the record", [one("approval", ada, {}, { of: "AAAAAAAAAAAAAAAAAAAAAA" }), one("approval", bob)]),
  await answered("a record more than a minute later than the state", [one("approval", ada, {}, { at: request.iat + 181 }), one("approval", bob)]),
  await answered("an approval that ends before its request", [one("approval", ada, { exp: request.exp - 1 }), one("approval", bob)]),
  await answered("a rejection for another reason", [one("approval"), one("rejection", bob, { reason: "other" })], "rejected"),
  await answered("a rejection by somebody who does not decide", [one("approval"), one("rejection", eve)], "rejected"),
  await answered("a cancellation by somebody else", [one("cancellation", { ...ada, key: ADAS_FILE })], "cancelled"),
  await answered("a cancellation of another request", [one("cancellation", olga, { request: "0000000000000000" })], "cancelled"),
  await answered("a record more than a minute older than its request", [one("approval", ada, {}, { at: request.iat - 61 }), one("approval", bob)]),
  await answered("an approval for one HSM twice", [one("approval", ada, { aud: [HSM.signer.kid, HSM.signer.kid] }), one("approval", bob)]),
  await answered("an approval for somebody else as well", [one("approval", ada, { aud: [HSM.signer.kid, STRANGER.signer.kid] }), one("approval", bob)]),
  await answered("an approval that knows the log as a text", [one("approval", ada, { log: "x" }), one("approval", bob)]),
  await answered("an approval that knows no such log", [one("approval", ada, { log: { size: -1, root: ELSE } }), one("approval", bob)]),
  await answered("an approval that knows another root", [one("approval", ada, { log: { size: 3, root: "zz" } }), one("approval", bob)]),
  await answered("an approval with its log in another order", [one("approval", ada, { log: { root: ELSE, size: 3 } }), one("approval", bob)]),
  await answered("a rejection without a reason", [one("rejection", bob, { reason: null }, { reason: null })], "rejected"),
  // 10. outcome
  await ended("one approval of two", { answers: approved(ada) }),
  await ended("two approvals, of which one was withdrawn", { answers: [...approved(ada, bob), one("withdrawal", bob)] }),
  await ended("signed although it was rejected", { answers: [...approved(ada, bob), one("rejection", dan)] }),
  await ended("signed although it was cancelled", { answers: [...approved(ada, bob), one("cancellation", olga)] }),
  await ended("approved by nobody", { answers: [] }, "approved, and waiting"),
  await ended("approved by one of two", { answers: approved(ada) }, "approved, and waiting"),
  await ended("approved by two, of whom one withdrew", { answers: [...approved(ada, bob), one("withdrawal", bob)] }, "approved, and waiting"),
  ...(await Promise.all(
    ["still open", "approved, and waiting", "expired", "void", "failed"].flatMap((of) =>
      [one("rejection", dan), one("cancellation", olga)].map(
        async (stop) => await ended(`${of}, after a ${stop.kind}`, { answers: [...storyOf(of).answers, stop] }, of),
      ),
    ),
  )),
  await ended("approved after it was rejected", { answers: [one("rejection", bob), ...approved(ada)] }, "rejected"),
  await ended("rejected twice", { answers: [one("rejection", bob), one("rejection", dan)] }, "rejected"),
  await ended("rejected and cancelled", { answers: [one("rejection", bob), one("cancellation", olga)] }, "rejected"),
  await ended("withdrawn after it was cancelled", { answers: [one("cancellation", olga), one("withdrawal", ada)] }, "cancelled"),
  await ended("signed a second after its end", { receipt: { at: request.exp + 1 } }),
  await ended("signed years after its end", { receipt: { at: 1_900_000_000 } }),
  await ended("signed after people changed", { receipt: { at: CHANGED + 301 } }, "signed while people changed"),
  await ended("approved after people changed", { state: "approved" }, "void because people changed"),
  await ended("signed after a rotation", { state: "signed", signed: signedForm(LATE), receipt: { at: CHANGED + 301 } }, "signed before a rotation, and not handed out in time"),
  await ended("a drill that went on after people changed", { links: LONG_CHAIN.slice(0, 2), receipt: { at: CHANGED + 301 } }, "a drill"),
  await ended("rejected by nobody", { answers: approved(ada) }, "rejected"),
  await ended("cancelled by nobody", { answers: approved(ada) }, "cancelled"),
  await ended("expired a second too early", { receipt: { at: request.exp - 1 } }, "expired"),
  await ended("only proposed", { state: "proposed" }, "still open"),
  await ended("a transfer that was enacted", { state: "enacted" }, "failed"),
  await ended("a hash of what was never signed", { receipt: { hash: `0x${ELSE}` } }, "still open"),
  await ended("signed without a hash", { state: "signed" }, "failed"),
  await changed("outcome", "enacted, and no act", () => ({ act: null }), NEW),
  await ended("another act of the same number", { act: { ...nth(LONG_CHAIN, 2), charter: { ...nth(LONG_CHAIN, 2).charter, head: ELSE } } }, NEW),
  await ended("a drill without its quorum", { answers: approved(bob) }, "a drill"),
  // 11. transaction
  await changed("transaction", "missing", () => ({ signed: null })),
  await changed("transaction", "one character of it", () => ({ signed: flipHex(signed) })),
  await changed("transaction", "another transaction of that vault", () => ({ signed: signedForm(COIN) })),
  await changed("transaction", "a byte after it", () => ({ signed: `${signed}00` })),
  await changed("transaction", "not signed", () => ({ signed: `0x${unsigned}` })),
  await otherwise("transaction", "signed by another key", { signed: signedForm(request, OTHER_DEVICE) }),
  await otherwise("transaction", "a high s", { signed: signedForm(request, VAULT, highS()) }),
  await otherwise("transaction", "the log names another hash", { receipt: { hash: `0x${ELSE}` } }),
  await changed("transaction", "of what was never signed", () => ({ signed }), "still open"),
];
