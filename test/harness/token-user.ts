/**
 * A process that uses a token as its owner does: `logins` logs in again and again until it is ended, `change-pin` sets a new PIN.
 * Arguments: which, the module, the token's label, its PIN file, the new PIN's file.
 */
import { readFileSync } from "node:fs";
import pkcs11js from "pkcs11js";

const CKF_OS_LOCKING_OK = 0x2;
const CKF_RW = 0x2 | 0x4;
const CKU_USER = 1;
const [what = "", path = "", label = "", pinFile = "", newPinFile = ""] = process.argv.slice(2);
const pin = readFileSync(pinFile, "utf8").trim();
const module = new pkcs11js.PKCS11();
module.load(path);
module.C_Initialize({ flags: CKF_OS_LOCKING_OK });
const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.trim() === label);
if (slot === undefined) throw new Error("the token is gone");
const token = slot;
process.send?.("found");
if (what === "change-pin") use((session) => module.C_SetPIN(session, pin, readFileSync(newPinFile, "utf8").trim()));
else for (;;) use();

/** The last session takes the login with it. */
function use(work?: (session: Buffer) => void): void {
  const session = module.C_OpenSession(token, CKF_RW);
  module.C_Login(session, CKU_USER, pin);
  work?.(session);
  module.C_CloseSession(session);
}
