/* SPDX-License-Identifier: MIT */
/*
 * cancel_test.c -- what a cancel does, and to whom: spec/cancel.md.
 *
 * cancel_kinds_test.c walks the list of suspension kinds (CAN-3),
 * cancel_tree_test.c has whom a cancel reaches (CAN-7).
 */
#include "tests/spec/common.h"

/* --- CAN-1 ---------------------------------------------------------------- */

struct canceller {
    ambit_region *region;
    struct count *cancelled; /* by the waiters */
    bool alone;
};

static int cancel_own_region(ambit_cx *cx, void *arg)
{
    struct canceller *c = arg;
    for (int i = 0; i < 100; i++) {
        ambit_cancel(c->region, "first");
        if (c->alone) {
            WANT_EQ(count_get(c->cancelled), 0);
        }
    }
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    return 0;
}

enum { WAITERS = 1000 / SPEC_SLOWER };

static int cancel_is_a_request(ambit_cx *cx, void *arg)
{
    struct count started = {0}, cancelled = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct waiter w = {&started, &cancelled};
        for (int i = 0; i < WAITERS; i++) {
            WANT_EQ(ambit_spawn(all, wait_for_ever, &w), 0);
        }
        WANT(until(cx, &started, WAITERS));
        struct canceller c = {all, &cancelled, arg != NULL};
        for (int i = 0; i < 8; i++) {
            int spawned = ambit_spawn(all, cancel_own_region, &c);
            WANT(spawned == 0 || (i > 0 && spawned == -ESHUTDOWN));
        }
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        ambit_cancel(all, "second");
        WANT_EQ(strcmp(ambit_cancel_reason(all).text, "first"), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&cancelled), WAITERS);
    return 0;
}

/* Goal: cancel asks and does not wait, once or a hundred times.
 * Method: eight tasks cancel their own region of 1,000 waiters; with one
 * worker nobody else may have run meanwhile. */
Spec(CAN_1, a_cancel_is_a_request)
{
    WANT_EQ(spec_run(cancel_is_a_request, "alone", .workers = 1), 0);
    WANT_EQ(spec_run(cancel_is_a_request, NULL, .workers = 2), 0);
    spec_end("CAN_1");
}

/* --- CAN-2 ---------------------------------------------------------------- */

static int no_job(void *arg)
{
    (void)arg;
    WANT(!"a job of a cancelled task is never run");
    return 0;
}

static void ignore_cancels(ambit_cx *cx, ambit_task running)
{
    for (int i = 0; i < 50; i++) {
        int result = 77;
        struct ambit_scope_block block;
        WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
        WANT_EQ(ambit_yield(cx), -ECANCELED);
        WANT_EQ(ambit_sleep(cx, ambit_us(1)), -ECANCELED);
        WANT_EQ(ambit_sleep(cx, ambit_s(100)), -ECANCELED);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_join(cx, running, &result), -ECANCELED);
        WANT_EQ(ambit_blocking(cx, no_job, NULL), -ECANCELED);
        WANT_EQ(ambit_scope_open(cx, &block, NULL), -ECANCELED);
    }
}

struct ignorer {
    ambit_task running;
    struct count *started;
};

static int ignore_from_a_task(ambit_cx *cx, void *arg)
{
    struct ignorer *i = arg;
    count_up(i->started);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    ignore_cancels(cx, i->running);
    return 0;
}

static int answer_late(ambit_cx *cx, void *arg)
{
    WANT(until(cx, *(struct count **)arg, 1));
    return 0;
}

