/* SPDX-License-Identifier: MIT */
/*
 * policy_test.c -- what the end of a child does to its region: the table of
 * spec/region.md, cell by cell, and a policy of one's own.
 */
#include "tests/spec/common.h"

/* --- the table ------------------------------------------------------------ */

enum column { ERROR, PANIC, ECHO, NEVER_RAN, COLUMNS };

enum row { FAIL_FAST, COLLECT, ISOLATE, KEEP, CANCEL, IGNORE, ODD, ROWS };

struct cell {
    int result;
    bool cancels; /* the siblings */
    bool logs;
};

static const struct cell table[ROWS][COLUMNS] = {
    [FAIL_FAST] = {{-EIO, true, false}, {-EOWNERDEAD, true, false}, {0}, {0}},
    [COLLECT] = {{-EIO, false, false}, {-EOWNERDEAD, false, false}, {0}, {0}},
    [ISOLATE] = {{0, false, true}, {0, false, true}, {0}, {0}},
    [KEEP] = {{-EIO, false, false}, {-EOWNERDEAD, false, false}, {0}, {0}},
    [CANCEL] = {{-EIO, true, false}, {-EOWNERDEAD, true, false},
                {0, true, false}, {0, true, false}},
    [IGNORE] = {{0}, {0}, {0}, {0}},
    [ODD] = {{-EIO, true, false}, {-EOWNERDEAD, true, false},
             {0, true, false}, {0, true, false}},
};

static const enum ambit_verdict verdicts[ROWS] = {
    [KEEP] = AMBIT_KEEP,
    [CANCEL] = AMBIT_CANCEL_SIBLINGS,
    [IGNORE] = AMBIT_IGNORE,
    [ODD] = (enum ambit_verdict)77,
};

struct actor_of_end {
    enum column how;
    struct count *started;
};

static int end_badly(ambit_cx *cx, void *arg)
{
    struct actor_of_end *a = arg;
    count_up(a->started);
    switch (a->how) {
    case ERROR:
        return -EIO;
    case PANIC:
        ambit_panic(cx, "as told");
    case ECHO:
        return ambit_sleep_until(cx, ambit_never());
    default:
        WANT(!"a task that was cancelled before ran");
        return 0;
    }
}

struct judge {
    enum row row;
    struct count calls;
    struct count ends[4];
    struct count never_ran;
};

static enum ambit_verdict judge(void *user, const struct ambit_child_end *end)
{
    struct judge *j = user;
    if (strcmp(end->task, "sibling") == 0) {
        return AMBIT_IGNORE;
    }
    count_up(&j->calls);
    count_up(&j->ends[end->end]);
    count_add(&j->never_ran, end->never_ran);
    WANT_EQ(strcmp(end->task, "the one"), 0);
    return verdicts[j->row];
}

/* The one that ends, beside a sibling that waits for a cancel.  An echo and a
 * task that never ran need a cancel from elsewhere: its kind tells it apart. */
static void try_cell(ambit_cx *cx, enum row row, enum column how)
{
    const struct cell *cell = &table[row][how];
    struct count started = {0}, up = {0}, cancelled = {0};
    struct judge j = {.row = row};
    struct waiter w = {&up, &cancelled};
    struct actor_of_end a = {how, &started};
    bool asked = how >= ECHO;
    int rc = 0;
    ambit_scope (cx, region, &rc, .name = "cell",
                 .policy = row <= ISOLATE ? (enum ambit_policy)row : 0,
                 .decide = row > ISOLATE ? judge : NULL, .decide_user = &j) {
        WANT_EQ(ambit_spawn_with(region, wait_for_ever, &w,
                                 .name = "sibling"), 0);
        WANT(until(cx, &up, 1));
        if (how == NEVER_RAN) {
            WANT_EQ(ambit_spawn_with(region, end_badly, &a, .name = "the one",
                                     .tier = AMBIT_FIBER), 0);
            ambit_cancel(region, "asked");
        } else {
            WANT_EQ(ambit_spawn_with(region, end_badly, &a,
                                     .name = "the one"), 0);
            WANT(until(cx, &started, 1));
        }
        if (how == ECHO) {
            ambit_cancel(region, "asked");
        }
        if (!asked && cell->cancels) {
            WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
            WANT_EQ(ambit_cancel_reason(region).kind, AMBIT_CANCEL_FAIL_FAST);
            WANT_EQ(strcmp(ambit_cancel_reason(region).task, "the one"), 0);
        } else if (!asked) {
            while (ambit_region_tasks(region) > 1 && ambit_yield(cx) == 0) {
            }
            WANT_EQ(ambit_checkpoint(cx), 0);
            WANT_EQ(count_get(&cancelled), 0);
            ambit_cancel(region, "the end");
        }
    }
    if (rc != cell->result) {
        fprintf(stderr, "row %d column %d gave %d\n", (int)row, (int)how, rc);
    }
    WANT_EQ(rc, cell->result);
    WANT_EQ(count_get(&cancelled), 1);
    if (row > ISOLATE) {
        static const enum ambit_end ends[] = {
            AMBIT_ENDED_ERR, AMBIT_ENDED_PANICKED, AMBIT_ENDED_CANCELLED,
            AMBIT_ENDED_CANCELLED};
        WANT_EQ(count_get(&j.calls), 1);
        WANT_EQ(count_get(&j.ends[ends[how]]), 1);
        WANT_EQ(count_get(&j.never_ran), how == NEVER_RAN);
    }
}

static int walk_rows(ambit_cx *cx, enum row first, enum row last)
{
    for (enum row row = first; row <= last; row++) {
        for (enum column how = 0; how < COLUMNS; how++) {
            try_cell(cx, row, how);
        }
    }
    return 0;
}

