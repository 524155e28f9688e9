/*
 * A PKCS#11 module that stands before the real one, so that a test can take the HSM away. It passes every call on, except that a
 * call that the file SHIM_ORDERS names fails, hangs, ends the process, or lies. Used by pkcs11-shim.ts only.
 *
 * SHIM_MODULE is the real module. An order is a line: `C_Sign fail 48`, `C_Sign hang`, `C_Sign crash`, `C_Sign note` (which only counts),
 * `C_Sign wrong` (a bit of the signature), `C_SignInit logout` (before it, whoever is logged in is logged out: any call whose first
 * parameter is a session), `C_GetTokenInfo final` (one try of the PIN is left). The file is read at every call. Each order that was
 * carried out is a line in SHIM_LOG: a test that sees none has tested nothing.
 *
 * Every parameter of every PKCS#11 function is one machine word or less, and none has more than eight, so one shape of wrapper
 * serves them all. Linux only (x86-64, arm64): there, words that a function does not take do no harm.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CKR_OK 0UL
#define CKR_GENERAL_ERROR 5UL
#define CKR_ARGUMENTS_BAD 7UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL

/* In the order of CK_FUNCTION_LIST, PKCS#11 2.40. */
#define FUNCTIONS(X)                                                                                                   \
  X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetFunctionList) X(C_GetSlotList) X(C_GetSlotInfo)                    \
  X(C_GetTokenInfo) X(C_GetMechanismList) X(C_GetMechanismInfo) X(C_InitToken) X(C_InitPIN) X(C_SetPIN)                \
  X(C_OpenSession) X(C_CloseSession) X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState)                  \
  X(C_SetOperationState) X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) X(C_DestroyObject)                   \
  X(C_GetObjectSize) X(C_GetAttributeValue) X(C_SetAttributeValue) X(C_FindObjectsInit) X(C_FindObjects)               \
  X(C_FindObjectsFinal) X(C_EncryptInit) X(C_Encrypt) X(C_EncryptUpdate) X(C_EncryptFinal) X(C_DecryptInit)            \
  X(C_Decrypt) X(C_DecryptUpdate) X(C_DecryptFinal) X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) X(C_DigestKey)       \
  X(C_DigestFinal) X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) X(C_SignRecoverInit) X(C_SignRecover)        \
  X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) X(C_VerifyFinal) X(C_VerifyRecoverInit) X(C_VerifyRecover)             \
  X(C_DigestEncryptUpdate) X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate) X(C_GenerateKey)   \
  X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey) X(C_SeedRandom) X(C_GenerateRandom)                  \
  X(C_GetFunctionStatus) X(C_CancelFunction) X(C_WaitForSlotEvent)

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);

#define NUMBER(name) AT_##name,
enum { FUNCTIONS(NUMBER) COUNT };

/* CK_FUNCTION_LIST */
struct list {
  unsigned char version[2];
  function functions[COUNT];
};

static const struct list *real;

/* The order for this function, as its second word and its number; an empty text for none. */
static void look(const char *name, char order[8], word *rv) {
  order[0] = '\0';
  const char *path = getenv("SHIM_ORDERS");
  FILE *file = path == NULL ? NULL : fopen(path, "re");
  if (file == NULL) return;
  char called[32], verb[8];
  char line[64];
  while (fgets(line, sizeof line, file) != NULL) {
    word number = CKR_GENERAL_ERROR;
    if (sscanf(line, "%31s %7s %lu", called, verb, &number) < 2 || strcmp(called, name) != 0) continue;
    strcpy(order, verb);
    *rv = number;
    break;
  }
  fclose(file);
}

/* One write, so that lines of several threads and processes do not mix. */
static void tell(const char *name) {
  const char *path = getenv("SHIM_LOG");
  int file = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  char line[40];
  int length = snprintf(line, sizeof line, "%s\n", name);
  if (write(file, line, (size_t)length) != length) abort();
  close(file);
}

static word run(int at, const char *name, const word p[8]) {
  char order[8];
  word rv = CKR_OK;
  look(name, order, &rv);
  if (order[0] != '\0') tell(name);
  if (strcmp(order, "fail") == 0) return rv;
  if (strcmp(order, "crash") == 0) raise(SIGSEGV);
  while (strcmp(order, "hang") == 0) pause();
  if (strcmp(order, "logout") == 0) real->functions[AT_C_Logout](p[0], 0, 0, 0, 0, 0, 0, 0);
  rv = real->functions[at](p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
  /* C_Sign(session, data, length, signature, length of it): a caller that only asks for the length gives no buffer. */
  if (at == AT_C_Sign && strcmp(order, "wrong") == 0 && rv == CKR_OK && p[3] != 0) {
    word length = *(const word *)p[4];
    ((unsigned char *)p[3])[length - 1] ^= 1;
  }
  /* C_GetTokenInfo(slot, info): the flags stand behind 96 bytes of text. */
  if (at == AT_C_GetTokenInfo && strcmp(order, "final") == 0 && rv == CKR_OK && p[1] != 0) {
    word flags;
    memcpy(&flags, (char *)p[1] + 96, sizeof flags);
    flags |= CKF_USER_PIN_FINAL_TRY;
    memcpy((char *)p[1] + 96, &flags, sizeof flags);
  }
  return rv;
}

#define WRAPPER(name)                                                                                                  \
  static word shim_##name(word a, word b, word c, word d, word e, word f, word g, word h) {                            \
    return run(AT_##name, #name, (const word[8]){a, b, c, d, e, f, g, h});                                             \
  }
FUNCTIONS(WRAPPER)

#define ENTRY(name) shim_##name,
static struct list shim = {{2, 40}, {FUNCTIONS(ENTRY)}};

/* The one symbol that a PKCS#11 module has to export. */
word C_GetFunctionList(const struct list **list) {
  if (list == NULL) return CKR_ARGUMENTS_BAD;
  const char *path = getenv("SHIM_MODULE");
  void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return CKR_GENERAL_ERROR;
  word (*getList)(const struct list **) = (word(*)(const struct list **))dlsym(library, "C_GetFunctionList");
  if (getList == NULL || getList(&real) != CKR_OK) return CKR_GENERAL_ERROR;
  memcpy(shim.version, real->version, sizeof shim.version);
  shim.functions[AT_C_GetFunctionList] = (function)(void *)C_GetFunctionList;
  *list = &shim;
  return CKR_OK;
}
