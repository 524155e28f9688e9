/** Exact decimals compared without floats: amounts have at most 36 decimals. Pure. */

const SCALE = 36;

/** A decimal as a whole number of 10^-36. */
export function scaled(decimal: string): bigint {
  const [whole = "0", fraction = ""] = decimal.split(".");
  return BigInt(whole + fraction.slice(0, SCALE).padEnd(SCALE, "0"));
}

/** Negative where `a` is less, positive where it is more. */
export function compareDecimals(a: string, b: string): number {
  const [x, y] = [scaled(a), scaled(b)];
  return x < y ? -1 : Number(x > y);
}
