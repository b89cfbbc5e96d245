/* SPDX-License-Identifier: MIT */
/*
 * sync_test.c -- the line, the semaphore and the mutex (spec/sync.md).
 */
#include "tests/spec/dies.h"

/* One who takes permits, notes when, and keeps them until told. */
struct taker {
    struct ambit_semaphore *semaphore;
    uint32_t wanted;
    int place;
    int *order; /* of those that were served */
    struct count *served;
    struct count *refused;
    int *ret_rc;
};

static int take(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    int rc = ambit_semaphore_acquire(cx, t->semaphore, t->wanted);
    if (t->ret_rc != NULL) {
        *t->ret_rc = rc;
    }
    if (rc < 0) {
        count_up(t->refused);
        return rc;
    }
    t->order[count_up(t->served)] = t->place;
    return ambit_checkpoint(cx);
}

static void wait_for_line(ambit_cx *cx, struct ambit_semaphore *semaphore,
                          uint32_t len)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_semaphore_waiters(semaphore) != len &&
           ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_semaphore_waiters(semaphore), len);
}

#define LINE 6

static int in_order_of_arrival(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(0, LINE);
    struct count served = {0}, refused = {0};
    int order[LINE] = {0}, rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < LINE; i++) {
            struct taker t = {&semaphore, 1, i, order, &served, &refused, NULL};
            WANT_EQ(ambit_spawn(s, take, &t), 0);
            wait_for_line(cx, &semaphore, (uint32_t)i + 1);
        }
        for (int i = 0; i < LINE; i++) {
            WANT_EQ(ambit_semaphore_release(&semaphore, 1), 0);
            WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
            WANT(until(cx, &served, i + 1));
        }
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < LINE; i++) {
        WANT_EQ(order[i], i);
    }
    WANT_EQ(ambit_semaphore_free(&semaphore), 0);
    ambit_semaphore_fini(&semaphore);
    return 0;
}

static int a_small_wish_waits_its_turn(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(1, 2);
    struct count served = {0}, refused = {0};
    int order[2] = {0}, rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct taker t = {&semaphore, i == 0 ? 2 : 1, i, order, &served,
                              &refused, NULL};
            WANT_EQ(ambit_spawn_with(s, take, &t, .tier = AMBIT_FIBER), 0);
            wait_for_line(cx, &semaphore, (uint32_t)i + 1);
        }
        WANT_EQ(ambit_semaphore_free(&semaphore), 1);
        WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
        WANT_EQ(ambit_semaphore_release(&semaphore, 1), 0);
        WANT(until(cx, &served, 1));
        WANT_EQ(ambit_semaphore_release(&semaphore, 1), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(order[1], 1);
    ambit_semaphore_fini(&semaphore);
    return 0;
}

/* Goal: who came first goes first.
 * Method: six get in line one after the other, and are let through one by one;
 * a try at that moment gets nothing.  A large wish in front, and what is free
 * would do for a small one. */
Spec(SYNC_FIFO_1, the_first_who_waits_is_the_first_served)
{
    spec_on_1_and_2_workers(in_order_of_arrival);
    spec_on_1_and_2_workers(a_small_wish_waits_its_turn);
    spec_end("SYNC_FIFO_1");
}

static int leaving_lets_others_pass(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(2, 4);
    struct count served = {0}, refused = {0};
    int order[4] = {0}, rc = 0, inner_rc = 0, rc_of_first = 1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, given_up, &inner_rc) {
            struct taker t = {&semaphore, 3, 0, order, &served, &refused,
                              &rc_of_first};
            WANT_EQ(ambit_spawn(given_up, take, &t), 0);
            wait_for_line(cx, &semaphore, 1);
            t = (struct taker){&semaphore, 2, 1, order, &served, &refused,
                               NULL};
            WANT_EQ(ambit_spawn(s, take, &t), 0);
            wait_for_line(cx, &semaphore, 2);
            ambit_cancel(given_up, "no more");
        }
        WANT(until(cx, &served, 1)); /* without any release */
    }
    WANT_EQ(rc, 0);
    WANT_EQ(rc_of_first, -ECANCELED);
    WANT_EQ(order[0], 1);
    WANT_EQ(ambit_semaphore_free(&semaphore), 0);
    ambit_semaphore_fini(&semaphore);
    return 0;
}

