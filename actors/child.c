/* SPDX-License-Identifier: MIT */
/*
 * child.c -- a child of a supervisor: a server, an actor, or a task.
 *
 * A server or actor is one record for all its lives, so its ref stays good.  A
 * task child is a new task each time, in a scope of its own.
 *
 *   SUP-REF-1  A ref reaches the new incarnation after a restart.
 */
#include "actors/supervisor.h"

#include <stdlib.h>

static void child_started(struct keeper *keeper, struct actor *actor)
{
    (void)actor;
    supervisor_post(CONTAINER_OF(keeper, struct child, keeper), EVENT_STARTED,
                    0);
}

static void child_ended(struct keeper *keeper, struct actor *actor, int reason)
{
    (void)actor;
    supervisor_post(CONTAINER_OF(keeper, struct child, keeper), EVENT_ENDED,
                    reason);
}

static int copy_arg(struct ambit_child *spec)
{
    if (spec->arg == NULL || spec->arg_size == 0) {
        spec->arg = NULL;
        spec->arg_size = 0;
        return 0;
    }
    void *copy = malloc(spec->arg_size);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, spec->arg, spec->arg_size);
    spec->arg = copy;
    return 0;
}

int child_init(struct child *child, struct supervisor *supervisor,
               const struct ambit_child *spec)
{
    int kinds = (spec->server != NULL) + (spec->actor != NULL) +
                (spec->task != NULL);
    if (kinds != 1 || (unsigned)spec->restart > AMBIT_TEMPORARY) {
        return -EINVAL;
    }
    child->supervisor = supervisor;
    child->keeper = (struct keeper){child_started, child_ended};
    child->spec = *spec;
    list_init(&child->event_node);
    return copy_arg(&child->spec);
}

void child_fini(struct child *child)
{
    if (child->actor != NULL) {
        actor_close(child->actor);
    }
    free((void *)(uintptr_t)child->spec.arg);
}

static int make_actor(struct child *child)
{
    const struct ambit_child *spec = &child->spec;
    struct actor_plan plan =
        spec->server != NULL
            ? server_plan_of(spec->server, spec->arg, spec->arg_size)
            : actor_plan_of(spec->actor, spec->arg, spec->arg_size);
    plan.name = spec->name != NULL ? spec->name : plan.name;
    int rc = actor_make(task_runtime(child->supervisor->task), &plan,
                        &child->keeper, &child->actor);
    if (rc == 0 && spec->ret_ref != NULL) {
        *spec->ret_ref = actor_ref(child->actor);
    }
    return rc;
}

/* Supervisor.lock held. */
static void task_end_region(struct child *child)
{
    region_cancel(child->region, AMBIT_CANCEL_SHUTDOWN,
                  "its supervisor ends it");
}

/* From the opening of the child's scope until after its close: whenever the
 * supervisor wants it to end, its tasks are reached. */
static void task_set_region(struct child *child, struct region *region)
{
    spin_lock(&child->supervisor->lock);
    child->region = region;
    if (region != NULL && child->to_end) {
        task_end_region(child); /* asked before it began */
    }
    spin_unlock(&child->supervisor->lock);
}

static int task_child_main(ambit_cx *cx, void *arg)
{
    struct child *child = *(struct child **)arg;
    struct ambit_scope_block block;
    int rc = ambit_scope_open(cx, &block, NULL);
    if (rc == 0) {
        task_set_region(child, region_of(block.region));
        supervisor_post(child, EVENT_STARTED, 0);
        rc = child->spec.task(cx, (void *)(uintptr_t)child->spec.arg);
        int closed = ambit_scope_close(cx, &block, rc < 0 ? rc : 0);
        task_set_region(child, NULL);
        rc = rc < 0 ? rc : closed;
    }
    supervisor_post(child, EVENT_ENDED, rc < 0 ? rc : 0);
    return 0;
}

static void task_child_panics(struct task *task)
{
    task_set_region(*(struct child **)task_arg(task), NULL);
}

static void task_child_panicked(struct task *task)
{
    supervisor_post(*(struct child **)task_arg(task), EVENT_ENDED, -EOWNERDEAD);
    task_exit_now(task, TASK_PANICKED, -EOWNERDEAD);
}

static const struct task_hooks task_child_hooks = {
    .panic_begins = task_child_panics,
    .panic_ends = task_child_panicked,
};

static void task_child_disposed(void *arg)
{
    supervisor_post(*(struct child **)arg, EVENT_ENDED, -ECANCELED);
}

static int start_task(struct child *child)
{
    struct region *region = &child->supervisor->region;
    struct runtime *runtime = task_runtime(region->host);
    struct task *task;
    const struct task_extras extras = {
        .name = child->spec.name != NULL ? child->spec.name : "child",
        .dispose = task_child_disposed,
    };
    int rc = region_admit(region, REGION_TASK);
    if (rc < 0) {
        return rc;
    }
    rc = task_make(runtime, &region->owner, task_child_main, &child,
                   sizeof child, &extras, false, &task);
    if (rc < 0) {
        region_leave(region, REGION_TASK);
        return rc;
    }
    task->hooks = &task_child_hooks;
    COUNT(runtime, spawned);
    task_start(task, true);
    return 0;
}

int child_start(struct child *child)
{
    if (child->spec.task != NULL) {
        return start_task(child);
    }
    int rc = child->actor == NULL ? make_actor(child) : 0;
    if (rc < 0) {
        return rc;
    }
    RULE(SUP_REF_1);
    return actor_begin_life(child->actor, &child->supervisor->region);
}

void child_cancel(struct child *child)
{
    if (child->actor != NULL) {
        actor_cancel_life(child->actor, "its supervisor ends it");
        return;
    }
    spin_lock(&child->supervisor->lock);
    child->to_end = true;
    if (child->region != NULL) {
        task_end_region(child);
    }
    spin_unlock(&child->supervisor->lock);
}
