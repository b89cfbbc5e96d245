/* SPDX-License-Identifier: MIT */
/*
 * watch_test.c -- the latest value, and word of each change (spec/channel.md).
 */
#include "tests/spec/common.h"

/* A torn value has halves that differ. */
struct value {
    uint64_t n, middle[14], same;
};

static struct value value_of(uint64_t n)
{
    struct value v = {.n = n, .same = ~n};
    for (size_t i = 0; i < ARRAY_LEN(v.middle); i++) {
        v.middle[i] = n;
    }
    return v;
}

static void want_whole(const struct value *v)
{
    WANT(v->same == ~v->n);
    for (size_t i = 0; i < ARRAY_LEN(v->middle); i++) {
        WANT(v->middle[i] == v->n);
    }
}

static void wait_for(ambit_cx *cx, struct ambit_watch *watch, uint32_t n)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_watch_waiters(watch) != n && ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_watch_waiters(watch), n);
}

struct viewer {
    struct ambit_watch *watch;
    int *value;
    uint64_t *seen;
    int *ret_rc;
};

static int view(ambit_cx *cx, void *arg)
{
    struct viewer *v = arg;
    *v->ret_rc = ambit_watch_receive(cx, v->watch, v->seen, v->value);
    return 0;
}

/* --- WATCH-NEWEST-1 -------------------------------------------------------- */

static int the_last_of_several(ambit_cx *cx, void *arg)
{
    int room = 10, got = 0, rc = 0, viewed = 1, late = 0;
    struct ambit_watch watch = AMBIT_WATCH_INIT(room);
    uint64_t seen = 0, other = 4;
    (void)arg;
    WANT_EQ(ambit_watch_receive(cx, &watch, &seen, &got), 0);
    WANT_EQ(got, 10); /* what was there at first is news once */
    WANT_EQ(seen, 1);
    WANT_EQ(ambit_watch_try_receive(&watch, &seen, &got), -EAGAIN);
    for (int i = 11; i <= 13; i++) {
        WANT_EQ(ambit_watch_send(&watch, &i), 0);
    }
    WANT_EQ(ambit_watch_look(&watch, &got), 4);
    WANT_EQ(got, 13);
    got = 0;
    WANT_EQ(ambit_watch_receive(cx, &watch, &seen, &got), 0);
    WANT_EQ(got, 13);
    WANT_EQ(seen, 4);
    ambit_scope (cx, s, &rc) { /* two more before the one who waits can run */
        struct viewer v = {&watch, &late, &other, &viewed};
        WANT_EQ(ambit_spawn_with(s, view, &v, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &watch, 1);
        WANT_EQ(ambit_watch_send(&watch, &(int){14}), 0);
        WANT_EQ(ambit_watch_send(&watch, &(int){15}), 0);
    }
    WANT_EQ(rc + viewed, 0);
    WANT_EQ(late, 15);
    WANT_EQ(other, 6);
    ambit_watch_fini(&watch);
    WANT_EQ(ambit_watch_init(&watch, &room, 0), -EINVAL);
    WANT_EQ(ambit_watch_init(&watch, &room, AMBIT_CHANNEL_ITEM_MAX + 1), -E2BIG);
    return 0;
}

struct show {
    struct ambit_watch watch;
    uint64_t n; /* values to come */
    struct count last_seen;
};

static int follow(ambit_cx *cx, void *arg)
{
    struct show *show = *(struct show **)arg;
    struct value v = {.n = 0};
    uint64_t seen = 0, before = 0;
    int rc;
    while ((rc = ambit_watch_receive(cx, &show->watch, &seen, &v)) == 0) {
        want_whole(&v);
        WANT(seen > before && v.n == seen - 1);
        before = seen;
    }
    WANT_EQ(rc, -EPIPE);
    count_add(&show->last_seen, v.n == show->n);
    return 0;
}

static int change(ambit_cx *cx, void *arg)
{
    struct show *show = *(struct show **)arg;
    for (uint64_t i = 1; i <= show->n; i++) {
        struct value v = value_of(i);
        WANT_EQ(ambit_watch_send(&show->watch, &v), 0);
        if (i % 3 == 0) {
            (void)ambit_yield(cx);
        }
    }
    WANT_EQ(ambit_watch_close(&show->watch), 0);
    return 0;
}

static int followers(ambit_cx *cx, void *arg)
{
    struct value room = value_of(0);
    struct show show = {.n = 20000 / SPEC_SLOWER}, *here = &show;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_watch_init(&show.watch, &room, sizeof room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(s, follow, &here), 0);
        }
        WANT_EQ(ambit_spawn(s, change, &here), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&show.last_seen), 3); /* values between may be missed */
    ambit_watch_fini(&show.watch);
    return 0;
}

/* Goal: the newest, whole, once.
 * Method: several sends before a look, before a receive and before one who waits
 * runs; three who follow 20,000 changes of a value of 128 bytes. */
Spec(WATCH_NEWEST_1, a_receiver_sees_the_newest_value)
{
    spec_on_1_and_2_workers(the_last_of_several);
    spec_on_1_and_2_workers(followers);
    spec_end("WATCH_NEWEST_1");
}

/* --- WATCH-CHANGE-1 -------------------------------------------------------- */

