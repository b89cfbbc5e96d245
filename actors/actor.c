/* SPDX-License-Identifier: MIT */
/*
 * actor.c -- the turn: receive a batch of messages, then let go.
 *
 *   MBX-ACTOR-1  An actor handles one message at a time.
 *
 * Owner: the worker the turn runs on; before and after it nobody.
 */
#include "actors/actor.h"

#include "src/seam.h"

#include <stdlib.h>

struct actor *actor_of_task(struct task *task)
{
    return task->hooks == &life_hooks ? task_actor(task) : NULL;
}

ambit_actor_ref actor_ref(struct actor *actor)
{
    return (ambit_actor_ref){actor, mailbox_generation(&actor->mailbox), 0};
}

ambit_actor_ref ambit_self(ambit_cx *cx)
{
    struct actor *actor = actor_of_task(task_of(cx));
    return actor != NULL ? actor_ref(actor) : (ambit_actor_ref){NULL, 0, 0};
}

static int copy_arg(const struct actor_plan *plan, void **ret_copy)
{
    *ret_copy = NULL;
    if (plan->arg == NULL || plan->arg_size == 0) {
        return 0;
    }
    *ret_copy = malloc(plan->arg_size);
    if (*ret_copy == NULL) {
        return -ENOMEM;
    }
    memcpy(*ret_copy, plan->arg, plan->arg_size);
    return 0;
}

static void never_exits(struct task_owner *owner, struct task_exit *exit)
{
    (void)owner;
    (void)exit;
    base_die(__FILE__, __LINE__, "the task of an actor only goes dormant");
}

static uint32_t credits_of(const struct actor_plan *plan)
{
    return plan->mailbox_max != 0 ? plan->mailbox_max : 1024;
}

static void actor_init(struct actor *actor, struct runtime *runtime,
                       const struct actor_plan *plan, struct keeper *keeper)
{
    memset((char *)actor + sizeof(uint64_t) * 8, 0,
           sizeof *actor - sizeof(uint64_t) * 8);
    actor->behaviour = plan->behaviour;
    actor->type = plan->type;
    actor->batch_max = plan->batch_max != 0 ? plan->batch_max : 64;
    actor->keeper = keeper;
    actor->has_idle = plan->has_idle;
    actor->stub.class_ = SLAB_CLASSES;
    actor->stop.kind = MESSAGE_STOP;
    task_owner_init(&actor->self, never_exits);
    task_init(&actor->task, runtime, &actor->self, NULL);
    actor->stop.name = plan->name;
    actor->stop.runtime = runtime;
    actor->task.hooks = &life_hooks;
    actor->task.moves = true;
    actor->task.listed = true; /* its regions find it, not the owner */
    atomic_init(&actor->stop_state, STOP_NONE);
    atomic_init(&actor->killed, false);
    mailbox_open(&actor->mailbox, credits_of(plan), &actor->stub);
}

int actor_make(struct runtime *runtime, const struct actor_plan *plan,
               struct keeper *keeper, struct actor **ret_actor)
{
    void *arg;
    if (plan->mailbox_max > MAILBOX_MAX) {
        return -EINVAL;
    }
    int rc = copy_arg(plan, &arg);
    if (rc < 0) {
        return rc;
    }
    struct actor *actor = runtime_alloc(runtime, SLAB_HANDLE_384);
    if (actor == NULL) {
        free(arg);
        return -ENOMEM;
    }
    actor_init(actor, runtime, plan, keeper);
    actor->mailbox.arg = arg;
    actor->mailbox.starter = NULL;
    *ret_actor = actor;
    return 0;
}

int actor_begin_life(struct actor *actor, struct region *parent)
{
    int rc = life_begin(actor, parent);
    if (rc < 0) {
        return rc;
    }
    task_start(&actor->task, true);
    return 0;
}

void actor_drop(struct actor *actor, struct message *message, int result)
{
    struct runtime *runtime = actor_runtime(actor);
    if (message->kind == MESSAGE_STOP || message == &actor->stub) {
        return;
    }
    if (message->kind == MESSAGE_CALL) {
        reply_resolve(message_reply(message), result, NULL, 0, false);
    }
    actor->behaviour->dispose(actor, message);
    count_shared(&runtime->dropped_messages);
}

