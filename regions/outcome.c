/* SPDX-License-Identifier: MIT */
/*
 * outcome.c -- what the children's ends make of the region's.
 *
 *                 error            panic               cancelled
 *   FAIL_FAST     kept, cancels    kept, cancels       echo: nothing
 *   COLLECT       kept             kept                echo: nothing
 *   ISOLATE       logged           logged              echo: nothing
 *
 * A -ECANCELED of a child is an echo while the region is cancelled, and an
 * error like any other when it is not.  A panic outranks errors; of errors the
 * first is kept; neither is hidden by the cancels it caused.
 *
 *   REG-POLICY-1  With FAIL_FAST the first failure cancels the siblings.
 *   REG-POLICY-2  With COLLECT the siblings go on.
 *   REG-POLICY-3  With ISOLATE a failure is the child's own.
 */
#include "regions/region.h"

static bool is_failure(struct region *region, const struct task_exit *exit)
{
    if (exit->end != TASK_RETURNED) {
        return exit->end == TASK_PANICKED;
    }
    bool echo = exit->result == -ECANCELED && region_is_cancelled(region);
    return exit->result < 0 && !echo;
}

static void keep(struct region *region, const struct task_exit *exit)
{
    spin_lock(&region->owner.lock);
    if (exit->end == TASK_PANICKED) {
        RULE(TASK_PANIC_3);
        region->panicked = true;
    } else if (region->failure == 0) {
        region->failure = exit->result;
    }
    spin_unlock(&region->owner.lock);
}

static void tell(struct region *region, const struct task_exit *exit)
{
    RULE(REG_POLICY_3);
    log_line(region->host->runtime, AMBIT_LOG_INFO,
             "task \"%s\" of region \"%s\" failed on its own: %s", exit->name,
             region->name != NULL ? region->name : "scope",
             exit->end == TASK_PANICKED ? "it panicked"
                                        : ambit_strerror(exit->result));
}

void outcome_child(struct region *region, const struct task_exit *exit)
{
    if (!is_failure(region, exit)) {
        return;
    }
    switch ((enum ambit_policy)region->policy) {
    case AMBIT_FAIL_FAST:
        keep(region, exit);
        RULE(REG_POLICY_1);
        region_cancel(region, AMBIT_CANCEL_FAIL_FAST, exit->name);
        return;
    case AMBIT_COLLECT:
        RULE(REG_POLICY_2);
        keep(region, exit);
        return;
    case AMBIT_ISOLATE:
        tell(region, exit);
        return;
    }
}

/* Lock held: until it is detached, a cancel from further out may come. */
static int result_now(const struct region *region)
{
    if (region->panicked) {
        return -EOWNERDEAD;
    }
    if (region->failure != 0) {
        return region->failure;
    }
    RULE(CAN_4);
    if (region->outer_cause.kind != AMBIT_CANCEL_NONE) {
        return -ECANCELED;
    }
    if (region->own.kind == AMBIT_CANCEL_DEADLINE) {
        RULE(REG_BUDGET_2);
        return -ETIMEDOUT;
    }
    if (region->own.kind == AMBIT_CANCEL_SHUTDOWN) {
        return -ECANCELED;
    }
    return region->final_failure;
}

int outcome_result(struct region *region)
{
    spin_lock(&region->owner.lock);
    int result = result_now(region);
    spin_unlock(&region->owner.lock);
    return result;
}
