/** A device's key, which signs whatever it is told: the opposite of a device. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { addressOfPublicKey, personalMessageHash } from "../../protocol/device-signature.ts";

export class LooseDevice {
  readonly #secret = secp256k1.keygen().secretKey;
  readonly address = addressOfPublicKey(secp256k1.getPublicKey(this.#secret, false));

  sign(statement: string): string {
    const signature = secp256k1.sign(personalMessageHash(statement), this.#secret, {
      prehash: false,
      format: "recovered",
    });
    return `0x${bytesToHex(signature.subarray(1))}${signature[0] === 1 ? "1c" : "1b"}`;
  }
}
