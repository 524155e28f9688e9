/** Makes request.json: requests with their digest and statement, and requests that are refused, each signed by the HSM identity. */
import { payloadText, signPayload } from "../envelope.ts";
import { REQUEST, requestDigest, statementOf, type TransferRequest, withStatement } from "../request.ts";
import { HSM } from "./keys.ts";
import { REQUEST_PAYLOAD, sampleOf } from "./sample.ts";

const BASE = REQUEST_PAYLOAD;
/** 1.5 ETH to the same destination, 21,000 gas at 30 gwei, nonce 0. */
const COIN: TransferRequest = withStatement({
  ...BASE,
  token: null,
  sign: ["02f00180843b9aca008506fc23ac008252089452908400098527886e0f7030069857d2e4169ee78814d1120d7b16000080c0"],
  effect: { ...BASE.effect, amount: "1.50", asset: "ETH", maxFee: "0.00063 ETH", nonce: 0 },
});

async function valid(what: string, payload: TransferRequest) {
  const text = payloadText(REQUEST, payload);
  const digest = requestDigest(new TextEncoder().encode(text));
  const { jws } = await sampleOf(REQUEST, payload, HSM);
  return { what, payload: text, jws, digest, statement: statementOf(payload, payload.effect, digest) };
}

/** Signed though it does not fit, as a broken agent might. */
async function refused(what: string, code: string, payload: object) {
  const text = JSON.stringify(payload);
  return { what, code, jws: await signPayload(REQUEST, text, HSM.signer) };
}

const P = "ERR_ENVELOPE_PAYLOAD";
const S = "ERR_STATEMENT_DIFFERS";
const { quorum, vault, effect, network } = BASE;
const withoutStatement = Object.fromEntries(Object.entries(BASE).filter(([name]) => name !== "statement"));
const template = (from: string, to: string) => ({ ...BASE, statement: BASE.statement.replace(from, to) });

export const REQUESTS = {
  hsm: HSM.jwk,
  audience: BASE.aud[0] ?? "",
  now: BASE.iat,
  valid: [
    await valid("a token", BASE),
    await valid("the coin", COIN),
    await valid(
      "one approver of one",
      withStatement({ ...BASE, quorum: { threshold: 1, people: ["Ada"], vendors: [] } }),
    ),
    await valid("to a payee of the address book", { ...BASE, payee: "Acme" }),
    await valid(
      "every name as long as it may be",
      withStatement({
        ...BASE,
        vault: { ...vault, name: "Treasury_of_the.Holding1" },
        network: { ...network, name: "Ethereum-Archive_Node.24" },
      }),
    ),
  ],
  refused: [
    await refused("another verb", P, { ...BASE, verb: "BATCH" }),
    await refused("an expiry that is no whole minute", P, { ...BASE, exp: BASE.exp + 1 }),
    await refused("two byte strings to sign", P, { ...BASE, sign: [...BASE.sign, ...BASE.sign] }),
    await refused("nothing to sign", P, { ...BASE, sign: [] }),
    await refused("half a byte to sign", P, { ...BASE, sign: ["0"] }),
    await refused("upper-case bytes", P, { ...BASE, sign: BASE.sign.map((bytes) => bytes.toUpperCase()) }),
    await refused("a network that is no eip155", P, { ...BASE, network: { ...network, id: "solana:1" } }),
    await refused("a chain id with a leading zero", P, { ...BASE, network: { ...network, id: "eip155:01" } }),
    await refused("a network's name with a space", P, { ...BASE, network: { ...network, name: "Ethereum Mainnet" } }),
    await refused("37 decimals", P, { ...BASE, network: { ...network, decimals: 37 } }),
    await refused("a vault named like a word of the statement", P, { ...BASE, vault: { ...vault, name: "FROM" } }),
    await refused("a compressed vault key", P, {
      ...BASE,
      vault: { ...vault, publicKey: vault.publicKey.slice(0, 66) },
    }),
    await refused("a destination without its checksum", P, {
      ...BASE,
      effect: { ...effect, to: effect.to.toLowerCase() },
    }),
    await refused("an amount with a leading zero", P, { ...BASE, effect: { ...effect, amount: "0250000.00" } }),
    await refused("an amount with an exponent", P, { ...BASE, effect: { ...effect, amount: "25e4" } }),
    await refused("an amount with a sign", P, { ...BASE, effect: { ...effect, amount: "-1" } }),
    await refused("a fee without its symbol", P, { ...BASE, effect: { ...effect, maxFee: "0.009" } }),
    await refused("a fee of two points", P, { ...BASE, effect: { ...effect, maxFee: "0.0.9 ETH" } }),
    await refused("a nonce below zero", P, { ...BASE, effect: { ...effect, nonce: -1 } }),
    await refused("nobody in the quorum", P, { ...BASE, quorum: { ...quorum, people: [] } }),
    await refused("somebody twice in the quorum", P, { ...BASE, quorum: { ...quorum, people: ["Ada", "Bob", "Ada"] } }),
    await refused("the initiator in the quorum", P, { ...BASE, initiator: "Bob" }),
    await refused("a threshold of none", P, { ...BASE, quorum: { ...quorum, threshold: 0 } }),
    await refused("a threshold that cannot be reached", P, { ...BASE, quorum: { ...quorum, threshold: 4 } }),
    await refused("policy number 0", P, { ...BASE, policy: { ...BASE.policy, n: 0 } }),
    await refused("no token member", P, Object.fromEntries(Object.entries(BASE).filter(([name]) => name !== "token"))),
    await refused("no payee member", P, Object.fromEntries(Object.entries(BASE).filter(([name]) => name !== "payee"))),
    await refused("a payee that is no name", P, { ...BASE, payee: effect.to }),
    await refused("no initiator", P, { ...BASE, initiator: null }),
    await refused("a transfer with a change", P, { ...BASE, change: { vault: null } }),
    await refused("a transfer under a governance verb", P, { ...BASE, verb: "UNFREEZE" }),
    await refused("a transfer with a delay", P, { ...BASE, notBefore: null }),
    await refused("no statement", P, withoutStatement),
    await refused("a statement of 1,025 characters", P, { ...BASE, statement: "x".repeat(1025) }),
    await refused("a statement with another amount", S, template("250000.00", "2500.00")),
    await refused("a statement with a longer amount", S, template("250000.00", "250000.000")),
    await refused("a statement with another asset", S, template("USDC", "USDT")),
    await refused("a statement with another destination", S, template("9EE7", "9EE8")),
    await refused("a statement with another network", S, template("Ethereum", "Sepolia")),
    await refused("a statement with another vault", S, template("Treasury-1", "Treasury-2")),
    await refused("a statement with another fee", S, template("0.009", "0.09")),
    await refused("a statement with another quorum", S, template("2 of 3", "1 of 3")),
    await refused("a statement with another policy", S, template("policy 17", "policy 18")),
    await refused("a statement with another request id", S, template(BASE.request, "0000000000000000")),
    await refused("a statement with another expiry", S, template("09:00Z", "09:01Z")),
    await refused("a statement with a digest in it", S, template("{digest}", "0".repeat(64))),
    await refused("a statement of another HSM", S, template("OpenCustody v1 ", "OpenCustody v1 0")),
    await refused("a statement that goes on", S, { ...BASE, statement: `${BASE.statement}; paid` }),
    await refused("an empty statement", S, { ...BASE, statement: "" }),
  ],
};
