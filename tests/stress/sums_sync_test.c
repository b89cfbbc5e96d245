/* SPDX-License-Identifier: MIT */
/*
 * sums_sync_test.c -- a semaphore neither makes nor loses a permit, at every size
 * from 1; and it is as large as it says.
 */
#include "tests/stress/sums.h"

enum { GUESTS = 4, EACH = 100 / SPEC_SLOWER + 5, WISH_MOST = 3 };

struct house {
    struct ambit_semaphore seats;
    uint32_t size;
    struct tally taken, returned; /* calls, permits */
    struct count inside, refused, off;
};

static int guest_wants(ambit_cx *cx, struct house *house, uint32_t n,
                       bool tries)
{
    int rc = tries ? ambit_semaphore_try_acquire(&house->seats, n)
                   : ambit_semaphore_acquire(cx, &house->seats, n);
    if (tries) {
        WANT(rc == 0 || rc == -EAGAIN);
        count_add(&house->refused, rc != 0);
    } else {
        WANT(rc == 0 || rc == -ECANCELED);
        count_add(&house->off, rc != 0);
    }
    if (rc == 0) {
        tally_up(&house->taken, n);
        WANT(count_add(&house->inside, n) + n <= house->size);
    }
    return rc;
}

/* In one portion or two; never more than there are. */
static void guest_leaves(struct house *house, uint32_t n, bool in_two)
{
    WANT_EQ(ambit_semaphore_release(&house->seats, house->size + 1),
            -EOVERFLOW);
    count_add(&house->inside, -(int64_t)n);
    if (in_two && n > 1) {
        WANT_EQ(ambit_semaphore_release(&house->seats, n - 1), 0);
        tally_up(&house->returned, n - 1);
        n = 1;
    }
    WANT_EQ(ambit_semaphore_release(&house->seats, n), 0);
    tally_up(&house->returned, n);
}

static int guest(ambit_cx *cx, void *arg)
{
    struct house *house = *(struct house **)arg;
    uint32_t most = house->size < WISH_MOST ? house->size : WISH_MOST;
    for (uint32_t i = 0; i < EACH; i++) {
        uint64_t number = 0;
        int rc = ambit_random(cx, &number);
        uint32_t n = (uint32_t)(number % most) + 1;
        rc = rc == 0 ? guest_wants(cx, house, n, number % 5 == 0) : rc;
        if (rc == -EAGAIN) {
            continue;
        }
        if (rc < 0) {
            return rc;
        }
        rc = i % 2 == 0 ? ambit_yield(cx) : 0;
        guest_leaves(house, n, number % 7 == 0);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* As many as before, and not one more. */
static void house_is_whole(struct house *house)
{
    WANT_EQ(count_get(&house->inside), 0);
    WANT_EQ(count_get(&house->taken.sum), count_get(&house->returned.sum));
    WANT_EQ(ambit_semaphore_waiters(&house->seats), 0);
    WANT_EQ(ambit_semaphore_free(&house->seats), house->size);
    WANT_EQ(ambit_semaphore_release(&house->seats, 1), -EOVERFLOW);
    for (uint32_t i = 0; i < house->size; i++) {
        WANT_EQ(ambit_semaphore_try_acquire(&house->seats, 1), 0);
    }
    WANT_EQ(ambit_semaphore_try_acquire(&house->seats, 1), -EAGAIN);
    WANT_EQ(ambit_semaphore_release(&house->seats, house->size), 0);
}

static void one_evening(ambit_cx *cx, struct house *house, int64_t cancel_at)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        int64_t before = count_get(&house->taken.n);
        for (int i = 0; i < GUESTS; i++) {
            WANT_EQ(ambit_spawn(s, guest, &house), 0);
        }
        if (cancel_at > 0) {
            WANT(until(cx, &house->taken.n, before + cancel_at));
            ambit_cancel(s, "closing time");
        }
    }
    WANT_EQ(rc, 0);
    house_is_whole(house);
}

static int wants_all(ambit_cx *cx, void *arg)
{
    struct house *house = *(struct house **)arg;
    int rc = ambit_semaphore_acquire(cx, &house->seats, house->size);
    WANT_EQ(rc, 0);
    if (rc == 0) {
        WANT_EQ(ambit_semaphore_release(&house->seats, house->size), 0);
    }
    return rc;
}

/* All but one are free, and somebody waits for that one: so two are too many. */
static void full_while_one_waits(ambit_cx *cx, struct house *house)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    int rc = 0;
    WANT_EQ(ambit_semaphore_try_acquire(&house->seats, 1), 0);
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn(s, wants_all, &house), 0);
        while (ambit_semaphore_waiters(&house->seats) == 0 &&
               ambit_now().ns < end.ns) {
            (void)ambit_yield(cx);
        }
        WANT_EQ(ambit_semaphore_release(&house->seats, 2), -EOVERFLOW);
        WANT_EQ(ambit_semaphore_free(&house->seats), house->size - 1);
        WANT_EQ(ambit_semaphore_try_acquire(&house->seats, 1), -EAGAIN);
        WANT_EQ(ambit_semaphore_release(&house->seats, 1), 0);
    }
    WANT_EQ(rc, 0);
    house_is_whole(house);
}

static int at_one_size(ambit_cx *cx, void *arg)
{
    struct house house = {.size = *(uint32_t *)arg};
    WANT_EQ(ambit_semaphore_init(&house.seats, house.size, house.size), 0);
    one_evening(cx, &house, 0);
    full_while_one_waits(cx, &house);
    for (int64_t i = 1; i < 20 / SPEC_SLOWER + 3; i++) {
        one_evening(cx, &house, i);
    }
    ambit_semaphore_fini(&house.seats);
    return 0;
}

/* Goal: as many permits at the end as at the beginning, at every size.
 * Method: four tasks that wait or try for one to three permits, give them back in
 * one portion or two, and are called off in the middle of it; sizes from 1 to 64,
 * on one worker and two. */
Spec(SEM_COUNT_1, permits_are_as_many_as_before_at_every_size)
{
    sums_at_every_capacity(at_one_size);
    spec_end("SEM_COUNT_1");
}

/* Goal, method: the same; exactly so many are had at once, and a release of one
 * more is refused, also while somebody waits. */
Spec(SEM_MAX_1, a_semaphore_is_as_large_as_it_says_at_every_size)
{
    sums_at_every_capacity(at_one_size);
    spec_end("SEM_MAX_1");
}
