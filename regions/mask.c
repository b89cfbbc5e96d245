/* SPDX-License-Identifier: MIT */
/*
 * mask.c -- where cancellation does not reach, and how long.
 *
 *   REG-MASK-1  A cancel does not reach into a mask, and shows after it.
 *   REG-MASK-2  Masks nest AMBIT_MASKS_MAX deep.
 *   REG-MASK-3  A mask is over when its time is.
 *   REG-MASK-4  A mask ends with its block, whatever way that is left.
 *
 * A mask ends what it opened when its time is over, as the task itself is then
 * the only one left who could.
 *
 * Owner: the worker of the task.
 */
#include <ambit/mask.h>

#include "regions/budget.h"

_Static_assert(sizeof(struct mask) <=
                   sizeof(((struct ambit_mask_block *)0)->room),
               "a mask fits into its block");

#define MASK_NS 1000000000

bool mask_is_around(const struct task *task, const struct region *region)
{
    return task->masked > 0 && task->wait->stack->mask->base == &region->owner;
}

void mask_begin(struct mask *mask, struct task *task, struct quota *reserve,
                int64_t ns, void (*fired)(struct timer *timer))
{
    *mask = (struct mask){
        .outer = task->masked > 0 ? task->wait->stack->mask : NULL,
        .task = task,
        .base = task->scope,
        .reserve = reserve,
    };
    RULE(REG_MASK_1);
    task->wait = worker_self->current_stack->wait;
    task->wait->stack->mask = mask;
    task->masked++;
    timer_init(&mask->timer, fired);
    worker_timer_arm(&mask->timer, ambit_after(ambit_ns(ns)).ns);
}

void mask_end(struct mask *mask)
{
    struct task *task = mask->task;
    ASSERT(task->masked > 0);
    ASSERT(task->wait->stack->mask == mask);
    worker_timer_disarm(&mask->timer);
    task->mask_spent -= mask->spent;
    task->wait->stack->mask = mask->outer;
    task->masked--;
    quota_unref(mask->owns_reserve ? mask->reserve : NULL);
}

void mask_expire(struct mask *mask)
{
    struct task *task = mask->task;
    ASSERT(task->mask_spent < UINT8_MAX);
    mask->spent = true;
    task->mask_spent++;
    /* What was opened inside is not masked: it is cancelled. */
    struct task_owner *at = task->scope;
    while (at != mask->base) {
        struct region *inner = region_of_owner(at);
        at = inner->outer;
        region_cancel(inner, AMBIT_CANCEL_DEADLINE, "clean-up time is spent");
    }
    park_abort(task);
}

void mask_drop_all(struct task *task)
{
    while (task->masked > 0) {
        mask_end(task->wait->stack->mask);
    }
}

static struct mask *block_mask(struct ambit_mask_block *block)
{
    return (struct mask *)(void *)block->room;
}

static void mask_fired(struct timer *timer)
{
    struct mask *mask = CONTAINER_OF(timer, struct mask, timer);
    struct task *task = mask->task;
    const struct ambit_site *at = task->cx.at;
    log_line(task_runtime(task), AMBIT_LOG_WARNING,
             "task \"%s\": the time of a mask is spent; what it still waits "
             "for is called off (%s:%d)",
             task_name(task), at != NULL ? at->file : "?",
             at != NULL ? at->line : 0);
    RULE(REG_MASK_3);
    mask_expire(mask);
}

static int refuse_depth(struct task *task)
{
    const struct ambit_site *at = task->cx.at;
    RULE(REG_MASK_2);
    log_line(task_runtime(task), AMBIT_LOG_WARNING,
             "task \"%s\": a mask inside of %u others is refused; the limit is "
             "%d (%s:%d)",
             task_name(task), task->masked, AMBIT_MASKS_MAX,
             at != NULL ? at->file : "?", at != NULL ? at->line : 0);
    return -EDQUOT;
}

/* A mask inside of another one draws on the same reserve. */
static int mask_reserve(struct task *task, struct quota **ret_reserve)
{
    *ret_reserve = task->masked > 0 ? task->wait->stack->mask->reserve : NULL;
    if (task->masked > 0 || task->scope->quota == NULL) {
        return 0;
    }
    struct region *region = region_current(task);
    *ret_reserve = reserve_make(region, region->owner.quota);
    return *ret_reserve != NULL ? 0 : -ENOMEM;
}

static int mask_open(struct task *task, struct mask *mask, int64_t ns)
{
    struct quota *reserve;
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    if (task->masked >= AMBIT_MASKS_MAX) {
        return refuse_depth(task);
    }
    rc = mask_reserve(task, &reserve);
    if (rc < 0) {
        return rc;
    }
    int64_t most = region_is_owed(task) ? REGION_CLEANUP_NS
                                        : region_current(task)->cleanup_ns;
    bool owns = task->masked == 0;
    mask_begin(mask, task, reserve, ns < most ? ns : most, mask_fired);
    mask->owns_reserve = owns;
    return 0;
}

int ambit_mask_begin(ambit_cx *cx, struct ambit_mask_block *block,
                     const struct ambit_mask_options *options)
{
    bool given = options != NULL && options->size_ >= sizeof *options;
    int64_t ns = given ? options->time.ns : 0;
    block->cx = cx;
    block->open = false;
    if (ns < 0) {
        return -EINVAL;
    }
    int rc = mask_open(task_of(cx), block_mask(block), ns != 0 ? ns : MASK_NS);
    block->open = rc == 0;
    return rc;
}

void ambit_mask_end(struct ambit_mask_block *block)
{
    if (!block->open) {
        return;
    }
    struct mask *mask = block_mask(block);
    struct task *task = mask->task;
    REQUIRE(task->masked > 0 && task->wait->stack->mask == mask,
            "masks are ended innermost first");
    REQUIRE(task->scope == mask->base,
            "a scope opened in a mask is closed before the mask ends");
    RULE(REG_MASK_4);
    block->open = false;
    mask_end(mask);
}

bool ambit_mask_enter_(ambit_cx *cx, struct ambit_mask_block *block, int *rc,
                       const struct ambit_mask_options *options)
{
    int begun = ambit_mask_begin(cx, block, options);
    if (begun < 0 && *rc >= 0) {
        *rc = begun;
    }
    return begun == 0;
}