static int walk_policies(ambit_cx *cx, void *arg)
{
    (void)arg;
    return walk_rows(cx, FAIL_FAST, ISOLATE);
}

static int walk_verdicts(ambit_cx *cx, void *arg)
{
    (void)arg;
    return walk_rows(cx, KEEP, ODD);
}

/* Goal: the rows of the three policies are what they do.
 * Method: each with an error, a panic, an echo and a task that never ran,
 * beside a sibling; results, cancels and the log are compared. */
Spec(REG_POLICY_1, the_table_of_policies_holds)
{
    spec_on_1_and_2_workers(walk_policies);
    WANT(spec_logged("task \"the one\" of region \"cell\" failed on its own"));
    spec_end("REG_POLICY_1");
}

/* Goal: what the user's function answers is done, for every kind of end.
 * Method: the same with each verdict, and with an answer that is none. */
Spec(REG_POLICY_4, the_verdict_of_a_user_is_carried_out)
{
    spec_on_1_and_2_workers(walk_verdicts);
    spec_end("REG_POLICY_4");
}

/* --- a quorum, by hand ----------------------------------------------------- */

struct quorum {
    struct count ok;
    int64_t wanted;
};

static enum ambit_verdict until_quorum(void *user,
                                       const struct ambit_child_end *end)
{
    struct quorum *q = user;
    if (end->end == AMBIT_ENDED_OK && count_up(&q->ok) + 1 == q->wanted) {
        return AMBIT_CANCEL_SIBLINGS;
    }
    return AMBIT_IGNORE;
}

static int vote(ambit_cx *cx, void *arg)
{
    int number = *(int *)arg;
    if (number % 3 == 0) {
        return -EIO;
    }
    return number < 8 ? number : ambit_sleep_until(cx, ambit_never());
}

static int wait_for_a_quorum(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct quorum q = {.wanted = 4};
    struct ambit_outcome out;
    uint64_t cast = 0;
    int rc = 0;
    ambit_scope (cx, votes, &rc, .decide = until_quorum, .decide_user = &q,
                 .ret_outcome = &out) {
        for (int i = 0; i < 30; i++) {
            int spawned = ambit_spawn(votes, vote, &i);
            /* on another worker the vote may be over by now */
            WANT(spawned == 0 || (spawned == -ESHUTDOWN && i > 4));
            cast += spawned == 0;
        }
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_reason(votes).kind, AMBIT_CANCEL_USER);
    }
    WANT_EQ(rc, 0);
    WANT(out.ok >= 4);
    WANT_EQ(out.ok + out.failed + out.cancelled, cast);
    return 0;
}

/* Goal: successes are put to the function as well.
 * Method: four good ones of thirty end the rest. */
Spec(REG_POLICY_4, a_success_can_end_the_others)
{
    spec_on_1_and_2_workers(wait_for_a_quorum);
    spec_end("REG_POLICY_4");
}

/* --- REG-CALL-1 ------------------------------------------------------------ */

struct meddler {
    ambit_region *region, *outer;
    struct count calls;
};

static int nothing(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

static void no_finalizer(void *arg)
{
    (void)arg;
}

/* Whatever takes no cx; the answers depend on when. */
static void meddle(struct meddler *m)
{
    struct ambit_cancel_chain chain;
    int none = 0;
    count_up(&m->calls);
    (void)ambit_region_tasks(m->region);
    (void)ambit_cancel_reason(m->region);
    (void)ambit_cancel_chain(m->region, &chain);
    (void)ambit_set_deadline(m->region, ambit_never());
    (void)ambit_spawn(m->region, nothing, &none);
    (void)ambit_defer(m->region, no_finalizer, NULL);
    ambit_cancel(m->region, "meddling");
    (void)ambit_spawn(m->outer, nothing, &none);
    (void)ambit_region_tasks(m->outer);
}

static void meddle_in_finalizer(void *arg)
{
    meddle(arg);
}

static int meddle_in_async(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_yield(cx), 0);
    meddle(arg);
    return 0;
}

static void meddle_in_dispose(void *arg)
{
    meddle(*(struct meddler **)arg);
}

static enum ambit_verdict meddle_in_decide(void *user,
                                           const struct ambit_child_end *end)
{
    (void)end;
    meddle(user);
    return AMBIT_KEEP;
}

static int never_run(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    WANT(!"it was cancelled before");
    return 0;
}

static int meddle_everywhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct meddler m = {NULL, NULL, {0}}, *pm = &m;
    int rc = 0, none = 0;
    ambit_scope (cx, outer, &rc) {
        ambit_scope (cx, inner, &rc, .decide = meddle_in_decide,
                     .decide_user = &m) {
            m.region = inner;
            m.outer = outer;
            WANT_EQ(ambit_defer(inner, meddle_in_finalizer, &m), 0);
            WANT_EQ(ambit_defer_async(inner, meddle_in_async, &m), 0);
            WANT_EQ(ambit_spawn_with(inner, never_run, &pm,
                                     .dispose = meddle_in_dispose,
                                     .tier = AMBIT_FIBER), 0);
            WANT_EQ(ambit_spawn(inner, nothing, &none), 0);
            ambit_cancel(inner, "before anybody has run");
        }
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&m.calls) >= 5);
    return 0;
}

/* Goal: no callback is made under a lock.
 * Method: finalizers, dispose and decide call everything that takes no cx on
 * their own region; a lock held would hang, or be noticed in checked builds. */
Spec(REG_CALL_1, a_callback_may_call_all_that_takes_no_cx)
{
    spec_on_1_and_2_workers(meddle_everywhere);
    spec_end("REG_CALL_1");
}
