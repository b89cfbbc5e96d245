/* SPDX-License-Identifier: MIT */
/*
 * finalizer_test.c -- what a region promised to undo: REG-FIN of
 * spec/region.md.
 */
#include "tests/spec/common.h"

/* A finalizer with a number, and the place where its turn is noted. */
struct notes {
    struct count len;
    int number[128];
};

struct mark {
    struct notes *notes;
    int number;
    int error; /* of the async form */
};

static void note(struct notes *notes, int number)
{
    int64_t at = count_up(&notes->len);
    if (at < (int64_t)ARRAY_LEN(notes->number)) {
        notes->number[at] = number;
    }
}

static void mark_run(void *arg)
{
    struct mark *m = arg;
    note(m->notes, m->number);
}

static int mark_run_async(ambit_cx *cx, void *arg)
{
    struct mark *m = arg;
    WANT_EQ(ambit_yield(cx), 0);
    note(m->notes, m->number);
    return m->error;
}

static int note_after_a_while(ambit_cx *cx, void *arg)
{
    struct mark *m = arg;
    for (int i = 0; i < 20; i++) {
        (void)ambit_yield(cx);
    }
    note(m->notes, m->number);
    return 0;
}

/* --- REG-FIN-1, REG-FIN-2 ------------------------------------------------- */

static int run_after_children(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct notes notes = {0};
        struct mark last = {&notes, 9, 0}, child = {&notes, 1, 0};
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            WANT_EQ(ambit_defer(all, mark_run, &last), 0);
            for (int i = 0; i < 5; i++) {
                WANT_EQ(ambit_spawn(all, note_after_a_while, &child), 0);
            }
            let_others_run(cx);
            if (cancelled) {
                break;
            }
        }
        WANT_EQ(rc, 0);
        int64_t len = count_get(&notes.len);
        WANT(cancelled ? len >= 1 : len == 6);
        for (int64_t i = 0; i < len; i++) {
            WANT_EQ(notes.number[i], i == len - 1 ? 9 : 1);
        }
    }
    return 0;
}

/* Goal: a finalizer runs once, and nobody is left who uses what it releases.
 * Method: five slow children, joined or cancelled; who wrote last? */
Spec(REG_FIN_1, a_finalizer_runs_once_after_the_last_child)
{
    spec_on_1_and_2_workers(run_after_children);
    spec_end("REG_FIN_1");
}

static int run_in_reverse(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct notes notes = {0};
    struct mark marks[100];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 100; i++) {
            marks[i] = (struct mark){&notes, i + 1, 0};
            WANT_EQ(i % 3 == 0
                        ? ambit_defer_async(all, mark_run_async, &marks[i])
                        : ambit_defer(all, mark_run, &marks[i]),
                    0);
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&notes.len), 100);
    for (int i = 0; i < 100; i++) {
        WANT_EQ(notes.number[i], 100 - i);
    }
    return 0;
}

/* Goal: last in, first out.
 * Method: 1 to 100 are registered, sync and async mixed; 100 to 1 run. */
Spec(REG_FIN_2, finalizers_run_in_reverse_order)
{
    spec_on_1_and_2_workers(run_in_reverse);
    spec_end("REG_FIN_2");
}

/* --- REG-FIN-3 ------------------------------------------------------------ */

static int fail_with(ambit_cx *cx, void *arg)
{
    (void)cx;
    return *(int *)arg;
}

static void run_subset(ambit_cx *cx, unsigned failing, int child_error)
{
    enum { K = 6 };
    struct notes notes = {0};
    struct mark marks[K];
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < K; i++) {
            marks[i] = (struct mark){&notes, i + 1,
                                     failing & 1u << i ? -(i + 1) : 0};
            WANT_EQ(ambit_defer_async(all, mark_run_async, &marks[i]), 0);
        }
        WANT_EQ(ambit_spawn(all, fail_with, &child_error), 0);
    }
    WANT_EQ(count_get(&notes.len), K);
    int wanted = child_error;
    for (int i = K; i > 0 && wanted == 0; i--) {
        wanted = failing & 1u << (i - 1) ? -i : 0;
    }
    WANT_EQ(rc, wanted);
}

static int run_all_subsets(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (unsigned failing = 0; failing < 64; failing++) {
        run_subset(cx, failing, 0);
        run_subset(cx, failing, -EPIPE);
    }
    return 0;
}

/* Goal: a failing finalizer robs nobody of his turn; the first failure counts.
 * Method: all subsets of six fail, after a good and after a failed child. */
Spec(REG_FIN_3, a_failing_finalizer_does_not_stop_the_others)
{
    spec_on_1_and_2_workers(run_all_subsets);
    spec_end("REG_FIN_3");
}

/* --- REG-FIN-4, REG-FIN-5 ------------------------------------------------- */

