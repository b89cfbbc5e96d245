/* SPDX-License-Identifier: MIT */
/*
 * holdings.c -- counting file descriptors and bytes.
 */
#include "holdings.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    THREADS = 16,      /* of the blocking pool, at once */
    CACHED = 7,        /* glibc: freed blocks kept per size and thread */
    CACHED_MAX = 1032, /* glibc: the largest size that is kept so */
};

static int occupy_thread(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    usleep(2000);
    return 0;
}

int holdings_warm_up(ambit_cx *cx, void *unused)
{
    int rc = 0;
    (void)unused;
    ambit_scope (cx, threads, &rc, .name = "warm-up") {
        for (int i = 0; i < THREADS; i++) {
            ambit_spawn_with(threads, occupy_thread, &i,
                             .tier = AMBIT_BLOCKING);
        }
    }
    return rc;
}

/* The cache counts as held.  Full both times, it makes no difference. */
static void fill_cache(void)
{
    for (size_t size = 8; size <= CACHED_MAX; size += 16) {
        void *volatile blocks[CACHED];
        for (int i = 0; i < CACHED; i++) {
            blocks[i] = malloc(size);
        }
        for (int i = 0; i < CACHED; i++) {
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
