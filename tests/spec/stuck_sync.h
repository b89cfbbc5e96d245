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

static int full_room[1], empty_room[1], unsent_room;
static struct ambit_channel full = AMBIT_CHANNEL_INIT(full_room);
static struct ambit_channel empty = AMBIT_CHANNEL_INIT(empty_room);
static struct ambit_oneshot unsent = AMBIT_ONESHOT_INIT(unsent_room);

static void stuck_sync_open(void)
{
    int item = 0;
    WANT_EQ(ambit_channel_try_send(&full, &item), 0);
    WANT_EQ(ambit_mutex_try_lock(&locked), 0);
}

/* Nobody who was called off has left anything behind. */
static void stuck_sync_close(void)
{
    WANT_EQ(ambit_semaphore_waiters(&no_permits), 0);
    WANT_EQ(ambit_mutex_waiters(&locked), 0);
    ambit_mutex_unlock(&locked);
    int item = 0;
    WANT_EQ(ambit_channel_senders(&full) + ambit_channel_receivers(&full), 0);
    WANT_EQ(ambit_channel_try_receive(&full, &item), 0);
    WANT_EQ(ambit_channel_len(&full), 0);
    WANT_EQ(ambit_channel_receivers(&empty), 0);
    WANT_EQ(ambit_oneshot_try_receive(&unsent, &item), -EAGAIN);
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

static int by_channel_send(ambit_cx *cx, struct world *w)
{
    int item = 1;
    (void)w;
    return ambit_channel_send(cx, &full, &item);
}

static int by_channel_reserve(ambit_cx *cx, struct world *w)
{
    struct ambit_channel_permit permit;
    (void)w;
    return ambit_channel_reserve(cx, &full, &permit);
}

static int by_channel_receive(ambit_cx *cx, struct world *w)
{
    int item;
    (void)w;
    return ambit_channel_receive(cx, &empty, &item);
}

static int by_oneshot(ambit_cx *cx, struct world *w)
{
    int value;
    (void)w;
    return ambit_oneshot_receive(cx, &unsent, &value);
}

#endif
