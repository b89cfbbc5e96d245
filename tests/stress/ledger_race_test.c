/* SPDX-License-Identifier: MIT */
/*
 * ledger_race_test.c -- obligations that are fulfilled, moved and closed upon
 * by several threads at once.
 */
#include "tests/spec/common.h"

enum { ROUNDS = 2000 / SPEC_SLOWER };

struct lease {
    struct ambit_obligation ob;
    struct count aborted;
    struct count fulfilled;
    struct count moved;
    struct count ready;
    ambit_region *to;
    int dally;
};

/* So that each of two comes first in some of the rounds. */
static void dally(int turns)
{
    for (int i = 0; i < turns; i++) {
        cpu_relax();
    }
}

static void lease_aborted(void *arg)
{
    struct lease *lease = arg;
    count_up(&lease->aborted);
}

static void lease_fulfil(struct lease *lease)
{
    int rc = ambit_fulfil(&lease->ob);
    WANT(rc == 0 || rc == -EALREADY);
    if (rc == 0) {
        count_up(&lease->fulfilled);
    }
}

/* --- transfer against close ----------------------------------------------- */

static int move_it(ambit_cx *cx, void *arg)
{
    struct lease *lease = *(struct lease **)arg;
    (void)cx;
    count_up(&lease->ready);
    if (lease->dally % 3 == 0) {
        sched_yield();
    }
    dally(lease->dally);
    int rc = ambit_transfer(&lease->ob, lease->to);
    WANT(rc == 0 || rc == -EALREADY);
    if (rc == 0) {
        count_up(&lease->moved);
    }
    return 0;
}

static int move_from_a_closing_one(ambit_cx *cx, void *arg)
{
    (void)arg;
    int64_t moved = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct lease lease = {.dally = round % 100 * 8 * SPEC_SLOWER}, *l = &lease;
        int rc = 0;
        ambit_scope (cx, outer, &rc) {
            int inner_rc = 0;
            lease.to = outer;
            ambit_scope (cx, inner, &inner_rc) {
                WANT_EQ(ambit_oblige(inner, &lease.ob, lease_aborted, &lease),
                        0);
                spawn_elsewhere(outer, move_it, &l, &lease.ready);
            }
            bool here = count_get(&lease.aborted) > 0;
            WANT(until(cx, here ? &lease.aborted : &lease.moved, 1));
            WANT_EQ(ambit_region_obligations(outer), here ? 0 : 1);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&lease.aborted), 1);
        moved += count_get(&lease.moved);
    }
    fprintf(stderr, "moved in %lld of %d rounds\n", (long long)moved, ROUNDS);
    return 0;
}

/* Goal: a promise that is moved while its region closes is in exactly one of
 * the two.  Method: a task elsewhere moves it as the inner scope ends. */
Test(ledger_race, a_transfer_meets_the_close)
{
    spec_on(2, move_from_a_closing_one);
    spec_end("OBL_MOVE_1");
}

/* --- transfer against transfer, fulfil, and the close --------------------- */

struct toss {
    struct lease *leases;
    ambit_region *sides[2];
    struct count *ready;
    int first;
};

enum { LEASES = 32 };

static int toss_all(ambit_cx *cx, void *arg)
{
    struct toss *toss = arg;
    (void)cx;
    count_up(toss->ready);
    for (int i = 0; i < LEASES * 4; i++) {
        struct lease *lease = &toss->leases[i % LEASES];
        int rc = ambit_transfer(&lease->ob, toss->sides[(i + toss->first) % 2]);
        WANT(rc == 0 || rc == -EALREADY);
        if (i % 5 == 0) {
            lease_fulfil(lease);
        }
    }
    return 0;
}

static int toss_between_two(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS / 20; round++) {
        static struct lease leases[LEASES];
        struct count ready = {0};
        int rc = 0;
        memset(leases, 0, sizeof leases);
        ambit_scope (cx, left, &rc) {
            int inner_rc = 0;
            ambit_scope (cx, right, &inner_rc) {
                for (int i = 0; i < LEASES; i++) {
                    WANT_EQ(ambit_oblige(i % 2 ? left : right, &leases[i].ob,
                                         lease_aborted, &leases[i]), 0);
                }
                struct toss toss = {leases, {left, right}, &ready, 0};
                WANT_EQ(ambit_spawn(right, toss_all, &toss), 0);
                toss.first = 1;
                spawn_elsewhere(right, toss_all, &toss, &ready);
            }
            WANT_EQ(inner_rc, 0);
        }
        WANT_EQ(rc, 0);
        for (int i = 0; i < LEASES; i++) {
            WANT_EQ(count_get(&leases[i].aborted) +
                        count_get(&leases[i].fulfilled), 1);
        }
    }
    return 0;
}

/* Goal: whoever moves and fulfils, each promise is resolved once.
 * Method: two tasks toss the same 32 between two regions, which then close. */
Test(ledger_race, two_toss_the_same_promises)
{
    spec_on(2, toss_between_two);
    spec_end("OBL_MOVE_1");
}

/* --- a foreign thread against the close ----------------------------------- */

struct outsider {
    struct lease *leases;
    struct count round; /* may be fulfilled now */
    struct count begun;
    struct count done;
};

static void *fulfil_from_outside(void *arg)
{
    struct outsider *outsider = arg;
    for (int round = 1; round <= ROUNDS; round++) {
        if (!spin_until(&outsider->round, round)) {
            return NULL;
        }
        count_up(&outsider->begun);
        for (int i = 0; i < LEASES; i++) {
            dally(round % 8 * 50);
            lease_fulfil(&outsider->leases[i]);
        }
        count_up(&outsider->done);
    }
    return NULL;
}

static int close_on_an_outsider(ambit_cx *cx, void *arg)
{
    (void)arg;
    static struct lease leases[LEASES];
    struct outsider outsider = {.leases = leases};
    pthread_t thread;
    int64_t aborted = 0;
    memset(leases, 0, sizeof leases);
    WANT_EQ(pthread_create(&thread, NULL, fulfil_from_outside, &outsider), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            for (int i = 0; i < LEASES; i++) {
                WANT_EQ(ambit_oblige(all, &leases[i].ob, lease_aborted,
                                     &leases[i]), 0);
            }
            count_set(&outsider.round, round);
            if (round % 2) {
                WANT(spin_until(&outsider.begun, round));
            }
            dally(round % 100 * 8);
        }
        WANT_EQ(rc, 0);
        WANT(spin_until(&outsider.done, round));
        for (int i = 0; i < LEASES; i++) {
            aborted += count_get(&leases[i].aborted);
            WANT_EQ(count_get(&leases[i].aborted) +
                        count_get(&leases[i].fulfilled), 1);
            count_set(&leases[i].aborted, 0);
            count_set(&leases[i].fulfilled, 0);
        }
    }
    pthread_join(thread, NULL);
    fprintf(stderr, "aborted %lld of %d\n", (long long)aborted,
            ROUNDS * LEASES);
    return 0;
}

/* Goal: a thread that is no task fulfils while the region closes; the region's
 * memory is not touched after its close.
 * Method: 32 promises a round in a scope that ends at once. */
Test(ledger_race, an_outsider_fulfils_as_the_region_closes)
{
    spec_on(1, close_on_an_outsider);
    spec_end("OBL_ONCE_1");
}
