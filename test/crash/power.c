/*
 * Remembers what a power cut would take back: preloaded (LD_PRELOAD) into a program that keeps files with pwrite64 and ftruncate64, it
 * notes before each write what stood there, and forgets that once fsync has brought the file to the disk. After the program was killed
 * power.ts puts back what is still noted. An fsync that fails brings nothing to the disk, and none after it either. Not for production.
 *
 *   POWER_FILES  what the names of the files begin with, an absolute path without links
 *   POWER_NOTES  what the names of the notes begin with: one file for each, with the file's own name behind it
 *
 * A note: offset, size of the file before, length of what follows (each 8 bytes of this machine's order), and what stood there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int broken;

/* Opens the notes of the file behind fd, or -1 where it is none of ours. */
static int notes_of(int fd) {
  const char *files = getenv("POWER_FILES"), *notes = getenv("POWER_NOTES");
  char link[64], path[PATH_MAX], name[PATH_MAX + 256];
  if (files == NULL || notes == NULL) return -1;
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return -1;
  path[length] = '\0';
  if (strncmp(path, files, strlen(files)) != 0) return -1;
  snprintf(name, sizeof name, "%s%s", notes, strrchr(path, '/') + 1);
  int opened = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (opened < 0) abort();
  return opened;
}

/* Notes what stands from `at` on, `length` bytes at most. */
static void note(int fd, off64_t at, size_t length) {
  int notes = notes_of(fd);
  if (notes < 0) return;
  struct stat64 file;
  if (fstat64(fd, &file) != 0) abort();
  size_t kept = at >= file.st_size ? 0 : (size_t)(file.st_size - at);
  if (kept > length) kept = length;
  char *bytes = malloc(kept + 1);
  if (bytes == NULL || pread64(fd, bytes, kept, at) != (ssize_t)kept) abort();
  uint64_t head[3] = {(uint64_t)at, (uint64_t)file.st_size, kept};
  struct iovec whole[2] = {{head, sizeof head}, {bytes, kept}};
  if (writev(notes, whole, 2) != (ssize_t)(sizeof head + kept)) abort();
  free(bytes);
  close(notes);
}

static int synced(int fd, int result) {
  if (result != 0) broken = 1;
  int before = errno, notes = broken ? -1 : notes_of(fd);
  if (notes >= 0) {
    if (((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(notes, 0) != 0) abort();
    close(notes);
  }
  errno = before;
  return result;
}

int fsync(int fd) { return synced(fd, ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd)); }

int fdatasync(int fd) { return synced(fd, ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd)); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  note(fd, at, length);
  return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, bytes, length, at);
}

int ftruncate64(int fd, off64_t size) {
  note(fd, size, SIZE_MAX / 2);
  return ((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(fd, size);
}
