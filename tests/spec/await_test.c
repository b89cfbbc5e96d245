/* SPDX-License-Identifier: MIT */
/*
 * await_test.c -- the waits of poll tasks.
 */
#include "tests/spec/await_kit.h"

static void spawn_all(ambit_region *region, struct objects *o, int wanted,
                      struct count *begun, struct count *ended)
{
    for (enum kind kind = SEATS; kind < KINDS; kind++) {
        struct one one = one_of(o, kind, wanted, begun, ended);
        WANT_EQ(ambit_spawn_poll(region, one_step, &one), 0);
    }
}

static int grant_all(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0}, ended = {0};
    int rc = 0, item;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        spawn_all(region, &o, 0, &begun, &ended);
        WANT(until(cx, &begun, KINDS - SEATS));
        WANT_EQ(count_get(&ended), 0);
        grant_objects(cx, &o);
        /* SEND and RESERVE share one place: one after the other. */
        WANT(until(cx, &ended, KINDS - SEATS - 1));
        item = 0;
        (void)ambit_channel_try_receive(&o.full, &item);
    }
    if (item == 0) { /* the send came after the reserve */
        WANT_EQ(ambit_channel_try_receive(&o.full, &item), 0);
    }
    WANT_EQ(item, 55);
    WANT_EQ(count_get(&ended), KINDS - SEATS);
    WANT_EQ(ambit_semaphore_free(&o.seats), 2);
    end_objects(&o);
    return rc;
}

/* --- many of them, and tasks with stacks among them ------------------------ */

enum { CLIENTS = 24, ROUNDS = 20, SEATS_MAX = 3 };

struct shop {
    struct ambit_semaphore seats;
    struct ambit_mutex mutex;
    struct ambit_channel channel;
    int room[2];
    struct count inside, sent, received, ended, known;
    ambit_waker wakers[CLIENTS];
    int64_t till; /* the mutex */
};

static void seat_taken(struct shop *shop)
{
    WANT(count_up(&shop->inside) < SEATS_MAX);
}

static void seat_left(struct shop *shop)
{
    count_add(&shop->inside, -1);
    WANT_EQ(ambit_semaphore_release(&shop->seats, 1), 0);
}

AMBIT_ASYNC_STATE(client, 8, (struct ambit_await, wait), (struct shop *, shop),
                  (int, round), (int, item), (int64_t, till),
                  (ambit_time, before));

static int client(ambit_cx *cx, void *arg)
{
    struct client *s = arg;
    struct shop *shop = s->shop;
    int rc;
    AMBIT_ASYNC_BEGIN(client, 8, s);
    shop->wakers[s->item] = ambit_cx_waker(cx);
    count_up(&shop->known);
    while (s->round-- > 0) {
        AMBIT_AWAIT(1, rc, ambit_await_acquire(cx, &s->wait, &shop->seats, 1));
        WANT_EQ(rc, 0);
        seat_taken(shop);
        AMBIT_AWAIT(2, rc, ambit_await_yield(cx, &s->wait));
        seat_left(shop);
        AMBIT_AWAIT(3, rc, ambit_await_lock(cx, &s->wait, &shop->mutex));
        WANT_EQ(rc, 0);
        s->till = shop->till;
        AMBIT_AWAIT(4, rc, ambit_await_yield(cx, &s->wait));
        shop->till = s->till + 1;
        ambit_mutex_unlock(&shop->mutex);
        s->item = s->round + 1;
        AMBIT_AWAIT(5, rc, ambit_await_send(cx, &s->wait, &shop->channel,
                                            &s->item));
        WANT_EQ(rc, 0);
        count_add(&shop->sent, s->item);
        AMBIT_AWAIT(6, rc, ambit_await_receive(cx, &s->wait, &shop->channel,
                                               &s->item));
        WANT_EQ(rc, 0);
        count_add(&shop->received, s->item);
        s->before = ambit_now();
        AMBIT_AWAIT(7, rc, ambit_await_sleep(cx, &s->wait, ambit_us(20)));
        WANT_EQ(rc, 0);
        WANT(ambit_now().ns - s->before.ns >= 20000);
    }
    AMBIT_AWAIT(8, rc, ambit_await_sleep(cx, &s->wait, ambit_ns(0)));
    count_up(&shop->ended);
    AMBIT_ASYNC_END(rc);
}

static int fiber_client(ambit_cx *cx, void *arg)
{
    struct shop *shop = *(struct shop **)arg;
    for (int round = ROUNDS; round > 0; round--) {
        int item = round;
        WANT_EQ(ambit_semaphore_acquire(cx, &shop->seats, 1), 0);
        seat_taken(shop);
        ambit_yield(cx);
        seat_left(shop);
        WANT_EQ(ambit_mutex_lock(cx, &shop->mutex), 0);
        int64_t till = shop->till;
        ambit_yield(cx);
        shop->till = till + 1;
        ambit_mutex_unlock(&shop->mutex);
        WANT_EQ(ambit_channel_send(cx, &shop->channel, &item), 0);
        count_add(&shop->sent, item);
        WANT_EQ(ambit_channel_receive(cx, &shop->channel, &item), 0);
        count_add(&shop->received, item);
    }
    count_up(&shop->ended);
    return 0;
}

