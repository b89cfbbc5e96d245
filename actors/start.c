/* SPDX-License-Identifier: MIT */
/*
 * start.c -- an actor without a supervisor.
 *
 * Its keeper is the region it was started in: one life, and a failure of it is
 * the region's, like that of any task.
 *
 *   SRV-INIT-1  A start returns only after init, with init's error.
 */
#include "actors/actor.h"

/* Whoever waits for init, taken by the one who tells it. */
static struct task *take_starter(struct actor *actor)
{
    spin_lock(&actor->mailbox.lock);
    struct task *starter = actor->mailbox.starter;
    actor->mailbox.starter = NULL;
    spin_unlock(&actor->mailbox.lock);
    return starter;
}

static void lone_started(struct keeper *keeper, struct actor *actor)
{
    (void)keeper;
    spin_lock(&actor->mailbox.lock);
    /* One who was cancelled is told when the actor has ended again. */
    struct task *starter = actor->mailbox.starter;
    if (actor->abandoned) {
        starter = NULL;
    } else {
        actor->mailbox.starter = NULL;
    }
    spin_unlock(&actor->mailbox.lock);
    actor->was_started = true;
    if (starter != NULL) {
        task_wake(starter, 0);
    }
}

static int start_result(const struct actor *actor, int reason)
{
    if (actor->abandoned) {
        return -ECANCELED;
    }
    return reason < 0 ? reason : -ESHUTDOWN;
}

static void lone_ended(struct keeper *keeper, struct actor *actor, int reason)
{
    struct task *starter = take_starter(actor);
    struct region *parent = actor->mailbox.parent;
    bool failed_later = actor->was_started;
    int result = start_result(actor, reason);
    struct task_exit exit = {
        .name = actor->stop.name,
        .end = reason == -EOWNERDEAD ? TASK_PANICKED : TASK_RETURNED,
        .result = reason,
    };
    (void)keeper;
    actor_close(actor);
    if (starter != NULL) {
        RULE(SRV_INIT_1);
        task_wake(starter, result);
    } else if (failed_later) {
        outcome_child(parent, &exit);
    }
}

static struct keeper lone_keeper = {lone_started, lone_ended};

/* The actor is stopped again, and the starter waits for that.  It may be gone
 * already when the starter's wake is still on the way. */
static enum park_answer start_abort(struct task *task, void *arg)
{
    const ambit_actor_ref *ref = arg;
    struct actor *actor = ref->slot;
    spin_lock(&actor->mailbox.lock);
    if (mailbox_generation(&actor->mailbox) == ref->generation &&
        actor->mailbox.starter == task) {
        actor->abandoned = true;
        life_cancel(actor, "its start was cancelled");
    }
    spin_unlock(&actor->mailbox.lock);
    return PARK_BUSY;
}

int actor_start(ambit_cx *cx, ambit_region *region,
                const struct actor_plan *plan, ambit_actor_ref *ret_actor)
{
    struct task *task = task_of(cx);
    struct actor *actor;
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_SPAWN));
    if (rc == 0) {
        rc = actor_make(task_runtime(task), plan, &lone_keeper, &actor);
    }
    if (rc < 0) {
        return rc;
    }
    ambit_actor_ref ref = actor_ref(actor);
    actor->mailbox.starter = task;
    rc = actor_begin_life(actor, region_of(region));
    if (rc < 0) {
        actor_close(actor);
        return refusal_or_cancel(task, rc);
    }
    rc = (int)park(task, PARK_START, start_abort, &ref);
    if (rc < 0) {
        return rc;
    }
    *ret_actor = ref;
    return 0;
}

static int plain_init(struct actor *actor, ambit_cx *cx, void *state)
{
    const struct ambit_actor_type *type = actor->type;
    return type->init != NULL ? type->init(cx, state, actor->mailbox.arg) : 0;
}

static int plain_handle(struct actor *actor, ambit_cx *cx,
                        struct message *message)
{
    const struct ambit_actor_type *type = actor->type;
    return type->handle(cx, actor->life->state, message_body(message),
                        message->size);
}

static int plain_idle(struct actor *actor, ambit_cx *cx)
{
    const struct ambit_actor_type *type = actor->type;
    actor_flush_credits(actor);
    return type->handle_idle(cx, actor->life->state);
}

static void plain_terminate(struct actor *actor, ambit_cx *cx, int reason)
{
    const struct ambit_actor_type *type = actor->type;
    if (type->terminate != NULL) {
        type->terminate(cx, actor->life->state, reason);
    }
}

static void plain_dispose(struct actor *actor, struct message *message)
{
    const struct ambit_actor_type *type = actor->type;
    if (type->dispose != NULL) {
        type->dispose(message_body(message), message->size);
    }
}

static size_t plain_life_size(const void *type)
{
    return ((const struct ambit_actor_type *)type)->state_size;
}

static const struct behaviour plain = {
    .init = plain_init,
    .handle = plain_handle,
    .idle = plain_idle,
    .terminate = plain_terminate,
    .dispose = plain_dispose,
    .life_size = plain_life_size,
};

struct actor_plan actor_plan_of(const struct ambit_actor_type *type,
                                const void *arg, size_t arg_size)
{
    return (struct actor_plan){
        .behaviour = &plain,
        .has_idle = type->handle_idle != NULL,
        .type = type,
        .name = type->name != NULL ? type->name : "actor",
        .mailbox_max = type->mailbox_max,
        .arg = arg,
        .arg_size = arg_size,
    };
}

int ambit_actor_start(ambit_cx *cx, ambit_region *region,
                      const struct ambit_actor_type *type, const void *arg,
                      size_t arg_size, ambit_actor_ref *ret_actor)
{
    struct actor_plan plan = actor_plan_of(type, arg, arg_size);
    return type->handle == NULL ? -EINVAL
                                : actor_start(cx, region, &plan, ret_actor);
}
