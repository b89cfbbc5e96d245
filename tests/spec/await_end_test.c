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
