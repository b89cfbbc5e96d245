/* SPDX-License-Identifier: MIT */
/*
 * scenarios_region.c -- scopes, policies, panics, deadlines, finalizers.
 */
#include "tests/lab/scenario.h"

struct book {
    struct tally live, began, ended, ran;
};

/* A task that is in the book while it runs, and waits twice. */
static int child(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    tally_up(&book->began);
    tally_up(&book->live);
    int rc = ambit_yield(cx);
    if (rc == 0) {
        rc = ambit_yield(cx);
    }
    tally_down(&book->live);
    tally_up(&book->ended);
    return rc;
}

static int waits_for_ever(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    tally_up(&book->live);
    int rc = ambit_sleep_until(cx, ambit_never());
    tally_down(&book->live);
    always(rc < 0);
    return rc;
}

static int fails(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    (void)arg;
    return rc < 0 ? rc : -EIO;
}

static int panics(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    (void)arg;
    if (rc < 0) {
        return rc;
    }
    ambit_panic(cx, "on purpose");
}

static void finalize(void *arg)
{
    struct book *book = arg;
    always(tally_get(&book->live) == 0);
    tally_up(&book->ran);
}

static int nested(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        ambit_spawn(outer, child, &here);
        ambit_scope (cx, middle, &rc) {
            ambit_spawn(middle, child, &here);
            ambit_scope (cx, inner, &rc) {
                ambit_spawn(inner, child, &here);
                ambit_spawn(outer, child, &here);
            }
        }
        want(tally_get(&book.ended) >= 2);
    }
    always(tally_get(&book.live) == 0);
    always(tally_get(&book.began) == tally_get(&book.ended));
    want(tally_get(&book.ended) == 4 && rc == 0);
    return rc;
}

static int fail_fast(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        ambit_spawn(all, waits_for_ever, &here);
        if (ambit_spawn(all, fails, &here) < 0) {
            break;
        }
        ambit_spawn(all, waits_for_ever, &here);
        want(ambit_sleep_until(cx, ambit_never()) == -ECANCELED);
    }
    always(tally_get(&book.live) == 0);
    want(rc == -EIO);
    return disturbed ? rc : 0;
}

static int collect(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc, .policy = AMBIT_COLLECT) {
        ambit_spawn(all, fails, &here);
        ambit_spawn(all, child, &here);
        ambit_spawn(all, child, &here);
    }
    want(tally_get(&book.ended) == 2);
    want(rc == -EIO);
    return disturbed ? rc : 0;
}

static int isolate(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        ambit_spawn(all, fails, &here);
        ambit_spawn(all, panics, &here);
        ambit_spawn(all, child, &here);
    }
    want(tally_get(&book.ended) == 1);
    want(rc == 0);
    return rc;
}

static int two_failures(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        ambit_spawn(all, fails, &here);
        ambit_spawn(all, panics, &here);
    }
    want(rc == -EIO || rc == -EOWNERDEAD);
    ambit_observe(rc);
    return disturbed ? rc : 0;
}

/* Its scope is cancelled, joined and finalized, though nobody leaves it. */
static int panics_in_a_scope(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    int rc = 0;
    ambit_scope (cx, inside, &rc) {
        if (ambit_defer(inside, finalize, book) == 0) {
            tally_up(&book->began);
        }
        ambit_spawn(inside, waits_for_ever, &book);
        if (ambit_yield(cx) == 0) {
            ambit_panic(cx, "with a scope open");
        }
    }
    return rc;
}

static int panic_deep(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        if (ambit_spawn(all, panics_in_a_scope, &here) < 0) {
            break;
        }
        ambit_spawn_(all, panics, NULL, 0, NULL);
    }
    always(tally_get(&book.live) == 0);
    always(tally_get(&book.ran) == tally_get(&book.began));
    want(rc == -EOWNERDEAD);
    ambit_observe(tally_get(&book.ran));
    return disturbed ? rc : 0;
}

static int panics_in_clean_up(ambit_cx *cx, void *arg)
{
    (void)arg;
    (void)ambit_yield(cx);
    ambit_panic(cx, "in a finalizer");
}

static int scope_with_bad_clean_up(ambit_cx *cx, void *arg)
{
    struct book *book = *(struct book **)arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        if (ambit_defer(s, finalize, book) == 0) {
            tally_up(&book->began);
        }
        (void)ambit_defer_async(s, panics_in_clean_up, NULL);
    }
    return rc;
}

static int panic_in_finalizer(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        ambit_spawn(all, scope_with_bad_clean_up, &here);
    }
    always(tally_get(&book.ran) == tally_get(&book.began));
    want(rc == -EOWNERDEAD);
    return disturbed ? rc : 0;
}