static int take_your_time(ambit_cx *cx, void *arg)
{
    ambit_time before = ambit_now();
    WANT_EQ(ambit_checkpoint(cx), 0);
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(ambit_sleep(cx, ambit_ms(20)), 0);
    WANT(ambit_now().ns - before.ns >= 20000000);
    int rc = 0, error = 0;
    ambit_scope (cx, within, &rc) {
        WANT_EQ(ambit_spawn(within, fail_with, &error), 0);
    }
    WANT_EQ(rc, 0);
    count_up(arg);
    return 0;
}

struct tidy {
    struct count *begun, *done;
};

static int finalize_under_cancel(ambit_cx *cx, void *arg)
{
    struct tidy *tidy = arg;
    int rc = 0;
    ambit_scope (cx, own, &rc) {
        WANT_EQ(ambit_defer_async(own, take_your_time, tidy->done), 0);
        count_up(tidy->begun);
        (void)ambit_sleep_until(cx, ambit_never());
    }
    return rc;
}

static int finalize_masked(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count begun = {0}, done = {0};
    struct tidy tidy = {&begun, &done};
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        WANT_EQ(ambit_spawn(outer, finalize_under_cancel, &tidy), 0);
        WANT(until(cx, &begun, 1));
        WANT_EQ(ambit_spawn(outer, finalize_under_cancel, &tidy), 0);
        ambit_scope (cx, inner, &rc) {
            WANT_EQ(ambit_defer_async(inner, take_your_time, &done), 0);
            ambit_cancel(inner, "its own");
        }
        WANT(until(cx, &done, 1));
        ambit_cancel(outer, "from outside");
    }
    WANT_EQ(rc, 0);
    /* the second task may have been cancelled before its first run */
    WANT(count_get(&done) == 2 || count_get(&done) == 3);

    ambit_scope (cx, spent, &rc, .deadline = ambit_after(ambit_ms(2)),
                 .cleanup = ambit_s(30)) {
        WANT_EQ(ambit_defer_async(spent, take_your_time, &done), 0);
        ambit_time end = ambit_after(ambit_ms(10));
        while (ambit_now().ns < end.ns) {
        }
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    WANT(count_get(&done) >= 3);
    return 0;
}

/* Goal: a clean-up is not cancelled, and its time is its own.
 * Method: 20 ms of clean-up in regions cancelled from inside, from outside,
 * while parked, and after a body that ran through its deadline. */
Spec(REG_FIN_4, an_async_finalizer_is_masked)
{
    spec_on_1_and_2_workers(finalize_masked);
    spec_end("REG_FIN_4");
}

struct overrun {
    struct notes *notes;
    ambit_time *before; /* when the clean-up had not begun yet */
};

static int never_end(ambit_cx *cx, void *arg)
{
    struct overrun *o = arg;
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    int rc = 0;
    while (rc == 0 && ambit_now().ns < end.ns) {
        rc = ambit_sleep(cx, ambit_ms(1));
    }
    WANT_EQ(rc, -ETIMEDOUT);
    WANT(ambit_now().ns - o->before->ns >= 15000000);
    WANT_EQ(ambit_yield(cx), -ETIMEDOUT);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
    note(o->notes, 2);
    return rc;
}

static int find_time_spent(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_sleep(cx, ambit_ms(1)), -ETIMEDOUT);
    note(arg, 3);
    return 0;
}

static int overrun(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct notes notes = {0};
    struct mark first = {&notes, 4, 0}, last = {&notes, 1, 0};
    ambit_time before;
    struct overrun o = {&notes, &before};
    int rc = 0;
    ambit_scope (cx, all, &rc, .cleanup = ambit_ms(15)) {
        WANT_EQ(ambit_defer(all, mark_run, &first), 0);
        WANT_EQ(ambit_defer_async(all, find_time_spent, &notes), 0);
        WANT_EQ(ambit_defer_async(all, never_end, &o), 0);
        WANT_EQ(ambit_defer(all, mark_run, &last), 0);
        before = ambit_now();
    }
    WANT_EQ(rc, -ETIMEDOUT);
    WANT_EQ(count_get(&notes.len), 4);
    for (int i = 0; i < 4; i++) {
        WANT_EQ(notes.number[i], i + 1);
    }
    WANT_EQ(ambit_yield(cx), 0);
    return 0;
}

/* Goal: a clean-up without end is ended.
 * Method: one that sleeps for ever, parked when its 15 ms are spent; the ones
 * registered before it still run. */
Spec(REG_FIN_5, a_clean_up_that_overruns_is_stopped)
{
    spec_on_1_and_2_workers(overrun);
    spec_end("REG_FIN_5");
}

/* --- REG-FIN-6 ------------------------------------------------------------ */

