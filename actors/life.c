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

/* The user is called once init has succeeded. */
static int run_terminate(ambit_cx *cx, void *arg)
{
    struct actor *actor = arg;
    struct life *life = actor->life;
    if (life->inited) {
        RULE(SRV_TERM_1);
        actor->behaviour->terminate(actor, cx, life->reason);
    }
    return 0;
}

static struct life *life_alloc(const struct actor *actor)
{
    size_t state = actor->behaviour->life_size(actor->type);
    struct life *life = calloc(1, offsetof(struct life, state) + state);
    if (life != NULL) {
        life->reason = -EOWNERDEAD;
    }
    return life;
}

/* --- the region ------------------------------------------------------------ */

/* terminate runs in the close, after all that the handlers have registered. */
static int lend_terminate(struct actor *actor, struct life_region *own)
{
    static const struct ambit_site here = {__FILE__, __LINE__};
    own->terminate = (struct finalizer){
        .run_async = run_terminate,
        .arg = actor,
        .site = &here,
        .name = "terminate",
    };
    return finalizer_lend(&own->region, &own->terminate);
}

/* A bare life gets its region. */
static void open_late(struct actor *actor, struct life_region *own)
{
    struct life *life = actor->life;
    spin_lock(&actor->mailbox.lock);
    const struct region_cause asked = {
        .kind = AMBIT_CANCEL_SHUTDOWN,
        .text = life->cancel_text,
        .region = actor->stop.name,
    };
    region_open_late(&own->region, actor->mailbox.parent, &actor->task,
                     actor->stop.name, life->cancelled ? &asked : NULL);
    life->own = own;
    spin_unlock(&actor->mailbox.lock);
    int rc = lend_terminate(actor, own);
    ASSERT(rc == 0); /* it is open, and without limits */
}

static int open_region(struct task *task)
{
    struct actor *actor = task_actor(task);
    struct life_region *own = malloc(sizeof *own);
    if (own == NULL) {
        return -ENOMEM;
    }
    RULE(SRV_REGION_1);
    open_late(actor, own);
    return 0;
}

/* Where the parent has more to hand on than its cancel. */
static int open_early(struct actor *actor, struct life *life)
{
    struct ambit_scope_options options = {.name = actor->stop.name};
    struct life_region *own = malloc(sizeof *own);
    if (own == NULL) {
        return -ENOMEM;
    }
    int rc = region_open(&own->region, actor->mailbox.parent, &actor->task,
                         &options);
    if (rc == 0) {
        life->own = own;
        rc = lend_terminate(actor, own);
        if (rc < 0) {
            region_close(&own->region, false);
        }
    }
    if (rc < 0) {
        life->own = NULL;
        free(own);
    }
    return rc;
}

static int life_open(struct actor *actor, struct life *life)
{
    struct region *parent = actor->mailbox.parent;
    int rc = region_admit(parent, REGION_TASK);
    if (rc < 0) {
        return rc;
    }
    /* ORDER(cancel): relaxed.  Nobody knows of the new life yet. */
    atomic_store_explicit(&actor->self.flags, 0, memory_order_relaxed);
    actor->task.scope = &actor->self;
    rc = region_is_plain(parent) ? region_join_bare(parent, &actor->task)
                                 : open_early(actor, life);
    if (rc < 0) {
        region_leave(parent, REGION_TASK);
    }
    return rc;
}

int life_begin(struct actor *actor, struct region *parent)
{
    struct life *life = life_alloc(actor);
    if (life == NULL) {
        return -ENOMEM;
    }
    actor->mailbox.parent = parent;
    /* ORDER(actor-kill): relaxed.  No life is there to be killed; pairs with
     * the lock around `life` below. */
    atomic_store_explicit(&actor->killed, false, memory_order_relaxed);
    int rc = life_open(actor, life);
    if (rc < 0) {
        free(life);
        return rc;
    }
    spin_lock(&actor->mailbox.lock);
    actor->life = life;
    spin_unlock(&actor->mailbox.lock);
    COUNT(actor_runtime(actor), spawned);
    return 0;
}

void life_cancel(struct actor *actor, const char *text)
{
    struct life *life = actor->life;
    if (life == NULL) {
        return;
    }
    if (life->own != NULL) {
        region_cancel(&life->own->region, AMBIT_CANCEL_SHUTDOWN, text);
        return;
    }
    if (!life->cancelled) {
        life->cancelled = true;
        life->cancel_text = text;
    }
    owner_mark(&actor->self);
    task_post_abort(&actor->task);
}

/* Its own region, or one that lasts for its end only. */
static int life_close(struct actor *actor)
{
    struct life *life = actor->life;
    struct life_region brief;
    if (life->own != NULL) {
        return region_close(&life->own->region, true);
    }
    life->brief = true;
    open_late(actor, &brief);
    int rc = region_close(&brief.region, true);
    spin_lock(&actor->mailbox.lock);
    life->own = NULL;
    spin_unlock(&actor->mailbox.lock);
    return rc;
}