static int own_deadline(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .deadline = ambit_after(ambit_ms(1))) {
        ambit_spawn(s, waits_for_ever, &here);
        ambit_spawn(s, waits_for_ever, &here);
    }
    always(tally_get(&book.live) == 0);
    want(rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

static int outer_deadline(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc, .deadline = ambit_after(ambit_ms(1))) {
        ambit_scope (cx, inner, &inner_rc,
                     .deadline = ambit_after(ambit_s(9))) {
            ambit_spawn(inner, waits_for_ever, &here);
        }
    }
    want(inner_rc == -ECANCELED);
    want(rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

/* The tick at which a sleep ends is also the deadline's, which was set first. */
static int equal_tick(ambit_cx *cx, void *arg)
{
    int rc = 0, slept = 1;
    ambit_time when = ambit_after(ambit_ms(1));
    (void)arg;
    ambit_scope (cx, s, &rc, .deadline = when) {
        slept = ambit_sleep_until(cx, when);
    }
    want(slept == 0 && rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

struct meeting {
    ambit_time when;
    struct tally called;
    int slept;
};

static int sleeps_to_meet(ambit_cx *cx, void *arg)
{
    struct meeting *meeting = *(struct meeting **)arg;
    tally_up(&meeting->called);
    meeting->slept = ambit_sleep_until(cx, meeting->when);
    return 0;
}

/* The same tick, and the sleep was there first. */
static int equal_tick_later(ambit_cx *cx, void *arg)
{
    struct meeting meeting = {.when = ambit_after(ambit_ms(1)), .slept = 1};
    struct meeting *here = &meeting;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_spawn(s, sleeps_to_meet, &here) < 0) {
            break;
        }
        while (tally_get(&meeting.called) == 0 && ambit_yield(cx) == 0) {
        }
        (void)ambit_set_deadline(s, meeting.when);
    }
    want(meeting.slept == 0 && rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

static int moved_deadline(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .deadline = ambit_after(ambit_s(100))) {
        ambit_spawn(s, waits_for_ever, &here);
        int moved = ambit_set_deadline(s, ambit_after(ambit_ms(2)));
        want(moved == 0);
        if (moved < 0) {
            break;
        }
    }
    always(tally_get(&book.live) == 0);
    want(rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

/* --- finalizers ------------------------------------------------------------ */

struct chain {
    int next; /* the finalizer whose turn it is */
};

struct link {
    struct chain *chain;
    int index;
};

static void in_turn(void *arg)
{
    struct link *link = arg;
    always(link->chain->next == link->index);
    link->chain->next--;
}

static int in_turn_slowly(ambit_cx *cx, void *arg)
{
    struct link *link = arg;
    int rc = ambit_yield(cx);
    if (rc == 0) {
        rc = ambit_sleep(cx, ambit_us(50));
    }
    always(rc == 0);
    in_turn(arg);
    return -EIO - link->index;
}

/* Registers as many as it can, alternately of both kinds. */
static void register_all(ambit_region *s, struct link *links, int n,
                         struct chain *chain)
{
    for (int i = 0; i < n; i++) {
        links[i] = (struct link){chain, chain->next + 1};
        int rc = i % 2 == 0 ? ambit_defer_async(s, in_turn_slowly, &links[i])
                            : ambit_defer(s, in_turn, &links[i]);
        want(rc == 0);
        chain->next += rc == 0;
    }
}

static int finalizers(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    struct link links[6];
    struct chain chain = {-1};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, child, &here);
        register_all(s, links, 6, &chain);
    }
    always(chain.next == -1);
    want(rc == -EIO - 4); /* the first that fails is the last registered */
    return disturbed ? rc : 0;
}

static int finalizers_after_cancel(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    struct link links[4];
    struct chain chain = {-1};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, waits_for_ever, &here);
        register_all(s, links, 4, &chain);
        ambit_cancel(s, "enough");
    }
    always(chain.next == -1);
    always(tally_get(&book.live) == 0);
    ambit_observe(rc);
    return disturbed ? rc : 0;
}

static int never_ends(ambit_cx *cx, void *arg)
{
    int rc = ambit_sleep_until(cx, ambit_never());
    struct book *book = arg;
    tally_up(&book->ran);
    always(rc == -ETIMEDOUT);
    return rc;
}

static int finalizer_overrun(ambit_cx *cx, void *arg)
{
    struct book book = {0};
    int rc = 0, deferred = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .cleanup = ambit_ms(1)) {
        deferred += ambit_defer_async(s, never_ends, &book) == 0;
        deferred += ambit_defer_async(s, never_ends, &book) == 0;
    }
    always(tally_get(&book.ran) == deferred);
    want(rc == -ETIMEDOUT);
    return disturbed ? rc : 0;
}

static int leaves_early(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, waits_for_ever, &here);
        ambit_spawn(s, child, &here);
        (void)ambit_yield(cx);
        break;
    }
    always(tally_get(&book.live) == 0);
    always(tally_get(&book.began) == tally_get(&book.ended));
    want(rc == 0);
    ambit_observe(tally_get(&book.ended));
    return rc;
}

static int ceiling(ambit_cx *cx, void *arg)
{
    struct book book = {0}, *here = &book;
    int rc = 0, refused = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .tasks_max = 2) {
        for (int i = 0; i < 5; i++) {
            int spawned = ambit_spawn(s, child, &here);
            always(ambit_region_tasks(s) <= 2);
            want(spawned == 0 || spawned == -EDQUOT);
            refused += spawned < 0;
            (void)ambit_yield(cx);
        }
    }
    want(tally_get(&book.ended) == 5 - refused);
    ambit_observe(refused);
    return rc;
}

SCENARIOS(region, {"nested", nested, 2, CORE},
          {"fail_fast", fail_fast, 2, CORE}, {"collect", collect, 2, 0},
          {"isolate", isolate, 2, 0}, {"two_failures", two_failures, 2, SMALL},
          {"panic_deep", panic_deep, 2, CORE},
          {"panic_in_finalizer", panic_in_finalizer, 1, SMALL},
          {"own_deadline", own_deadline, 2, 0},
          {"outer_deadline", outer_deadline, 2, 0},
          {"equal_tick", equal_tick, 1, SMALL | TIMED},
          {"equal_tick_later", equal_tick_later, 1, SMALL | TIMED},
          {"moved_deadline", moved_deadline, 1, SMALL},
          {"finalizers", finalizers, 1, CORE | SMALL},
          {"finalizers_after_cancel", finalizers_after_cancel, 2, 0},
          {"finalizer_overrun", finalizer_overrun, 1, SMALL},
          {"leaves_early", leaves_early, 2, 0}, {"ceiling", ceiling, 2, 0});