static int level_triggered(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, done = {0}, *pdone = &done;
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        ambit_task running;
        WANT_EQ(ambit_spawn_with(outer, answer_late, &pdone,
                                 .ret_task = &running), 0);
        ambit_scope (cx, inner, &rc) {
            struct ignorer i = {running, &started};
            WANT_EQ(ambit_spawn(inner, ignore_from_a_task, &i), 0);
            WANT(until(cx, &started, 1));
            ambit_cancel(inner, "and it stays so");
            ignore_cancels(cx, running);
        }
        count_up(&done);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a cancel that was swallowed is answered again, by every call.
 * Method: the body and a child ignore it 50 times over. */
Spec(CAN_2, a_cancel_stays_until_the_region_closes)
{
    spec_on_1_and_2_workers(level_triggered);
    spec_end("CAN_2");
}

/* --- CAN-4, CAN-9 --------------------------------------------------------- */

static void check_reason(ambit_region *region, int level, int by)
{
    static const char *const names[] = {"a", "b", "c"};
    struct ambit_cancel_reason why = ambit_cancel_reason(region);
    if (level < by) {
        WANT_EQ(why.kind, AMBIT_CANCEL_NONE);
        return;
    }
    WANT_EQ(why.kind, AMBIT_CANCEL_USER);
    WANT_EQ(why.own, level == by);
    WANT(why.text != NULL && strcmp(why.text, names[by]) == 0);
    WANT(why.region != NULL && strcmp(why.region, names[by]) == 0);
}

static int wait_in_region(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    return -ECANCELED;
}

static void nest_three(ambit_cx *cx, int by)
{
    int rc[3] = {0}, none = 0;
    ambit_scope (cx, a, &rc[0], .name = "a") {
        ambit_scope (cx, b, &rc[1], .name = "b") {
            ambit_scope (cx, c, &rc[2], .name = "c") {
                ambit_region *const all[] = {a, b, c};
                static const char *const names[] = {"a", "b", "c"};
                for (int i = 0; i < 3; i++) {
                    WANT_EQ(ambit_spawn(all[i], wait_in_region, &none), 0);
                }
                let_others_run(cx);
                ambit_cancel(all[by], names[by]);
                WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
                for (int i = 0; i < 3; i++) {
                    check_reason(all[i], i, by);
                }
            }
            WANT_EQ(ambit_checkpoint(cx), by < 2 ? -ECANCELED : 0);
            ambit_cancel(b, "b");
        }
        WANT_EQ(ambit_checkpoint(cx), by < 1 ? -ECANCELED : 0);
        ambit_cancel(a, "a");
    }
    WANT_EQ(ambit_checkpoint(cx), 0);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(rc[i], i <= by ? 0 : -ECANCELED);
    }
}

static int absorb_ones_own(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 30; round++) {
        nest_three(cx, round % 3);
    }
    return 0;
}

/* Goal: who was asked to end gives 0 and the code around it goes on; who was
 * cut off from outside says so.
 * Method: three nested scopes, each in turn is cancelled. */
Spec(CAN_4, a_region_absorbs_its_own_cancel_only)
{
    spec_on_1_and_2_workers(absorb_ones_own);
    spec_end("CAN_4");
}

/* Goal: a reason leads to its origin.
 * Method: the same nest; each region is asked for name, text and own. */
Spec(CAN_9, a_reason_names_its_origin)
{
    spec_on_1_and_2_workers(absorb_ones_own);
    spec_end("CAN_9");
}

/* --- CAN-5 ---------------------------------------------------------------- */

struct failure {
    struct count *started, *may_end;
};

static int fail_when_cancelled(ambit_cx *cx, void *arg)
{
    struct failure *f = arg;
    count_up(f->started);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    WANT(spin_until(f->may_end, 1)); /* its failure is the stronger reason */
    return -EIO;
}

static void check_failure_is_kept(void *arg)
{
    WANT_EQ(ambit_cancel_reason(arg).kind, AMBIT_CANCEL_FAIL_FAST);
}