static bool stop_move(struct actor *actor, uint8_t from, uint8_t to)
{
    /* ORDER(actor-stop): acq_rel.  Pairs with itself: of one who asks for a
     * stop and the receiver, one sees that the message must be pushed. */
    return atomic_compare_exchange_strong_explicit(
        &actor->stop_state, &from, to, memory_order_acq_rel,
        memory_order_relaxed);
}

bool actor_ask_stop(struct actor *actor)
{
    if (stop_move(actor, STOP_NONE, STOP_QUEUED)) {
        return true;
    }
    /* Between the tries it may have become the head, and then free. */
    return !stop_move(actor, STOP_HEAD, STOP_AGAIN) &&
           stop_move(actor, STOP_NONE, STOP_QUEUED);
}

/* The stop message has left the chain. */
static void stop_spent(struct actor *actor)
{
    if (!stop_move(actor, STOP_HEAD, STOP_NONE) &&
        stop_move(actor, STOP_AGAIN, STOP_QUEUED)) {
        mailbox_push_own(&actor->mailbox, &actor->stop);
    }
}

void actor_spend(struct actor *actor, struct message *spent)
{
    if (spent == &actor->stop) {
        stop_spent(actor);
    } else if (spent != NULL && spent != &actor->stub) {
        message_free(actor_runtime(actor), spent);
    }
}

/* What a message leaves behind; most are small ones of this runtime. */
static inline void spend_here(struct worker *worker, struct actor *actor,
                              struct message *spent)
{
    if (LIKELY(spent != NULL && spent != &actor->stub &&
               spent != &actor->stop && spent->class_ < SLAB_CLASSES)) {
        worker_free(worker, (enum slab_class)spent->class_, spent);
    } else {
        actor_spend(actor, spent);
    }
}

static inline struct message *actor_take(struct worker *worker, struct actor *actor)
{
    struct message *spent;
    struct message *message;
    do {
        message = mailbox_pop(&actor->mailbox, &spent);
        spend_here(worker, actor, spent);
    } while (message == &actor->stub);
    if (message == &actor->stop) {
        stop_move(actor, STOP_QUEUED, STOP_HEAD);
    }
    return message;
}

/* Credits of a large mailbox come home in lots, of at most a batch: senders that
 * wait for room then get a run of it, instead of being woken for each place.
 * Those of a small one are home before the next message is handled. */
static void credits_settle(struct actor *actor)
{
    uint32_t max = actor->mailbox.credits_max;
    uint32_t lot = max >= 64 ? max / 4 : 0;
    if (actor->credits_due > lot) {
        actor_flush_credits(actor);
    }
}

void actor_flush_credits(struct actor *actor)
{
    uint32_t due = actor->credits_due;
    actor->credits_due = 0;
    if (due > 0) {
        bool last = mailbox_give_credits(&actor->mailbox, due);
        ASSERT(!last);
    }
}

static int handle_one(struct actor *actor, ambit_cx *cx,
                      struct message *message)
{
    if (message->kind == MESSAGE_STOP) {
        return AMBIT_STOP;
    }
    credits_settle(actor);
    actor->current = message;
    actor->current_kept = false;
    actor->life->news = true;
    RULE(MBX_ACTOR_1);
    TELL(MESSAGE_HANDLED, &actor->mailbox, message, 0);
    int rc = actor->behaviour->handle(actor, cx, message);
    actor->current = NULL;
    actor->credits_due++;
    return rc;
}

/* Why a life that was cancelled ends. */
static int reason_of_cancel(struct actor *actor)
{
    bool panicked = false;
    int failure = 0;
    if (actor->life->own != NULL) {
        struct region *region = &actor->life->own->region;
        spin_lock(&region->owner.lock);
        panicked = region->panicked;
        failure = region->failure;
        spin_unlock(&region->owner.lock);
    }
    /* ORDER(actor-kill): acquire.  Pairs with ambit_actor_kill(). */
    if (panicked ||
        atomic_load_explicit(&actor->killed, memory_order_acquire)) {
        return -EOWNERDEAD;
    }
    return failure != 0 ? failure : -ECANCELED;
}

