/* SPDX-License-Identifier: MIT */
/*
 * life.c -- one incarnation of an actor: begun, ended, or lost in a panic.
 *
 * Whatever way it ends, its region closes (so nothing of it is left running),
 * terminate runs if init had succeeded, and everybody who still waits for an
 * answer is told.  Then the keeper learns of it.
 *
 *   SRV-CALL-2  The caller of the call at a crash is told at once.
 *   SRV-TERM-1  terminate runs exactly once for each successful init.
 */
#include "actors/actor.h"

#include <stdlib.h>

#define DROPPED_TOLD 8 /* of the replies of one life, in the log */

static int run_terminate(ambit_cx *cx, void *arg)
{
    struct life *life = arg;
    struct actor *actor = life->actor;
    if (life->inited) {
        RULE(SRV_TERM_1);
        actor->plan.behaviour->terminate(actor, cx, life->reason);
    }
    return 0;
}

static struct life *life_alloc(const struct actor_plan *plan)
{
    size_t state = (plan->state_size + 15) & ~(size_t)15;
    struct life *life = calloc(1, sizeof *life + state + plan->reply_size);
    if (life != NULL) {
        life->reply_room = life->state + state;
        life->reason = -EOWNERDEAD;
    }
    return life;
}

static int life_open(struct life *life, struct actor *actor,
                     struct region *parent)
{
    struct ambit_scope_options options = {.name = actor->plan.name};
    int rc = region_admit(parent, REGION_TASK);
    if (rc < 0) {
        return rc;
    }
    actor->task.scope = &actor->self;
    rc = region_open(&life->region, parent, &actor->task, &options);
    if (rc == 0) {
        rc = ambit_defer_async((ambit_region *)(void *)&life->region,
                               run_terminate, life);
        if (rc < 0) {
            region_close(&life->region, false);
        }
    }
    if (rc < 0) {
        region_leave(parent, REGION_TASK);
    }
    return rc;
}

int life_begin(struct actor *actor, struct region *parent)
{
    struct life *life = life_alloc(&actor->plan);
    if (life == NULL) {
        return -ENOMEM;
    }
    life->actor = actor;
    actor->parent = parent;
    /* ORDER(actor-kill): relaxed.  No life is there to be killed; pairs with
     * the lock around `life` below. */
    atomic_store_explicit(&actor->killed, false, memory_order_relaxed);
    int rc = life_open(life, actor, parent);
    if (rc < 0) {
        free(life);
        return rc;
    }
    spin_lock(&actor->mailbox.lock);
    actor->life = life;
    spin_unlock(&actor->mailbox.lock);
    COUNT(actor->task.runtime, spawned);
    return 0;
}

void life_end(struct actor *actor, int reason)
{
    actor->life->reason = reason;
    int closed = region_close(&actor->life->region, true);
    if (reason == 0 && closed < 0 && closed != -ECANCELED) {
        actor->life->reason = closed; /* one of its own tasks failed */
    }
}

static void count_end(struct actor *actor, bool panicked)
{
    if (panicked) {
        COUNT(actor->task.runtime, panicked);
    } else {
        COUNT(actor->task.runtime, completed);
    }
}

void life_over(struct actor *actor)
{
    struct life *life = actor->life;
    struct region *parent = actor->parent;
    struct keeper *keeper = actor->keeper;
    int reason = life->reason;
    life_drop_replies(life);
    spin_lock(&actor->mailbox.lock);
    actor->life = NULL;
    spin_unlock(&actor->mailbox.lock);
    count_end(actor, life->panicked);
    free(life->kept);
    free(life);
    actor_flush_credits(actor);
    task_leave_worker(&actor->task);
    keeper->ended(keeper, actor, reason);
    region_leave(parent, REGION_TASK);
}

/* Forgets those that were answered, or whose callers have left. */
static void kept_sweep(struct life *life)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < life->kept_len; i++) {
        if (reply_is_open(life->kept[i].reply)) {
            life->kept[len++] = life->kept[i];
        }
    }
    life->kept_len = len;
}

/* Room for one more.  Swept when full, doubled when that frees less than half:
 * constant cost for each reply, and never more than twice the open ones. */
static int kept_make_room(struct life *life)
{
    if (life->kept_len < life->kept_room) {
        return 0;
    }
    kept_sweep(life);
    if (life->kept_room > 0 && life->kept_len <= life->kept_room / 2) {
        return 0;
    }
    uint32_t room = life->kept_room == 0 ? 16 : life->kept_room * 2;
    struct kept_reply *kept = realloc(life->kept, room * sizeof *kept);
    if (kept == NULL) {
        return life->kept_len < life->kept_room ? 0 : -ENOMEM;
    }
    life->kept = kept;
    life->kept_room = room;
    return 0;
}

int life_keep_reply(struct life *life, struct kept_reply kept)
{
    int rc = kept_make_room(life);
    if (rc == 0) {
        life->kept[life->kept_len++] = kept;
    }
    return rc;
}

static void tell_dropped(struct actor *actor, const struct ambit_site *at)
{
    RULE(OBL_REPLY_1);
    log_line(actor->task.runtime, AMBIT_LOG_WARNING,
             "server \"%s\" ends without the reply it took at %s:%d; the "
             "caller is told that it is dead",
             actor->plan.name, at != NULL ? at->file : "?",
             at != NULL ? at->line : 0);
}

void life_drop_replies(struct life *life)
{
    unsigned told = 0;
    while (life->kept_len > 0) {
        struct kept_reply kept = life->kept[--life->kept_len];
        RULE(SRV_REPLY_1);
        int rc = reply_resolve(kept.reply, -EOWNERDEAD, NULL, 0, false);
        if (rc == 0 && told++ < DROPPED_TOLD) {
            tell_dropped(life->actor, kept.at);
        }
    }
}

static void nudge(struct task *task)
{
    struct actor *actor = task->object;
    if (mailbox_nudge(&actor->mailbox,
                      mailbox_generation(&actor->mailbox)) == PUSH_START) {
        task_start(task, true);
    }
}

static void panic_begins(struct task *task)
{
    struct actor *actor = task->object;
    actor->life->panicked = true;
    actor->life->reason = -EOWNERDEAD;
    if (actor->current != NULL) {
        struct message *message = actor->current;
        actor->current = NULL;
        RULE(SRV_CALL_2);
        RULE(SUP_REF_2);
        actor_drop(actor, message, -EOWNERDEAD);
        actor->credits_due++;
    }
    life_drop_replies(actor->life);
}

static void panic_ends(struct task *task)
{
    life_over(task->object);
}

static void gone(struct task *task)
{
    struct actor *actor = CONTAINER_OF(task, struct actor, task);
    runtime_free(task->runtime, SLAB_HANDLE_1024, actor);
}

const struct task_hooks life_hooks = {
    .nudge = nudge,
    .panic_begins = panic_begins,
    .panic_ends = panic_ends,
    .gone = gone,
};