static int strengthen(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, may_end = {0};
    int rc = 0;
    ambit_scope (cx, deadline, &rc, .deadline = ambit_after(ambit_ms(2))) {
        WANT_EQ(ambit_sleep(cx, ambit_s(50)), -ECANCELED);
        ambit_cancel(deadline, "weaker");
        WANT_EQ(ambit_cancel_reason(deadline).kind, AMBIT_CANCEL_DEADLINE);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    rc = 0;
    ambit_scope (cx, failing, &rc) {
        struct failure f = {&started, &may_end};
        WANT_EQ(ambit_defer(failing, check_failure_is_kept, failing), 0);
        WANT_EQ(ambit_spawn(failing, fail_when_cancelled, &f), 0);
        WANT(until(cx, &started, 1));
        ambit_cancel(failing, "weaker");
        ambit_cancel(failing, "equal");
        WANT_EQ(ambit_cancel_reason(failing).kind, AMBIT_CANCEL_USER);
        WANT_EQ(strcmp(ambit_cancel_reason(failing).text, "weaker"), 0);
        count_up(&may_end);
    }
    WANT_EQ(rc, -EIO);
    return 0;
}

/* Goal: the most serious cause is the one that is kept.
 * Method: a user's cancel before and after a deadline; a failure after it. */
Spec(CAN_5, a_reason_only_strengthens)
{
    spec_on_1_and_2_workers(strengthen);
    spec_end("CAN_5");
}

/* --- CAN-6 ---------------------------------------------------------------- */

struct job {
    struct count *begun, *let_go;
};

static int job_run(void *arg)
{
    struct job *job = arg;
    count_up(job->begun);
    WANT(spin_until(job->let_go, 1));
    return 11;
}

static int report_the_effect(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_blocking(cx, job_run, arg), 11);
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    WANT_EQ(ambit_yield(cx), -ECANCELED);
    return 0;
}

static int effect_then_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count begun = {0}, let_go = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct job job = {&begun, &let_go};
        WANT_EQ(ambit_spawn(all, report_the_effect, &job), 0);
        WANT(until(cx, &begun, 1));
        ambit_cancel(all, "too late");
        let_others_run(cx);
        count_up(&let_go);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: what happened is reported as having happened.
 * Method: a call that can no longer be stopped is cancelled; its result comes
 * back, and the next call shows the cancel.  (IO-EFFECT has the races.) */
Spec(CAN_6, an_effect_is_reported_before_the_cancel)
{
    spec_on_1_and_2_workers(effect_then_cancel);
    spec_end("CAN_6");
}

/* --- CAN-8 ---------------------------------------------------------------- */

static struct count handled;

static void count_signal(int signal_number)
{
    (void)signal_number;
    count_up(&handled);
}

static int wait_for_signal(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, open_door, &rc, .until_signal = SIGUSR1) {
        count_up(*(struct count **)arg);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_reason(open_door).kind, AMBIT_CANCEL_SIGNAL);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_checkpoint(cx), 0);
    return 0;
}

static int signal_the_scopes(ambit_cx *cx, void *arg)
{
    (void)arg;
    count_set(&handled, 0);
    signal(SIGUSR1, count_signal);
    for (int round = 1; round <= 20; round++) {
        struct count open = {0}, *popen = &open;
        int rc = 0;
        ambit_scope (cx, doors, &rc) {
            for (int i = 0; i < 3; i++) {
                WANT_EQ(ambit_spawn(doors, wait_for_signal, &popen), 0);
            }
            WANT(until(cx, &open, 3));
            kill(getpid(), SIGUSR1);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&handled), round - 1);
        kill(getpid(), SIGUSR1);
        WANT(until(cx, &handled, round));
    }
    signal(SIGUSR1, SIG_DFL);
    return 0;
}

/* Goal: a signal shuts the scopes that wait for it, and is itself afterwards.
 * Method: three scopes, one signal; then the same signal for our handler. */
Spec(CAN_8, a_signal_ends_the_scopes_that_wait_for_it)
{
    spec_on_1_and_2_workers(signal_the_scopes);
    spec_end("CAN_8");
}