static int all_are_told(ambit_cx *cx, void *arg)
{
    int room = 0, got[3] = {0}, rcs[3] = {1, 1, 1}, rc = 0, late = 0;
    struct ambit_watch watch = AMBIT_WATCH_INIT(room);
    uint64_t seen[3] = {1, 1, 1}, mine = 1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            struct viewer v = {&watch, &got[i], &seen[i], &rcs[i]};
            WANT_EQ(ambit_spawn(s, view, &v), 0);
        }
        wait_for(cx, &watch, 3);
        WANT_EQ(ambit_watch_send(&watch, &(int){7}), 0);
        WANT_EQ(ambit_watch_waiters(&watch), 0);
        WANT_EQ(ambit_watch_close(&watch), 0); /* lets go of who is left */
    }
    for (int i = 0; i < 3; i++) {
        WANT_EQ(rcs[i], 0);
        WANT_EQ(got[i], 7);
        WANT_EQ(seen[i], 2);
    }
    WANT_EQ(ambit_watch_receive(cx, &watch, &mine, &late), 0); /* came later */
    WANT_EQ(late, 7);
    ambit_watch_fini(&watch);
    return rc;
}

/* One is called off before the change, one after it. */
static int cancelled_around_a_change(ambit_cx *cx, void *arg)
{
    int room = 0, got = 0, rc = 0, viewed = 1;
    struct ambit_watch watch = AMBIT_WATCH_INIT(room);
    uint64_t seen = 1;
    (void)arg;
    struct viewer v = {&watch, &got, &seen, &viewed};
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, view, &v, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &watch, 1);
        ambit_cancel(s, "before");
    }
    WANT_EQ(viewed, -ECANCELED);
    WANT_EQ(seen, 1);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, view, &v, .tier = AMBIT_FIBER), 0);
        wait_for(cx, &watch, 1);
        WANT_EQ(ambit_watch_send(&watch, &(int){8}), 0);
        ambit_cancel(s, "after");
    }
    WANT_EQ(viewed, 0);
    WANT_EQ(got, 8);
    WANT_EQ(seen, 2);
    ambit_watch_fini(&watch);
    return rc;
}

static int change_on_the_pool(ambit_cx *cx, void *arg)
{
    struct ambit_watch *watch = *(struct ambit_watch **)arg;
    uint64_t seen = 0;
    int got = 1;
    WANT_EQ(ambit_watch_receive(cx, watch, &seen, &got), -EPERM);
    WANT_EQ(ambit_watch_try_receive(watch, &seen, &got), 0);
    WANT_EQ(got, 0);
    WANT_EQ(ambit_watch_send(watch, &(int){9}), 0);
    return 0;
}

static int told_from_the_pool(ambit_cx *cx, void *arg)
{
    int room = 0, got = 0, rc = 0;
    struct ambit_watch watch = AMBIT_WATCH_INIT(room), *here = &watch;
    uint64_t seen = 1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, change_on_the_pool, &here,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT_EQ(ambit_watch_receive(cx, &watch, &seen, &got), 0);
    }
    WANT_EQ(got, 9);
    ambit_watch_fini(&watch);
    return rc;
}

/* Goal: no change passes anybody by.
 * Method: three who wait, one who comes later; cancels before and after it; a
 * thread of the pool as the sender. */
Spec(WATCH_CHANGE_1, all_who_have_not_seen_it_are_told)
{
    spec_on_1_and_2_workers(all_are_told);
    spec_on_1_and_2_workers(cancelled_around_a_change);
    spec_on_1_and_2_workers(told_from_the_pool);
    spec_end("WATCH_CHANGE_1");
}

/* --- WATCH-CLOSE-1 --------------------------------------------------------- */

static int close_on_viewers(ambit_cx *cx, void *arg)
{
    int room = 3, got[2] = {0}, rcs[2] = {0}, rc = 0, value = 4;
    struct ambit_watch watch = AMBIT_WATCH_INIT(room);
    uint64_t seen[2] = {1, 1}, mine = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct viewer v = {&watch, &got[i], &seen[i], &rcs[i]};
            WANT_EQ(ambit_spawn(s, view, &v), 0);
        }
        wait_for(cx, &watch, 2);
        WANT_EQ(ambit_watch_close(&watch), 0);
    }
    WANT_EQ(rcs[0], -EPIPE);
    WANT_EQ(rcs[1], -EPIPE);
    WANT_EQ(ambit_watch_close(&watch), -EALREADY);
    WANT_EQ(ambit_watch_send(&watch, &value), -EPIPE);
    WANT_EQ(ambit_watch_receive(cx, &watch, &mine, &value), 0);
    WANT_EQ(value, 3); /* the last one, unseen, and not the refused one */
    WANT_EQ(ambit_watch_receive(cx, &watch, &mine, &value), -EPIPE);
    WANT_EQ(ambit_watch_try_receive(&watch, &mine, &value), -EPIPE);
    WANT_EQ(ambit_watch_look(&watch, NULL), 1);
    ambit_watch_fini(&watch);
    return rc;
}

/* Goal: the end is told, after the last value.
 * Method: two who wait, one who has not looked yet, a send too late. */
Spec(WATCH_CLOSE_1, the_last_value_and_then_the_end)
{
    spec_on_1_and_2_workers(close_on_viewers);
    spec_end("WATCH_CLOSE_1");
}