struct late {
    ambit_region *region;
    struct count *registered, *run;
};

static void count_it(void *arg)
{
    count_up(arg);
}

static int defer_many(ambit_cx *cx, void *arg)
{
    struct late *l = arg;
    for (int i = 0; i < 50; i++) {
        int rc = ambit_defer(l->region, count_it, l->run);
        WANT_EQ(rc, 0);
        count_add(l->registered, rc == 0);
        (void)ambit_yield(cx);
    }
    return 0;
}

static void defer_too_late(void *arg)
{
    struct late *l = arg;
    WANT_EQ(ambit_defer(l->region, count_it, l->run), -ESHUTDOWN);
}

static int defer_against_close(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count registered = {0}, run = {0};
    struct late l = {NULL, &registered, &run};
    for (int round = 0; round < 200 / SPEC_SLOWER; round++) {
        int rc = 0;
        ambit_scope (cx, closing, &rc) {
            l.region = closing;
            WANT_EQ(ambit_defer(closing, defer_too_late, &l), 0);
            WANT_EQ(ambit_spawn(closing, defer_many, &l), 0);
            WANT_EQ(ambit_spawn(closing, defer_many, &l), 0);
            WANT_EQ(ambit_sleep(cx, ambit_us(round % 50)), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&run), count_get(&registered));
    }
    return 0;
}

/* Goal: what cannot be promised any more is refused, and does not run.
 * Method: children register while the region waits for them, which holds, and
 * a finalizer does, which does not. */
Spec(REG_FIN_6, a_region_without_children_takes_no_finalizer)
{
    spec_on_1_and_2_workers(defer_against_close);
    spec_end("REG_FIN_6");
}

/* --- REG-FIN-7 ------------------------------------------------------------ */

static int hang_in_cleanup(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ETIMEDOUT);
    count_up(arg);
    return 0; /* it says nothing of its own */
}

static int yield_without_end(ambit_cx *cx, void *arg)
{
    while (ambit_yield(cx) == 0) {
    }
    WANT_EQ(ambit_yield(cx), -EDQUOT);
    count_up(arg);
    return 0;
}

static int use_half(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_yield(cx), 0);
    count_up(arg);
    return 0;
}

static int report_overruns(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count ran = {0};
    struct ambit_outcome out;
    int rc = 0, error = -EPIPE;
    ambit_scope (cx, time, &rc, .name = "time", .cleanup = ambit_ms(5),
                 .ret_outcome = &out) {
        WANT_EQ(ambit_defer(time, count_it, &ran), 0);
        WANT_EQ(ambit_defer_async(time, hang_in_cleanup, &ran), 0);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    WANT(out.cleanup_overrun);
    WANT_EQ(count_get(&ran), 2);
    rc = 0;
    ambit_scope (cx, waits, &rc, .name = "waits", .cleanup_polls = 3,
                 .ret_outcome = &out) {
        WANT_EQ(ambit_defer(waits, count_it, &ran), 0);
        WANT_EQ(ambit_defer_async(waits, yield_without_end, &ran), 0);
    }
    WANT_EQ(rc, -EDQUOT);
    WANT(out.cleanup_overrun);
    WANT_EQ(count_get(&ran), 4);
    rc = 0;
    ambit_scope (cx, within, &rc, .name = "within", .cleanup_polls = 2,
                 .ret_outcome = &out) {
        WANT_EQ(ambit_defer_async(within, use_half, &ran), 0);
        WANT_EQ(ambit_defer_async(within, use_half, &ran), 0);
    }
    WANT_EQ(rc, 0);
    WANT(!out.cleanup_overrun);
    /* the failure of a child is the stronger one */
    ambit_scope (cx, other, &rc, .name = "other", .cleanup = ambit_ms(5),
                 .ret_outcome = &out) {
        WANT_EQ(ambit_defer_async(other, hang_in_cleanup, &ran), 0);
        WANT_EQ(ambit_spawn(other, fail_with, &error), 0);
    }
    WANT_EQ(rc, -EPIPE);
    WANT(out.cleanup_overrun);
    return 0;
}

/* Goal: a clean-up that was cut off is known, and by name.
 * Method: one that runs out of time, one out of waits, one within its reserve;
 * none of them returns an error. */
Spec(REG_FIN_7, an_overrun_is_named_and_is_a_failure)
{
    spec_on_1_and_2_workers(report_overruns);
    WANT(spec_logged("region \"time\": its clean-up has overrun"));
    WANT(spec_logged("region \"waits\": its clean-up has overrun"));
    WANT(!spec_logged("region \"within\": its clean-up has overrun"));
    WANT(spec_logged("finalizer hang_in_cleanup (tests/spec/finalizer_test.c"));
    WANT(spec_logged("finalizer yield_without_end"));
    spec_end("REG_FIN_7");
}
