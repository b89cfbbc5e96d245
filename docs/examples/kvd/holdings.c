/* SPDX-License-Identifier: MIT */
/*
 * holdings.c -- counting file descriptors and bytes.
 */
#include "holdings.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    CACHED = 7,        /* glibc: freed blocks kept per size and thread */
    CACHED_MAX = 1032, /* glibc: the largest size that is kept so */
};

/* Each thread that uses malloc() beside others gets an arena of glibc's, which
 * stays.  So they all have to be there at once, however busy the machine is. */
static struct {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t all_here;
    int here;
} crowd = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static int occupy_thread(ambit_cx *cx, void *arg)
{
    void *volatile block = malloc(1); /* volatile: else neither is called */
    struct timespec patience;
    int rc = 0;
    (void)cx;
    (void)arg;
    free(block);
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += 2;
    pthread_mutex_lock(&crowd.lock);
    if (++crowd.here == HOLDINGS_THREADS) {
        pthread_cond_broadcast(&crowd.all_here);
    }
    while (crowd.here < HOLDINGS_THREADS && rc == 0) {
        rc = pthread_cond_timedwait(&crowd.all_here, &crowd.lock, &patience);
    }
    pthread_mutex_unlock(&crowd.lock);
    return 0;
}

int holdings_warm_up(ambit_cx *cx, void *unused)
{
    int rc = 0;
    (void)unused;
    ambit_scope (cx, threads, &rc, .name = "warm-up") {
        for (int i = 0; i < HOLDINGS_THREADS; i++) {
            ambit_spawn_with(threads, occupy_thread, &i,
                             .tier = AMBIT_BLOCKING);
        }
    }
    return rc;
}

/* The cache counts as held.  Full both times, it makes no difference.  A block may
 * be of the next larger size, where the rest of its place was too small to be one
 * of its own: so more are tried than are kept. */
static void fill_cache(void)
{
    for (size_t size = 8; size <= CACHED_MAX; size += 16) {
        void *volatile blocks[3 * CACHED];
        for (int i = 0; i < 3 * CACHED; i++) {
            blocks[i] = malloc(size);
        }
        for (int i = 0; i < 3 * CACHED; i++) {
            free(blocks[i]);
        }
    }
}

struct holdings holdings_now(void)
{
    struct holdings holdings = {0};
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL) {
        holdings.fds++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    fill_cache();
    holdings.bytes = (int64_t)mallinfo2().uordblks;
    return holdings;
}
