/* SPDX-License-Identifier: MIT */
/*
 * scenarios_sync.c -- permits and locks, with cancels anywhere.
 *
 * Whatever happens, what was there at the beginning is there at the end.
 */
#include "tests/lab/scenario.h"

/* --- semaphore ------------------------------------------------------------- */

struct seats {
    struct ambit_semaphore free;
    struct tally taken, served;
};

struct guest {
    struct seats *seats;
    uint32_t wanted;
};

static int visits(ambit_cx *cx, void *arg)
{
    struct guest *guest = arg;
    struct seats *seats = guest->seats;
    int rc = ambit_semaphore_acquire(cx, &seats->free, guest->wanted);
    if (rc < 0) {
        always(is_called_off(rc) || rc == -EDQUOT);
        return rc;
    }
    for (uint32_t i = 0; i < guest->wanted; i++) {
        always(tally_up(&seats->taken) < 2);
    }
    rc = ambit_yield(cx);
    for (uint32_t i = 0; i < guest->wanted; i++) {
        tally_down(&seats->taken);
    }
    always(ambit_semaphore_release(&seats->free, guest->wanted) == 0);
    tally_up(&seats->served);
    return rc;
}

static void all_seats_are_free(struct seats *seats)
{
    always(ambit_semaphore_free(&seats->free) == 2);
    always(ambit_semaphore_waiters(&seats->free) == 0);
    ambit_semaphore_fini(&seats->free);
}

/* Two seats, four guests, one of whom wants both. */
static int seats_for_some(ambit_cx *cx, void *arg)
{
    struct seats seats = {.free = AMBIT_SEMAPHORE_INIT(2, 2)};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 4; i++) {
            struct guest guest = {&seats, i == 1 ? 2 : 1};
            want(ambit_spawn(s, visits, &guest) == 0);
        }
    }
    want(rc == 0 && tally_get(&seats.served) == 4);
    all_seats_are_free(&seats);
    return rc;
}

/* A large wish in front is called off: the small one behind it gets through,
 * while the seat that is left stays free. */
static int wish_called_off(ambit_cx *cx, void *arg)
{
    struct seats seats = {.free = AMBIT_SEMAPHORE_INIT(2, 2)};
    struct guest large = {&seats, 2}, small = {&seats, 1};
    int rc = 0, large_rc = 0;
    (void)arg;
    bool had = ambit_semaphore_try_acquire(&seats.free, 1) == 0;
    always(had);
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, given_up, &large_rc) {
            want(ambit_spawn(given_up, visits, &large) == 0);
            (void)ambit_yield(cx);
            want(ambit_spawn(s, visits, &small) == 0);
            (void)ambit_yield(cx);
            ambit_cancel(given_up, "too much");
        }
    }
    want(rc == 0 && tally_get(&seats.served) >= 1);
    ambit_observe(tally_get(&seats.served));
    always(ambit_semaphore_release(&seats.free, 1) == 0);
    all_seats_are_free(&seats);
    return rc;
}

/* A release and a cancel at the same time: the permit is had or it is free. */
static int grant_against_cancel(ambit_cx *cx, void *arg)
{
    struct seats seats = {.free = AMBIT_SEMAPHORE_INIT(2, 2)};
    struct guest guest = {&seats, 1};
    int rc = 0;
    (void)arg;
    always(ambit_semaphore_try_acquire(&seats.free, 2) == 0);
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, visits, &guest) == 0);
        (void)ambit_yield(cx);
        always(ambit_semaphore_release(&seats.free, 1) == 0);
        ambit_cancel(s, "now");
    }
    want(rc == 0);
    ambit_observe(tally_get(&seats.served));
    always(ambit_semaphore_release(&seats.free, 1) == 0);
    all_seats_are_free(&seats);
    return rc;
}

/* --- mutex ----------------------------------------------------------------- */

struct till {
    struct ambit_mutex lock;
    int cash; /* the lock */
    struct tally payments;
};

static int pays(ambit_cx *cx, void *arg)
{
    struct till *till = *(struct till **)arg;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = ambit_mutex_lock(cx, &till->lock);
        if (rc < 0) {
            return rc;
        }
        int before = till->cash;
        rc = ambit_yield(cx);
        till->cash = before + 1;
        tally_up(&till->payments);
        ambit_mutex_unlock(&till->lock);
    }
    return rc;
}

static int exact_till(ambit_cx *cx, void *arg)
{
    struct till till = {.lock = AMBIT_MUTEX_INIT}, *here = &till;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            want(ambit_spawn(s, pays, &here) == 0);
        }
    }
    want(rc == 0 && till.cash == 6);
    always(till.cash == tally_get(&till.payments));
    ambit_mutex_fini(&till.lock);
    return rc;
}

static int holds_and_panics(ambit_cx *cx, void *arg)
{
    struct till *till = *(struct till **)arg;
    int rc = ambit_mutex_hold(cx, &till->lock);
    if (rc == 0) {
        tally_up(&till->payments);
        (void)ambit_yield(cx);
        ambit_panic(cx, "with the lock held");
    }
    return rc;
}

/* The next one gets it from the region that closes. */
static int holder_panics(ambit_cx *cx, void *arg)
{
    struct till till = {.lock = AMBIT_MUTEX_INIT}, *here = &till;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, inner, &inner_rc, .policy = AMBIT_ISOLATE) {
            want(ambit_spawn(inner, holds_and_panics, &here) == 0);
        }
        want(tally_get(&till.payments) == 1);
        int locked = ambit_mutex_lock(cx, &till.lock);
        want(locked == 0);
        if (locked == 0) {
            ambit_mutex_unlock(&till.lock);
        }
    }
    want(rc == 0);
    ambit_mutex_fini(&till.lock);
    return rc;
}

SCENARIOS(sync,
    {"seats_for_some", seats_for_some, 2, CORE},
    {"wish_called_off", wish_called_off, 2, CORE},
    {"grant_against_cancel", grant_against_cancel, 2, SMALL | CORE},
    {"exact_till", exact_till, 2, CORE},
    {"holder_panics", holder_panics, 2, SMALL});
