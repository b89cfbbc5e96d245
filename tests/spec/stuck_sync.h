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

static struct ambit_rwlock written = AMBIT_RWLOCK_INIT;
static struct ambit_notify no_news = AMBIT_NOTIFY_INIT;
static struct ambit_barrier of_two = AMBIT_BARRIER_INIT(2);
static struct ambit_once begun = AMBIT_ONCE_INIT;
static int full_room[1], empty_room[1], unsent_room;
static struct ambit_channel full = AMBIT_CHANNEL_INIT(full_room);
static struct ambit_channel empty = AMBIT_CHANNEL_INIT(empty_room);
static struct ambit_oneshot unsent = AMBIT_ONESHOT_INIT(unsent_room);
static int seen_room, silent_room[1];
static struct ambit_watch seen_watch = AMBIT_WATCH_INIT(seen_room);
static struct ambit_broadcast silent = AMBIT_BROADCAST_INIT(silent_room);
static struct ambit_unbounded nothing = AMBIT_UNBOUNDED_INIT(int);

static void stuck_sync_open(void)
{
    int item = 0;
    WANT_EQ(ambit_channel_try_send(&full, &item), 0);
    WANT_EQ(ambit_mutex_try_lock(&locked), 0);
    WANT_EQ(ambit_rwlock_try_write(&written), 0);
}

/* Nobody who was called off has left anything behind. */
static void stuck_sync_close(void)
{
    WANT_EQ(ambit_semaphore_waiters(&no_permits), 0);
    WANT_EQ(ambit_mutex_waiters(&locked), 0);
    ambit_mutex_unlock(&locked);
    WANT_EQ(ambit_rwlock_waiters(&written), 0);
    ambit_rwlock_write_end(&written);
    WANT_EQ(ambit_notify_waiters(&no_news), 0);
    WANT_EQ(ambit_barrier_waiters(&of_two), 0);
    WANT_EQ(ambit_once_waiters(&begun), 0);
    int item = 0;
    WANT_EQ(ambit_channel_senders(&full) + ambit_channel_receivers(&full), 0);
    WANT_EQ(ambit_channel_try_receive(&full, &item), 0);
    WANT_EQ(ambit_channel_len(&full), 0);
    WANT_EQ(ambit_channel_receivers(&empty), 0);
    WANT_EQ(ambit_oneshot_try_receive(&unsent, &item), -EAGAIN);
    WANT_EQ(ambit_watch_waiters(&seen_watch), 0);
    WANT_EQ(ambit_broadcast_waiters(&silent), 0);
    WANT_EQ(ambit_unbounded_receivers(&nothing), 0);
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

static int by_read_lock(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_rwlock_read(cx, &written);
}

static int by_write_lock(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_rwlock_write(cx, &written);
}

static int by_notify(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_notify_wait(cx, &no_news);
}

static int by_barrier(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_barrier_wait(cx, &of_two);
}

static int take_for_ever(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

/* Of those who are there at the same time one is at it, the others wait. */
static int begin_for_ever(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_once(cx, &begun, take_for_ever, NULL);
}

static int by_once(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_once(cx, &begun, take_for_ever, NULL);
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

static int by_watch(ambit_cx *cx, struct world *w)
{
    uint64_t seen = ambit_watch_look(&seen_watch, NULL);
    int value;
    (void)w;
    return ambit_watch_receive(cx, &seen_watch, &seen, &value);
}

static int by_broadcast(ambit_cx *cx, struct world *w)
{
    struct ambit_broadcast_receiver mine;
    int item;
    (void)w;
    ambit_broadcast_subscribe(&silent, &mine);
    return ambit_broadcast_receive(cx, &mine, &item);
}

static int by_unbounded(ambit_cx *cx, struct world *w)
{
    int item;
    (void)w;
    return ambit_unbounded_receive(cx, &nothing, &item);
}

#endif
