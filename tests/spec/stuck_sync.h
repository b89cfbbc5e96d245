/* SPDX-License-Identifier: MIT */
/*
 * stuck_sync.h -- for the walk of CAN-3: locks and channels of which nothing is
 * to be had, and who waits for them.
 */
#ifndef AMBIT_TESTS_SPEC_STUCK_SYNC_H
#define AMBIT_TESTS_SPEC_STUCK_SYNC_H

#include "tests/spec/common.h"

struct world;

static struct ambit_semaphore no_permits = AMBIT_SEMAPHORE_INIT(0, 1);
static struct ambit_mutex locked = AMBIT_MUTEX_INIT;

static void stuck_sync_open(void)
{
    WANT_EQ(ambit_mutex_try_lock(&locked), 0);
}

/* Nobody who was called off has left anything behind. */
static void stuck_sync_close(void)
{
    WANT_EQ(ambit_semaphore_waiters(&no_permits), 0);
    WANT_EQ(ambit_mutex_waiters(&locked), 0);
    ambit_mutex_unlock(&locked);
}

static int by_semaphore(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_semaphore_acquire(cx, &no_permits, 1);
}

static int by_mutex(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_mutex_lock(cx, &locked);
}

static int by_hold(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_mutex_hold(cx, &locked);
}

#endif
