/* SPDX-License-Identifier: MIT */
/*
 * dead.c -- the last of an actor, and messages that come after it.
 *
 * A permit may be committed long after its actor has ended.  The message then
 * lands in a queue that nobody receives from; whoever put it there empties the
 * queue.  The memory goes back when the last credit has come home.
 *
 *   MBX-END-1   After the end, a commit disposes of its message: -EPIPE.
 *   MBX-ONCE-1  Every committed message is handled or disposed, exactly once.
 */
#include "actors/actor.h"

#include <sched.h>
#include <stdlib.h>

static bool is_embedded(const struct actor *actor,
                        const struct message *message)
{
    return message == &actor->stub || message == &actor->stop;
}

static void actor_free(struct actor *actor)
{
    /* First: who still looks for messages of the dead holds the lock. */
    mailbox_retire(&actor->mailbox);
    struct message *head = actor->mailbox.head;
    if (!is_embedded(actor, head)) {
        message_free(actor_runtime(actor), head);
    }
    free(actor->mailbox.arg);
    task_free(&actor->task);
}

void actor_give_credits(struct actor *actor, uint32_t count)
{
    if (mailbox_give_credits(&actor->mailbox, count)) {
        actor_free(actor);
    }
}

/* The next message once the sender that took the place before it has linked
 * it; NULL when the queue is empty. */
static struct message *pop_linked(struct mailbox *mailbox,
                                  struct message **ret_spent)
{
    struct message *next = mailbox_pop(mailbox, ret_spent);
    while (next == NULL && !mailbox_is_empty(mailbox)) {
        sched_yield(); /* it is between two instructions */
        next = mailbox_pop(mailbox, ret_spent);
    }
    return next;
}

/* The receiver, or with the lock: takes every message out of the queue and
 * chains them through `next`.  Disposing is user code, and comes later. */
static struct message *unchain(struct actor *actor)
{
    struct mailbox *mailbox = &actor->mailbox;
    struct message *first = NULL;
    struct message *last = NULL;
    bool handled = true; /* the head's content: it was received before */
    for (;;) {
        struct message *spent;
        if (pop_linked(mailbox, &spent) == NULL) {
            if (mailbox->head == &actor->stub) {
                return first;
            }
            mailbox_push_own(mailbox, &actor->stub);
            continue;
        }
        if (handled) {
            actor_spend(actor, spent);
        } else if (!is_embedded(actor, spent)) {
            message_append(&first, &last, spent);
        }
        handled = false;
    }
}

/* Disposes of what was unchained; returns the credits it held. */
static uint32_t dispose_all(struct actor *actor, struct message *message)
{
    uint32_t credits = 0;
    while (message != NULL) {
        struct message *next = message_next(message);
        RULE(MBX_ONCE_1);
        TELL(MESSAGE_DISPOSED, &actor->mailbox, message, 0);
        credits++;
        actor_drop(actor, message, -EPIPE);
        message_free(actor_runtime(actor), message);
        message = next;
    }
    return credits;
}

void actor_drain_dead(struct actor *actor, uint32_t generation)
{
    if (!mailbox_lock_dead(&actor->mailbox, generation)) {
        return;
    }
    RULE(MBX_END_1);
    struct message *messages = unchain(actor);
    spin_unlock(&actor->mailbox.lock);
    /* The credits of these messages keep the actor's memory. */
    uint32_t credits = dispose_all(actor, messages);
    if (credits > 0) {
        actor_give_credits(actor, credits);
    }
}

void actor_close(struct actor *actor)
{
    uint32_t generation = mailbox_generation(&actor->mailbox);
    mailbox_close(&actor->mailbox);
    uint32_t credits = dispose_all(actor, unchain(actor));
    if (mailbox_detach(&actor->mailbox, credits)) {
        actor_free(actor);
        return;
    }
    /* Others hold credits.  What they pushed before they could see that nobody
     * receives is ours to dispose of. */
    actor_drain_dead(actor, generation);
}
