/**
 * Answers that are owed: stored by whoever handled a message, composed and signed here once the HSM is there. So no message of a member
 * waits for the HSM, and a stop never waits behind a greeting. README.md of protocol/, "Messages".
 */
import { Fault, isFault } from "../protocol/error.ts";
import { FREEZES, REFUSAL, RESEAL, type Refusal, type Reseal, WELCOME } from "../protocol/message.ts";
import { type Desk, issue } from "./desk.ts";
import { freezesBody } from "./freeze.ts";
import type { OwedRow } from "./rows.ts";
import { showNext } from "./showing.ts";
import { welcomeBody } from "./welcome.ts";

/** Milliseconds. */
const RETRY = 3_000;
/** Answers that are signed before others are shown their receipts: whoever asks for many answers holds up nobody for longer. */
const ANSWERS_MAX = 16;

/** Signs what is owed, one after the other, whenever it is kicked, and again later where the HSM is away. */
export class Owed {
  readonly #desk: Desk;
  readonly #card: () => string | undefined;
  readonly #posted: () => void;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isQueued = false;
  #stopped = false;
  /** Who was shown the log last. */
  #shown = "";

  /** `card`: the newest card's JWS; `posted` is called when something was put into the outbox. */
  constructor(desk: Desk, card: () => string | undefined, posted: () => void) {
    this.#desk = desk;
    this.#card = card;
    this.#posted = posted;
  }

  kick(): void {
    // One that has not begun yet will see all that is owed by then.
    if (this.#stopped || this.#isQueued) return;
    this.#isQueued = true;
    this.#running = this.#running.then(async () => {
      this.#isQueued = false;
      await this.#settle();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #settle(): Promise<void> {
    try {
      for (;;) {
        const rows = this.#desk.journal.owed(ANSWERS_MAX);
        for (const row of rows) {
          if (this.#stopped) return;
          await settleOne(this.#desk, row, this.#card());
        }
        if (this.#stopped) return;
        const shown = await showNext(this.#desk, this.#shown);
        if (rows.length === 0 && shown === undefined) return;
        this.#shown = shown ?? "";
        this.#posted();
      }
    } catch (error) {
      this.#desk.log.error({ code: isFault(error) ? error.code : "ERR_INTERNAL", err: error }, "answers wait");
      clearTimeout(this.#timer);
      if (!this.#stopped) this.#timer = setTimeout(() => this.kick(), RETRY);
    }
  }
}

/**
 * Signs one answer and puts it into the outbox. One that has become pointless is forgotten. One that changed while it was signed stays
 * owed: who changed it found it owed already, and relies on it.
 */
export async function settleOne(desk: Desk, row: OwedRow, card: string | undefined): Promise<void> {
  const { journal } = desk;
  const before = truth(desk, row);
  const made = await compose(desk, row, card);
  journal.transaction(() => {
    if (truth(desk, row) !== before) return;
    if (made !== undefined) journal.post(made.jti, [row.receiver], made.jws, row.seal);
    journal.removeOwed(row.n);
  });
}

/** What is so now, where an answer says that; of one whose words are fixed, nothing. */
function truth(desk: Desk, { what, receiver }: OwedRow): string {
  switch (what) {
    case "welcome":
      return JSON.stringify(welcomeBody(desk, receiver) ?? null);
    case "freezes":
      return JSON.stringify(freezesBody(desk.journal));
    case "refusal":
    case "reseal":
      return "";
  }
}

async function compose(
  desk: Desk,
  { what, receiver, body }: OwedRow,
  card: string | undefined,
): Promise<{ jti: string; jws: string } | undefined> {
  switch (what) {
    case "welcome": {
      const welcome = welcomeBody(desk, receiver);
      return welcome === undefined ? undefined : await issue(desk, WELCOME, [receiver], welcome);
    }
    case "refusal":
      return await issue(
        desk,
        REFUSAL,
        [receiver],
        JSON.parse(body) as Pick<Refusal, "of" | "request" | "code" | "message">,
      );
    case "freezes":
      return await issue(desk, FREEZES, [receiver], freezesBody(desk.journal));
    case "reseal": {
      if (card === undefined) throw new Fault("ERR_STATE", "There is no card yet; it is made at the next login.");
      return await issue(desk, RESEAL, [receiver], { ...(JSON.parse(body) as Pick<Reseal, "of">), card });
    }
  }
}
