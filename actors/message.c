/* SPDX-License-Identifier: MIT */
/*
 * message.c -- the memory of a message, and chains outside of a mailbox.
 *
 * Owner: the sender until it is pushed, then the receiver.
 */
#include "actors/mailbox.h"

#include <stdlib.h>

static inline struct message *message_fill(struct message *message, size_t size,
                                           enum slab_class class_, void *later)
{
    message->size = (uint32_t)size;
    message->class_ = (uint8_t)class_;
    message->kind = MESSAGE_INFO;
    message->ahead = later;
    return message;
}

/* Where the worker has none at hand. */
static NOINLINE struct message *
message_fetch(struct runtime *runtime, size_t size, enum slab_class class_)
{
    struct message *message =
        class_ < SLAB_CLASSES
            ? slab_alloc(runtime->depot, runtime_cache(runtime), class_)
            : malloc(sizeof *message + size);
    return message != NULL ? message_fill(message, size, class_, NULL) : NULL;
}

/* The messages of a sender lie in memory as its worker's slab has them, and it
 * knows a few in advance.  The receiver fetches by that: a chain alone costs it
 * the way to the other core for each message, one after the other. */
static inline struct message *message_take(struct worker *worker, size_t size,
                                           enum slab_class class_)
{
    void *later;
    struct message *message = slab_alloc_quick(&worker->slab, class_, &later);
    return LIKELY(message != NULL)
               ? message_fill(message, size, class_, later)
               : message_fetch(worker->runtime, size, class_);
}

/* One call for each class of the small: they are in line, and each knows its
 * own. */
ALWAYS_INLINE struct message *message_make_here(struct worker *worker,
                                                size_t size)
{
    size_t whole = sizeof(struct message) + size;
    if (LIKELY(whole <= 64)) {
        return message_take(worker, size, SLAB_64);
    }
    return whole <= 128 ? message_take(worker, size, SLAB_128)
                        : message_make(worker->runtime, size);
}

struct message *message_make(struct runtime *runtime, size_t size)
{
    enum slab_class class_ = slab_class_for(sizeof(struct message) + size);
    struct worker *self = worker_self;
    return class_ < SLAB_CLASSES && self != NULL && self->runtime == runtime
               ? message_take(self, size, class_)
               : message_fetch(runtime, size, class_);
}

void message_free(struct runtime *runtime, struct message *message)
{
    if (message->class_ < SLAB_CLASSES) {
        runtime_free(runtime, (enum slab_class)message->class_, message);
    } else {
        free(message);
    }
}

struct message *message_next(struct message *message)
{
    /* ORDER(mailbox-link): relaxed.  The chain is ours alone; pairs with
     * message_append(). */
    return atomic_load_explicit(&message->next, memory_order_relaxed);
}

void message_append(struct message **first, struct message **last,
                    struct message *message)
{
    /* ORDER(mailbox-link): relaxed.  As above. */
    atomic_store_explicit(&message->next, NULL, memory_order_relaxed);
    if (*first == NULL) {
        *first = message;
    } else {
        /* ORDER(mailbox-link): relaxed.  As above. */
        atomic_store_explicit(&(*last)->next, message, memory_order_relaxed);
    }
    *last = message;
}
