/* SPDX-License-Identifier: MIT */
/*
 * budget_test.c -- policies and budgets: REG-POLICY and REG-BUDGET of
 * spec/region.md.
 */
#include "tests/spec/common.h"

struct sibling {
    ambit_region *region;
    struct count *started, *finished, *fail_fast;
    struct count *release; /* NULL: waits for ever */
};

static int sibling_run(ambit_cx *cx, void *arg)
{
    struct sibling *s = arg;
    count_up(s->started);
    int rc = 0;
    if (s->release == NULL) {
        rc = ambit_sleep_until(cx, ambit_never());
    } else {
        rc = until(cx, s->release, 1) ? 0 : -ECANCELED;
    }
    struct ambit_cancel_reason why = ambit_cancel_reason(s->region);
    if (why.kind == AMBIT_CANCEL_FAIL_FAST) {
        count_up(s->fail_fast);
    }
    if (rc == 0) {
        count_up(s->finished);
    }
    return rc;
}

static int fail_with(ambit_cx *cx, void *arg)
{
    (void)cx;
    return *(int *)arg;
}

/* --- REG-POLICY-1 --------------------------------------------------------- */

static int fail_fast(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count started = {0}, finished = {0}, noticed = {0};
    int rc = 0, error = -EIO;
    ambit_scope (cx, all, &rc) {
        struct sibling s = {all, &started, &finished, &noticed, NULL};
        for (int i = 0; i < 8; i++) {
            WANT_EQ(ambit_spawn(all, sibling_run, &s), 0);
        }
        WANT(until(cx, &started, 8));
        WANT_EQ(ambit_spawn(all, fail_with, &error), 0);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
        WANT_EQ(ambit_cancel_reason(all).kind, AMBIT_CANCEL_FAIL_FAST);
    }
    WANT_EQ(rc, -EIO);
    WANT_EQ(count_get(&noticed), 8);
    WANT_EQ(count_get(&finished), 0);

    rc = 0;
    int good = 7;
    ambit_scope (cx, fine, &rc) {
        WANT_EQ(ambit_spawn(fine, fail_with, &good), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the first failure ends the others and is the result.
 * Method: eight siblings and the body wait for ever; one more child fails. */
Spec(REG_POLICY_1, fail_fast_cancels_the_siblings)
{
    spec_on_1_and_2_workers(fail_fast);
    spec_end("REG_POLICY_1");
}

/* --- REG-POLICY-2, REG-POLICY-3 ------------------------------------------- */

static int tolerate(ambit_cx *cx, enum ambit_policy policy)
{
    struct count started = {0}, finished = {0}, noticed = {0}, release = {0};
    int rc = 0, first = -EIO, second = -EPIPE;
    ambit_scope (cx, all, &rc, .policy = policy) {
        struct sibling s = {all, &started, &finished, &noticed, &release};
        for (int i = 0; i < 8; i++) {
            WANT_EQ(ambit_spawn(all, sibling_run, &s), 0);
        }
        ambit_task failing;
        int result = 0;
        WANT_EQ(ambit_spawn_with(all, fail_with, &first,
                                 .ret_task = &failing), 0);
        WANT_EQ(ambit_join(cx, failing, &result), 0);
        /* the joiner is told before the region: the first is to be the first */
        while (ambit_region_tasks(all) > 8) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(ambit_spawn(all, fail_with, &second), 0);
        WANT_EQ(ambit_checkpoint(cx), 0);
        count_up(&release);
    }
    WANT_EQ(count_get(&finished), 8);
    WANT_EQ(count_get(&noticed), 0);
    return rc;
}

static int collect(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(tolerate(cx, AMBIT_COLLECT), -EIO);
    return 0;
}

static int isolate(ambit_cx *cx, void *arg)
{
    (void)arg;
    WANT_EQ(tolerate(cx, AMBIT_ISOLATE), 0);
    return 0;
}

/* Goal: the others go on, and the first failure is seen at the end.
 * Method: eight siblings that finish only after two others have failed. */
Spec(REG_POLICY_2, collect_lets_the_siblings_finish)
{
    spec_on_1_and_2_workers(collect);
    spec_end("REG_POLICY_2");
}

/* Goal: a failure is the failing child's own.
 * Method: as above; the result is 0. */
Spec(REG_POLICY_3, isolate_keeps_a_failure_to_itself)
{
    spec_on_1_and_2_workers(isolate);
    spec_end("REG_POLICY_3");
}

/* --- REG-BUDGET-1 --------------------------------------------------------- */

static int inner_deadline_is_later(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int moved = 0; moved < 2; moved++) {
        ambit_time before = ambit_now();
        int outer_rc = 0, inner_rc = 0;
        ambit_scope (cx, outer, &outer_rc,
                     .deadline = ambit_after(ambit_ms(10))) {
            ambit_scope (cx, inner, &inner_rc,
                         .deadline = ambit_after(ambit_s(100))) {
                if (moved) {
                    WANT_EQ(ambit_set_deadline(inner, ambit_never()), 0);
                }
                WANT_EQ(ambit_sleep(cx, ambit_s(50)), -ECANCELED);
            }
            WANT_EQ(ambit_set_deadline(outer, ambit_never()), -ESHUTDOWN);
        }
        WANT(ambit_now().ns - before.ns < 40000000000);
        WANT_EQ(inner_rc, -ECANCELED);
        WANT_EQ(outer_rc, -ETIMEDOUT);
    }
    return 0;
}

static int inner_ceiling_is_higher(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (uint32_t ceiling = 0; ceiling < 200; ceiling += 100) {
        struct count started = {0}, cancelled = {0};
        int rc = 0;
        ambit_scope (cx, outer, &rc, .tasks_max = 2) {
            ambit_scope (cx, inner, &rc, .tasks_max = ceiling) {
                struct waiter w = {&started, &cancelled};
                WANT_EQ(ambit_spawn(inner, wait_for_ever, &w), 0);
                WANT_EQ(ambit_spawn(inner, wait_for_ever, &w), 0);
                WANT_EQ(ambit_spawn(inner, wait_for_ever, &w), -EDQUOT);
                break;
            }
            WANT_EQ(ambit_region_tasks(outer), 0);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

static struct ambit_budget of_value(uint64_t n, int64_t deadline_s)
{
    return (struct ambit_budget){
        .deadline = {deadline_s * 1000000000},
        .polls_max = n,
        .cost_max = n + 1,
        .heap_max = n + 2,
        .tasks_max = (uint32_t)n + 3,
        .children_max = (uint32_t)n + 4,
        .ops_max = (uint32_t)n + 5,
        .fds_max = (uint32_t)n + 6,
    };
}

static bool same(struct ambit_budget a, struct ambit_budget b);

/* A looser child has its parent's value in each field, a tighter one its own,
 * one that says nothing its parent's. */
static int inner_budget_is_met(ambit_cx *cx, void *arg)
{
    (void)arg;
    int64_t now_s = ambit_now().ns / 1000000000;
    const struct ambit_budget mid = of_value(500, now_s + 500);
    const struct ambit_budget high = of_value(900, now_s + 900);
    const struct ambit_budget low = of_value(100, now_s + 100);
    int rc = 0;
    ambit_scope (cx, outer, &rc, .budget = &mid) {
        WANT(same(ambit_region_budget(outer), mid));
        ambit_scope (cx, looser, &rc, .budget = &high) {
            WANT(same(ambit_region_budget(looser), mid));
            ambit_scope (cx, silent, &rc) {
                WANT(same(ambit_region_budget(silent), mid));
            }
        }
        ambit_scope (cx, tighter, &rc, .budget = &low, .fds_max = 2) {
            struct ambit_budget wanted = low;
            wanted.fds_max = 2;
            WANT(same(ambit_region_budget(tighter), wanted));
            ambit_scope (cx, mixed, &rc, .budget = &high, .polls_max = 3) {
                wanted.polls_max = 3;
                WANT(same(ambit_region_budget(mixed), wanted));
            }
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

struct mover {
    ambit_region *region;
    struct count *done;
};

static int open_many_scopes(ambit_cx *cx, void *arg)
{
    struct mover *m = arg;
    for (int i = 0; i < 1000 / SPEC_SLOWER; i++) {
        int rc = 0;
        ambit_scope (cx, own, &rc, .deadline = ambit_after(ambit_s(500))) {
            WANT_EQ(ambit_cancel_reason(own).kind, AMBIT_CANCEL_NONE);
            WANT_EQ(ambit_set_deadline(m->region, ambit_after(ambit_s(
                                           100 + i % 2 * 1000))), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(i % 8 ? 0 : ambit_yield(cx), 0);
    }
    count_up(m->done);
    return 0;
}

/* The parent's deadline moves while tasks on both workers derive theirs. */
static int move_while_others_open(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count done = {0};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct mover m = {all, &done};
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_spawn(all, open_many_scopes, &m), 0);
        }
        for (int i = 0; count_get(&done) < 4; i++) {
            WANT_EQ(ambit_set_deadline(all, ambit_after(ambit_s(
                                                200 + i % 2 * 600))), 0);
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: an inner scope cannot lift a limit.
 * Method: later deadlines and higher ceilings inside tight ones. */
Spec(REG_BUDGET_1, a_childs_budget_is_never_looser)
{
    spec_on_1_and_2_workers(inner_deadline_is_later);
    spec_on_1_and_2_workers(inner_ceiling_is_higher);
    spec_on_1_and_2_workers(inner_budget_is_met);
    spec_on_1_and_2_workers(move_while_others_open);
    spec_end("REG_BUDGET_1");
}

/* --- REG-BUDGET-2 --------------------------------------------------------- */

static int sleep_long(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = ambit_sleep(cx, ambit_s(100));
    WANT_EQ(rc, -ECANCELED);
    return rc;
}

/* Three nested scopes, of which one has the early deadline.  False: it passed
 * before all of them were there, so there is nothing to be seen. */
static bool time_one_out(ambit_cx *cx, int early, ambit_duration after)
{
    int rc[3] = {0};
    bool in_time = false;
    ambit_time soon = ambit_after(after);
    ambit_time late = ambit_after(ambit_s(100));
    ambit_scope (cx, a, &rc[0], .deadline = early == 0 ? soon : late) {
        ambit_scope (cx, b, &rc[1], .deadline = early == 1 ? soon : late) {
            ambit_scope (cx, c, &rc[2], .deadline = early == 2 ? soon : late) {
                in_time = ambit_spawn(c, sleep_long, &early) == 0 &&
                          ambit_spawn(c, sleep_long, &early) == 0;
            }
            WANT(!in_time || ambit_cancel_reason(b).kind ==
                                 (early < 2 ? AMBIT_CANCEL_DEADLINE
                                            : AMBIT_CANCEL_NONE));
        }
        WANT_EQ(ambit_cancel_reason(a).own, early == 0);
    }
    for (int i = 0; i < 3 && in_time; i++) {
        WANT_EQ(rc[i], i < early ? 0 : i == early ? -ETIMEDOUT : -ECANCELED);
    }
    WANT_EQ(ambit_checkpoint(cx), 0);
    return in_time;
}

static int whose_deadline(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int early = 0; early < 3; early++) {
        int64_t ms = 5;
        while (!time_one_out(cx, early, ambit_ms(ms)) && ms < 10000) {
            ms *= 2; /* the machine is slow */
        }
        WANT(ms < 10000);
    }
    return 0;
}

/* Goal: only the scope that set the deadline hears of it.
 * Method: three nested scopes, each in turn has the early one. */
Spec(REG_BUDGET_2, only_the_owner_of_a_deadline_times_out)
{
    spec_on_1_and_2_workers(whose_deadline);
    spec_end("REG_BUDGET_2");
}

/* --- REG-BUDGET-3 --------------------------------------------------------- */

/* Before it has passed.  False: it had, the machine is slow. */
static bool move_it_later(ambit_cx *cx, int64_t ms)
{
    int rc = 0, moved = 0;
    ambit_scope (cx, later, &rc, .deadline = ambit_after(ambit_ms(ms))) {
        moved = ambit_set_deadline(later, ambit_after(ambit_s(100)));
        if (moved == 0) {
            WANT_EQ(ambit_sleep(cx, ambit_ms(ms + 50)), 0);
            ambit_cancel(later, "done");
            WANT_EQ(ambit_set_deadline(later, ambit_never()), -ESHUTDOWN);
        }
    }
    WANT(moved == 0 || moved == -ESHUTDOWN);
    WANT_EQ(rc, moved == 0 ? 0 : -ETIMEDOUT);
    return moved == 0;
}

/* The parent's, which hid one of the child's own.  False: as above. */
static bool move_it_away(ambit_cx *cx, int64_t ms)
{
    int rc = 0, outer_rc = 0, moved = -ESHUTDOWN;
    ambit_time soon = ambit_after(ambit_ms(ms));
    ambit_time later = {soon.ns + ambit_ms(50).ns};
    ambit_scope (cx, outer, &outer_rc, .deadline = soon) {
        ambit_scope (cx, hidden, &rc, .deadline = later) {
            moved = ambit_set_deadline(outer, ambit_never());
            WANT_EQ(ambit_sleep(cx, ambit_s(100)), -ECANCELED);
            WANT(moved != 0 || ambit_cancel_reason(hidden).own);
        }
    }
    WANT(moved == 0 || moved == -ESHUTDOWN);
    WANT_EQ(rc, moved == 0 ? -ETIMEDOUT : -ECANCELED);
    WANT_EQ(outer_rc, moved == 0 ? 0 : -ETIMEDOUT);
    return moved == 0;
}

static int move_deadlines(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, earlier, &rc, .deadline = ambit_after(ambit_s(100))) {
        WANT_EQ(ambit_set_deadline(earlier, ambit_after(ambit_ms(3))), 0);
        WANT_EQ(ambit_sleep(cx, ambit_s(50)), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    rc = 0;
    ambit_scope (cx, fresh, &rc) {
        WANT_EQ(ambit_set_deadline(fresh, ambit_after(ambit_ms(3))), 0);
        WANT_EQ(ambit_sleep(cx, ambit_s(50)), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    rc = 0;
    ambit_scope (cx, past, &rc) {
        WANT_EQ(ambit_set_deadline(past, ambit_now()), 0);
        WANT_EQ(ambit_sleep(cx, ambit_s(50)), -ECANCELED);
    }
    WANT_EQ(rc, -ETIMEDOUT);
    int64_t ms = 100;
    while (!(move_it_later(cx, ms) && move_it_away(cx, ms)) && ms < 10000) {
        ms *= 2;
    }
    WANT(ms < 10000);
    return 0;
}

/* Goal: a deadline follows what it was last set to.
 * Method: moved earlier, later, set where there was none, and into the past;
 * one behind the parent's counts once that has been moved away. */
Spec(REG_BUDGET_3, a_deadline_can_be_moved)
{
    spec_on_1_and_2_workers(move_deadlines);
    spec_end("REG_BUDGET_3");
}

/* --- REG-BUDGET-9 --------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 20;
}

/* Small numbers are often equal, 0 is often among them, and so is the top. */
static uint64_t some_limit(uint64_t *state, uint64_t top)
{
    uint64_t n = next_random(state);
    switch (n % 4) {
    case 0:
        return 0;
    case 1:
        return n / 4 % 5;
    case 2:
        return top - n / 4 % 3;
    default:
        return n / 4 * 2654435769u % top;
    }
}

static struct ambit_budget some_budget(uint64_t *state)
{
    return (struct ambit_budget){
        .deadline = {(int64_t)some_limit(state, INT64_MAX)},
        .polls_max = some_limit(state, UINT64_MAX),
        .cost_max = some_limit(state, UINT64_MAX),
        .heap_max = some_limit(state, UINT64_MAX),
        .tasks_max = (uint32_t)some_limit(state, UINT32_MAX),
        .children_max = (uint32_t)some_limit(state, UINT32_MAX),
        .ops_max = (uint32_t)some_limit(state, UINT32_MAX),
        .fds_max = (uint32_t)some_limit(state, UINT32_MAX),
    };
}

static bool same(struct ambit_budget a, struct ambit_budget b)
{
    return a.deadline.ns == b.deadline.ns && a.polls_max == b.polls_max &&
           a.cost_max == b.cost_max && a.heap_max == b.heap_max &&
           a.tasks_max == b.tasks_max && a.children_max == b.children_max &&
           a.ops_max == b.ops_max && a.fds_max == b.fds_max;
}

/* Tighter than or equal to: 0 is the loosest. */
static bool within(uint64_t a, uint64_t b)
{
    return b == 0 || (a != 0 && a <= b);
}

static bool is_within(struct ambit_budget a, struct ambit_budget b)
{
    return within((uint64_t)a.deadline.ns, (uint64_t)b.deadline.ns) &&
           within(a.polls_max, b.polls_max) && within(a.cost_max, b.cost_max) &&
           within(a.heap_max, b.heap_max) && within(a.tasks_max, b.tasks_max) &&
           within(a.children_max, b.children_max) &&
           within(a.ops_max, b.ops_max) && within(a.fds_max, b.fds_max);
}

/* Goal: meet is the greatest lower bound.
 * Method: 10^5 random triples, with many zeros and ties. */
Spec(REG_BUDGET_9, meet_is_a_semilattice_with_an_identity)
{
    uint64_t state = 20260131;
    for (int i = 0; i < 100000; i++) {
        struct ambit_budget a = some_budget(&state), b = some_budget(&state),
                            c = some_budget(&state), none = {.polls_max = 0};
        struct ambit_budget ab = ambit_budget_meet(a, b);
        WANT(same(ab, ambit_budget_meet(b, a)));
        WANT(same(ambit_budget_meet(ab, c),
                  ambit_budget_meet(a, ambit_budget_meet(b, c))));
        WANT(same(ambit_budget_meet(a, a), a));
        WANT(same(ambit_budget_meet(a, none), a));
        WANT(same(ambit_budget_meet(none, a), a));
        WANT(is_within(ab, a) && is_within(ab, b));
        WANT(!is_within(c, a) || !is_within(c, b) || is_within(c, ab));
    }
    spec_end("REG_BUDGET_9");
}
