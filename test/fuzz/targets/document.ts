/** Files that people write: policy, founding, configurations, key files. They may be spelt in any way, but nothing in them is ignored. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { parseConfig } from "../../../bridge/config.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { readConfig } from "../../../hsm-agent/config.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { parseFounding } from "../../../hsm-agent/founding-file.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { readKeyFile, readPublicKey } from "../../../hsm-agent/key-file.ts";
import { parsePolicy } from "../../../protocol/policy.ts";
import { PublicJwkSchema, thumbprint } from "../../../protocol/primitive.ts";
import * as keys from "../../../protocol/vectors/keys.ts";
import { FOUNDERS, POLICY } from "../../../protocol/vectors/world.ts";
import { KEYS } from "../corpus.ts";
import { accept, acceptLater, given, require, requireSame, type Target } from "../target.ts";
import { mutated } from "./frame.ts";

const STRICT_POLICY = {
  ...POLICY,
  rules: POLICY.rules.map((rule) => ({ ...rule, vendors: [{ vendor: "Ledger", atLeast: 1 }], destinations: "book" })),
};
const POLICIES = [POLICY, STRICT_POLICY].map((policy) => JSON.stringify(policy));

export function policies(): Target {
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(POLICIES), POLICIES));
      const value = parse(text);
      const policy = accept(() => parsePolicy(value));
      if (policy === undefined) return "refused";
      requireSame(policy, value, "a policy of which something was left out");
      const printed = JSON.stringify(policy);
      require(JSON.stringify(parsePolicy(parse(printed))) === printed, "a policy with two spellings");
      return "accepted";
    },
  };
}

const { vaults: _vaults, ...policyInFile } = POLICY;
const FOUNDING = JSON.stringify({
  v: 1,
  people: FOUNDERS.members.map(({ name, roles, files }) => ({ name, roles, key: files[0] ?? null })),
  vaults: [{ name: "Treasury-1", backup: "none", nonces: [{ network: "eip155:1", nonce: 7 }] }],
  policy: policyInFile,
});

export function foundings(): Target {
  return {
    attempt: (random) => {
      const text = given(mutated(random, FOUNDING, [FOUNDING, ...POLICIES]));
      const founding = accept(() => parseFounding(text));
      if (founding === undefined) return "refused";
      requireCovered(parse(text), founding);
      const printed = JSON.stringify(founding);
      require(JSON.stringify(parseFounding(printed)) === printed, "a founding with two spellings");
      return "accepted";
    },
  };
}

const BRIDGE = [
  {
    url: "wss://bridge.example.com/",
    listen: { host: "127.0.0.1", port: 8787 },
    data: "data",
    agents: ["ab".repeat(32)],
  },
  {
    url: "wss://bridge.example.com/approvals/",
    listen: { host: "::1", port: 0 },
    data: "/var/lib/bridge",
    agents: ["ab".repeat(32), "cd".repeat(32)],
    origins: ["moz-extension:*", `chrome-extension://${"a".repeat(32)}`],
    health: { socket: "health.sock" },
    proxy: { header: "x-forwarded-for", trusted: 1 },
  },
].map((config) => JSON.stringify(config));

export function bridgeConfigs(): Target {
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(BRIDGE), BRIDGE));
      const config = accept(() => parseConfig(text, "/etc/bridge.json"));
      if (config === undefined) return "refused";
      const { url, listen, agents, origins, health, trustedProxies } = config;
      const value = parse(text) as Record<string, unknown>;
      const known = ["url", "listen", "data", "agents", "origins", "health", "proxy"];
      require(Object.keys(value).every((name) => known.includes(name)), "a key that nobody knows");
      requireCovered(value["listen"], listen);
      require(value["url"] === url && new URL(url).href === url, "another URL");
      require(agents.length === (value["agents"] as string[]).length, "other agents");
      require(value["origins"] === undefined ||
        JSON.stringify(value["origins"]) === JSON.stringify(origins), "other origins");
      require((value["health"] === undefined) === (health === undefined), "another health endpoint");
      require((value["proxy"] === undefined) === (trustedProxies === 0), "other proxies");
      return "accepted";
    },
  };
}

const AGENT = [
  {
    data: "data",
    hsm: { module: "/usr/lib/softhsm/libsofthsm2.so", token: { label: "treasury" }, pin: { file: "pin" } },
    bridge: { url: "wss://bridge.example/" },
  },
  {
    data: "/var/lib/agent",
    hsm: { module: "m.so", token: { serial: "1234" }, pin: { prompt: true } },
    bridge: { url: "wss://bridge.example/", dial: "ws://127.0.0.1:8787/" },
  },
].map((config) => JSON.stringify(config));

export function agentConfigs(): Target {
  const { path, write, close } = scratch();
  return {
    attempt: (random) => {
      write(given(mutated(random, random.pick(AGENT), AGENT)));
      const config = accept(() => readConfig(path));
      if (config === undefined) return "refused";
      // Paths are made absolute; a second reading changes nothing more.
      write(JSON.stringify(config));
      requireSame(
        accept(() => readConfig(path)),
        config,
        "a configuration with two spellings",
      );
      return "accepted";
    },
    close,
  };
}

const KEY_FILES = [keys.OLGA, keys.CAROLS_FILE].map(({ jwk, d }) => JSON.stringify({ ...jwk, d }));

export function keyFiles(): Target {
  const { path, write, close } = scratch();
  return {
    attempt: async (random) => {
      const text = given(
        mutated(random, random.pick(KEY_FILES), [
          ...KEY_FILES,
          ...[...KEYS.values()].map(({ jwk }) => JSON.stringify(jwk)),
        ]),
      );
      write(text);
      const isOpen = random.once(8);
      chmodSync(path, isOpen ? 0o644 : 0o600);
      const found = await acceptLater(() => readPublicKey(path));
      if (found !== undefined) requireCovered(found, parse(text));
      const signer = await acceptLater(() => readKeyFile(path));
      if (signer === undefined) return found === undefined ? "refused" : "accepted";
      require(!isOpen, "a private key that others can read");
      const jwk = v.parse(PublicJwkSchema, found);
      require(signer.kid === thumbprint(jwk), "another key");
      await verify(jwk, await signer.sign(Buffer.from(text)), Buffer.from(text));
      return "accepted";
    },
    close,
  };
}

/** Whoever signs with it signs as whom it names. */
async function verify(jwk: JsonWebKey, signature: Uint8Array, data: Uint8Array): Promise<void> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
  require(await crypto.subtle.verify(
    algorithm,
    key,
    new Uint8Array(signature),
    new Uint8Array(data),
  ), "a private half of another key");
}

function scratch(): { path: string; write: (text: string) => void; close: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  const path = join(folder, "file.json");
  return {
    path,
    write: (text) => writeFileSync(path, text, { mode: 0o600 }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** That all of `part` stands in `whole`, which may have more: what was left out of a file has its default. Roles come in their order. */
function requireCovered(part: unknown, whole: unknown): void {
  if (Array.isArray(part) && Array.isArray(whole)) {
    require(part.length === whole.length, "a list of another length");
    for (const [at, item] of part.entries()) {
      // Roles are put in their order; all other texts stand where they stood.
      if (typeof item === "string") require(whole.includes(item), "a list without something");
      else requireCovered(item, whole[at]);
    }
  } else if (typeof part === "object" && part !== null) {
    require(typeof whole === "object" && whole !== null, "something else");
    for (const [name, value] of Object.entries(part)) {
      require(Object.hasOwn(whole, name), `something that was ignored: ${name}`);
      requireCovered(value, (whole as Record<string, unknown>)[name]);
    }
  } else require(part === whole, "another value");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
