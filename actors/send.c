/* SPDX-License-Identifier: MIT */
/*
 * send.c -- reserve, commit, abort, and what else one can do with a ref.
 *
 *   MBX-CREDIT-3  A permit that is never finished holds up nobody.
 *   MBX-STOP-1    A stop needs no room, and is never lost.
 */
#include "actors/actor.h"

#include "src/await.h"

static struct actor *actor_of(ambit_actor_ref ref)
{
    return ref.node == 0 ? ref.slot : NULL;
}

/* A credit for a message of that size.  0 or more, or why there is none. */
ALWAYS_INLINE static int take_credit(struct worker *worker, struct actor *actor,
                              uint32_t generation, size_t size,
                              struct task *wait_as, bool last, bool *ret_start)
{
    if (UNLIKELY(actor == NULL)) {
        RULE(MBX_END_2);
        return -ESTALE;
    }
    if (UNLIKELY(size > MESSAGE_MAX)) {
        RULE(MBX_SIZE_1);
        return -E2BIG;
    }
    int rc = lot_take(worker, actor, generation, last, ret_start);
    return UNLIKELY(rc == -EAGAIN) && wait_as != NULL
               ? mailbox_wait_credit(&actor->mailbox, generation, wait_as)
               : rc;
}

/* This thread's worker, where it is of the actor's runtime; or NULL.  The credit
 * is ours, and keeps the actor. */
static inline struct worker *here_for(struct worker *worker,
                                      const struct actor *actor)
{
    return LIKELY(worker != NULL && worker->runtime == actor_runtime(actor))
               ? worker
               : NULL;
}

static inline struct message *message_for(struct worker *here,
                                          struct actor *actor, size_t size)
{
    struct message *message = LIKELY(here != NULL)
                                  ? message_make_here(here, size)
                                  : message_make(actor_runtime(actor), size);
    if (LIKELY(message != NULL)) {
        TELL(PERMIT_RESERVED, &actor->mailbox, message, 0);
    }
    return message;
}

static int permit_make(struct actor *actor, ambit_actor_ref ref, size_t size,
                       struct ambit_permit *ret_permit)
{
    struct message *message = message_for(NULL, actor, size);
    if (message == NULL) {
        actor_give_credits(actor, 1);
        return -ENOMEM;
    }
    *ret_permit = (struct ambit_permit){
        .message = message_body(message),
        .size = size,
        .node_ = message,
        .to_ = ref,
    };
    return 0;
}

static int reserve(ambit_actor_ref ref, size_t size, struct task *wait_as,
                   bool last, struct ambit_permit *ret_permit)
{
    struct actor *actor = actor_of(ref);
    int rc = take_credit(worker_self, actor, ref.generation, size, wait_as,
                         last, NULL);
    return rc < 0 ? rc : permit_make(actor, ref, size, ret_permit);
}

int ambit_reserve(ambit_cx *cx, ambit_actor_ref ref, size_t size,
                  struct ambit_permit *ret_permit)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc : reserve(ref, size, task, false, ret_permit);
}

int ambit_try_reserve(ambit_actor_ref ref, size_t size,
                      struct ambit_permit *ret_permit)
{
    return reserve(ref, size, NULL, false, ret_permit);
}

/* No alert: whoever sends is likely to wait for the answer, and then this
 * worker is the best place. */
static inline void start(struct worker *here, struct actor *actor)
{
    if (LIKELY(here != NULL)) {
        worker_wakes(here, &actor->task);
    } else {
        task_start(&actor->task, false);
    }
}

static NOINLINE int push_dead(struct actor *actor, uint32_t generation)
{
    actor_drain_dead(actor, generation);
    return -EPIPE;
}

ALWAYS_INLINE static int push(struct sending *sending)
{
    struct actor *actor = sending->actor;
    enum mailbox_push pushed = PUSH_START;
    if (sending->start) {
        mailbox_push_started(&actor->mailbox, sending->message);
    } else {
        pushed = mailbox_push(&actor->mailbox, sending->generation,
                              sending->message);
    }
    if (pushed == PUSH_START) {
        start(sending->here, actor);
    }
    return LIKELY(pushed != PUSH_DEAD) ? 0
                                       : push_dead(actor, sending->generation);
}

