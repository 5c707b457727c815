// How fast all threads together read a file that is in memory, in GB/s: the best of some passes.
//
// cc -O3 -march=native -pthread read_bandwidth.c; arguments: threads, "mapped" or "huge", file.
// "mapped" reads it where the page cache has it, in small pages. "huge" reads a copy in huge pages, if there are any:
// what memory gives at most, as little of it is spent on looking up addresses.
// Blocks are handed out as threads get done, so that a thread that is held up does not hold up the pass.

#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { BLOCK = 1 << 20, PASSES = 48 };

static const uint64_t *words;
static size_t blocks;
static atomic_size_t next;
static atomic_ullong total;
static pthread_barrier_t gate;

static void pass(void) {
    pthread_barrier_wait(&gate);
    uint64_t sum = 0;
    for (size_t block; (block = atomic_fetch_add(&next, 1)) < blocks;) {
        const uint64_t *from = words + block * (BLOCK / sizeof *words);
        for (size_t i = 0; i < BLOCK / sizeof *words; i++) sum += from[i];
    }
    total += sum; // The compiler would leave out what nobody uses.
    pthread_barrier_wait(&gate);
}

static void *helper(void *unused) {
    for (int i = 0; i < PASSES; i++) pass();
    return unused;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// The whole file, or NULL.
static const void *mapped(const char *path, size_t *size) {
    int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status)) return NULL;
    *size = (size_t)status.st_size;
    void *memory = mmap(NULL, *size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

// A copy in huge pages, or NULL.
static const void *copied(const void *from, size_t size) {
    enum { HUGE_PAGE = 2 << 20 };
    void *memory = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    if (!memory) return NULL;
    madvise(memory, size, MADV_HUGEPAGE); // Where the system refuses, small pages are the most there is.
    return memcpy(memory, from, size);
}

int main(int count, char **arguments) {
    if (count != 4) return fprintf(stderr, "arguments: threads, \"mapped\" or \"huge\", file\n"), 2;
    int threads = atoi(arguments[1]);
    size_t size = 0;
    const void *memory = mapped(arguments[3], &size);
    if (memory && !strcmp(arguments[2], "huge")) memory = copied(memory, size);
    if (!memory || threads < 1) return fprintf(stderr, "no memory, or no threads\n"), 1;
    words = memory;
    blocks = size / BLOCK;
    pthread_barrier_init(&gate, NULL, (unsigned)threads);
    pthread_t thread;
    for (int i = 1; i < threads; i++)
        if (pthread_create(&thread, NULL, helper, NULL)) return fprintf(stderr, "no thread\n"), 1;
    double best = 0;
    for (int i = 0; i < PASSES; i++) {
        next = 0;
        double start = now();
        pass();
        double speed = (double)blocks * BLOCK / (now() - start) / 1e9;
        if (speed > best) best = speed;
    }
    printf("%.3f\n", best);
    return total == 0;
}