/* Goal: a place that is given up holds back nobody.
 * Method: the first wants more than is free, the second does not; the first is
 * cancelled, and nobody releases anything. */
Spec(SYNC_CANCEL_1, who_leaves_the_line_lets_the_next_one_through)
{
    spec_on_1_and_2_workers(leaving_lets_others_pass);
    spec_end("SYNC_CANCEL_1");
}

static int a_grant_stands(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(0, 1);
    struct count served = {0}, refused = {0};
    int order[1], rc = 0, got = 1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        struct taker t = {&semaphore, 1, 0, order, &served, &refused, &got};
        WANT_EQ(ambit_spawn_with(s, take, &t, .tier = AMBIT_FIBER), 0);
        wait_for_line(cx, &semaphore, 1);
        WANT_EQ(ambit_semaphore_release(&semaphore, 1), 0);
        ambit_cancel(s, "too late"); /* granted, and has not run since */
    }
    WANT_EQ(rc, 0);
    WANT_EQ(got, 0);
    WANT_EQ(ambit_semaphore_free(&semaphore), 0);
    WANT_EQ(ambit_semaphore_release(&semaphore, 1), 0);
    ambit_semaphore_fini(&semaphore);
    return 0;
}

/* Goal: what was granted is had.
 * Method: release, then cancel, before the waiter has run: on its own worker. */
Spec(SYNC_CANCEL_2, a_grant_is_not_undone_by_a_cancel)
{
    spec_on_1_and_2_workers(a_grant_stands);
    spec_end("SYNC_CANCEL_2");
}

static int end_too_early(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(0, 1);
    struct count served = {0}, refused = {0};
    int order[1], rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        struct taker t = {&semaphore, 1, 0, order, &served, &refused, NULL};
        WANT_EQ(ambit_spawn(s, take, &t), 0);
        wait_for_line(cx, &semaphore, 1);
        ambit_semaphore_fini(&semaphore);
    }
    return 0;
}

static void end_a_semaphore_too_early(void)
{
    (void)ambit_run(end_too_early, NULL, .workers = 1);
}

static void end_a_locked_mutex(void)
{
    struct ambit_mutex mutex = AMBIT_MUTEX_INIT;
    (void)ambit_mutex_try_lock(&mutex);
    ambit_mutex_fini(&mutex);
}

static void use_an_unmade_mutex(void)
{
    struct ambit_mutex mutex = {{0}, NULL, NULL, {{0}}};
    (void)ambit_mutex_try_lock(&mutex);
}

/* Goal: nobody is left waiting on what is no more.
 * Method: in a child process each, the sentence read from its stderr; an end in
 * good order passes. */
Spec(SYNC_END_1, an_end_with_somebody_inside_says_so)
{
    WANT(dies_saying(end_a_semaphore_too_early,
                     "a semaphore was ended while tasks wait for it"));
    WANT(dies_saying(end_a_locked_mutex,
                     "a mutex was ended while it is locked"));
    WANT(dies_saying(use_an_unmade_mutex, "a mutex was used that nobody made"));
    struct ambit_mutex mutex;
    ambit_mutex_init(&mutex);
    WANT_EQ(ambit_mutex_try_lock(&mutex), 0);
    ambit_mutex_unlock(&mutex);
    ambit_mutex_fini(&mutex);
    spec_end("SYNC_END_1");
}

/* --- semaphore ------------------------------------------------------------- */

#define CROWD 12
#define SEATS 5

struct crowd {
    struct ambit_semaphore seats;
    struct count inside, rounds;
};

static int sit_down_often(ambit_cx *cx, void *arg)
{
    struct crowd *crowd = *(struct crowd **)arg;
    for (;;) {
        uint64_t number = 0;
        WANT_EQ(ambit_random(cx, &number), 0);
        uint32_t n = (uint32_t)(number % 3) + 1;
        int rc = ambit_semaphore_acquire(cx, &crowd->seats, n);
        if (rc < 0) {
            return rc;
        }
        WANT(count_add(&crowd->inside, n) + n <= SEATS);
        (void)ambit_yield(cx);
        count_add(&crowd->inside, -(int64_t)n);
        WANT_EQ(ambit_semaphore_release(&crowd->seats, n), 0);
        count_up(&crowd->rounds);
    }
}