int sending_end(struct sending *sending)
{
    return push(sending);
}

/* What is not done in a moment must not keep a receiver from others. */
#define SENT_AT_ONCE_MAX (128 - sizeof(struct message))

ALWAYS_INLINE static int begin(struct worker *worker, ambit_actor_ref ref,
                               size_t size, struct task *wait_as, bool last,
                               struct sending *ret_sending)
{
    struct actor *actor = actor_of(ref);
    bool started = false;
    bool at_once = size <= SENT_AT_ONCE_MAX && worker != NULL;
    int rc = take_credit(worker, actor, ref.generation, size, wait_as, last,
                         at_once ? &started : NULL);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    struct worker *here = here_for(worker, actor);
    struct message *message = message_for(here, actor, size);
    if (UNLIKELY(message == NULL)) {
        if (started) {
            start(here, actor); /* a turn that finds nothing */
        }
        actor_give_credits(actor, 1);
        return -ENOMEM;
    }
    *ret_sending =
        (struct sending){here, actor, ref.generation, started, message};
    return 0;
}

int sending_begin(struct worker *worker, ambit_actor_ref ref, size_t size,
                  struct task *wait_as, bool last, struct sending *ret_sending)
{
    return begin(worker, ref, size, wait_as, last, ret_sending);
}

void sending_drop(struct sending *sending)
{
    struct actor *actor = sending->actor;
    TELL(PERMIT_ABORTED, &actor->mailbox, sending->message, 0);
    message_free(actor_runtime(actor), sending->message);
    RULE(MBX_CREDIT_3);
    if (sending->start) {
        start(sending->here, actor); /* as long as the credit keeps it */
    }
    actor_give_credits(actor, 1);
}

/* The permit is used up. */
struct sending sending_of(struct ambit_permit *permit)
{
    struct message *message = permit->node_;
    REQUIRE(message != NULL, "a permit is committed or aborted once");
    permit->node_ = NULL;
    permit->message = NULL;
    return (struct sending){NULL, actor_of(permit->to_),
                            permit->to_.generation, false, message};
}

int ambit_commit(struct ambit_permit *permit)
{
    struct sending sending = sending_of(permit);
    return push(&sending);
}

void ambit_abort(struct ambit_permit *permit)
{
    struct sending sending = sending_of(permit);
    sending_drop(&sending);
}

static void permit_left(void *arg)
{
    RULE(OBL_PERMIT_1);
    ambit_abort(arg);
}

int ambit_oblige_permit_(ambit_region *region,
                         struct ambit_obligation *obligation,
                         struct ambit_permit *permit,
                         const struct ambit_site *site)
{
    return ambit_oblige_(region, obligation, permit_left, permit, site);
}

/* Reserve and commit in one, without a permit between them. */
ALWAYS_INLINE static int send_copy(struct worker *worker, ambit_actor_ref ref,
                                   const void *body, size_t size,
                                   struct task *wait_as)
{
    struct sending sending;
    int rc = begin(worker, ref, size, wait_as, false, &sending);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    if (size > 0) {
        copy_bytes(message_body(sending.message), body, size);
    }
    return push(&sending);
}

int ambit_send(ambit_cx *cx, ambit_actor_ref ref, const void *message,
               size_t size)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    return rc < 0 ? rc : send_copy(task_worker(task), ref, message, size, task);
}

int ambit_try_send(ambit_actor_ref ref, const void *message, size_t size)
{
    return send_copy(worker_self, ref, message, size, NULL);
}

/* --- for poll tasks -------------------------------------------------------- */

static enum await_off credit_call_off(struct await *await)
{
    if (mailbox_leave_queue(AWAIT_KEPT(struct mailbox_waiter, await))) {
        return AWAIT_OFF;
    }
    await_until_said(await);
    return AWAIT_OVER;
}

static void credit_forget(struct await *await)
{
    struct mailbox_waiter *waiter = AWAIT_KEPT(struct mailbox_waiter, await);
    if (await->value == 0) {
        RULE(AWAIT_ROOM_2);
        actor_give_credits(CONTAINER_OF(waiter->mailbox, struct actor, mailbox),
                           1);
    }
}

static const struct await_kind in_credit = {NULL, credit_call_off,
                                            credit_forget};

