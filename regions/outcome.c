/* SPDX-License-Identifier: MIT */
/*
 * outcome.c -- what the children's ends make of the region's.
 *
 * Each end gets a verdict, by the policy or by the user's function; the verdict
 * says what becomes of the siblings and of a failure.  The table of policies
 * and ends is in spec/region.md.
 *
 * A -ECANCELED of a child is an echo while the region is cancelled, and an
 * error like any other when it is not.  A panic outranks errors; of errors the
 * first is kept; neither is hidden by the cancels it caused.
 *
 *   REG-POLICY-1   With FAIL_FAST the first failure cancels the siblings.
 *   REG-POLICY-2   With COLLECT the siblings go on.
 *   REG-POLICY-3   With ISOLATE a failure is the child's own.
 *   REG-POLICY-4   With .decide the user's function says.
 *   REG-OUTCOME-1  Each end is counted, once, as what it was.
 *   REG-OUTCOME-2  The root cause is the first failure.
 *
 * Any thread: where the child ended.  The user's function runs under no lock.
 */
#include "regions/region.h"

#include <stdlib.h>

void outcome_open(struct region *region,
                  const struct ambit_scope_options *options)
{
    region->policy = (uint8_t)options->policy;
    region->decide = options->decide;
    region->decide_user = options->decide_user;
    region->outcome = options->ret_outcome;
    if (region->outcome != NULL) {
        memset(region->outcome, 0, sizeof *region->outcome);
    }
    if (region->outcome != NULL || region->decide != NULL) {
        /* ORDER(cancel): relaxed.  The region is not open yet. */
        atomic_fetch_or_explicit(&region->owner.flags, OWNER_WATCHED,
                                 memory_order_relaxed);
    }
}

static struct ambit_child_end end_of(struct region *region,
                                     const struct task_exit *exit)
{
    struct ambit_child_end end = {.code = exit->result, .task = exit->name};
    switch (exit->end) {
    case TASK_PANICKED:
        end.end = AMBIT_ENDED_PANICKED;
        end.code = -EOWNERDEAD;
        break;
    case TASK_NEVER_RAN:
        end.end = AMBIT_ENDED_CANCELLED;
        end.never_ran = true;
        break;
    case TASK_RETURNED:
        if (exit->result == -ECANCELED && region_is_cancelled(region)) {
            end.end = AMBIT_ENDED_CANCELLED;
        } else {
            end.end = exit->result < 0 ? AMBIT_ENDED_ERR : AMBIT_ENDED_OK;
        }
        break;
    }
    return end;
}

static bool is_failure(const struct ambit_child_end *end)
{
    return end->end == AMBIT_ENDED_ERR || end->end == AMBIT_ENDED_PANICKED;
}

/* Lock held. */
static void count(struct ambit_outcome *outcome,
                  const struct ambit_child_end *end)
{
    uint64_t *const counters[] = {
        [AMBIT_ENDED_OK] = &outcome->ok,
        [AMBIT_ENDED_ERR] = &outcome->failed,
        [AMBIT_ENDED_CANCELLED] = &outcome->cancelled,
        [AMBIT_ENDED_PANICKED] = &outcome->panicked,
    };
    RULE(REG_OUTCOME_1);
    ++*counters[end->end];
    outcome->never_ran += end->never_ran;
    RULE(REG_OUTCOME_3);
    outcome->worst = ambit_worse(outcome->worst, *end);
    if (is_failure(end) && outcome->root.task == NULL) {
        RULE(REG_OUTCOME_2);
        outcome->root = *end;
    }
}

/* The first failure brings its reasons along; others' are dropped.  True when
 * this was the first. */
static bool keep(struct region *region, const struct ambit_child_end *end,
                 struct cause **cause)
{
    spin_lock(&region->owner.lock);
    if (end->end == AMBIT_ENDED_PANICKED) {
        RULE(TASK_PANIC_3);
        region->panicked = true;
    } else if (region->failure == 0) {
        region->failure = end->code;
    }
    bool first = region->root.task == NULL;
    if (first) {
        region->root = (struct region_root){end->task, end->code, *cause};
        *cause = NULL;
    }
    spin_unlock(&region->owner.lock);
    return first;
}

static void tell(struct region *region, const struct ambit_child_end *end)
{
    RULE(REG_POLICY_3);
    log_line(task_runtime(region->host), AMBIT_LOG_INFO,
             "task \"%s\" of region \"%s\" failed on its own: %s", end->task,
             region->name != NULL ? region->name : "scope",
             end->end == AMBIT_ENDED_PANICKED ? "it panicked"
                                              : ambit_strerror(end->code));
}

static enum ambit_verdict verdict_of(struct region *region,
                                     const struct ambit_child_end *end)
{
    if (region->decide != NULL) {
        RULE(REG_POLICY_4);
        CHECK_NO_LOCK();
        return region->decide(region->decide_user, end);
    }
    if (!is_failure(end)) {
        return AMBIT_IGNORE;
    }
    switch ((enum ambit_policy)region->policy) {
    case AMBIT_FAIL_FAST:
        RULE(REG_POLICY_1);
        return AMBIT_CANCEL_SIBLINGS;
    case AMBIT_COLLECT:
        RULE(REG_POLICY_2);
        return AMBIT_KEEP;
    case AMBIT_ISOLATE:
        tell(region, end);
        return AMBIT_IGNORE;
    }
    return AMBIT_CANCEL_SIBLINGS;
}

/* Counted and judged; a failure is kept. */
static void take_note(struct region *region, struct task_exit *exit)
{
    struct ambit_child_end end = end_of(region, exit);
    struct cause *cause = chain_of_exit(region, exit);
    if (region->outcome != NULL) {
        spin_lock(&region->owner.lock);
        count(region->outcome, &end);
        spin_unlock(&region->owner.lock);
    }
    enum ambit_verdict verdict = verdict_of(region, &end);
    exit->failed = is_failure(&end);
    exit->cancels = verdict != AMBIT_IGNORE && verdict != AMBIT_KEEP;
    exit->first =
        verdict != AMBIT_IGNORE && exit->failed && keep(region, &end, &cause);
    free(cause);
}

/* The first failure is the root, whose reasons are this cancel's. */
static void cancel_siblings(struct region *region, const struct task_exit *exit)
{
    struct region_cause cause = {
        .kind = exit->failed ? AMBIT_CANCEL_FAIL_FAST : AMBIT_CANCEL_USER,
        .code = exit->end == TASK_PANICKED ? -EOWNERDEAD : exit->result,
        .text = exit->name,
        .region = region->name,
        .task = exit->name,
    };
    spin_lock(&region->owner.lock);
    if (exit->first && region->root.cause != NULL) {
        cause.because = &region->root.cause->chain;
    }
    spin_unlock(&region->owner.lock);
    region_cancel_for(region, &cause);
}

void outcome_judge(struct region *region, struct task_exit *exit)
{
    if (exit->part != EXIT_AFTER) {
        take_note(region, exit);
    }
    /* Who joins it hears of its end before that of its region. */
    if (exit->part != EXIT_BEFORE && exit->cancels) {
        cancel_siblings(region, exit);
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
    if (region->own.kind == AMBIT_CANCEL_BUDGET) {
        RULE(REG_BUDGET_4);
        return -EDQUOT;
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
    if (region->outcome != NULL) {
        region->outcome->result = result;
        region->outcome->cleanup_overrun = region->overruns > 0;
    }
    return result;
}
