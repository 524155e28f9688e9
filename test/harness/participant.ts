/** Somebody who has, or will have, an extension and a device: with a browser (approver.ts, firefox.ts) or as a script (member.ts). */
export interface Participant {
  readonly name: string;
  /** Pairs with an invite and enrols the device at hand. Resolves with the six words that are read aloud. */
  begin(code: string): Promise<string>;
  /** Approves a request on the device. Resolves once the agent has confirmed it. */
  decide(id: string): Promise<void>;
  /** Resolves once the agent has said that this extension and its device count. */
  counted(): Promise<void>;
}