/* Steps that nobody asked for. */
static int pester(ambit_cx *cx, void *arg)
{
    struct shop *shop = *(struct shop **)arg;
    WANT(until(cx, &shop->known, CLIENTS));
    while (count_get(&shop->ended) < 2 * CLIENTS) {
        for (int i = 0; i < CLIENTS; i++) {
            (void)ambit_wake(shop->wakers[i]);
        }
        ambit_yield(cx);
    }
    return 0;
}

static int crowd(ambit_cx *cx, void *arg)
{
    struct shop shop = {.seats = AMBIT_SEMAPHORE_INIT(SEATS_MAX, SEATS_MAX),
                        .mutex = AMBIT_MUTEX_INIT}, *here = &shop;
    int rc = 0;
    (void)arg;
    ambit_channel_init(&shop.channel, shop.room, 2, sizeof(int));
    ambit_scope (cx, region, &rc) {
        for (int i = 0; i < CLIENTS; i++) {
            struct client state = {.shop = here, .round = ROUNDS, .item = i};
            WANT_EQ(ambit_spawn_poll(region, client, &state), 0);
            WANT_EQ(ambit_spawn(region, fiber_client, &here), 0);
        }
        WANT_EQ(ambit_spawn(region, pester, &here), 0);
    }
    WANT_EQ(shop.till, 2 * CLIENTS * ROUNDS);
    WANT_EQ(count_get(&shop.sent), CLIENTS * ROUNDS * (ROUNDS + 1));
    WANT_EQ(count_get(&shop.received), count_get(&shop.sent));
    WANT_EQ(ambit_semaphore_free(&shop.seats), SEATS_MAX);
    ambit_mutex_fini(&shop.mutex);
    ambit_channel_fini(&shop.channel);
    return rc;
}

/* Goal: a wait has its effect once.  Method: one of each kind, looked at more
 * often than needed; then a crowd of machines and fibers over a few seats, a
 * mutex and a narrow channel, woken all the time: permits, sums and what the
 * mutex guards are as they should be. */
Spec(AWAIT_ONCE_1, a_wait_has_its_effect_once)
{
    spec_on_1_and_2_workers(grant_all);
    spec_on_1_and_2_workers(crowd);
    spec_end("AWAIT_ONCE_1");
}

/* --- cancelled ------------------------------------------------------------- */

static int cancel_all(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0}, ended = {0};
    int rc = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        for (enum kind kind = SLEEP; kind < KINDS; kind++) {
            struct one one = one_of(&o, kind, -ECANCELED, &begun, &ended);
            WANT_EQ(ambit_spawn_poll(region, one_step, &one), 0);
        }
        WANT(until(cx, &begun, KINDS));
        ambit_cancel(region, "enough");
    }
    WANT_EQ(count_get(&ended), KINDS);
    WANT_EQ(ambit_semaphore_free(&o.seats), 1);
    WANT_EQ(ambit_channel_len(&o.full), 1);
    unlock_objects(&o);
    end_objects(&o);
    return rc;
}

/* The grants come before the cancel, and before the machines step. */
static int grant_then_cancel(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0}, ended = {0};
    int rc = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        for (enum kind kind = SEATS; kind < KINDS; kind++) {
            if (kind == RESERVE || kind == READ) {
                continue; /* there is room for one */
            }
            struct one one = one_of(&o, kind, 0, &begun, &ended);
            WANT_EQ(ambit_spawn_poll(region, one_step, &one), 0);
        }
        WANT(until(cx, &begun, KINDS - SEATS - 2));
        grant_objects(cx, &o);
        ambit_cancel(region, "enough");
    }
    WANT_EQ(count_get(&ended), KINDS - SEATS - 2);
    WANT_EQ(ambit_semaphore_free(&o.seats), 2);
    end_objects(&o);
    return 0;
}

struct behind {
    struct objects *objects;
    struct count *got;
};

static int take_one_seat(ambit_cx *cx, void *arg)
{
    struct behind *b = arg;
    WANT_EQ(ambit_semaphore_acquire(cx, &b->objects->seats, 1), 0);
    count_up(b->got);
    return 0;
}

/* A machine wants two seats, a fiber behind it one; there is one. */
static int who_is_behind(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0}, ended = {0}, got = {0};
    int rc = 0, inner = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        ambit_scope (cx, machines, &inner) {
            struct one one = one_of(&o, SEATS, -ECANCELED, &begun, &ended);
            WANT_EQ(ambit_spawn_poll(machines, one_step, &one), 0);
            WANT(until(cx, &begun, 1));
            WANT_EQ(ambit_spawn(region, take_one_seat,
                                &(struct behind){&o, &got}), 0);
            while (ambit_semaphore_waiters(&o.seats) < 2) {
                ambit_yield(cx);
            }
            let_others_run(cx);
            WANT_EQ(count_get(&got), 0);
            ambit_cancel(machines, "enough");
        }
        WANT(until(cx, &got, 1));
    }
    WANT_EQ(ambit_semaphore_release(&o.seats, 1), 0);
    unlock_objects(&o);
    end_objects(&o);
    return rc;
}

/* Goal: a cancelled wait has no effect, and a grant stands.  Method: each kind
 * under way, then cancelled: the objects are as before; each kind granted and
 * cancelled before it steps: 0; and a fiber behind a machine in the line. */
Spec(AWAIT_CANCEL_1, a_cancelled_wait_has_no_effect_and_a_grant_stands)
{
    spec_on_1_and_2_workers(cancel_all);
    spec_on_1_and_2_workers(who_is_behind);
    spec_on(1, grant_then_cancel);
    spec_end("AWAIT_CANCEL_1");
}
