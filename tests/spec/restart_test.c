/* SPDX-License-Identifier: MIT */
/*
 * restart_test.c -- what survives a crash, and what must not: SUP-REF and
 * SUP-TREE of spec/supervisor.md.
 */
#include "tests/spec/common.h"

/* --- a server that crashes over certain numbers --------------------------- */

enum { BACKLOG = 1000, BAD = 500 };

struct archive {
    struct count inits, gate, at_gate;
    struct count before, after, bad, disposed; /* the bad one: 500 */
    struct count last;                         /* the last number handled */
};

struct clerk {
    struct archive *archive;
    bool second_life;
};

static struct count *disposed;

static int clerk_handle_init(ambit_cx *cx, struct clerk *state, const void *arg)
{
    (void)cx;
    state->archive = *(struct archive *const *)arg;
    state->second_life = count_up(&state->archive->inits) > 0;
    return 0;
}

static int clerk_handle_cast(ambit_cx *cx, struct clerk *state,
                             const int64_t *number)
{
    struct archive *archive = state->archive;
    if (*number == 0) {
        count_up(&archive->at_gate);
        while (count_get(&archive->gate) == 0 &&
               ambit_sleep(cx, ambit_us(20)) == 0) {
        }
        return 0;
    }
    WANT_EQ(*number, count_get(&archive->last) + 1);
    count_set(&archive->last, *number);
    if (*number == BAD) {
        count_up(&archive->bad);
        ambit_panic(cx, "number %d is bad", BAD);
    }
    count_up(state->second_life ? &archive->after : &archive->before);
    return 0;
}

static int clerk_handle_call(ambit_cx *cx, struct clerk *state,
                             const int64_t *call, int64_t *ret_reply)
{
    (void)state;
    *ret_reply = *call * 2;
    if (*call < 0) {
        ambit_panic(cx, "a bad call");
    }
    return 0;
}

static void clerk_handle_dispose(int64_t *message)
{
    (void)message;
    count_up(disposed);
}

AMBIT_SERVER(clerk, struct clerk, int64_t, int64_t,
             .limits = {.mailbox_max = 2048}, .init = clerk_handle_init,
             .handle_call = clerk_handle_call,
             .handle_cast = clerk_handle_cast,
             .dispose = clerk_handle_dispose);

static ambit_actor_ref hire(ambit_cx *cx, ambit_region *region,
                            struct archive *archive, uint32_t intensity)
{
    ambit_actor_ref ref = {0};
    const struct ambit_child child = {.name = "clerk",
                                      .server = &clerk_type,
                                      .arg = &archive,
                                      .arg_size = sizeof archive,
                                      .ret_ref = &ref};
    disposed = &archive->disposed;
    WANT_EQ(ambit_supervise(cx, region, &child, 1, .intensity = intensity,
                            .period = ambit_s(1000)), 0);
    return ref;
}

/* --- SUP-REF-1, SUP-REF-2 ------------------------------------------------- */

static int crash_in_the_backlog(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct archive archive = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        ambit_actor_ref clerk = hire(cx, all, &archive, 3);
        WANT_EQ(clerk_cast(cx, clerk, 0), 0);
        WANT(until(cx, &archive.at_gate, 1));
        for (int64_t i = 1; i <= BACKLOG; i++) {
            WANT_EQ(clerk_cast_now(clerk, i), 0);
        }
        count_up(&archive.gate);
        WANT(until(cx, &archive.last, BACKLOG));
        int64_t reply = 0;
        WANT_EQ(clerk_call(cx, clerk, &reply, 21), 0);
        WANT_EQ(reply, 42);
        ambit_cancel(all, "enough");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&archive.inits), 2);
    WANT_EQ(count_get(&archive.before), BAD - 1);
    WANT_EQ(count_get(&archive.after), BACKLOG - BAD);
    WANT_EQ(count_get(&archive.bad), 1);
    WANT_EQ(count_get(&archive.disposed), 1);
    return 0;
}

