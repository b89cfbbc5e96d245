/* SPDX-License-Identifier: MIT */
/*
 * scenarios_budget.c -- limits: what is used up, what is there at one time, and
 * what is kept for the clean-up.
 */
#include "tests/lab/scenario.h"

#include <fcntl.h>
#include <unistd.h>

enum { LIMIT = 4 };

struct usage {
    struct tally granted, refused, live, most, cleaned;
};

static void usage_observe(struct usage *usage)
{
    ambit_observe(tally_get(&usage->granted));
    ambit_observe(tally_get(&usage->refused));
}

/* One more is there; never more than so many. */
static void enters(struct usage *usage, int64_t limit)
{
    always(tally_up(&usage->live) < limit);
    tally_up(&usage->granted);
}

/* --- quotas ---------------------------------------------------------------- */

static int yields_on(ambit_cx *cx, void *arg)
{
    struct usage *usage = *(struct usage **)arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = ambit_yield(cx);
        tally_up(rc == 0 ? &usage->granted : &usage->refused);
    }
    want(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int polls(ambit_cx *cx, void *arg)
{
    struct usage usage = {0}, *here = &usage;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .polls_max = LIMIT) {
        ambit_spawn(s, yields_on, &here);
        ambit_spawn(s, yields_on, &here);
    }
    always(tally_get(&usage.granted) <= LIMIT);
    want(rc == -EDQUOT && tally_get(&usage.refused) > 0);
    usage_observe(&usage);
    return disturbed ? rc : 0;
}

static int charges(ambit_cx *cx, void *arg)
{
    struct usage *usage = *(struct usage **)arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = ambit_charge(cx, 1);
        tally_up(rc == 0 ? &usage->granted : &usage->refused);
        (void)ambit_yield(cx);
    }
    want(rc == 0 || rc == -ECANCELED || rc == -EDQUOT);
    return rc == -EDQUOT ? 0 : rc;
}

/* Two regions with a quota around both: all of it is granted, no more. */
static int cost(ambit_cx *cx, void *arg)
{
    struct usage usage = {0}, *here = &usage;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc, .cost_max = LIMIT) {
        ambit_spawn(outer, charges, &here);
        ambit_scope (cx, inner, &inner_rc, .cost_max = 2) {
            ambit_spawn(inner, charges, &here);
        }
        want(inner_rc == -EDQUOT || inner_rc == -ECANCELED);
        (void)ambit_charge(cx, LIMIT);
    }
    always(tally_get(&usage.granted) <= LIMIT);
    want(rc == -EDQUOT);
    usage_observe(&usage);
    return disturbed ? rc : 0;
}

static int cleans(ambit_cx *cx, void *arg)
{
    struct usage *usage = arg;
    int rc = 0, left = 3;
    while (rc == 0 && left > 0) {
        rc = ambit_yield(cx);
        left -= rc == 0;
    }
    always(rc == 0 && ambit_charge(cx, 2) == 0);
    tally_up(&usage->cleaned);
    return 0;
}

/* The body spends all there is; the clean-up has its own. */
static int reserve(ambit_cx *cx, void *arg)
{
    struct usage usage = {0}, *here = &usage;
    int rc = 0, deferred = -1;
    (void)arg;
    ambit_scope (cx, s, &rc, .polls_max = 2, .cost_max = 1,
                 .cleanup_polls = 3, .cleanup_cost = 2) {
        deferred = ambit_defer_async(s, cleans, &usage);
        ambit_spawn(s, yields_on, &here);
        ambit_spawn(s, charges, &here);
        ambit_spawn(s, yields_on, &here);
    }
    always(tally_get(&usage.cleaned) == (deferred == 0));
    want(rc == -EDQUOT);
    return disturbed ? rc : 0;
}

static int cleans_for_ever(ambit_cx *cx, void *arg)
{
    struct usage *usage = arg;
    int rc = 0;
    while ((rc = ambit_yield(cx)) == 0) {
        tally_up(&usage->granted);
    }
    always(rc == -EDQUOT || rc == -ETIMEDOUT);
    tally_up(&usage->cleaned);
    return rc;
}

/* One that goes on is stopped, and the next has its turn. */
static int reserve_overrun(ambit_cx *cx, void *arg)
{
    struct usage usage = {0};
    int rc = 0, deferred = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .cleanup_polls = LIMIT) {
        deferred += ambit_defer_async(s, cleans_for_ever, &usage) == 0;
        deferred += ambit_defer_async(s, cleans_for_ever, &usage) == 0;
    }
    always(tally_get(&usage.cleaned) == deferred);
    always(tally_get(&usage.granted) <= LIMIT);
    want(rc == -EDQUOT && tally_get(&usage.granted) == LIMIT);
    return disturbed ? rc : 0;
}

/* --- ceilings -------------------------------------------------------------- */

static int stays(ambit_cx *cx, void *arg)
{
    struct usage *usage = *(struct usage **)arg;
    enters(usage, LIMIT);
    int rc = ambit_yield(cx);
    tally_down(&usage->live);
    return rc;
}

struct below {
    struct usage *usage;
    ambit_region *outer;
};

static int spawns_below(ambit_cx *cx, void *arg)
{
    struct below *below = arg;
    struct usage *usage = below->usage;
    int rc = 0;
    ambit_scope (cx, inner, &rc) {
        for (int i = 0; i < 3; i++) {
            int spawned = ambit_spawn(inner, stays, &usage);
            want(spawned == 0 || spawned == -EDQUOT);
            tally_up(spawned == 0 ? &usage->most : &usage->refused);
        }
    }
    want(rc == 0);
    return rc;
}