void life_end(struct actor *actor, int reason)
{
    actor->life->reason = reason;
    int closed = life_close(actor);
    if (reason == 0 && closed < 0 && closed != -ECANCELED) {
        actor->life->reason = closed; /* one of its own tasks failed */
    }
}

static void count_end(struct actor *actor, bool panicked)
{
    if (panicked) {
        COUNT(actor_runtime(actor), panicked);
    } else {
        COUNT(actor_runtime(actor), completed);
    }
}

void life_over(struct actor *actor)
{
    struct life *life = actor->life;
    struct region *parent = actor->mailbox.parent;
    struct keeper *keeper = actor->keeper;
    int reason = life->reason;
    life_drop_replies(actor);
    spin_lock(&actor->mailbox.lock);
    actor->life = NULL;
    spin_unlock(&actor->mailbox.lock);
    count_end(actor, life->panicked);
    free(life->kept);
    free(life->brief ? NULL : life->own);
    free(life);
    actor_flush_credits(actor);
    task_leave_worker(&actor->task);
    keeper->ended(keeper, actor, reason);
    region_leave(parent, REGION_TASK);
}

/* Forgets those that were answered, or whose callers have left. */
static void kept_sweep(struct kept_replies *kept)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < kept->len; i++) {
        if (reply_is_open(kept->at[i].reply)) {
            kept->at[len++] = kept->at[i];
        }
    }
    kept->len = len;
}

static bool kept_has_room(const struct kept_replies *kept)
{
    return kept != NULL && kept->len < kept->room;
}

/* Room for one more.  Swept when full, doubled when that frees less than half:
 * constant cost for each reply, and never more than twice the open ones. */
static int kept_make_room(struct life *life)
{
    struct kept_replies *old = life->kept;
    if (kept_has_room(old)) {
        return 0;
    }
    if (old != NULL) {
        kept_sweep(old);
        if (old->len <= old->room / 2) {
            return 0;
        }
    }
    uint32_t room = old == NULL ? 16 : old->room * 2;
    struct kept_replies *kept =
        realloc(old, sizeof *kept + room * sizeof kept->at[0]);
    if (kept == NULL) {
        return kept_has_room(old) ? 0 : -ENOMEM;
    }
    kept->len = old == NULL ? 0 : kept->len;
    kept->room = room;
    life->kept = kept;
    return 0;
}

int life_keep_reply(struct life *life, struct kept_reply reply)
{
    int rc = kept_make_room(life);
    if (rc == 0) {
        life->kept->at[life->kept->len++] = reply;
    }
    return rc;
}

static void tell_dropped(struct actor *actor, const struct ambit_site *at)
{
    RULE(OBL_REPLY_1);
    log_line(actor_runtime(actor), AMBIT_LOG_WARNING,
             "server \"%s\" ends without the reply it took at %s:%d; the "
             "caller is told that it is dead",
             actor->stop.name, at != NULL ? at->file : "?",
             at != NULL ? at->line : 0);
}

void life_drop_replies(struct actor *actor)
{
    struct kept_replies *all = actor->life->kept;
    unsigned told = 0;
    while (all != NULL && all->len > 0) {
        struct kept_reply kept = all->at[--all->len];
        RULE(SRV_REPLY_1);
        int rc = reply_resolve(kept.reply, -EOWNERDEAD, NULL, 0, false);
        if (rc == 0 && told++ < DROPPED_TOLD) {
            tell_dropped(actor, kept.at);
        }
    }
}

/* A bare life has been cancelled with its parent, or by its name.  One with a
 * region looks there, and does not mind. */
static void nudge(struct task *task)
{
    struct actor *actor = task_actor(task);
    owner_mark(&actor->self);
    if (mailbox_nudge(&actor->mailbox,
                      mailbox_generation(&actor->mailbox)) == PUSH_START) {
        task_start(task, true);
    }
}

static void panic_begins(struct task *task)
{
    struct actor *actor = task_actor(task);
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
    life_drop_replies(actor);
}

/* All scopes are closed, the region of the life with them. */
static void panic_ends(struct task *task)
{
    struct actor *actor = task_actor(task);
    if (actor->life->own == NULL) {
        (void)life_close(actor);
    }
    life_over(actor);
}

static void gone(struct task *task)
{
    struct actor *actor = task_actor(task);
    runtime_free(task_runtime(task), SLAB_HANDLE_384, actor);
}

static const char *name_of(const struct task *task)
{
    return CONTAINER_OF(task, const struct actor, task)->stop.name;
}

const struct task_hooks life_hooks = {
    .turn = actor_turn,
    .name = name_of,
    .nudge = nudge,
    .own_scope = open_region,
    .panic_begins = panic_begins,
    .panic_ends = panic_ends,
    .gone = gone,
};
