/**
 * What is frozen: a stop that one person sets and only a quorum lifts. README.md of protocol/, "Freeze". Needs no HSM, so that it
 * works while the HSM is away.
 */
import { Fault } from "../protocol/error.ts";
import type { Freezes } from "../protocol/message.ts";
import { allExtensions, type Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import type { FreezeRow, RequestRow } from "./rows.ts";
import { supersede } from "./stops.ts";
import { readBack } from "./verify.ts";

const NUMBER = "freezes";

/**
 * Freezes a vault, or everything; durable when this returns. What would lift it and is not approved yet becomes void: those who approved
 * that did not know of this one. Returns the requests that ended. @throws Fault ERR_VAULT_UNKNOWN, ERR_FOUNDING, ERR_FROZEN
 */
export function freeze(desk: Desk, row: Omit<FreezeRow, "at">): string[] {
  const { journal } = desk;
  const charter = desk.charter.require();
  if (row.vault !== null && !charter.policy.vaults.some(({ name }) => name === row.vault))
    throw new Fault(
      "ERR_VAULT_UNKNOWN",
      `There is no vault ${row.vault} in the policy; freeze everything, or one that is.`,
    );
  const ended = journal.transaction(() => {
    if (isFrozenBy(journal, row)) throw alreadyFrozen();
    journal.addFreeze({ ...row, at: desk.now() });
    tellFreezes(desk);
    return supersede(desk, (open) => liftsOf(open, row.vault));
  });
  desk.wake();
  return ended;
}

/** Whether this person, or the operator, froze just that and it still is. */
export function isFrozenBy(journal: Journal, row: Pick<FreezeRow, "vault" | "by">): boolean {
  return journal.freezes().some(({ vault, by }) => vault === row.vault && by === row.by);
}

export function alreadyFrozen(): Fault {
  return new Fault("ERR_FROZEN", "You froze this already, and it still is; only the admins lift it.");
}

function liftsOf(open: RequestRow, vault: string | null): boolean {
  if (open.verb !== "UNFREEZE") return false;
  const { payload } = readBack(open);
  if (payload.verb !== "UNFREEZE") return false;
  return payload.change.vault === null || vault === null || payload.change.vault === vault;
}

/** Lifts a freeze, or all. Inside the transaction of its act. */
export function unfreeze(desk: Desk, vault: string | null): void {
  desk.journal.removeFreezes(vault);
  tellFreezes(desk);
}

function tellFreezes(desk: Desk): void {
  const { journal } = desk;
  numberFreezes(journal, desk.now());
  for (const receiver of allExtensions(desk.charter.require())) owedFreezes(desk, receiver);
}

/** The list of what is frozen is another one. By the time as well, so that a restored record does not number below what browsers have seen. */
export function numberFreezes(journal: Journal, now: number): void {
  journal.setMeta(NUMBER, String(Math.max(freezesNumber(journal) + 1, now)));
}

/** Owes somebody the list of what is frozen, as it is when it is signed. */
export function owedFreezes(desk: Desk, receiver: string): void {
  desk.journal.owe({ what: "freezes", receiver, body: "{}", seal: null });
}

function freezesNumber(journal: Journal): number {
  return Number(journal.meta(NUMBER) ?? "0");
}

/** As many as a FREEZES message holds. */
const LISTED_MAX = 200;

/** What a FREEZES message says: each frozen vault, and as many of those who froze it as there is room for. */
export function freezesBody(journal: Journal): Pick<Freezes, "n" | "freezes"> {
  const rows = journal.freezes();
  const first = rows.filter((row, at) => rows.findIndex(({ vault }) => vault === row.vault) === at);
  const others = rows.filter((row) => !first.includes(row)).sort((a, b) => b.at - a.at);
  // A list that nobody has changed yet is number 1: an empty one.
  return { n: freezesNumber(journal) + 1, freezes: [...first, ...others].slice(0, LISTED_MAX) };
}

export function isFrozen(journal: Journal, vault: string): boolean {
  return journal.freezes().some((row) => row.vault === null || row.vault === vault);
}

/** @throws Fault ERR_FROZEN */
export function requireNotFrozen(journal: Journal, vault: string): void {
  if (isFrozen(journal, vault))
    throw new Fault(
      "ERR_FROZEN",
      `Vault ${vault} is frozen. Nothing of it is signed or handed out until the admins lift that.`,
    );
}
