/* SPDX-License-Identifier: MIT */
/*
 * combinator_call.c -- a branch in a region of its own; timeout, bracket.
 *
 * The region contains what the branch spawns, and is where a time limit ends.
 * What its function returned stands, even when the region was cancelled on the
 * way: the effect has happened.  Only what it left running, or what failed
 * below it, can still spoil that.
 *
 *   COMB-SCOPE-1    What a branch spawns is joined, and fails, with it.
 *   COMB-TIME-1     A result beats the time limit.
 *   COMB-TIME-2     A branch that need not wait beats any time limit.
 *   COMB-BRACKET-1  release runs once, and only after an acquire.
 *
 * Owner: the task that calls.
 */
#include "regions/combinator.h"

#include <ambit/capability.h>

/* Under the lock; nobody changes it later when no child is left. */
static bool has_failed(struct region *region)
{
    spin_lock(&region->owner.lock);
    bool failed = region->failure != 0 || region->panicked;
    spin_unlock(&region->owner.lock);
    return failed;
}

/* Joins what is left; rc is what the function returned. */
static int scope_settle(ambit_cx *cx, struct ambit_scope_block *block, int rc)
{
    struct region *region = region_of(block->region);
    bool whole = seats_no_tasks(region) && !has_failed(region);
    RULE(COMB_SCOPE_1);
    int closed = ambit_scope_close(cx, block, rc < 0 ? rc : 0);
    if (rc >= 0 && whole) {
        RULE(COMB_TIME_1);
        return rc;
    }
    return closed < 0 ? closed : rc;
}

/* Not at once, even if it is over: a branch that does not wait is done before
 * the worker looks at its timers. */
static void limit_set(struct region *region, int64_t limit_ns)
{
    if (limit_ns != INT64_MAX) {
        RULE(COMB_TIME_2);
        worker_timer_arm(&region->deadline_timer, limit_ns);
    }
}

int branch_call(ambit_cx *cx, const struct ambit_branch *branch, void *room,
                int64_t limit_ns, bool *ret_made)
{
    struct ambit_scope_block block;
    const struct ambit_scope_options options = {.size_ = sizeof options,
                                                .name = branch->name};
    int rc = limit_ns == INT64_MAX
                 ? 0
                 : capability_needs(task_of(cx)->scope, AMBIT_CAP_TIME);
    if (rc == 0) {
        rc = ambit_scope_open(cx, &block, &options);
    }
    if (rc < 0) {
        return rc;
    }
    limit_set(region_of(block.region), limit_ns);
    rc = branch->fn(cx, branch->arg, branch->ret_size > 0 ? room : NULL);
    *ret_made = rc >= 0;
    return scope_settle(cx, &block, rc);
}

void branch_dispose(const struct ambit_branch *branch, void *room)
{
    if (branch->dispose != NULL) {
        RULE(COMB_RET_2);
        branch->dispose(room);
    }
}

static int rank(int result)
{
    return result >= 0                ? 0
           : result == -EOWNERDEAD    ? 3
           : result == -ECANCELED     ? 2
                                      : 1;
}

bool branch_is_worse(int result, int than)
{
    return rank(result) > rank(than);
}

/* --- timeout -------------------------------------------------------------- */

int ambit_timeout_at(ambit_cx *cx, ambit_time limit, struct ambit_branch branch)
{
    bool made = false;
    if (branch.ret_size > 0 && branch.ret == NULL) {
        return -EINVAL;
    }
    int rc = branch_call(cx, &branch, branch.ret, limit.ns, &made);
    if (rc < 0 && made) {
        branch_dispose(&branch, branch.ret);
    }
    return rc;
}

int ambit_timeout(ambit_cx *cx, ambit_duration limit,
                  struct ambit_branch branch)
{
    return ambit_timeout_at(cx, ambit_after(limit), branch);
}

/* --- bracket -------------------------------------------------------------- */

struct held {
    const struct ambit_bracket *bracket;
    void *arg;
    bool acquired;
    int release_rc;
};

static int held_release(ambit_cx *cx, void *arg)
{
    struct held *held = arg;
    if (held->acquired) {
        RULE(COMB_BRACKET_1);
        held->release_rc = held->bracket->release(cx, held->arg);
    }
    return held->release_rc;
}

int ambit_bracket(ambit_cx *cx, const struct ambit_bracket *bracket, void *arg)
{
    struct held held = {bracket, arg, false, 0};
    struct ambit_scope_block block;
    const struct ambit_scope_options options = {.size_ = sizeof options,
                                                .name = "bracket"};
    int rc = ambit_scope_open(cx, &block, &options);
    if (rc < 0) {
        return rc;
    }
    /* Before there is anything to release, so that it cannot fail then. */
    rc = ambit_defer_async(block.region, held_release, &held);
    if (rc == 0) {
        rc = bracket->acquire(cx, arg);
        held.acquired = rc >= 0;
    }
    if (held.acquired) {
        rc = bracket->use(cx, arg);
    }
    rc = scope_settle(cx, &block, rc);
    return rc >= 0 && held.release_rc < 0 ? held.release_rc : rc;
}