/* Goal: a restart costs one message, not the backlog.
 * Method: 1,000 numbers are queued, the 500th crashes: 499 before, 500 after,
 * in order; the same ref answers. */
Spec(SUP_REF_1, the_ref_and_the_backlog_survive_a_crash)
{
    spec_on_1_and_2_workers(crash_in_the_backlog);
    spec_end("SUP_REF_1");
}

/* Goal: what crashed the server once does not do it again.
 * Method: the same; the bad number was seen once, and disposed of once. */
Spec(SUP_REF_2, the_message_at_the_crash_is_not_handled_again)
{
    spec_on_1_and_2_workers(crash_in_the_backlog);
    spec_end("SUP_REF_2");
}

struct customer {
    ambit_actor_ref clerk;
    struct count *answered, *crashed;
    int calls, number;
};

static int call_through_crashes(ambit_cx *cx, void *arg)
{
    struct customer *c = arg;
    for (int i = 1; i <= c->calls; i++) {
        bool bad = i % 100 == c->number;
        int64_t reply = 77, call = bad ? -1 : i;
        int rc = clerk_call(cx, c->clerk, &reply, call);
        WANT_EQ(rc, bad ? -EOWNERDEAD : 0);
        WANT_EQ(reply, bad ? 77 : 2 * i);
        count_up(rc == 0 ? c->answered : c->crashed);
    }
    return 0;
}

static int crash_under_load(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { CUSTOMERS = 16, CALLS = 1000 / SPEC_SLOWER };
    struct archive archive = {0};
    struct count answered = {0}, crashed = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct customer c = {hire(cx, all, &archive, 1000000), &answered,
                             &crashed, CALLS, 0};
        ambit_scope (cx, customers, &rc) {
            for (int i = 0; i < CUSTOMERS; i++) {
                c.number = i;
                WANT_EQ(ambit_spawn(customers, call_through_crashes, &c), 0);
            }
        }
        int64_t reply;
        WANT_EQ(clerk_call(cx, c.clerk, &reply, 1), 0); /* it is back */
        ambit_cancel(all, "enough");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&answered) + count_get(&crashed), CUSTOMERS * CALLS);
    WANT_EQ(count_get(&archive.inits), 1 + count_get(&crashed));
    return 0;
}

/* Goal: a crash is the business of the one whose call it was.
 * Method: 16 callers, each crashes the server now and then; every call has the
 * result that it must have. */
Spec(SUP_REF_1, only_the_caller_at_the_crash_notices_it)
{
    spec_on_1_and_2_workers(crash_under_load);
    spec_end("SUP_REF_1");
}

struct impatient {
    ambit_actor_ref clerk;
    struct count *good, *timed_out, *crashed;
    int calls;
};

static int call_in_a_hurry(ambit_cx *cx, void *arg)
{
    struct impatient *c = arg;
    for (int i = 1; i <= c->calls; i++) {
        int64_t reply = 77;
        int rc = 0, result = 0;
        ambit_scope (cx, hurry, &rc,
                     .deadline = ambit_after(ambit_us(1 + i % 40))) {
            result = clerk_call(cx, c->clerk, &reply, i % 50 ? i : -1);
        }
        WANT(result == 0 || result == -ECANCELED || result == -EOWNERDEAD);
        WANT_EQ(reply, result == 0 ? 2 * i : 77);
        WANT(rc == 0 || rc == -ETIMEDOUT);
        count_up(result == 0             ? c->good
                 : result == -ECANCELED ? c->timed_out
                                        : c->crashed);
    }
    return 0;
}

