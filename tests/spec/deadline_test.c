/* SPDX-License-Identifier: MIT */
/*
 * deadline_test.c -- ambit_set_deadline() at the edges of a region's life, and
 * what ambit_region_budget() says of it: REG-BUDGET of spec/region.md.
 */
#include "tests/spec/common.h"

/* --- REG-BUDGET-10 -------------------------------------------------------- */

struct late {
    ambit_region *region;
    struct count asked, answered;
    int rc;
};

static void set_deadline_late(void *arg)
{
    struct late *late = arg;
    late->rc = ambit_set_deadline(late->region, ambit_after(ambit_s(3600)));
    count_up(&late->answered);
}

static int set_deadline_from_task(ambit_cx *cx, void *arg)
{
    struct late *late = *(struct late **)arg;
    (void)cx;
    count_up(&late->asked);
    set_deadline_late(late);
    return 0;
}

static int set_deadline_elsewhere(ambit_cx *cx, void *arg)
{
    struct late *late = arg;
    int rc = 0;
    ambit_scope (cx, inner, &rc) {
        spawn_elsewhere(inner, set_deadline_from_task, &late, &late->asked);
    }
    return rc;
}

static int deadline_in_a_finalizer(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct late late = {0};
    int rc = 0;
    ambit_scope (cx, ends, &rc) {
        late.region = ends;
        WANT_EQ(ambit_defer(ends, set_deadline_late, &late), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&late.answered), 1);
    WANT_EQ(late.rc, -ESHUTDOWN);
    return 0;
}

static int deadline_from_another_worker(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct late late = {0};
    int rc = 0;
    ambit_scope (cx, ends, &rc) {
        late.region = ends;
        WANT_EQ(ambit_defer_async(ends, set_deadline_elsewhere, &late), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&late.answered), 1);
    WANT_EQ(late.rc, -ESHUTDOWN);
    return 0;
}

/* Goal: a region that finalizes takes no deadline, whose timer would outlive
 * it.  Method: a finalizer asks for one; a task of its own on another worker
 * does. */
Spec(REG_BUDGET_10, a_region_that_finalizes_takes_no_deadline)
{
    spec_on_1_and_2_workers(deadline_in_a_finalizer);
    spec_on(2, deadline_from_another_worker);
    spec_end("REG_BUDGET_10");
}

/* --- REG-BUDGET-1 --------------------------------------------------------- */

static int look_at_budgets(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_time soon = ambit_after(ambit_s(1000));
    ambit_time later = ambit_after(ambit_s(2000));
    ambit_scope (cx, free, &rc) {
        WANT_EQ(ambit_region_budget(free).deadline.ns, 0);
        ambit_scope (cx, outer, &rc, .deadline = soon) {
            WANT_EQ(ambit_region_budget(outer).deadline.ns, soon.ns);
            ambit_scope (cx, inner, &rc, .deadline = later) {
                WANT_EQ(ambit_region_budget(inner).deadline.ns, soon.ns);
                WANT_EQ(ambit_set_deadline(outer, ambit_never()), 0);
                WANT_EQ(ambit_region_budget(outer).deadline.ns, 0);
                WANT_EQ(ambit_region_budget(inner).deadline.ns, later.ns);
            }
        }
        WANT_EQ(ambit_region_budget(free).deadline.ns, 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the budget tells the earliest deadline that reaches the region.
 * Method: none, one, a later one inside of it, and the outer one taken away. */
Spec(REG_BUDGET_1, the_budget_tells_the_earliest_deadline)
{
    spec_on_1_and_2_workers(look_at_budgets);
    spec_end("REG_BUDGET_1");
}

/* --- REG-BUDGET-4: a poll task under a quota ------------------------------ */

struct paid {
    ambit_region *region;
    struct count steps, cancelled;
    uint64_t used;
};

static int idle_until_cancelled(ambit_cx *cx, void *state)
{
    struct paid *paid = *(struct paid **)state;
    count_up(&paid->steps);
    if (ambit_checkpoint(cx) < 0) {
        count_up(&paid->cancelled);
        return AMBIT_READY;
    }
    return AMBIT_PENDING;
}

static void look_at_polls(void *arg)
{
    struct paid *paid = arg;
    paid->used = ambit_region_used(paid->region, AMBIT_LIMIT_POLLS);
}

static int cancel_a_paying_poll_task(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct paid paid = {0};
    struct paid *it = &paid;
    uint64_t before = 0;
    int rc = 0;
    ambit_scope (cx, quota, &rc, .polls_max = UINT64_C(1) << 60) {
        paid.region = quota;
        WANT_EQ(ambit_defer(quota, look_at_polls, &paid), 0);
        WANT_EQ(ambit_spawn_poll(quota, idle_until_cancelled, &it), 0);
        WANT(until(cx, &paid.steps, 1));
        before = ambit_region_used(quota, AMBIT_LIMIT_POLLS);
        WANT(before >= 1);
        ambit_cancel(quota, "enough");
    }
    WANT_EQ(count_get(&paid.cancelled), 1);
    WANT_EQ(paid.used, before);
    return 0;
}

/* Goal: the step that sees a cancel costs nothing.
 * Method: what was used before the cancel, and after the last child. */
Spec(REG_BUDGET_4, the_step_that_sees_a_cancel_is_free)
{
    spec_on(1, cancel_a_paying_poll_task);
    spec_end("REG_BUDGET_4");
}
