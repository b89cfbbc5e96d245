/* SPDX-License-Identifier: MIT */
/*
 * await_kit.h -- a poll task that waits, for each kind of wait.
 */
#ifndef AMBIT_TESTS_SPEC_AWAIT_KIT_H
#define AMBIT_TESTS_SPEC_AWAIT_KIT_H

#include "tests/spec/common.h"

struct objects {
    struct ambit_semaphore seats;
    struct ambit_mutex mutex;
    struct ambit_rwlock rwlock;
    struct ambit_notify news;
    struct ambit_barrier gate;
    int channel_room[1], full_room[1], oneshot_room, watch_room, cast_room[4];
    struct ambit_channel channel, full;
    struct ambit_oneshot oneshot;
    struct ambit_unbounded unbounded;
    struct ambit_watch watch;
    struct ambit_broadcast cast;
};

enum kind {
    SLEEP, NEVER, SEATS, MUTEX, READ, WRITE, NEWS, GATE, SEND, RESERVE, RECEIVE,
    ONESHOT, UNBOUNDED, WATCH, CAST, KINDS,
};

struct one {
    struct ambit_await wait;
    struct objects *objects;
    struct count *begun, *ended;
    struct ambit_channel_permit permit;
    struct ambit_broadcast_receiver receiver;
    uint64_t seen;
    enum kind kind;
    int wanted, item;
    bool is_begun, last;
};

__attribute__((unused)) static int look(ambit_cx *cx, struct one *s)
{
    struct objects *o = s->objects;
    struct ambit_await *wait = &s->wait;
    switch (s->kind) {
    case SLEEP:
        return ambit_await_sleep(cx, wait, ambit_s(3600));
    case NEVER:
        return ambit_await_sleep_until(cx, wait, ambit_never());
    case SEATS:
        return ambit_await_acquire(cx, wait, &o->seats, 2);
    case MUTEX:
        return ambit_await_lock(cx, wait, &o->mutex);
    case READ:
        return ambit_await_read(cx, wait, &o->rwlock);
    case WRITE:
        return ambit_await_write(cx, wait, &o->rwlock);
    case NEWS:
        return ambit_await_notify(cx, wait, &o->news);
    case GATE:
        return ambit_await_barrier(cx, wait, &o->gate, &s->last);
    case SEND:
        return ambit_await_send(cx, wait, &o->full, &s->item);
    case RESERVE:
        return ambit_await_reserve(cx, wait, &o->full, &s->permit);
    case RECEIVE:
        return ambit_await_receive(cx, wait, &o->channel, &s->item);
    case ONESHOT:
        return ambit_await_oneshot(cx, wait, &o->oneshot, &s->item);
    case UNBOUNDED:
        return ambit_await_unbounded(cx, wait, &o->unbounded, &s->item);
    case WATCH:
        return ambit_await_watch(cx, wait, &o->watch, &s->seen, &s->item);
    case CAST:
        return ambit_await_broadcast(cx, wait, &s->receiver, &s->item);
    case KINDS:
        break;
    }
    return -ENOSYS;
}

/* Gives back, in this step, what was taken. */
__attribute__((unused)) static void give_back(struct one *s)
{
    struct objects *o = s->objects;
    switch (s->kind) {
    case SEATS:
        WANT_EQ(ambit_semaphore_release(&o->seats, 2), 0);
        break;
    case MUTEX:
        WANT(ambit_mutex_is_mine(&o->mutex));
        ambit_mutex_unlock(&o->mutex);
        break;
    case READ:
        ambit_rwlock_read_end(&o->rwlock);
        break;
    case WRITE:
        ambit_rwlock_write_end(&o->rwlock);
        break;
    case RESERVE:
        ambit_channel_abort(&s->permit);
        break;
    case GATE:
        WANT(!s->last);
        break;
    case RECEIVE:
    case ONESHOT:
    case UNBOUNDED:
    case WATCH:
    case CAST:
        WANT_EQ(s->item, 77);
        break;
    default:
        break;
    }
}

