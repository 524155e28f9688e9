/**
 * A device that Speculos, Ledger's emulator of the real firmware, runs, over its REST API. Model and version are found out by asking.
 * What Speculos draws without text (arrows) is touched at the places where the firmware draws it. Has no seed of its own and starts nothing.
 */

import * as v from "valibot";
import type { Hands } from "./hands.ts";
import { type Device, PRODUCTS, readAddress } from "./ledger-device.ts";
import { type AppVersion, FLEX_ARROWS, GLASS, type Label, type Model, type Screen, textOf } from "./screen.ts";

const PATIENCE_MS = 120_000;
/** How long a page may take to turn before it is taken for the last one. */
const TURN_MS = 5_000;
const LOOK_MS = 60;
const HOLD_SECONDS = 2.5;

const Events = v.object({
  events: v.array(v.object({ text: v.string(), x: v.number(), y: v.number(), w: v.number(), h: v.number() })),
});
const Answer = v.object({ data: v.pipe(v.string(), v.regex(/^([0-9a-f]{2}){2,}$/i)) });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The labels that a finger means something to; Speculos does not say. */
function touchOf(text: string): Label["touch"] {
  if (text === "Hold to sign") return "hold";
  return /^(More|Reject|Cancel|Confirm|Go back to message|Yes, reject)$/.test(text) ? "tap" : "none";
}

class Speculos {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/$/, "");
  }

  /** Blocks until the person has decided, where the app asks; so there is no time-out. */
  async exchange(apdu: Uint8Array): Promise<Uint8Array> {
    const answer = v.parse(Answer, await this.#post("/apdu", { data: Buffer.from(apdu).toString("hex") }));
    return Uint8Array.from(Buffer.from(answer.data, "hex"));
  }

  async labels(): Promise<Screen> {
    const response = await fetch(`${this.#url}/events?currentscreenonly=true`);
    if (!response.ok) throw new Error(`Speculos answered ${response.status} to GET /events`);
    return v.parse(Events, await response.json()).events.map((event) => ({ ...event, touch: touchOf(event.text) }));
  }

  async press(button: "left" | "right" | "both"): Promise<void> {
    await this.#post(`/button/${button}`, { action: "press-and-release" });
  }

  async finger(x: number, y: number, seconds: number): Promise<void> {
    await this.#post("/finger", { x, y, action: "press-and-release", delay: Math.max(seconds, 0.1) });
  }

  async #post(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`Speculos answered ${response.status} to POST ${path}`);
    return response.json();
  }
}

/**
 * Connects to a running emulator with the Ethereum app open.
 * @throws when it does not answer, or runs another app, a version that is not measured, or a screen that is not known.
 */
export async function openSpeculos(url: string, serial: string): Promise<Device> {
  const speculos = new Speculos(url);
  const version = await appVersion(speculos);
  const model = modelOf(await speculos.labels());
  return {
    ...PRODUCTS[model],
    serial,
    model,
    version,
    hands: speculosHands(speculos, model, version),
    simulated: undefined,
    exchange: (apdu) => speculos.exchange(apdu),
    labels: () => speculos.labels(),
    finger: (x, y, seconds) => speculos.finger(x, y, seconds),
    onChange: (listener) => {
      const timer = setInterval(listener, 250);
      return () => clearInterval(timer);
    },
    address: (path) => readAddress((apdu) => speculos.exchange(apdu), path),
    close: async () => undefined,
  };
}

async function appVersion(speculos: Speculos): Promise<AppVersion> {
  const answer = Buffer.from(await speculos.exchange(Uint8Array.of(0xb0, 0x01, 0, 0, 0)));
  const nameLength = answer[1] ?? 0;
  const name = answer.subarray(2, 2 + nameLength).toString();
  const version = answer.subarray(3 + nameLength, 3 + nameLength + (answer[2 + nameLength] ?? 0)).toString();
  if (name !== "Ethereum") throw new Error(`Speculos runs ${JSON.stringify(name)}: start it with the Ethereum app`);
  if (version !== "1.22.0" && version !== "1.10.4") throw new Error(`Ethereum app ${version} is not measured`);
  return version;
}

/** A Nano S Plus and a Nano X cannot be told apart by their screen; they behave alike. */
function modelOf(screen: Screen): Model {
  const right = Math.max(...screen.map(({ x, w }) => x + w));
  const bottom = Math.max(...screen.map(({ y, h }) => y + h));
  if (screen.length === 0) throw new Error("Speculos shows no text: is the app at its home screen?");
  if (right <= GLASS.nano.width && bottom <= GLASS.nano.height) return "nanosp";
  if (right <= GLASS.flex.width && bottom <= GLASS.flex.height) return "flex";
  throw new Error("the emulated screen is neither a Nano's nor a Flex's");
}

function speculosHands(speculos: Speculos, model: Model, version: AppVersion): Hands {
  const screen = async () => textOf(await speculos.labels());

  async function touch(text: string, seconds: number): Promise<void> {
    const label = (await speculos.labels()).find((one) => one.text === text);
    if (label === undefined) throw new Error(`${JSON.stringify(text)} is not on the screen`);
    await speculos.finger(Math.round(label.x + label.w / 2), Math.round(label.y + label.h / 2), seconds);
  }

  async function waitForScreen(accept: (lines: string[]) => boolean, patience = PATIENCE_MS): Promise<string[]> {
    const end = performance.now() + patience;
    for (;;) {
      const lines = await screen();
      if (accept(lines)) return lines;
      if (performance.now() > end) throw new Error(`the device still shows: ${lines.join(" | ")}`);
      await pause(LOOK_MS);
    }
  }

  return {
    model,
    version,
    screen,
    waitForScreen: (accept) => waitForScreen(accept),
    press: (button) => speculos.press(button),
    tap: (label) => touch(label, 0.1),
    hold: (label) => touch(label, HOLD_SECONDS),
    turn: async (to) => {
      const before = (await screen()).join("\n");
      await speculos.finger(FLEX_ARROWS[to].x, FLEX_ARROWS[to].y, 0.1);
      return waitForScreen((lines) => lines.join("\n") !== before, TURN_MS).then(
        () => true,
        () => false,
      );
    },
  };
}
