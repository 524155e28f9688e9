/** The vendors of approval devices, and what a quorum may ask of them. README.md, "Request". */
import * as v from "valibot";
import { OrdinalSchema } from "./primitive.ts";

export const VendorSchema = v.picklist(["Ledger", "Trezor"]);
/** What the enrolling people said the device is: a signature alone does not prove it. */
export type Vendor = v.InferOutput<typeof VendorSchema>;

/** At least so many of the approving people must have used a device of this vendor. */
export const VendorDemandSchema = v.strictObject({ vendor: VendorSchema, atLeast: OrdinalSchema });
export type VendorDemand = v.InferOutput<typeof VendorDemandSchema>;

/** The demands of one quorum: no vendor twice. Empty where any device will do. */
export const VendorDemandsSchema = v.pipe(
  v.array(VendorDemandSchema),
  v.check((demands) => new Set(demands.map(({ vendor }) => vendor)).size === demands.length, "a vendor stands twice"),
);

/** People that a list of demands asks for together. */
export function sumOfDemands(demands: readonly VendorDemand[]): number {
  return demands.reduce((sum, { atLeast }) => sum + atLeast, 0);
}

/** What is still missing, given the vendor that each approving person used: empty where the demands are met. */
export function unmetDemands(demands: readonly VendorDemand[], used: readonly (Vendor | null)[]): VendorDemand[] {
  return demands
    .map(({ vendor, atLeast }) => ({ vendor, atLeast: atLeast - used.filter((one) => one === vendor).length }))
    .filter(({ atLeast }) => atLeast > 0);
}
