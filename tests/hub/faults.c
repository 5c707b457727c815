/* Makes file operations of one process fail, or ends it in the middle of them.
 *
 * Loaded with LD_PRELOAD. Nothing happens before `faults_arm(at, error)`: from then on operations are counted, and the
 * `at`-th fails with `error`, or, if that is 0, kills the process as a power cut would: before the operation is done.
 * An error other than 0 stays: a full disk does not become empty by itself. With FAULTS_ARM="at error" in its environment
 * a process is armed as it begins. What goes to pipes and sockets is no operation: a full disk does not concern it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long left, count;
static atomic_int armed, kind, sticky;

void faults_arm(long at, int error, int stays) {
    atomic_store(&left, at);
    atomic_store(&kind, error);
    atomic_store(&sticky, stays);
    atomic_store(&count, 0);
    atomic_store(&armed, 1);
}

long faults_disarm(void) {
    atomic_store(&armed, 0);
    return atomic_load(&count);
}

__attribute__((constructor)) static void begin(void) {
    const char *how = getenv("FAULTS_ARM");
    long at;
    int error;
    if (how && sscanf(how, "%ld %d", &at, &error) == 2) faults_arm(at, error, 1);
}

/* Whether the operation must fail; errno is set then. */
static int fails(void) {
    if (!atomic_load(&armed)) return 0;
    atomic_fetch_add(&count, 1);
    long now = atomic_fetch_sub(&left, 1);
    if (now > 1 || (now < 1 && !atomic_load(&sticky))) return 0;
    if (atomic_load(&kind) == 0) kill(getpid(), SIGKILL);
    errno = atomic_load(&kind);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define FAULTY(type, name, parameters, arguments) \
    type name parameters { return fails() ? (type)-1 : REAL(name) arguments; }

ssize_t write(int fd, const void *from, size_t size) {
    struct stat about;
    int on_disk = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    return on_disk && fails() ? -1 : REAL(write)(fd, from, size);
}

FAULTY(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
FAULTY(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
FAULTY(int, fsync, (int fd), (fd))
FAULTY(int, fdatasync, (int fd), (fd))
FAULTY(int, rename, (const char *from, const char *to), (from, to))
FAULTY(int, link, (const char *from, const char *to), (from, to))
FAULTY(int, symlink, (const char *from, const char *to), (from, to))
FAULTY(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
FAULTY(int, symlinkat, (const char *from, int b, const char *to), (from, b, to))
FAULTY(int, mkdir, (const char *path, mode_t mode), (path, mode))
FAULTY(int, ftruncate, (int fd, off_t size), (fd, size))
FAULTY(int, ftruncate64, (int fd, off64_t size), (fd, size))
FAULTY(int, fchmod, (int fd, mode_t mode), (fd, mode))

static int opens(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    /* What is only read cannot fill a disk. */
    return (flags & O_CREAT) && fails() ? -1 : real(path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return opens(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return opens(REAL(open64), path, flags, mode);
}

/* With FAULTS_NO_LOCKS every file lock is granted, as some network file systems do. */
int flock(int fd, int operation) {
    return getenv("FAULTS_NO_LOCKS") ? 0 : REAL(flock)(fd, operation);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    return locks && getenv("FAULTS_NO_LOCKS") ? 0 : REAL(fcntl64)(fd, command, argument);
}
