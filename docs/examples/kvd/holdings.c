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
    CACHED_MIN = 24,   /* glibc: the smallest block, all of it used */
    CACHED_MAX = 1032, /* glibc: the largest size that is kept so */
    KEPT_STACKS = 40 << 20, /* glibc: stacks of ended threads kept, bytes */
    STACK_MARGIN = 1 << 20,
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

/* A thread's stack is kept for the next one, with a block of the heap of its own,
 * which may be larger than asked for where the rest of its place was too small
 * for a block.  Once more than 40 MiB are kept, all that nobody uses go. */
static void *no_work(void *arg)
{
    return arg;
}

static void drop_kept_stacks(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, KEPT_STACKS + STACK_MARGIN);
    if (pthread_create(&thread, &attr, no_work, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&attr);
}

/* The cache counts as held.  Full both times, it makes no difference.  As a block
 * may be of the next larger size, it is asked for until enough are of this one. */
static void fill_cache_of(size_t size)
{
    struct spare {
        struct spare *next;
    } *exact = NULL, *larger = NULL;
    int kept = 0;
    while (kept < CACHED) {
        struct spare *block = malloc(size);
        if (block == NULL) {
            break;
        }
        bool is_exact = malloc_usable_size(block) < size + 16;
        struct spare **list = is_exact ? &exact : &larger;
        block->next = *list;
        *list = block;
        kept += is_exact;
    }
    while (exact != NULL || larger != NULL) {
        struct spare **list = exact != NULL ? &exact : &larger;
        struct spare *block = *list;
        *list = block->next;
        free(block);
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
    drop_kept_stacks();
    for (size_t size = CACHED_MIN; size <= CACHED_MAX; size += 16) {
        fill_cache_of(size);
    }
    holdings.bytes = (int64_t)mallinfo2().uordblks;
    return holdings;
}
