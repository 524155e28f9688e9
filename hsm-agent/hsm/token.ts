/**
 * Which of an HSM's tokens is the one that the operator named. Pure: what the slots said of themselves is asked in pkcs11.ts.
 * README.md, "Configure": hsm.token.
 */

import { Fault } from "../../protocol/error.ts";
import type { Token, TokenChoice } from "./pkcs11.ts";

/**
 * The one that fits. `found`: of each slot its token, or why it says nothing of itself.
 * @throws Fault ERR_HSM_CONFIG where nothing is named, ERR_HSM_TOKEN where none fits or several do; where none does and a slot says
 * nothing, that slot's fault, since it may be the one.
 */
export function chooseToken(found: readonly (Token | Fault)[], choice: TokenChoice): Token {
  if (choice.label === undefined && choice.serial === undefined) {
    throw new Fault("ERR_HSM_CONFIG", "Name the HSM's token: set hsm.token.label or hsm.token.serial.");
  }
  const tokens = found.flatMap((each) => (each instanceof Fault ? [] : [each]));
  const matching = tokens.filter(
    ({ label, serial }) => label === (choice.label ?? label) && serial === (choice.serial ?? serial),
  );
  const [token] = matching;
  if (token !== undefined && matching.length === 1) return token;
  const silent = found.find((each) => each instanceof Fault);
  if (token === undefined && silent !== undefined) throw silent;
  const wanted = [choice.label && `label "${choice.label}"`, choice.serial && `serial "${choice.serial}"`];
  const name = wanted.filter(Boolean).join(" and ");
  const seen = tokens.map(({ label, serial }) => `"${label}" (serial ${serial})`).join(", ") || "none";
  throw new Fault(
    "ERR_HSM_TOKEN",
    token === undefined
      ? `The HSM has no token with ${name}. It has: ${seen}. Correct hsm.token, or connect the token.`
      : `The HSM has ${matching.length} tokens with ${name}. It has: ${seen}. Name one by hsm.token.serial.`,
  );
}
