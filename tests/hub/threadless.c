/* Makes the start of threads fail, in one process that is started with LD_PRELOAD.
 *
 * Nothing happens before `threadless_arm(at, stays)`: from then on starts are counted, and the `at`-th, from 0, fails as
 * it does where a user has as many threads as allowed; with `stays` all later ones do, too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_long count;
static atomic_long first = -1;
static atomic_int sticky;

void threadless_arm(long at, int stays) {
    atomic_store(&count, 0);
    atomic_store(&sticky, stays);
    atomic_store(&first, at);
}

/* How many starts there were since. */
long threadless_disarm(void) {
    atomic_store(&first, -1);
    return atomic_load(&count);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    __typeof__(&pthread_create) real = (__typeof__(&pthread_create))dlsym(RTLD_NEXT, "pthread_create");
    long now = atomic_fetch_add(&count, 1);
    long at = atomic_load(&first);
    if (at >= 0 && (now == at || (now > at && atomic_load(&sticky)))) return EAGAIN;
    return real(thread, attributes, body, argument);
}
