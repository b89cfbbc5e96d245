/* SPDX-License-Identifier: MIT */
/* LINK: docs/examples/kvd/holdings.c */
/*
 * kvd_holdings_test.c -- a leak is told to the byte, and what the C library keeps
 * is none.
 *
 * Only where malloc() is glibc's own: a sanitizer or Valgrind has no such cache
 * and tells nothing by mallinfo2().
 */
#include "tests/harness/test.h"

#include "docs/examples/kvd/holdings.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#if defined(TEST_UNDER_ASAN) || defined(TEST_UNDER_TSAN) || \
    defined(TEST_UNDER_VALGRIND)
#define WITH_GLIBC .disabled = true
#else
#define WITH_GLIBC .disabled = false
#endif

enum {
    THREADS = 12, /* more than glibc keeps stacks of 8 MiB */
    HOLES = 60,   /* more than its cache of freed blocks takes */
};

static void *meet(void *barrier)
{
    pthread_barrier_wait(barrier);
    return NULL;
}

/* All at once, so that they cannot use each other's stacks.  Returns what the heap
 * came to hold meanwhile. */
static size_t some_threads(int count)
{
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    size_t before = mallinfo2().uordblks;
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, meet, &barrier), 0);
    }
    size_t during = mallinfo2().uordblks;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    return during - before;
}

/* What a thread needs of the heap then comes to lie in a hole a little too large,
 * and takes all of it. */
static void some_threads_in_holes(size_t hole)
{
    void *volatile holes[HOLES];
    void *volatile walls[HOLES];
    for (int i = 0; i < HOLES; i++) {
        holes[i] = malloc(hole);
        walls[i] = malloc(1);
    }
    for (int i = 0; i < HOLES; i++) {
        free(holes[i]);
    }
    some_threads(THREADS);
    for (int i = 0; i < HOLES; i++) {
        free(walls[i]);
    }
}

Test(kvd_holdings, the_c_librarys_own_is_no_leak, WITH_GLIBC)
{
    holdings_now(); /* so no stack is kept */
    size_t of_one = some_threads(1);
    some_threads(THREADS);
    struct holdings before = holdings_now();
    some_threads_in_holes(of_one - sizeof(size_t) + 16);
    struct holdings after = holdings_now();
    cr_assert_eq(after.bytes, before.bytes, "%lld",
                 (long long)(after.bytes - before.bytes));
    cr_assert_eq(after.fds, before.fds);
}

Test(kvd_holdings, a_leak_is_told_to_the_byte, WITH_GLIBC)
{
    for (size_t size = 24; size < 3000; size += 16) {
        struct holdings before = holdings_now();
        void *volatile block = malloc(size);
        struct holdings after = holdings_now();
        long long told = after.bytes - before.bytes;
        cr_assert(told == (long long)size + 8 || told == (long long)size + 24,
                  "%lld of %zu", told, size);
        free(block);
    }
}
