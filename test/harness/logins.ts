/** A process that logs in to its one token again and again: for p11-kit.test.ts. Arguments: the module, the token's label, its PIN file. */
import { readFileSync } from "node:fs";
import pkcs11js from "pkcs11js";

const CKF_OS_LOCKING_OK = 0x2;
const CKF_SERIAL_SESSION = 0x4;
const CKU_USER = 1;
const [path = "", label = "", pinFile = ""] = process.argv.slice(2);
const pin = readFileSync(pinFile, "utf8").trim();
const module = new pkcs11js.PKCS11();
module.load(path);
module.C_Initialize({ flags: CKF_OS_LOCKING_OK });
const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.trim() === label);
if (slot === undefined) throw new Error("the token is gone");
process.send?.("found");
for (;;) {
  const session = module.C_OpenSession(slot, CKF_SERIAL_SESSION);
  module.C_Login(session, CKU_USER, pin);
  // The last session takes the login with it.
  module.C_CloseSession(session);
}