int actor_await_reserve(struct task *task, struct await *await,
                        ambit_actor_ref ref, size_t size, bool last,
                        struct ambit_permit *ret_permit)
{
    struct actor *actor = actor_of(ref);
    int64_t said;
    enum await_look look = await_look(task, await, &said);
    if (look == AWAIT_SAID && said == 0) {
        RULE(AWAIT_ROOM_1);
        return permit_make(actor, ref, size, ret_permit);
    }
    if (look != AWAIT_IDLE) {
        return (int)said;
    }
    int rc = park_check(task);
    if (rc == 0) {
        rc = reserve(ref, size, NULL, last, ret_permit);
    }
    if (rc != -EAGAIN) {
        return rc;
    }
    await_begin(await, task, &in_credit);
    rc = mailbox_queue_for_credit(&actor->mailbox, ref.generation,
                                  AWAIT_KEPT(struct mailbox_waiter, await),
                                  who_awaits(await));
    if (rc == -EAGAIN) {
        return AMBIT_PENDING;
    }
    await_end(await);
    return rc < 0 ? rc : permit_make(actor, ref, size, ret_permit);
}

int ambit_await_actor_reserve(ambit_cx *cx, struct ambit_await *wait,
                              ambit_actor_ref ref, size_t size,
                              struct ambit_permit *ret_permit)
{
    return actor_await_reserve(task_of(cx), await_of(wait), ref, size, false,
                               ret_permit);
}

int ambit_await_actor_send(ambit_cx *cx, struct ambit_await *wait,
                           ambit_actor_ref ref, const void *message,
                           size_t size)
{
    struct ambit_permit permit;
    int rc = actor_await_reserve(task_of(cx), await_of(wait), ref, size, false,
                                 &permit);
    if (rc == 0) {
        if (size > 0) {
            memcpy(permit.message, message, size);
        }
        rc = ambit_commit(&permit);
    }
    return rc;
}

/* --- the actor's life ------------------------------------------------------ */

/* With the lock: 0 when the ref's actor is there and takes messages. */
static int lock_live(struct actor *actor, ambit_actor_ref ref)
{
    spin_lock(&actor->mailbox.lock);
    int rc = mailbox_refusal(&actor->mailbox, ref.generation);
    if (rc < 0) {
        spin_unlock(&actor->mailbox.lock);
    }
    return rc;
}

int ambit_actor_stop(ambit_actor_ref ref)
{
    struct actor *actor = actor_of(ref);
    int rc = actor != NULL ? lock_live(actor, ref) : -ESTALE;
    if (rc < 0) {
        return rc;
    }
    bool start = false;
    if (actor_ask_stop(actor)) { /* one stop in the queue is enough */
        RULE(MBX_STOP_1);
        start = mailbox_push(&actor->mailbox, ref.generation, &actor->stop) ==
                PUSH_START;
    }
    spin_unlock(&actor->mailbox.lock);
    if (start) {
        task_start(&actor->task, true);
    }
    return 0;
}

int ambit_actor_kill(ambit_actor_ref ref, const char *text)
{
    struct actor *actor = actor_of(ref);
    int rc = actor != NULL ? lock_live(actor, ref) : -ESTALE;
    if (rc < 0) {
        return rc;
    }
    if (actor->life != NULL) {
        /* ORDER(actor-kill): release.  Before the cancel it explains; pairs
         * with reason_of_cancel(). */
        atomic_store_explicit(&actor->killed, true, memory_order_release);
        life_cancel(actor, text);
    }
    spin_unlock(&actor->mailbox.lock);
    return 0;
}

void actor_cancel_life(struct actor *actor, const char *text)
{
    spin_lock(&actor->mailbox.lock);
    life_cancel(actor, text);
    spin_unlock(&actor->mailbox.lock);
}

int ambit_actor_depth(ambit_actor_ref ref, uint32_t *ret_taken)
{
    struct actor *actor = actor_of(ref);
    lot_go_home(actor);
    int rc = actor != NULL ? lock_live(actor, ref) : -ESTALE;
    if (rc < 0) {
        return rc;
    }
    *ret_taken = mailbox_taken(&actor->mailbox);
    spin_unlock(&actor->mailbox.lock);
    return 0;
}