enum batch {
    BATCH_EMPTY,
    BATCH_FULL,
    BATCH_ENDS,
};

/* Handles what is queued, up to a batch.  ENDS: *ret_reason says why. */
static enum batch run_batch(struct actor *actor, ambit_cx *cx, int *ret_reason)
{
    struct worker *worker = task_worker(&actor->task);
    for (uint32_t i = 0; i < actor->batch_max; i++) {
        if (owner_is_cancelled(actor->task.scope)) {
            *ret_reason = reason_of_cancel(actor);
            return BATCH_ENDS;
        }
        struct message *message = actor_take(worker, actor);
        if (message == NULL) {
            return BATCH_EMPTY;
        }
        int rc = handle_one(actor, cx, message);
        if (rc == AMBIT_STOP || rc < 0) {
            *ret_reason = rc < 0 ? rc : 0;
            return BATCH_ENDS;
        }
    }
    return BATCH_FULL;
}

static enum batch run_idle(struct actor *actor, ambit_cx *cx, enum batch batch,
                           int *ret_reason)
{
    if (!actor->has_idle || !actor->life->news) {
        return batch;
    }
    actor->life->news = false;
    RULE(SRV_IDLE_1);
    int rc = actor->behaviour->idle(actor, cx);
    if (rc == AMBIT_STOP || rc < 0) {
        *ret_reason = rc < 0 ? rc : 0;
        return BATCH_ENDS;
    }
    return batch;
}

/* The last message is the head of the queue until the next one comes.  A small
 * one may as well stay. */
static bool may_stay(const struct actor *actor, const struct message *head)
{
    return head == &actor->stub ||
           (head->class_ >= SLAB_64 && head->class_ <= SLAB_128);
}

/* Nothing to do: no stack is kept.  False: there is news. */
static bool go_idle(struct actor *actor)
{
    struct worker *worker = task_worker(&actor->task);
    if (!may_stay(actor, actor->mailbox.head)) {
        mailbox_push_own(&actor->mailbox, &actor->stub);
        return false; /* take it, and whatever came in between */
    }
    uint32_t credits = actor->credits_due;
    actor->credits_due = 0;
    seam_suspends(&actor->task);
    task_leave_worker(&actor->task);
    if (mailbox_turn_end(&actor->mailbox, credits)) {
        return true;
    }
    /* In between it may have had turns elsewhere. */
    task_enter_worker(&actor->task, worker);
    TELL(TASK_RUNS, &actor->task, NULL, 0);
    return false;
}

static bool life_starts(struct actor *actor, ambit_cx *cx, int *ret_reason)
{
    struct life *life = actor->life;
    if (life->inited) {
        return true;
    }
    if (owner_is_cancelled(actor->task.scope)) {
        *ret_reason = reason_of_cancel(actor);
        return false;
    }
    *ret_reason = actor->behaviour->init(actor, cx, life->state);
    if (*ret_reason < 0) {
        return false;
    }
    life->inited = true;
    actor->keeper->started(actor->keeper, actor);
    return true;
}

int actor_turn(struct task *task)
{
    struct actor *actor = task_actor(task);
    ambit_cx *cx = &task->cx;
    int reason = 0;
    enum batch batch =
        life_starts(actor, cx, &reason) ? BATCH_EMPTY : BATCH_ENDS;
    while (batch == BATCH_EMPTY) {
        batch = run_batch(actor, cx, &reason);
        if (batch != BATCH_ENDS) {
            batch = run_idle(actor, cx, batch, &reason);
        }
        if (batch == BATCH_EMPTY && !mailbox_is_empty(&actor->mailbox)) {
            /* A sender has its place, but its message is not linked yet, and
             * it may have seen that we look again: so we must, until it is. */
            batch = BATCH_FULL;
        }
        if (batch == BATCH_EMPTY && go_idle(actor)) {
            return TASK_DORMANT;
        }
    }
    actor_flush_credits(actor);
    if (batch == BATCH_FULL) {
        task_leave_worker(&actor->task);
        task_start_later(&actor->task);
        return TASK_DORMANT;
    }
    life_end(actor, reason);
    life_over(actor);
    return TASK_DORMANT;
}
