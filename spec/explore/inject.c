/* SPDX-License-Identifier: MIT */
/*
 * inject.c -- a cancel at a chosen suspension of a chosen run.
 *
 * Asked by the task itself, after it has registered with whatever will wake it
 * and before it has given up its worker: as if another thread had asked in
 * between.
 */
#include "actors/actor.h"
#include "spec/lab/lab.h"

void seam_suspends(struct task *task); /* src/seam.h */

static void cancel_around(struct task *task, bool inner)
{
    struct actor *actor = actor_of_task(task);
    bool bare = region_is_owed(task);
    if (bare && inner) {
        actor_cancel_life(actor, "injected");
        return;
    }
    struct region *region = bare ? actor->mailbox.parent : region_current(task);
    while (!inner && region->parent != NULL) {
        region = region->parent;
    }
    region_cancel(region, AMBIT_CANCEL_USER, "injected");
}

/* The task waits for the operation that is to be cancelled. */
static bool is_for_op(struct lab *lab, const struct task *task)
{
    const struct lab_injection *inject = &lab->options.inject;
    return task->kind == PARK_OP && ++lab->op_parks == inject->op_at &&
           inject->way >= LAB_WAY_CANCELLED;
}

void seam_suspends(struct task *task)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        return;
    }
    const struct lab_injection *inject = &lab->options.inject;
    uint64_t n = ++lab->suspensions;
    if (n == inject->cancel_at[0] || n == inject->cancel_at[1]) {
        lab->hit = true;
        cancel_around(task, inject->inner);
    }
    if (is_for_op(lab, task)) {
        lab->op_wanted = task->wait->abort_arg;
        cancel_around(task, true);
    }
}
