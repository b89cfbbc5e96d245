/* SPDX-License-Identifier: MIT */
/*
 * supervise.c -- the call that starts a supervisor.
 *
 *   SUP-START-1  Children are started in order; the first failure ends those
 *                that were started, and is the caller's.
 */
#include "actors/supervisor.h"

#include <stdlib.h>

static void fill(struct ambit_supervisor_options *o,
                 const struct ambit_supervisor_options *given)
{
    size_t known = given->size_ < sizeof *o ? given->size_ : sizeof *o;
    memset(o, 0, sizeof *o);
    memcpy(o, given, known);
    o->name = o->name != NULL ? o->name : "supervisor";
    o->period.ns = o->period.ns != 0 ? o->period.ns : 5000000000;
    if (o->never_restart) {
        o->intensity = 0;
    } else {
        o->intensity = o->intensity != 0 ? o->intensity : 3;
    }
}

static int make_children(struct supervisor *supervisor,
                         const struct ambit_child *specs, size_t count)
{
    supervisor->children = calloc(count + 1, sizeof *supervisor->children);
    if (supervisor->children == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = child_init(&supervisor->children[i], supervisor, &specs[i]);
        if (rc < 0) {
            return rc;
        }
        supervisor->count++;
    }
    return 0;
}

static int make(struct task *starter, const struct ambit_child *specs,
                size_t count, const struct ambit_supervisor_options *options,
                struct supervisor **ret_supervisor)
{
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (supervisor == NULL) {
        return -ENOMEM;
    }
    fill(&supervisor->options, options);
    spin_init(&supervisor->lock);
    list_init(&supervisor->events);
    supervisor->starter = starter;
    supervisor->refs = 1;
    supervisor->restart_times = calloc(
        (size_t)supervisor->options.intensity + 1, sizeof(int64_t));
    int rc = supervisor->restart_times != NULL
                 ? make_children(supervisor, specs, count)
                 : -ENOMEM;
    if (rc == 0 && (supervisor->options.period.ns < 0 ||
                    supervisor->options.strategy != AMBIT_ONE_FOR_ONE)) {
        rc = -EINVAL;
    }
    if (rc < 0) {
        supervisor_unref(supervisor);
        return rc;
    }
    *ret_supervisor = supervisor;
    return 0;
}

/* The supervisor ends its children and then tells: until then it may still
 * write to the refs it was asked to set. */
static enum park_answer start_abort(struct task *task, void *arg)
{
    struct supervisor *supervisor = arg;
    spin_lock(&supervisor->lock);
    if (supervisor->starter == task) {
        supervisor->abandoned = true;
        if (supervisor->waiting) {
            supervisor->waiting = false;
            task_wake(supervisor->task, 0);
        }
    }
    spin_unlock(&supervisor->lock);
    return PARK_BUSY;
}

/* A supervisor that never came to run. */
static void disposed(void *arg)
{
    struct supervisor *supervisor = *(struct supervisor **)arg;
    spin_lock(&supervisor->lock);
    struct task *starter = supervisor->starter;
    supervisor->starter = NULL;
    spin_unlock(&supervisor->lock);
    if (starter != NULL) {
        task_wake(starter, -ECANCELED);
    }
    supervisor_unref(supervisor);
}

int ambit_supervise_(ambit_cx *cx, ambit_region *region,
                     const struct ambit_child *children, size_t count,
                     const struct ambit_supervisor_options *options)
{
    struct task *task = task_of(cx);
    struct supervisor *supervisor;
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_SPAWN));
    if (rc == 0) {
        rc = make(task, children, count, options, &supervisor);
    }
    if (rc < 0) {
        return rc;
    }
    supervisor->refs = 2;
    rc = ambit_spawn_with(region, supervisor_main, &supervisor,
                          .name = supervisor->options.name,
                          .dispose = disposed);
    if (rc < 0) {
        supervisor_unref(supervisor); /* the task's, which there is not */
        rc = refusal_or_cancel(task, rc);
    } else {
        rc = (int)park(task, PARK_START, start_abort, supervisor);
    }
    supervisor_unref(supervisor);
    return rc;
}