static int reply_deadline_and_crash(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { CALLERS = 8, CALLS = 2000 / SPEC_SLOWER };
    struct archive archive = {0};
    struct count good = {0}, timed_out = {0}, crashed = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct impatient c = {hire(cx, all, &archive, 1000000), &good,
                              &timed_out, &crashed, CALLS};
        ambit_scope (cx, callers, &rc) {
            for (int i = 0; i < CALLERS; i++) {
                WANT_EQ(ambit_spawn(callers, call_in_a_hurry, &c), 0);
            }
        }
        int64_t reply = 77;
        WANT_EQ(clerk_call(cx, c.clerk, &reply, -1), -EOWNERDEAD);
        WANT_EQ(reply, 77);
        WANT_EQ(clerk_call(cx, c.clerk, &reply, 4), 0);
        WANT_EQ(reply, 8);
        ambit_cancel(all, "enough");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&good) + count_get(&timed_out) + count_get(&crashed),
            CALLERS * CALLS);
    return 0;
}

/* Goal: of reply, deadline and crash exactly one ends a call.
 * Method: calls with deadlines of some microseconds at a server that crashes
 * over every fiftieth, and one without; the reply is written if and only if the
 * result is 0. */
Spec(SRV_CALL_2, reply_deadline_and_crash_exclude_each_other)
{
    spec_on_1_and_2_workers(reply_deadline_and_crash);
    spec_end("SRV_CALL_2");
}

/* --- SUP-TREE-1 ----------------------------------------------------------- */

struct family {
    struct count *live;
    struct count *born;
    int depth;
    int crash_after; /* turns; 0: never */
};

static int live_on(ambit_cx *cx, void *arg)
{
    struct family *f = arg;
    count_up(f->live);
    count_up(f->born);
    int rc = 0;
    for (int i = 0; rc == 0 && (f->crash_after == 0 || i < f->crash_after);
         i++) {
        rc = ambit_sleep(cx, ambit_us(50));
    }
    count_add(f->live, -1);
    if (rc == 0) {
        ambit_panic(cx, "its time has come");
    }
    return rc;
}

/* A task child that is a supervisor of its own. */
static int raise_family(ambit_cx *cx, void *arg)
{
    struct family below = *(struct family *)arg;
    int rc = 0;
    count_up(below.live);
    below.depth--;
    ambit_scope (cx, home, &rc) {
        ambit_task_fn *fn = below.depth > 0 ? raise_family : live_on;
        const struct ambit_child children[] = {
            {.name = "first", .task = fn, .arg = &below,
             .arg_size = sizeof below},
            {.name = "second", .task = live_on, .arg = &below,
             .arg_size = sizeof below},
        };
        if (ambit_supervise(cx, home, children, 2, .intensity = 2,
                            .period = ambit_s(100)) == 0) {
            (void)ambit_sleep_until(cx, ambit_never());
        }
    }
    count_add(below.live, -1);
    return rc;
}

static int no_orphans(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100 / SPEC_SLOWER + 8; round++) {
        struct count live = {0}, born = {0};
        struct family f = {&live, &born, 3, round % 4 == 3 ? 5 : 0};
        const struct ambit_child child = {.name = "eldest",
                                          .task = raise_family,
                                          .arg = &f,
                                          .arg_size = sizeof f};
        int rc = 0;
        ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
            int started = ambit_supervise(cx, all, &child, 1, .intensity = 1,
                                          .period = ambit_s(100));
            WANT_EQ(started, 0);
            if (round % 4 == 3) {
                /* the deepest crash; one supervisor after the other gives up */
                while (ambit_region_tasks(all) > 0 &&
                       ambit_sleep(cx, ambit_us(100)) == 0) {
                }
            } else if (round % 4 == 2) {
                WANT_EQ(ambit_sleep(cx, ambit_us(round * 20)), 0);
            }
            ambit_cancel(all, "at any moment");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&live), 0);
    }
    return 0;
}

/* Goal: no child outlives its supervisor, however that ends.
 * Method: supervisors three deep, cancelled at any moment or giving up one
 * after the other; a count of the living. */
Spec(SUP_TREE_1, no_child_outlives_its_supervisor)
{
    spec_on_1_and_2_workers(no_orphans);
    spec_end("SUP_TREE_1");
}
