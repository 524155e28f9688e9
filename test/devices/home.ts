/**
 * What a device shows when nothing is under review: the app's home, the dashboard, the PIN. Not backed by recordings, which begin
 * at the prompt: no test may read a meaning into these texts.
 */

import { type AppVersion, flexCentred, type Model, nanoScreen, type Screen } from "./screen.ts";

export interface OpenApp {
  readonly name: "Ethereum" | "Bitcoin" | "BOLOS";
  /** What that app, when it is not Ethereum, answers to an Ethereum command. */
  readonly refusal: 0x6e00 | 0x6d00;
}

/** The idle screen. */
export function homeScreen(model: Model, version: AppVersion, state: OpenApp["name"] | "locked"): Screen {
  const [title, hint] = lines(version, state);
  if (model !== "flex") return nanoScreen([title, hint]);
  return [flexCentred(title, 250), flexCentred(hint, 300)];
}

function lines(version: AppVersion, state: OpenApp["name"] | "locked"): readonly [string, string] {
  switch (state) {
    case "locked":
      return ["Locked", "Enter PIN"];
    case "BOLOS":
      return ["Ledger", "Dashboard"];
    case "Ethereum":
      return version === "1.10.4" ? ["Application", "is ready"] : ["Ethereum", "app is ready"];
    case "Bitcoin":
      return ["Bitcoin", "app is ready"];
  }
}