/* The ceiling is on the whole of the tree: two spawners, and two more. */
static int tasks_below(ambit_cx *cx, void *arg)
{
    struct usage usage = {0};
    struct below below = {&usage, NULL};
    int rc = 0, spawners = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .tasks_max = LIMIT) {
        spawners += ambit_spawn(s, spawns_below, &below) == 0;
        spawners += ambit_spawn(s, spawns_below, &below) == 0;
    }
    want(rc == 0 && tally_get(&usage.granted) == tally_get(&usage.most));
    want(tally_get(&usage.most) + tally_get(&usage.refused) == 3 * spawners);
    always(tally_get(&usage.live) == 0);
    usage_observe(&usage);
    return rc;
}

static int opens_children(ambit_cx *cx, void *arg)
{
    struct usage *usage = *(struct usage **)arg;
    int rc = 0;
    ambit_scope (cx, child, &rc) {
        enters(usage, 2);
        (void)ambit_yield(cx);
        tally_down(&usage->live);
    }
    want(rc == 0 || rc == -EDQUOT);
    tally_up(&usage->most);
    return disturbed && rc != -EDQUOT ? rc : 0;
}

static int children(ambit_cx *cx, void *arg)
{
    struct usage usage = {0}, *here = &usage;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .children_max = 2) {
        for (int i = 0; i < 4; i++) {
            ambit_spawn(s, opens_children, &here);
        }
    }
    want(rc == 0 && tally_get(&usage.granted) >= 2);
    ambit_observe(tally_get(&usage.granted));
    return rc;
}

enum { PIECE = 64 };

static int allocates(ambit_cx *cx, void *arg)
{
    struct below *below = arg;
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        void *memory;
        int made = ambit_alloc(below->outer, PIECE, &memory);
        want(made == 0 || made == -EDQUOT);
        if (made == 0) {
            enters(below->usage, LIMIT);
            memset(memory, i, PIECE);
        } else {
            tally_up(&below->usage->refused);
        }
        rc = ambit_yield(cx);
        if (made == 0) {
            tally_down(&below->usage->live);
            ambit_free(below->outer, memory, PIECE);
        }
    }
    return rc;
}

static int heap_ceiling(ambit_cx *cx, void *arg)
{
    struct usage usage = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .heap_max = LIMIT * PIECE) {
        struct below below = {&usage, s};
        void *kept[LIMIT];
        int got = 0;
        while (got < 2 && ambit_alloc(s, PIECE, &kept[got]) == 0) {
            enters(&usage, LIMIT);
            got++;
        }
        want(got == 2);
        for (int i = 0; i < 3; i++) {
            ambit_spawn(s, allocates, &below);
        }
        always(ambit_region_bytes(s) <= LIMIT * PIECE);
    }
    want(rc == 0);
    usage_observe(&usage);
    return rc;
}

/* --- ceilings on what the kernel has --------------------------------------- */

static int reads_one(ambit_cx *cx, void *arg)
{
    struct below *below = arg;
    struct usage *usage = below->usage;
    ambit_file *file;
    char byte;
    int rc = ambit_file_open(cx, "/dev/zero", O_RDONLY, 0, &file);
    tally_up(rc == -EDQUOT ? &usage->refused : &usage->granted);
    if (rc < 0) {
        want(rc == -EDQUOT);
        return rc == -EDQUOT ? 0 : rc;
    }
    always(tally_up(&usage->live) < 2);
    always(ambit_region_used(ambit_cx_region(cx), AMBIT_LIMIT_OPS) <= 1);
    ssize_t n = ambit_file_read(cx, file, &byte, 1, 0);
    want(n == 1 || n == -EDQUOT);
    tally_down(&usage->live);
    int closed = ambit_file_close(cx, file);
    want(closed == 0);
    return n < 0 && n != -EDQUOT ? (int)n : 0;
}

/* At most so many files are open, and after them all places are free. */
static int descriptors(ambit_cx *cx, void *arg)
{
    struct usage usage = {0};
    struct below below = {&usage, NULL};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .fds_max = 2) {
        ambit_scope (cx, inner, &rc) {
            for (int i = 0; i < 4; i++) {
                ambit_spawn(inner, reads_one, &below);
            }
        }
        always(ambit_region_used(s, AMBIT_LIMIT_FDS) == 0);
    }
    want(rc == 0 && tally_get(&usage.granted) >= 2);
    ambit_observe(tally_get(&usage.refused));
    return rc;
}

/* At most so many operations are in the kernel; all places come back. */
static int operations(ambit_cx *cx, void *arg)
{
    struct usage usage = {0};
    struct below below = {&usage, NULL};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .ops_max = 1) {
        ambit_scope (cx, inner, &rc, .tasks_max = 2) {
            ambit_spawn(inner, reads_one, &below);
            ambit_spawn(inner, reads_one, &below);
        }
        always(ambit_region_used(s, AMBIT_LIMIT_OPS) == 0);
    }
    want(rc == 0 && tally_get(&usage.granted) >= 1);
    ambit_observe(tally_get(&usage.refused));
    return rc;
}

SCENARIOS(budget, {"polls", polls, 2, 0}, {"cost", cost, 2, 0},
          {"reserve", reserve, 2, CORE},
          {"reserve_overrun", reserve_overrun, 1, SMALL},
          {"tasks_below", tasks_below, 2, 0}, {"children", children, 2, 0},
          {"heap_ceiling", heap_ceiling, 2, 0},
          {"descriptors", descriptors, 2, 0},
          {"operations", operations, 2, 0});
