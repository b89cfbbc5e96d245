/* SPDX-License-Identifier: MIT */
/*
 * scenarios_sync.c -- permits, locks and news, with cancels anywhere.
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

/* --- rwlock, notify, barrier, once ----------------------------------------- */

struct page {
    struct ambit_rwlock lock;
    int a, b; /* the same; the lock */
    struct tally reads;
};

static int writes(ambit_cx *cx, void *arg)
{
    struct page *page = *(struct page **)arg;
    int rc = ambit_rwlock_write(cx, &page->lock);
    if (rc == 0) {
        page->a++;
        rc = ambit_yield(cx);
        page->b++;
        ambit_rwlock_write_end(&page->lock);
    }
    return rc;
}

static int reads(ambit_cx *cx, void *arg)
{
    struct page *page = *(struct page **)arg;
    int rc = ambit_rwlock_read(cx, &page->lock);
    if (rc == 0) {
        int a = page->a;
        rc = ambit_yield(cx);
        always(a == page->b);
        tally_up(&page->reads);
        ambit_rwlock_read_end(&page->lock);
    }
    return rc;
}

static int readers_and_writers(ambit_cx *cx, void *arg)
{
    struct page page = {.lock = AMBIT_RWLOCK_INIT}, *here = &page;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 5; i++) {
            want(ambit_spawn(s, i % 3 == 1 ? writes : reads, &here) == 0);
        }
    }
    want(rc == 0 && page.a == 2 && tally_get(&page.reads) == 3);
    always(page.a == page.b);
    ambit_rwlock_fini(&page.lock);
    return rc;
}

struct news {
    struct ambit_notify notify;
    struct tally posted, read, passed;
};

static int reads_news(ambit_cx *cx, void *arg)
{
    struct news *news = *(struct news **)arg;
    for (;;) { /* look, wait, look again: nothing is missed in between */
        if (tally_get(&news->posted) > 0) {
            tally_up(&news->read);
            ambit_notify_one(&news->notify);
            return 0;
        }
        int rc = ambit_notify_wait(cx, &news->notify);
        if (rc < 0) {
            return rc;
        }
    }
}

/* Each who has read tells the next. */
static int news_for_all(ambit_cx *cx, void *arg)
{
    struct news news = {.notify = AMBIT_NOTIFY_INIT}, *here = &news;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            want(ambit_spawn(s, reads_news, &here) == 0);
        }
        (void)ambit_yield(cx);
        tally_up(&news.posted);
        ambit_notify_one(&news.notify);
    }
    want(rc == 0 && tally_get(&news.read) == 3);
    ambit_notify_fini(&news.notify);
    return rc;
}

/* A notification and a cancel at the same time: it is heard, or passed on. */
static int news_against_cancel(ambit_cx *cx, void *arg)
{
    struct news news = {.notify = AMBIT_NOTIFY_INIT}, *here = &news;
    int rc = 0, given_up = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, first, &given_up) {
            want(ambit_spawn(first, reads_news, &here) == 0);
            (void)ambit_yield(cx);
            spawned = ambit_spawn(s, reads_news, &here) == 0;
            (void)ambit_yield(cx);
            tally_up(&news.posted);
            ambit_notify_one(&news.notify);
            ambit_cancel(first, "now");
        }
    }
    want(rc == 0 && spawned == 1 && tally_get(&news.read) >= 1);
    ambit_observe(tally_get(&news.read));
    ambit_notify_fini(&news.notify);
    return rc;
}

struct meeting {
    struct ambit_barrier barrier;
    struct tally come, last;
};

static int meets(ambit_cx *cx, void *arg)
{
    struct meeting *m = *(struct meeting **)arg;
    for (int i = 1; i <= 2; i++) {
        tally_up(&m->come);
        int rc = ambit_barrier_wait(cx, &m->barrier);
        if (rc < 0) {
            return rc;
        }
        always(tally_get(&m->come) >= i * 3);
        for (; rc > 0; rc--) {
            tally_up(&m->last);
        }
    }
    return 0;
}

static int two_meetings(ambit_cx *cx, void *arg)
{
    struct meeting m = {.barrier = AMBIT_BARRIER_INIT(3)}, *here = &m;
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            spawned += ambit_spawn(s, meets, &here) == 0;
        }
        if (spawned < 3) {
            ambit_cancel(s, "one will not come");
        }
    }
    want(rc == 0 && tally_get(&m.last) == 2);
    ambit_barrier_fini(&m.barrier);
    return rc;
}

struct first {
    struct ambit_once once;
    struct tally runs, done, seen;
};

static int does_it(ambit_cx *cx, void *arg)
{
    struct first *first = arg;
    int64_t before = tally_up(&first->runs);
    int rc = ambit_yield(cx);
    if (rc == 0 && before == 0) {
        return -EIO; /* the first attempt fails */
    }
    if (rc == 0) {
        always(tally_up(&first->done) == 0);
    }
    return rc;
}

static int needs_it(ambit_cx *cx, void *arg)
{
    struct first *first = *(struct first **)arg;
    int rc = ambit_once(cx, &first->once, does_it, first);
    if (rc == 0) {
        always(tally_get(&first->done) == 1);
        tally_up(&first->seen);
    }
    return rc == -EIO ? 0 : rc;
}

static int once_for_three(ambit_cx *cx, void *arg)
{
    struct first first = {.once = AMBIT_ONCE_INIT}, *here = &first;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            want(ambit_spawn(s, needs_it, &here) == 0);
        }
    }
    want(rc == 0 && tally_get(&first.done) == 1);
    want(tally_get(&first.seen) == 2);
    always(tally_get(&first.done) <= 1);
    ambit_once_fini(&first.once);
    return rc;
}

SCENARIOS(sync,
    {"seats_for_some", seats_for_some, 2, CORE},
    {"wish_called_off", wish_called_off, 2, CORE, "SYNC-CANCEL-1"},
    {"grant_against_cancel", grant_against_cancel, 2, SMALL | CORE,
     "SYNC-CANCEL-2"},
    {"exact_till", exact_till, 2, CORE},
    {"holder_panics", holder_panics, 2, SMALL, "MUTEX-HOLD-1"},
    {"readers_and_writers", readers_and_writers, 2, CORE},
    {"news_for_all", news_for_all, 2, CORE},
    {"news_against_cancel", news_against_cancel, 2, CORE},
    {"two_meetings", two_meetings, 2, 0},
    {"once_for_three", once_for_three, 2, CORE});
