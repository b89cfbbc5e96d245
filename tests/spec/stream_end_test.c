/* SPDX-License-Identifier: MIT */
/*
 * stream_end_test.c -- watch, broadcast and unbounded channel do not end while
 * somebody waits, and are not used unmade.
 */
#include "tests/spec/dies.h"

struct three {
    int room;
    struct ambit_watch watch;
    struct ambit_broadcast broadcast;
    struct ambit_unbounded unbounded;
};

static void three_init(struct three *t)
{
    t->room = 0;
    WANT_EQ(ambit_watch_init(&t->watch, &t->room, sizeof t->room), 0);
    WANT_EQ(ambit_broadcast_init(&t->broadcast, &t->room, 1, sizeof t->room), 0);
    WANT_EQ(ambit_unbounded_init(&t->unbounded, sizeof t->room), 0);
}

static int wait_for_a_change(ambit_cx *cx, void *arg)
{
    struct three *t = *(struct three **)arg;
    uint64_t seen = 1;
    int value;
    return ambit_watch_receive(cx, &t->watch, &seen, &value);
}

static int wait_for_news(ambit_cx *cx, void *arg)
{
    struct three *t = *(struct three **)arg;
    struct ambit_broadcast_receiver mine;
    int item;
    ambit_broadcast_subscribe(&t->broadcast, &mine);
    return ambit_broadcast_receive(cx, &mine, &item);
}

static int wait_for_an_item(ambit_cx *cx, void *arg)
{
    struct three *t = *(struct three **)arg;
    int item;
    return ambit_unbounded_receive(cx, &t->unbounded, &item);
}

static uint32_t waiting(struct three *t)
{
    return ambit_watch_waiters(&t->watch) +
           ambit_broadcast_waiters(&t->broadcast) +
           ambit_unbounded_receivers(&t->unbounded);
}

static int end_too_early(ambit_cx *cx, void *arg)
{
    struct three three, *here = &three;
    int rc = 0;
    three_init(&three);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn(s, *(ambit_task_fn **)arg, &here), 0);
        while (waiting(&three) == 0) {
            (void)ambit_yield(cx);
        }
        ambit_watch_fini(&three.watch);
        ambit_broadcast_fini(&three.broadcast);
        ambit_unbounded_fini(&three.unbounded);
    }
    return 0;
}

static void end_a_watch(void)
{
    ambit_task_fn *fn = wait_for_a_change;
    (void)ambit_run(end_too_early, &fn, .workers = 1);
}

static void end_a_broadcast(void)
{
    ambit_task_fn *fn = wait_for_news;
    (void)ambit_run(end_too_early, &fn, .workers = 1);
}

static void end_an_unbounded(void)
{
    ambit_task_fn *fn = wait_for_an_item;
    (void)ambit_run(end_too_early, &fn, .workers = 1);
}

static void use_an_unmade_watch(void)
{
    struct ambit_watch watch = {0};
    (void)ambit_watch_look(&watch, NULL);
}

static void use_an_unmade_broadcast(void)
{
    struct ambit_broadcast broadcast = {0};
    (void)ambit_broadcast_close(&broadcast);
}

static void use_an_unmade_unbounded(void)
{
    struct ambit_unbounded unbounded = {0};
    (void)ambit_unbounded_len(&unbounded);
}

/* Goal: nobody is left waiting on what is no more.
 * Method: in a child process each, the sentence read from its stderr; an end in
 * good order passes. */
Spec(SYNC_END_1, an_end_with_somebody_waiting_says_so)
{
    WANT(dies_saying(end_a_watch, "a watch was ended while tasks wait for it"));
    WANT(dies_saying(end_a_broadcast,
                     "a broadcast was ended while tasks wait for it"));
    WANT(dies_saying(
        end_an_unbounded,
        "an unbounded channel was ended while tasks wait to receive"));
    WANT(dies_saying(use_an_unmade_watch, "a watch was used that nobody made"));
    WANT(dies_saying(use_an_unmade_broadcast,
                     "a broadcast was used that nobody made"));
    WANT(dies_saying(use_an_unmade_unbounded,
                     "an unbounded channel was used that nobody made"));
    struct three three;
    three_init(&three);
    ambit_watch_fini(&three.watch);
    ambit_broadcast_fini(&three.broadcast);
    ambit_unbounded_fini(&three.unbounded);
    spec_end("SYNC_END_1");
}
