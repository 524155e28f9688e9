/** For the tests of this folder only: a person's browser and key file, as an agent behind a FakeBridge meets them. */

import { type Claims, type MessageType, signEnvelope } from "../protocol/envelope.ts";
import type { Receipt } from "../protocol/log-entry.ts";
import { APPROVAL, type Card, SYNC, WITNESS } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { REQUEST, type RequestPayload, requestDigest } from "../protocol/request.ts";
import { isView, type OpenedView, openView, type View } from "../protocol/view.ts";
import { payloadOf } from "./testing-agent.ts";
import type { FakeBridge } from "./testing-bridge.ts";
import { type Key, newJti, type Person } from "./testing-people.ts";

/** Waits, for as long as a slow machine needs. @throws Error after 50 s */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 10_000; left > 0; left -= 1) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("it did not happen");
}

/** Thumbprint of the identity that the agent has now. */
export function hsmOf(bridge: FakeBridge): string {
  return bridge.cards().at(-1)?.iss ?? "";
}

function cardOf(bridge: FakeBridge): Card {
  const card = bridge.cards().at(-1);
  if (card === undefined) throw new Error("the agent has shown no card");
  return card;
}

/** A message to it, signed now. */
export async function message<T extends Claims>(
  bridge: FakeBridge,
  type: MessageType<T>,
  key: Key,
  body: Omit<T, keyof Claims>,
  exp?: number,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { v: 1, iss: key.kid, aud: [hsmOf(bridge)], jti: newJti(), iat: now, exp: exp ?? now + 600 };
  return await signEnvelope(type, { ...claims, ...body } as unknown as T, key.signer);
}

/** Waits for the request at this person's browser, and approves it there. */
export async function approve(bridge: FakeBridge, person: Person, id: string): Promise<void> {
  let jws: string | undefined;
  await until(async () => {
    const mail = (await bridge.mailOf(person)).filter((one) => one.startsWith(headerOf(REQUEST.typ)));
    jws = mail.find((one) => payloadOf(one)["request"] === id);
    return jws !== undefined;
  });
  const bytes = Buffer.from(jws?.split(".")[1] ?? "", "base64url");
  const digest = requestDigest(bytes);
  const { statement, exp } = JSON.parse(bytes.toString()) as RequestPayload;
  const signature = person.sign(statement.replace("{digest}", digest));
  const log = (await viewsOf(bridge, person)).at(-1)?.head ?? null;
  const body = { request: id, digest, address: person.address, signature, log };
  await bridge.deliver(await message(bridge, APPROVAL, person.key, body, exp), person.key.kid);
}

/** How the header of a type begins: alg and typ come first. */
function headerOf(typ: string): string {
  return Buffer.from(`{"alg":"ES256","typ":"${typ}",`).toString("base64url").slice(0, -4);
}

/** This person's browser shows the agent what it last saw of the log. */
export async function show(bridge: FakeBridge, person: Person): Promise<void> {
  await until(async () => (await viewsOf(bridge, person)).length > 0);
  const last = (await viewsOf(bridge, person)).at(-1);
  const witness = await message(bridge, WITNESS, person.key, { checkpoint: last?.view.checkpoint ?? "" });
  const seal = { n: 1, key: person.seal.jwk };
  const card = thumbprint(cardOf(bridge).seal);
  const sync = { known: [], charter: 1, seal, card, log: last?.head ?? null, witness };
  await bridge.deliver(await message(bridge, SYNC, person.key, sync), person.key.kid);
}

/** Views in this person's mail that verify. */
async function viewsOf(bridge: FakeBridge, person: Person): Promise<OpenedView[]> {
  const cards = bridge.cards();
  const keys = cards.map(({ hsm }) => hsm);
  const views = (await bridge.mailOf(person)).filter((one) => isView(one));
  // The identity that founded may be one before those whose cards were seen here.
  return await Promise.all(views.map(async (one) => await openView(one, { origin: originIn(one), keys })));
}

function originIn(view: string): string {
  const { checkpoint } = JSON.parse(Buffer.from(view.split(".")[2] ?? "", "base64url").toString()) as View;
  return checkpoint.slice(0, checkpoint.indexOf("\n"));
}

/** Receipts of a request in this person's mail, with who signed each checkpoint. */
export async function receiptsOf(
  bridge: FakeBridge,
  person: Person,
  id: string,
): Promise<(Receipt & { readonly by: string })[]> {
  return (await viewsOf(bridge, person)).flatMap(({ entries, by }) =>
    entries.flatMap((entry) => (entry.kind === "state" && entry.request === id ? [{ ...entry, by }] : [])),
  );
}
