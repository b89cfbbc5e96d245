/* SPDX-License-Identifier: MIT */
/*
 * await_end_test.c -- waits of poll tasks that are given up, or left behind.
 */
#include "tests/spec/await_kit.h"
#include "tests/spec/dies.h"

/* --- dropped --------------------------------------------------------------- */

struct both {
    struct ambit_await item_wait, time_wait, soon_wait;
    struct objects *objects;
    struct count *begun;
    int step, item;
};

static int both_step(ambit_cx *cx, void *state)
{
    struct both *s = state;
    struct ambit_channel *channel = &s->objects->channel;
    ambit_duration hour = ambit_s(3600);
    switch (s->step++) {
    case 0:
        WANT_EQ(ambit_await_drop(&s->item_wait), 0); /* idle */
        WANT_EQ(ambit_await_receive(cx, &s->item_wait, channel, &s->item), 1);
        WANT_EQ(ambit_channel_receivers(channel), 1);
        WANT_EQ(ambit_await_drop(&s->item_wait), 0);
        WANT_EQ(ambit_channel_receivers(channel), 0);
        WANT_EQ(ambit_await_receive(cx, &s->item_wait, channel, &s->item), 1);
        WANT_EQ(ambit_await_sleep(cx, &s->time_wait, hour), 1);
        count_up(s->begun);
        return AMBIT_PENDING;
    case 1: /* an item has come */
        WANT_EQ(ambit_await_drop(&s->time_wait), 0);
        WANT_EQ(ambit_await_drop(&s->item_wait), -EBUSY);
        WANT_EQ(ambit_await_drop(&s->item_wait), -EBUSY);
        WANT_EQ(ambit_await_receive(cx, &s->item_wait, channel, &s->item), 0);
        WANT_EQ(s->item, 77);
        WANT_EQ(ambit_await_drop(&s->item_wait), 0);
        return ambit_await_sleep(cx, &s->soon_wait, ambit_us(50));
    default: /* the time has come */
        WANT_EQ(ambit_await_drop(&s->soon_wait), -EBUSY);
        WANT_EQ(ambit_await_drop(&s->soon_wait), -EBUSY);
        WANT_EQ(ambit_await_sleep(cx, &s->soon_wait, hour), 0);
        return 0;
    }
}

static int drop_both(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0};
    int rc = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        struct both both = {.objects = &o, .begun = &begun};
        WANT_EQ(ambit_spawn_poll(region, both_step, &both), 0);
        WANT(until(cx, &begun, 1));
        WANT_EQ(ambit_channel_try_send(&o.channel, &(int){77}), 0);
    }
    unlock_objects(&o);
    end_objects(&o);
    return rc;
}

/* Goal: the slower of two waits is given up without a loss.  Method: a machine
 * that waits for an item and for a time, and drops either, before and after it
 * is over. */
Spec(AWAIT_DROP_1, a_dropped_wait_is_called_off_or_still_gives_what_it_got)
{
    spec_on_1_and_2_workers(drop_both);
    spec_end("AWAIT_DROP_1");
}

/* --- left under way -------------------------------------------------------- */

static int forgets(ambit_cx *cx, void *state)
{
    struct one *s = state;
    WANT_EQ(look(cx, s), AMBIT_PENDING);
    return 0;
}

static int run_forgets(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count none = {0};
    int rc = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc) {
        struct one one = one_of(&o, NEWS, 0, &none, &none);
        ambit_spawn_poll(region, forgets, &one);
    }
    return rc;
}

static void end_with_a_wait(void)
{
    spec_run(run_forgets, NULL, .workers = 1);
}

static int panics(ambit_cx *cx, void *state)
{
    struct one *s = state;
    int rc = look(cx, s);
    if (!s->is_begun) {
        s->is_begun = true;
        count_up(s->begun);
        WANT_EQ(rc, AMBIT_PENDING);
        ambit_wake(ambit_cx_waker(cx));
        return AMBIT_PENDING;
    }
    ambit_panic(cx, "no more");
}

static int panic_all(ambit_cx *cx, void *arg)
{
    struct objects o;
    struct count begun = {0}, ended = {0};
    int rc = 0;
    (void)arg;
    make_objects(&o);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        for (enum kind kind = SLEEP; kind < KINDS; kind++) {
            struct one one = one_of(&o, kind, 0, &begun, &ended);
            WANT_EQ(ambit_spawn_poll(region, panics, &one), 0);
        }
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&begun), KINDS);
    WANT_EQ(ambit_semaphore_free(&o.seats), 1);
    unlock_objects(&o);
    end_objects(&o);
    return 0;
}

/* Goal: no wait outlives its task.  Method: a machine that returns with one
 * dies; machines that panic with one of each kind leave objects that can be
 * ended, and a runtime without an armed timer. */
