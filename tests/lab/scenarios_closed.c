/* SPDX-License-Identifier: MIT */
/*
 * scenarios_closed.c -- a close, while as many wait as are drawn.
 *
 * All who wait are known to wait: they are on the closer's worker, which they give
 * up in the wait only.  None of them gets what it waits for any more.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum { CAPACITY_MOST = 3, WAITERS_MOST = 3 };

struct door {
    struct ambit_channel channel;
    int room[CAPACITY_MOST];
    ambit_ring *ring;
    unsigned to;
    int64_t waiters;
    struct tally came, told;
};

struct waiter {
    struct door *door;
    unsigned way;
};

/* How it ended: told, or called off. */
static int told(struct door *door, int rc)
{
    want(rc == -EPIPE);
    always(rc == -EPIPE || is_called_off(rc));
    tally_add(&door->told, rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

/* On the caller's worker; all that there are wait, as each came this far. */
static void spawn_waiters(ambit_cx *cx, ambit_region *s, struct door *door,
                          ambit_task_fn *fn)
{
    int64_t spawned = 0;
    for (int64_t i = 0; i < door->waiters; i++) {
        struct waiter w = {door, ambit_choose(2)};
        spawned += ambit_spawn_with(s, fn, &w, .placement = AMBIT_PINNED,
                                    .worker = ambit_cx_worker(cx)) == 0;
    }
    want(spawned == door->waiters);
    door->waiters = spawned;
    while (tally_get(&door->came) < spawned && ambit_yield(cx) == 0) {
    }
}

/* --- channel --------------------------------------------------------------- */

static int waits_to_send(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    struct ambit_channel_permit permit;
    int late = -1;
    tally_up(&w->door->came);
    int rc = w->way == 0
                 ? ambit_channel_send(cx, &w->door->channel, &late)
                 : ambit_channel_reserve(cx, &w->door->channel, &permit);
    return told(w->door, rc);
}

static int waits_to_receive(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    int item = -1;
    tally_up(&w->door->came);
    int rc = ambit_channel_receive(cx, &w->door->channel, &item);
    always(item == -1);
    return told(w->door, rc);
}

/* What is in it is what was before; none of those who wait has added to it. */
static void only_the_first(struct door *door, uint32_t count)
{
    int item = 0;
    always(ambit_channel_senders(&door->channel) == 0);
    always(ambit_channel_receivers(&door->channel) == 0);
    for (uint32_t i = 0; i < count; i++) {
        always(ambit_channel_try_receive(&door->channel, &item) == 0);
        always(item == (int)i);
    }
    always(ambit_channel_try_receive(&door->channel, &item) == -EPIPE);
    always(ambit_channel_try_send(&door->channel, &item) == -EPIPE);
}

static int channel_closed_on_waiters(ambit_cx *cx, void *arg)
{
    struct door door = {.waiters = 1 + ambit_choose(WAITERS_MOST)};
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MOST);
    bool full = ambit_choose(2) == 0;
    int rc = 0;
    (void)arg;
    always(ambit_channel_init(&door.channel, door.room, capacity,
                              sizeof(int)) == 0);
    for (int i = 0; full && i < (int)capacity; i++) {
        always(ambit_channel_try_send(&door.channel, &i) == 0);
    }
    ambit_scope (cx, s, &rc) {
        spawn_waiters(cx, s, &door, full ? waits_to_send : waits_to_receive);
        always(ambit_channel_close(&door.channel) == 0);
        always(ambit_channel_close(&door.channel) == -EALREADY);
        always(ambit_channel_senders(&door.channel) == 0);
    }
    want(rc == 0 && tally_get(&door.told) == door.waiters);
    only_the_first(&door, full ? capacity : 0);
    ambit_channel_fini(&door.channel);
    return rc;
}

/* --- ring ------------------------------------------------------------------ */

static int waits_for_room(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    tally_up(&w->door->came);
    int rc = ambit_ring_send(cx, w->door->ring, w->door->to, 1, 1000);
    return told(w->door, rc);
}

static int waits_for_message(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    struct ambit_ring_message m;
    tally_up(&w->door->came);
    return told(w->door, ambit_ring_next(cx, w->door->ring, &m));
}

/* To the end of what was sent, on the worker it was sent to. */
static int is_received(ambit_cx *cx, void *arg)
{
    struct waiter *w = arg;
    struct ambit_ring_message m;
    uint64_t next = 0;
    int rc;
    while ((rc = ambit_ring_next(cx, w->door->ring, &m)) == 0) {
        always(m.value == next);
        next++;
    }
    want(rc == -EPIPE && next == w->way);
    return rc == -EPIPE ? 0 : rc;
}

/* A full stream to either worker, and who waits for room in it; or an empty
 * inbox. */
static void close_ring(ambit_cx *cx, struct door *door, uint32_t capacity)
{
    bool full = ambit_choose(3) != 0;
    unsigned here = ambit_ring_here(door->ring);
    struct waiter last = {door, full ? capacity : 0};
    int rc = 0;
    door->to = full ? ambit_choose(2) : here;
    for (uint32_t i = 0; full && i < capacity; i++) {
        always(ambit_ring_try_send(door->ring, door->to, 1, i) == 0);
    }
    ambit_scope (cx, s, &rc) {
        spawn_waiters(cx, s, door, full ? waits_for_room : waits_for_message);
        always(ambit_ring_close(door->ring) == 0);
        always(ambit_ring_close(door->ring) == -EALREADY);
        always(ambit_ring_try_send(door->ring, door->to, 1, 1) == -EPIPE);
    }
    want(rc == 0 && tally_get(&door->told) == door->waiters);
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn_with(s, is_received, &last,
                              .placement = AMBIT_PINNED,
                              .worker = door->to) == 0);
    }
    want(rc == 0);
}

static int ring_closed_on_waiters(ambit_cx *cx, void *arg)
{
    struct door door = {.waiters = 1 + ambit_choose(WAITERS_MOST)};
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MOST);
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &door.ring, .capacity = capacity);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        close_ring(cx, &door, capacity);
    }
    want(rc == 0);
    return rc;
}

SCENARIOS(closed,
    {"channel_closed_on_waiters", channel_closed_on_waiters, 2, SMALL | CORE},
    {"ring_closed_on_waiters", ring_closed_on_waiters, 2, SMALL | CORE});
