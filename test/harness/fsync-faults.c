/*
 * A disk that fails when a test says so: preloaded (LD_PRELOAD) into a program, it makes fsync, fdatasync or writes fail for one file or
 * for all files below one folder. Not for production, and no simulation of a power cut: what was written stays in the page cache.
 *
 *   FAULTS_UNDER    the file or folder, an absolute path without links
 *   FAULTS_TRIGGER  a file that says what fails; nothing does while it is not there:  sync|write ERRNO COUNT AFTER
 *                   COUNT calls fail with ERRNO after AFTER calls that succeed; COUNT -1: all. Another text begins to count anew.
 *
 * Each call that fails appends its name and path to FAULTS_TRIGGER.fired.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[128];
static long seen;

static int is_under(const char *path, const char *under) {
  size_t length = strlen(under);
  return strncmp(path, under, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static void tell(const char *trigger, const char *call, const char *path) {
  char name[PATH_MAX], line[PATH_MAX + 16];
  snprintf(name, sizeof name, "%s.fired", trigger);
  int length = snprintf(line, sizeof line, "%s %s\n", call, path);
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) abort();
  struct iovec whole = {line, (size_t)length};
  if (writev(fd, &whole, 1) != length) abort(); /* writev is not one of the calls below */
  close(fd);
}

/* The errno that this call is to fail with, or 0. */
static int fault_of(int fd, const char *kind, const char *call) {
  const char *trigger = getenv("FAULTS_TRIGGER"), *under = getenv("FAULTS_UNDER");
  if (trigger == NULL || under == NULL) return 0;
  int before = errno, source = open(trigger, O_RDONLY | O_CLOEXEC);
  errno = before;
  if (source < 0) return 0;
  char text[sizeof last] = "", wanted[16], link[64], path[PATH_MAX];
  ssize_t length = read(source, text, sizeof text - 1);
  close(source);
  int error;
  long count, after;
  if (length <= 0 || sscanf(text, "%15s %d %ld %ld", wanted, &error, &count, &after) != 4) abort();
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0 || strcmp(wanted, kind) != 0) return 0;
  path[length] = '\0';
  if (!is_under(path, under)) return 0;
  pthread_mutex_lock(&lock);
  if (strcmp(last, text) != 0) {
    strcpy(last, text);
    seen = 0;
  }
  long n = seen++;
  pthread_mutex_unlock(&lock);
  if (n < after || (count >= 0 && n >= after + count)) return 0;
  tell(trigger, call, path);
  return error;
}

#define FAIL(kind, call)                       \
  do {                                         \
    int error = fault_of(fd, kind, call);      \
    if (error != 0) {                          \
      errno = error;                           \
      return -1;                               \
    }                                          \
  } while (0)

int fsync(int fd) {
  FAIL("sync", "fsync");
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  FAIL("sync", "fdatasync");
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  FAIL("write", "write");
  return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  FAIL("write", "pwrite");
  return ((ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite"))(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  FAIL("write", "pwrite64");
  return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, bytes, length, at);
}
