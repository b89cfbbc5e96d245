/* SPDX-License-Identifier: MIT */
/*
 * sync.c -- waiting for each other, and channels of every kind.
 */
#include "tests/bench/counts/counts.h"

/* Two tasks in one scope; what both do is counted. */
static int run_two(ambit_cx *cx, ambit_task_fn *first, ambit_task_fn *second,
                   unsigned n)
{
    int rc = 0;
    counts_begin();
    ambit_scope (cx, both, &rc) {
        rc = ambit_spawn(both, first, &n);
        rc = rc < 0 ? rc : ambit_spawn(both, second, &n);
    }
    counts_end();
    return rc;
}

/* --- park and wake -------------------------------------------------------- */

static struct ambit_semaphore semaphores[2];

static int relay(ambit_cx *cx, unsigned n, unsigned mine)
{
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_semaphore_acquire(cx, &semaphores[mine], 1);
        rc = rc < 0 ? rc : ambit_semaphore_release(&semaphores[1 - mine], 1);
    }
    return rc;
}

static int relay_first(ambit_cx *cx, void *arg)
{
    return relay(cx, *(unsigned *)arg, 0);
}

static int relay_second(ambit_cx *cx, void *arg)
{
    return relay(cx, *(unsigned *)arg, 1);
}

static int park_wake(ambit_cx *cx, unsigned n)
{
    int rc = ambit_semaphore_init(&semaphores[0], 1, 1);
    rc = rc < 0 ? rc : ambit_semaphore_init(&semaphores[1], 0, 1);
    rc = rc < 0 ? rc : run_two(cx, relay_first, relay_second, n / 2);
    ambit_semaphore_fini(&semaphores[0]);
    ambit_semaphore_fini(&semaphores[1]);
    return rc;
}

static int semaphore_free(ambit_cx *cx, unsigned n)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(1, 1);
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_semaphore_acquire(cx, &semaphore, 1);
        rc = rc < 0 ? rc : ambit_semaphore_release(&semaphore, 1);
    }
    counts_end();
    ambit_semaphore_fini(&semaphore);
    return rc;
}

static int mutex_free(ambit_cx *cx, unsigned n)
{
    struct ambit_mutex mutex = AMBIT_MUTEX_INIT;
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_mutex_lock(cx, &mutex);
        if (rc == 0) {
            ambit_mutex_unlock(&mutex);
        }
    }
    counts_end();
    ambit_mutex_fini(&mutex);
    return rc;
}

/* --- the bounded channel -------------------------------------------------- */

static uint64_t room[2][16];
static struct ambit_channel there = AMBIT_CHANNEL_INIT(room[0]);
static struct ambit_channel back = AMBIT_CHANNEL_INIT(room[1]);

static int ping(ambit_cx *cx, void *arg)
{
    unsigned n = *(unsigned *)arg;
    uint64_t ball = 0;
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_channel_send(cx, &there, &ball);
        rc = rc < 0 ? rc : ambit_channel_receive(cx, &back, &ball);
    }
    return rc < 0 ? rc : ball == n ? 0 : -EPROTO;
}

static int pong(ambit_cx *cx, void *arg)
{
    unsigned n = *(unsigned *)arg;
    uint64_t ball;
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_channel_receive(cx, &there, &ball);
        ball++;
        rc = rc < 0 ? rc : ambit_channel_send(cx, &back, &ball);
    }
    return rc;
}

static int channel_pingpong(ambit_cx *cx, unsigned n)
{
    return run_two(cx, ping, pong, n);
}

static int channel_try(ambit_cx *cx, unsigned n)
{
    uint64_t item = 0;
    int rc = 0;
    (void)cx;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_channel_try_send(&there, &item);
        rc = rc < 0 ? rc : ambit_channel_try_receive(&there, &item);
    }
    counts_end();
    return rc;
}

static int channel_send_receive(ambit_cx *cx, unsigned n)
{
    uint64_t item = 0;
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_channel_send(cx, &there, &item);
        rc = rc < 0 ? rc : ambit_channel_receive(cx, &there, &item);
    }
    counts_end();
    return rc;
}

/* --- its kin: one sends, and gets it ------------------------------------- */

static int unbounded(ambit_cx *cx, unsigned n)
{
    struct ambit_unbounded queue = AMBIT_UNBOUNDED_INIT(uint64_t);
    uint64_t item = 0;
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_unbounded_send(&queue, &item);
        rc = rc < 0 ? rc : ambit_unbounded_receive(cx, &queue, &item);
    }
    counts_end();
    ambit_unbounded_fini(&queue);
    return rc;
}

static int oneshot(ambit_cx *cx, unsigned n)
{
    uint64_t value = 0;
    uint64_t got = 0;
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct ambit_oneshot once = AMBIT_ONESHOT_INIT(value);
        rc = ambit_oneshot_send(&once, &got);
        rc = rc < 0 ? rc : ambit_oneshot_receive(cx, &once, &got);
        ambit_oneshot_fini(&once);
    }
    counts_end();
    return rc;
}

static int watch(ambit_cx *cx, unsigned n)
{
    uint64_t value = 0;
    struct ambit_watch watched = AMBIT_WATCH_INIT(value);
    uint64_t seen = ambit_watch_look(&watched, NULL);
    uint64_t got = 0;
    int rc = 0;
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_watch_send(&watched, &got);
        rc = rc < 0 ? rc : ambit_watch_receive(cx, &watched, &seen, &got);
    }
    counts_end();
    ambit_watch_fini(&watched);
    return rc;
}

static int broadcast(ambit_cx *cx, unsigned n)
{
    uint64_t items[16];
    struct ambit_broadcast all = AMBIT_BROADCAST_INIT(items);
    struct ambit_broadcast_receiver receiver;
    uint64_t item = 0;
    int rc = 0;
    ambit_broadcast_subscribe(&all, &receiver);
    counts_begin();
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = ambit_broadcast_send(&all, &item);
        rc = rc < 0 ? rc : ambit_broadcast_receive(cx, &receiver, &item);
    }
    counts_end();
    ambit_broadcast_fini(&all);
    return rc;
}

const struct counts_path counts_sync[] = {
    {"park_wake", 10000, park_wake},
    {"semaphore_free", 10000, semaphore_free},
    {"mutex_free", 10000, mutex_free},
    {"channel_pingpong", 5000, channel_pingpong},
    {"channel_try_send_receive", 10000, channel_try},
    {"channel_send_receive", 10000, channel_send_receive},
    {"unbounded_send_receive", 10000, unbounded},
    {"oneshot_send_receive", 10000, oneshot},
    {"watch_send_receive", 10000, watch},
    {"broadcast_send_receive", 10000, broadcast},
    {NULL, 0, NULL},
};