Spec(AWAIT_END_1, no_wait_outlives_its_task)
{
    WANT(dies_saying(end_with_a_wait, "while a wait of its own is under way"));
    spec_on_1_and_2_workers(panic_all);
    spec_end("AWAIT_END_1");
}

/* --- granted, and not told of ----------------------------------------------- */

struct goods {
    struct ambit_semaphore seats;
    struct ambit_mutex mutex;
    struct ambit_rwlock rwlock;
    struct ambit_notify news, news_for_all;
    struct ambit_channel channel;
    struct count begun;
    int room[1];
};

struct greedy {
    struct ambit_await seat, lock, write, place, one, all;
    struct ambit_channel_permit permit;
    struct goods *goods;
    bool is_begun;
};

static int wish_then_panic(ambit_cx *cx, void *state)
{
    struct greedy *s = state;
    struct goods *g = s->goods;
    if (s->is_begun) {
        ambit_panic(cx, "it has it all, and does not know");
    }
    s->is_begun = true;
    WANT_EQ(ambit_await_acquire(cx, &s->seat, &g->seats, 2), AMBIT_PENDING);
    WANT_EQ(ambit_await_lock(cx, &s->lock, &g->mutex), AMBIT_PENDING);
    WANT_EQ(ambit_await_write(cx, &s->write, &g->rwlock), AMBIT_PENDING);
    WANT_EQ(ambit_await_reserve(cx, &s->place, &g->channel, &s->permit),
            AMBIT_PENDING);
    WANT_EQ(ambit_await_notify(cx, &s->one, &g->news), AMBIT_PENDING);
    WANT_EQ(ambit_await_notify(cx, &s->all, &g->news_for_all), AMBIT_PENDING);
    count_up(&g->begun);
    return AMBIT_PENDING;
}

static void goods_open(struct goods *g)
{
    memset(g, 0, sizeof *g);
    WANT_EQ(ambit_semaphore_init(&g->seats, 0, 2), 0);
    ambit_mutex_init(&g->mutex);
    ambit_rwlock_init(&g->rwlock);
    ambit_notify_init(&g->news);
    ambit_notify_init(&g->news_for_all);
    WANT_EQ(ambit_channel_init(&g->channel, g->room, 1, sizeof g->room[0]), 0);
    WANT_EQ(ambit_mutex_try_lock(&g->mutex), 0);
    WANT_EQ(ambit_rwlock_try_read(&g->rwlock), 0);
    WANT_EQ(ambit_channel_try_send(&g->channel, &(int){1}), 0);
}

/* All at once; the machine has no step in between. */
static void goods_grant(struct goods *g)
{
    int item;
    WANT_EQ(ambit_semaphore_release(&g->seats, 2), 0);
    ambit_mutex_unlock(&g->mutex);
    ambit_rwlock_read_end(&g->rwlock);
    WANT_EQ(ambit_channel_try_receive(&g->channel, &item), 0);
    ambit_notify_one(&g->news);
    ambit_notify_all(&g->news_for_all);
}

static void goods_are_there(ambit_cx *cx, struct goods *g)
{
    int rc = 0;
    WANT_EQ(ambit_semaphore_free(&g->seats), 2);
    WANT_EQ(ambit_mutex_try_lock(&g->mutex), 0);
    ambit_mutex_unlock(&g->mutex);
    WANT_EQ(ambit_rwlock_try_write(&g->rwlock), 0);
    ambit_rwlock_write_end(&g->rwlock);
    WANT_EQ(ambit_channel_try_send(&g->channel, &(int){2}), 0);
    WANT_EQ(ambit_notify_wait(cx, &g->news), 0); /* kept for the next */
    ambit_scope (cx, nothing_was_kept, &rc, .deadline = ambit_after(
                                                ambit_ms(2))) {
        WANT_EQ(ambit_notify_wait(cx, &g->news_for_all), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
}

static int panic_with_goods(ambit_cx *cx, void *arg)
{
    struct goods g;
    int rc = 0;
    (void)arg;
    goods_open(&g);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        struct greedy greedy = {.goods = &g};
        WANT_EQ(ambit_spawn_poll(region, wish_then_panic, &greedy), 0);
        WANT(until(cx, &g.begun, 1));
        goods_grant(&g);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    goods_are_there(cx, &g);
    ambit_channel_fini(&g.channel);
    ambit_notify_fini(&g.news_for_all);
    ambit_notify_fini(&g.news);
    ambit_rwlock_fini(&g.rwlock);
    ambit_mutex_fini(&g.mutex);
    ambit_semaphore_fini(&g.seats);
    return 0;
}

/* Goal: a panic takes nothing along that it was granted.  Method: a machine
 * waits for one of each; all are granted before its next step, which panics.
 * News for all are not kept for anybody. */
Spec(AWAIT_END_3, a_panic_passes_on_what_was_granted)
{
    WANT_EQ(spec_run(panic_with_goods, NULL, .workers = 1), 0);
    spec_end("AWAIT_END_3");
}