static int crowds_come_and_go(ambit_cx *cx, void *arg)
{
    struct crowd crowd = {.seats = AMBIT_SEMAPHORE_INIT(SEATS, SEATS)};
    struct crowd *here = &crowd;
    (void)arg;
    for (int round = 0; round < 200 / SPEC_SLOWER + 5; round++) {
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            int64_t before = count_get(&crowd.rounds);
            for (int i = 0; i < CROWD; i++) {
                WANT_EQ(ambit_spawn(s, sit_down_often, &here), 0);
            }
            WANT(until(cx, &crowd.rounds, before + 40 + round % 7));
            ambit_cancel(s, "closing time");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_semaphore_free(&crowd.seats), SEATS);
        WANT_EQ(ambit_semaphore_waiters(&crowd.seats), 0);
    }
    ambit_semaphore_fini(&crowd.seats);
    return 0;
}

/* Goal: as many permits at the end as at the beginning.
 * Method: twelve tasks take one to three of five seats over and over, and are
 * cancelled in the middle of it, 200 times. */
Spec(SEM_COUNT_1, permits_are_neither_made_nor_lost)
{
    spec_on_1_and_2_workers(crowds_come_and_go);
    spec_end("SEM_COUNT_1");
}

static int one_too_many(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore;
    struct count served = {0}, refused = {0};
    int order[1], rc = 0;
    (void)arg;
    WANT_EQ(ambit_semaphore_init(&semaphore, 2, 1), -EINVAL);
    WANT_EQ(ambit_semaphore_init(&semaphore, 0, 0), -EINVAL);
    WANT_EQ(ambit_semaphore_init(&semaphore, 1, 4), 0);
    WANT_EQ(ambit_semaphore_acquire(cx, &semaphore, 5), -EINVAL);
    WANT_EQ(ambit_semaphore_acquire(cx, &semaphore, 0), -EINVAL);
    WANT_EQ(ambit_semaphore_release(&semaphore, 4), -EOVERFLOW);
    WANT_EQ(ambit_semaphore_free(&semaphore), 1);
    WANT_EQ(ambit_semaphore_release(&semaphore, 3), 0);
    WANT_EQ(ambit_semaphore_release(&semaphore, 1), -EOVERFLOW);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 3), 0);
    ambit_scope (cx, s, &rc) { /* the same while somebody waits */
        struct taker t = {&semaphore, 4, 0, order, &served, &refused, NULL};
        WANT_EQ(ambit_spawn(s, take, &t), 0);
        wait_for_line(cx, &semaphore, 1);
        WANT_EQ(ambit_semaphore_release(&semaphore, 4), -EOVERFLOW);
        WANT_EQ(ambit_semaphore_free(&semaphore), 1);
        WANT_EQ(ambit_semaphore_release(&semaphore, 3), 0);
    }
    WANT_EQ(count_get(&served), 1);
    WANT_EQ(ambit_semaphore_release(&semaphore, 4), 0);
    ambit_semaphore_fini(&semaphore);
    return rc;
}

/* Goal: a limit is a limit.
 * Method: releases at it and one above, with nobody waiting and with somebody. */
Spec(SEM_MAX_1, a_release_too_many_is_refused)
{
    spec_on_1_and_2_workers(one_too_many);
    spec_end("SEM_MAX_1");
}

static int tries(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore = AMBIT_SEMAPHORE_INIT(3, 3);
    (void)cx, (void)arg;
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 2), 0);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 2), -EAGAIN);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 1), 0);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 0), -EINVAL);
    WANT_EQ(ambit_semaphore_try_acquire(&semaphore, 4), -EINVAL);
    WANT_EQ(ambit_semaphore_release(&semaphore, 3), 0);
    ambit_semaphore_fini(&semaphore);
    return 0;
}

/* Goal: a try never waits.  Method: one below, at and above what is free. */
Spec(SEM_TRY_1, a_try_takes_what_is_free_or_nothing)
{
    spec_on_1_and_2_workers(tries);
    spec_end("SEM_TRY_1");
}
