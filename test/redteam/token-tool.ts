/**
 * A program of the attacker who has the token's PIN: `key ID` makes an identity key with that CKA_ID, `drop-anchor` destroys the anchor,
 * `anchor TEXT` puts another in its place. Run as a process, because a PKCS#11 module reads its environment once.
 */
import { readFileSync } from "node:fs";
import pkcs11js from "pkcs11js";

const CKF_RW = 0x2 | 0x4;
const CKU_USER = 1;
const P256 = Buffer.from("06082a8648ce3d030107", "hex");
const [modulePath = "", label = "", pinFile = "", what = "", value = ""] = process.argv.slice(2);

const module = new pkcs11js.PKCS11();
module.load(modulePath);
module.C_Initialize();
const slot = module.C_GetSlotList(true).find((one) => module.C_GetTokenInfo(one).label.trim() === label);
if (slot === undefined) throw new Error(`there is no token ${label}`);
const session = module.C_OpenSession(slot, CKF_RW);
module.C_Login(session, CKU_USER, readFileSync(pinFile, "utf8").trim());

const isTrue = (type: number) => ({ type, value: true });
const isFalse = (type: number) => ({ type, value: false });

function makeKey(id: Buffer): void {
  const common = [
    isTrue(pkcs11js.CKA_TOKEN),
    { type: pkcs11js.CKA_ID, value: id },
    { type: pkcs11js.CKA_LABEL, value: "OpenCustody identity" },
    isFalse(pkcs11js.CKA_MODIFIABLE),
  ];
  module.C_GenerateKeyPair(
    session,
    { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
    [
      ...common,
      isFalse(pkcs11js.CKA_PRIVATE),
      isTrue(pkcs11js.CKA_VERIFY),
      { type: pkcs11js.CKA_EC_PARAMS, value: P256 },
    ],
    [
      ...common,
      ...[pkcs11js.CKA_PRIVATE, pkcs11js.CKA_SENSITIVE, pkcs11js.CKA_SIGN].map(isTrue),
      ...[pkcs11js.CKA_EXTRACTABLE, pkcs11js.CKA_DERIVE, pkcs11js.CKA_DECRYPT, pkcs11js.CKA_UNWRAP].map(isFalse),
      isFalse(pkcs11js.CKA_COPYABLE),
    ],
  );
}

const ANCHOR = [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_DATA },
  isTrue(pkcs11js.CKA_TOKEN),
  { type: pkcs11js.CKA_APPLICATION, value: "OpenCustody" },
  { type: pkcs11js.CKA_LABEL, value: "OpenCustody anchor" },
];

function dropAnchor(): void {
  module.C_FindObjectsInit(session, ANCHOR);
  const found = module.C_FindObjects(session, 100);
  module.C_FindObjectsFinal(session);
  if (found.length === 0) throw new Error("there is no anchor");
  for (const handle of found) module.C_DestroyObject(session, handle);
}

switch (what) {
  case "key":
    makeKey(Buffer.from(value, "hex"));
    break;
  case "drop-anchor":
    dropAnchor();
    break;
  case "anchor":
    dropAnchor();
    module.C_CreateObject(session, [
      ...ANCHOR,
      isTrue(pkcs11js.CKA_PRIVATE),
      isFalse(pkcs11js.CKA_MODIFIABLE),
      { type: pkcs11js.CKA_VALUE, value: Buffer.from(`v1 1 ${value}`, "latin1") },
    ]);
    break;
  default:
    throw new Error("key, drop-anchor or anchor");
}
module.C_Finalize();
