/** Exact decimals of integer amounts, as statements show them. README.md of protocol/, "Amounts". Agent side only. */
import { Fault } from "../../protocol/error.ts";

/** `1.5` with 18 decimals is 1500000000000000000n. @throws Fault ERR_AMOUNT */
export function parseUnits(amount: string, decimals: number): bigint {
  const match = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(amount);
  const fraction = match?.[2] ?? "";
  if (match === null || fraction.length > decimals) {
    throw new Fault(
      "ERR_AMOUNT",
      `The amount must be a decimal number with at most ${decimals} digits after the point.`,
    );
  }
  return BigInt(`${match[1]}${fraction.padEnd(decimals, "0")}`);
}

/** Inverse: exact, at least two decimals where the asset has them, no further trailing zeros. */
export function formatUnits(units: bigint, decimals: number): string {
  const digits = units.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits
    .slice(digits.length - decimals)
    .replace(/0+$/, "")
    .padEnd(Math.min(2, decimals), "0");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
