/** Networks, tokens and amounts as the policy names them. README.md, "Policy" and "Amounts". Schemas only. */
import * as v from "valibot";
import { EthereumAddressSchema } from "./device-signature.ts";
import { NameSchema, SymbolSchema } from "./name.ts";

/** CAIP-2 id of an EVM network, e.g. `eip155:1`. */
export const NetworkIdSchema = v.pipe(
  v.string(),
  v.regex(/^eip155:[1-9][0-9]{0,15}$/, "a network is eip155: and its chain id"),
);

const DecimalsSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(36));

export const NetworkSchema = v.strictObject({
  id: NetworkIdSchema,
  name: NameSchema,
  symbol: SymbolSchema,
  decimals: DecimalsSchema,
});
export type Network = v.InferOutput<typeof NetworkSchema>;

export const TokenSchema = v.strictObject({
  contract: EthereumAddressSchema,
  symbol: SymbolSchema,
  decimals: DecimalsSchema,
});
export type Token = v.InferOutput<typeof TokenSchema>;

/** An exact decimal: no sign, no leading zeros, no exponent. */
export const DecimalSchema = v.pipe(
  v.string(),
  v.maxLength(90),
  v.regex(/^(0|[1-9][0-9]*)(\.[0-9]+)?$/, "an amount is an exact decimal number"),
);
