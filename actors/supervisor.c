/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c -- start in order, restart by rule, give up by count, end in
 * reverse order.
 *
 * The children's region hangs from the supervisor's task only: a cancel from
 * outside reaches the supervisor, which then ends its children one by one, the
 * last started first.
 *
 *   SUP-RESTART-1  The restart type decides.
 *   SUP-RESTART-3  Giving up ends the children and fails with -EOWNERDEAD.
 *   SUP-TREE-1     When a supervisor ends, every child has ended.
 */
#include "actors/supervisor.h"

#include <stdlib.h>

/* Lock held: the task may go on. */
static void wake_waiting(struct supervisor *supervisor)
{
    if (supervisor->waiting) {
        supervisor->waiting = false;
        task_wake(supervisor->task, 0);
    }
}

void supervisor_post(struct child *child, enum event_kind kind, int reason)
{
    struct supervisor *supervisor = child->supervisor;
    spin_lock(&supervisor->lock);
    if (kind == EVENT_STARTED) {
        child->started = true;
    } else {
        child->ended = true;
        child->reason = reason;
    }
    if (!list_is_linked(&child->event_node)) {
        list_push_back(&supervisor->events, &child->event_node);
    }
    wake_waiting(supervisor);
    spin_unlock(&supervisor->lock);
}

static enum park_answer wait_abort(struct task *task, void *arg)
{
    struct supervisor *supervisor = arg;
    (void)task;
    spin_lock(&supervisor->lock);
    bool ours = supervisor->waiting;
    supervisor->waiting = false;
    spin_unlock(&supervisor->lock);
    return ours ? PARK_ABORTED : PARK_BUSY;
}

/* Lock held: the next event of a child, STARTED before ENDED. */
static struct child *event_take(struct supervisor *supervisor,
                                enum event_kind *ret_kind)
{
    if (list_is_empty(&supervisor->events)) {
        return NULL;
    }
    struct child *child =
        CONTAINER_OF(supervisor->events.next, struct child, event_node);
    *ret_kind = child->started ? EVENT_STARTED : EVENT_ENDED;
    if (child->started) {
        child->started = false;
    } else {
        child->ended = false;
    }
    if (!child->started && !child->ended) {
        list_remove(&child->event_node);
    }
    return child;
}

/* The next event, or NULL when it is time to end: cancelled or abandoned.
 * While ending, only events end the wait. */
static struct child *event_next(struct supervisor *supervisor, bool ending,
                                enum event_kind *ret_kind)
{
    for (;;) {
        spin_lock(&supervisor->lock);
        struct child *child = event_take(supervisor, ret_kind);
        bool leave = supervisor->abandoned && !ending;
        supervisor->waiting = child == NULL && !leave;
        spin_unlock(&supervisor->lock);
        if (child != NULL || leave) {
            return child;
        }
        int64_t rc = park(supervisor->task, PARK_CHILD,
                          ending ? NULL : wait_abort, supervisor);
        if (rc < 0) {
            return NULL;
        }
    }
}

static void tell_starter(struct supervisor *supervisor, int rc)
{
    spin_lock(&supervisor->lock);
    struct task *starter = supervisor->starter;
    supervisor->starter = NULL;
    spin_unlock(&supervisor->lock);
    ASSERT(starter != NULL);
    task_wake(starter, rc);
}

/* All children run.  False: whoever started us does not want them any more,
 * and will be told when they have ended. */
static bool tell_started(struct supervisor *supervisor)
{
    spin_lock(&supervisor->lock);
    bool wanted = !supervisor->abandoned;
    struct task *starter = supervisor->starter;
    supervisor->starter = wanted ? NULL : starter;
    spin_unlock(&supervisor->lock);
    if (wanted) {
        task_wake(starter, 0);
    }
    return wanted;
}

static const char *child_name(const struct child *child)
{
    return child->spec.name != NULL ? child->spec.name : "child";
}

static void observe(struct supervisor *supervisor, struct child *child,
                    int reason, bool gave_up)
{
    struct ambit_supervisor_event event = {
        .supervisor = supervisor->options.name,
        .child = child_name(child),
        .reason = reason,
        .restarts = supervisor->restart_len,
        .total = supervisor->total,
        .gave_up = gave_up,
    };
    RULE(SUP_OBSERVE_1);
    log_line(task_runtime(supervisor->task), AMBIT_LOG_INFO,
             "supervisor \"%s\": child \"%s\" ended (%s): %s",
             supervisor->options.name, child_name(child),
             ambit_strerror(reason), gave_up ? "giving up" : "starting again");
    if (supervisor->options.observe != NULL) {
        supervisor->options.observe(supervisor->options.observe_user, &event);
    }
}

static bool wants_restart(const struct child *child, int reason)
{
    RULE(SUP_RESTART_1);
    return child->spec.restart == AMBIT_PERMANENT ||
           (child->spec.restart == AMBIT_TRANSIENT && reason < 0);
}

