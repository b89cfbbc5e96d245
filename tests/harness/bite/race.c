/* SPDX-License-Identifier: MIT */
/*
 * race.c -- a seeded defect (see tests/tidy/bite.sh):
 * two threads and one plain counter.
 */
#include "tests/harness/test.h"

#include <pthread.h>

static long counter;

static void *count(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        *(long *)arg += 1;
    }
    return NULL;
}

Test(bite, a_race_is_reported)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count, &counter), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}