__attribute__((unused)) static int one_step(ambit_cx *cx, void *state)
{
    struct one *s = state;
    int rc = look(cx, s);
    if (rc == AMBIT_PENDING) {
        WANT_EQ(look(cx, s), AMBIT_PENDING); /* again: nothing changes */
        if (!s->is_begun) {
            s->is_begun = true;
            count_up(s->begun);
        }
        return AMBIT_PENDING;
    }
    WANT_EQ(rc, s->wanted);
    if (rc == 0) {
        give_back(s);
    }
    count_up(s->ended);
    return rc == -ECANCELED ? rc : 0;
}

static void make_objects(struct objects *o)
{
    memset(o, 0, sizeof *o);
    ambit_semaphore_init(&o->seats, 1, 2);
    ambit_mutex_init(&o->mutex);
    ambit_rwlock_init(&o->rwlock);
    ambit_notify_init(&o->news);
    ambit_barrier_init(&o->gate, 2);
    ambit_channel_init(&o->channel, o->channel_room, 1, sizeof(int));
    ambit_channel_init(&o->full, o->full_room, 1, sizeof(int));
    ambit_oneshot_init(&o->oneshot, &o->oneshot_room, sizeof(int));
    ambit_unbounded_init(&o->unbounded, sizeof(int));
    ambit_watch_init(&o->watch, &o->watch_room, sizeof(int));
    ambit_broadcast_init(&o->cast, o->cast_room, 4, sizeof(int));
    WANT_EQ(ambit_channel_try_send(&o->full, &(int){1}), 0);
    WANT_EQ(ambit_mutex_try_lock(&o->mutex), 0);
    WANT_EQ(ambit_rwlock_try_write(&o->rwlock), 0);
}

/* Each dies when somebody is left in its line. */
static void end_objects(struct objects *o)
{
    ambit_semaphore_fini(&o->seats);
    ambit_mutex_fini(&o->mutex);
    ambit_rwlock_fini(&o->rwlock);
    ambit_notify_fini(&o->news);
    ambit_barrier_fini(&o->gate);
    ambit_channel_fini(&o->channel);
    ambit_channel_fini(&o->full);
    ambit_oneshot_fini(&o->oneshot);
    ambit_unbounded_fini(&o->unbounded);
    ambit_watch_fini(&o->watch);
    ambit_broadcast_fini(&o->cast);
}

static struct one one_of(struct objects *o, enum kind kind, int wanted,
                         struct count *begun, struct count *ended)
{
    struct one one = {.objects = o, .kind = kind, .wanted = wanted,
                      .begun = begun, .ended = ended, .item = 55};
    one.seen = ambit_watch_look(&o->watch, NULL);
    ambit_broadcast_subscribe(&o->cast, &one.receiver);
    return one;
}

static void unlock_objects(struct objects *o)
{
    ambit_mutex_unlock(&o->mutex);
    ambit_rwlock_write_end(&o->rwlock);
}

/* What each of them waits for. */
__attribute__((unused)) static void grant_objects(ambit_cx *cx,
                                                  struct objects *o)
{
    int item = 77, full;
    WANT_EQ(ambit_semaphore_release(&o->seats, 1), 0);
    unlock_objects(o);
    ambit_notify_one(&o->news);
    WANT_EQ(ambit_barrier_wait(cx, &o->gate), 1);
    WANT_EQ(ambit_channel_try_receive(&o->full, &full), 0);
    WANT_EQ(ambit_channel_try_send(&o->channel, &item), 0);
    WANT_EQ(ambit_oneshot_send(&o->oneshot, &item), 0);
    WANT_EQ(ambit_unbounded_send(&o->unbounded, &item), 0);
    WANT_EQ(ambit_watch_send(&o->watch, &item), 0);
    WANT_EQ(ambit_broadcast_send(&o->cast, &item), 0);
}

#endif
