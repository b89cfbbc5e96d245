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

#include <stdlib.h>

static void actor_free(struct actor *actor)
{
    struct message *head = actor->mailbox.head;
    if (head != &actor->stub && head != &actor->stop) {
        message_free(actor->task.runtime, head);
    }
    mailbox_retire(&actor->mailbox);
    free((void *)(uintptr_t)actor->plan.arg);
    task_free(&actor->task);
}

void actor_give_credits(struct actor *actor, uint32_t count)
{
    if (mailbox_give_credits(&actor->mailbox, count)) {
        actor_free(actor);
    }
}

/* The receiver: disposes of everything; returns the credits they held. */
static uint32_t drain(struct actor *actor)
{
    uint32_t credits = 0;
    struct message *message;
    while ((message = actor_take(actor)) != NULL) {
        RULE(MBX_ONCE_1);
        credits += message->kind != MESSAGE_STOP;
        actor_drop(actor, message, -EPIPE);
    }
    return credits;
}

void actor_drain_dead(struct actor *actor, uint32_t generation)
{
    uint32_t credits = 0;
    if (mailbox_lock_dead(&actor->mailbox, generation)) {
        RULE(MBX_END_1);
        credits = drain(actor);
        spin_unlock(&actor->mailbox.lock);
    }
    if (credits > 0) {
        actor_give_credits(actor, credits);
    }
}

void actor_close(struct actor *actor)
{
    uint32_t generation = mailbox_generation(&actor->mailbox);
    mailbox_close(&actor->mailbox);
    uint32_t credits = drain(actor);
    if (mailbox_detach(&actor->mailbox, credits)) {
        actor_free(actor);
        return;
    }
    /* Others hold credits.  What they pushed before they could see that nobody
     * receives is ours to dispose of. */
    actor_drain_dead(actor, generation);
}