static void child_retire(struct child *child)
{
    if (child->actor != NULL) {
        struct actor *actor = child->actor;
        child->actor = NULL;
        actor_close(actor);
    }
}

/* Until it runs, or there is no more to try.  0, or -EOWNERDEAD: give up. */
static int child_restart(struct supervisor *supervisor, struct child *child,
                         int reason)
{
    do {
        if (intensity_spent(supervisor, clock_now_ns())) {
            observe(supervisor, child, reason, true);
            log_line(task_runtime(supervisor->task), AMBIT_LOG_ERROR,
                     "supervisor \"%s\" gives up: child \"%s\" needed more "
                     "than %u restarts within %.3f s",
                     supervisor->options.name, child_name(child),
                     supervisor->options.intensity,
                     (double)supervisor->options.period.ns / 1e9);
            return -EOWNERDEAD;
        }
        supervisor->total++;
        child->restarts++;
        observe(supervisor, child, reason, false);
        reason = child_start(child);
    } while (reason < 0);
    child->live = true;
    return 0;
}

static int child_has_ended(struct supervisor *supervisor, struct child *child)
{
    child->live = false;
    if (wants_restart(child, child->reason)) {
        return child_restart(supervisor, child, child->reason);
    }
    child_retire(child);
    return 0;
}

/* 0 when all run; what to tell the starter otherwise. */
static int start_children(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = &supervisor->children[i];
        enum event_kind kind = EVENT_NONE;
        struct child *from = NULL;
        int rc = child_start(child);
        child->live = rc == 0;
        while (rc == 0 && !(from == child && kind == EVENT_STARTED)) {
            from = event_next(supervisor, false, &kind);
            if (from == NULL) {
                rc = -ECANCELED;
            } else if (kind == EVENT_ENDED && from == child) {
                child->live = false;
                rc = child->reason < 0 ? child->reason : -ESHUTDOWN;
            } else if (kind == EVENT_ENDED) {
                rc = child_has_ended(supervisor, from);
            }
        }
        if (rc < 0) {
            return rc;
        }
        RULE(SUP_START_1);
    }
    return 0;
}

static int watch_children(struct supervisor *supervisor)
{
    for (;;) {
        enum event_kind kind;
        struct child *child = event_next(supervisor, false, &kind);
        if (child == NULL) {
            return -ECANCELED;
        }
        if (kind != EVENT_ENDED) {
            continue;
        }
        int rc = child_has_ended(supervisor, child);
        if (rc < 0) {
            return rc;
        }
    }
}

/* Last started first; each has ended before the next is asked to. */
static void end_children(struct supervisor *supervisor)
{
    for (size_t i = supervisor->count; i-- > 0;) {
        struct child *child = &supervisor->children[i];
        if (child->live) {
            child_cancel(child);
        }
        while (child->live) {
            enum event_kind kind;
            struct child *from = event_next(supervisor, true, &kind);
            if (kind == EVENT_ENDED) {
                from->live = false;
            }
        }
        child_retire(child);
    }
}

void supervisor_unref(struct supervisor *supervisor)
{
    spin_lock(&supervisor->lock);
    unsigned left = --supervisor->refs;
    spin_unlock(&supervisor->lock);
    if (left > 0) {
        return;
    }
    for (size_t i = 0; i < supervisor->count; i++) {
        child_fini(&supervisor->children[i]);
    }
    free(supervisor->children);
    free(supervisor->restart_times);
    free(supervisor);
}

/* The children's region: cut off from cancels of the regions around it, which
 * reach the supervisor's own waits instead. */
static int open_region(struct supervisor *supervisor)
{
    struct task *task = supervisor->task;
    struct ambit_scope_options options = {.name = supervisor->options.name,
                                          .policy = AMBIT_ISOLATE};
    int rc = region_open_apart(&supervisor->region, region_current(task), task,
                               &options);
    if (rc == 0) {
        task->scope = supervisor->region.outer;
    }
    return rc;
}

int supervisor_main(ambit_cx *cx, void *arg)
{
    struct supervisor *supervisor = *(struct supervisor **)arg;
    supervisor->task = task_of(cx);
    int rc = open_region(supervisor);
    if (rc == 0) {
        rc = start_children(supervisor);
        bool started = rc == 0 && tell_started(supervisor);
        if (started) {
            rc = watch_children(supervisor);
        } else if (rc == 0) {
            rc = -ECANCELED;
        }
        RULE(SUP_RESTART_3);
        end_children(supervisor);
        RULE(SUP_TREE_1);
        region_close(&supervisor->region, false);
        if (!started) {
            tell_starter(supervisor, rc);
            rc = 0; /* the starter has it */
        }
    } else {
        tell_starter(supervisor, rc);
        rc = 0;
    }
    supervisor_unref(supervisor);
    return rc;
}
