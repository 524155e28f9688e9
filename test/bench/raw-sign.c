/*
 * Raw C_Sign through a PKCS#11 module: one thread a core, each with its own session and nothing between two calls. The measure that
 * the agent's signing layer is compared with (signing.ts); no part of the product.
 *
 * Arguments: module, token label, CKA_ID in hex, threads. Reads the PIN from the first line of standard input. Then, for each further
 * line that holds a number of milliseconds, signs for so long and prints "SIGNATURES NANOSECONDS" on a line. Ends with its input.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long ulong_t;
typedef struct { ulong_t type; void *value; ulong_t length; } attribute_t;
typedef struct { ulong_t mechanism; void *parameter; ulong_t length; } mechanism_t;
/* CK_FUNCTION_LIST: a version of two bytes, padded, then the functions in the order of the standard. */
typedef struct { unsigned char version[2]; void *call[68]; } functions_t;
enum { INITIALIZE = 0, SLOT_LIST = 4, TOKEN_INFO = 6, OPEN = 12, LOGIN = 18, FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43 };
enum { CKF_SERIAL_SESSION = 4, CKU_USER = 1, CKR_ALREADY_LOGGED_IN = 0x100, CKM_ECDSA = 0x1041 };
enum { CKA_CLASS = 0, CKA_ID = 0x102, CKO_PRIVATE_KEY = 3 };
#define CALL(index) ((ulong_t(*)())functions->call[index])

static functions_t *functions;
static ulong_t key;
static volatile int running;

typedef struct { pthread_t thread; ulong_t session; unsigned char digest[32]; long count; } worker_t;

static void check(const char *what, ulong_t rv) {
  if (rv == 0) return;
  fprintf(stderr, "%s: 0x%lx\n", what, rv);
  exit(1);
}

static void *work(void *argument) {
  worker_t *worker = argument;
  mechanism_t ecdsa = {CKM_ECDSA, NULL, 0};
  unsigned char signature[256];
  long count = 0;
  while (running) {
    ulong_t length = sizeof signature;
    memcpy(worker->digest, &count, sizeof count);
    check("C_SignInit", CALL(SIGN_INIT)(worker->session, &ecdsa, key));
    check("C_Sign", CALL(SIGN)(worker->session, worker->digest, 32UL, signature, &length));
    count += 1;
  }
  worker->count = count;
  return NULL;
}

static long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000L + at.tv_nsec;
}

static ulong_t slot_of(const char *label) {
  ulong_t slots[64], count = 64;
  check("C_GetSlotList", CALL(SLOT_LIST)((unsigned char)1, slots, &count));
  for (ulong_t at = 0; at < count; at += 1) {
    char info[512] = {0}, padded[33];
    snprintf(padded, sizeof padded, "%-32s", label);
    check("C_GetTokenInfo", CALL(TOKEN_INFO)(slots[at], info));
    if (memcmp(info, padded, 32) == 0) return slots[at];
  }
  fprintf(stderr, "no token has this label\n");
  exit(1);
}

int main(int argc, char **argv) {
  char pin[256], line[64];
  if (argc != 5 || fgets(pin, sizeof pin, stdin) == NULL) return 2;
  pin[strcspn(pin, "\n")] = 0;
  void *module = dlopen(argv[1], RTLD_NOW);
  ulong_t (*list)(functions_t **) = module == NULL ? NULL : (ulong_t(*)(functions_t **))dlsym(module, "C_GetFunctionList");
  if (list == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
  check("C_GetFunctionList", list(&functions));
  /* CK_C_INITIALIZE_ARGS with CKF_OS_LOCKING_OK. */
  struct { void *mutex[4]; ulong_t flags; void *reserved; } locking = {{NULL}, 2, NULL};
  check("C_Initialize", CALL(INITIALIZE)(&locking));
  ulong_t slot = slot_of(argv[2]);
  int threads = atoi(argv[4]);
  worker_t *workers = calloc(threads, sizeof *workers);
  for (int at = 0; at < threads; at += 1)
    check("C_OpenSession", CALL(OPEN)(slot, (ulong_t)CKF_SERIAL_SESSION, NULL, NULL, &workers[at].session));
  check("C_Login", CALL(LOGIN)(workers[0].session, (ulong_t)CKU_USER, pin, (ulong_t)strlen(pin)));
  unsigned char id[64];
  ulong_t length = strlen(argv[3]) / 2, class = CKO_PRIVATE_KEY, found = 0;
  for (ulong_t at = 0; at < length && at < sizeof id; at += 1) sscanf(argv[3] + 2 * at, "%2hhx", &id[at]);
  attribute_t wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, id, length}};
  check("C_FindObjectsInit", CALL(FIND_INIT)(workers[0].session, wanted, 2UL));
  check("C_FindObjects", CALL(FIND)(workers[0].session, &key, 1UL, &found));
  check("C_FindObjectsFinal", CALL(FIND_FINAL)(workers[0].session));
  if (found != 1) return fprintf(stderr, "no key has this id\n"), 1;
  while (fgets(line, sizeof line, stdin) != NULL) {
    long milliseconds = atol(line), signatures = 0, began = now();
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    running = 1;
    for (int at = 0; at < threads; at += 1) pthread_create(&workers[at].thread, NULL, work, &workers[at]);
    nanosleep(&pause, NULL);
    running = 0;
    for (int at = 0; at < threads; at += 1) {
      pthread_join(workers[at].thread, NULL);
      signatures += workers[at].count;
    }
    printf("%ld %ld\n", signatures, now() - began);
    fflush(stdout);
  }
  return 0;
}
