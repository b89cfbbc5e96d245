/* SPDX-License-Identifier: MIT */
/*
 * ambit/actor.h -- actors: a state, a bounded mailbox, one message at a time.
 *
 * An actor handles its messages in order, one at a time, on whichever worker
 * is free; between messages it has no stack.  Its mailbox is two-phase:
 *
 *     reserve  takes a credit: there will be room, whatever others do
 *     commit   publishes the message; cannot fail while the actor lives
 *     abort    gives the credit back
 *
 * FIFO for each sender, by order of commit.  A reservation that is never
 * finished stalls nobody; the credit is lost until it is.
 *
 * A ref names the actor, not its incarnation: under a supervisor the same ref
 * reaches it after a restart, and what was queued is still there.
 */
#ifndef AMBIT_ACTOR_H
#define AMBIT_ACTOR_H

#include <ambit/obligation.h>
#include <ambit/task.h>

AMBIT_BEGIN

/* A value; copy it freely, to any thread.  Zeroed: names nobody. */
typedef struct ambit_actor_ref {
    void *slot;
    uint32_t generation;
    uint32_t node; /* 0: this process */
} ambit_actor_ref;

/* A credit of one mailbox, with the place to build the message in. */
struct ambit_permit {
    void *message;      /* room for `size` bytes, 16-byte aligned */
    size_t size;
    void *node_;
    ambit_actor_ref to_;
};

/* Handler results: >= 0 or a negative errno, which stops the actor with it. */
enum {
    AMBIT_CONTINUE = 0,
    AMBIT_STOP = 1,     /* stop in good order after this message */
    AMBIT_NO_REPLY = 2, /* handle_call only: the reply comes later */
};

struct ambit_actor_type {
    size_t size_;
    const char *name;
    size_t state_size;
    uint32_t mailbox_max;  /* credits; 0: 1,024 */
    int (*init)(ambit_cx *cx, void *state, const void *arg);
    int (*handle)(ambit_cx *cx, void *state, const void *message, size_t size);
    /* The mailbox is empty, or a batch of messages has been handled. */
    int (*handle_idle)(ambit_cx *cx, void *state);
    void (*terminate)(ambit_cx *cx, void *state, int reason);
    /* A message that will never be handled. */
    void (*dispose)(void *message, size_t size);
};

/*
 * Starts an actor in the region and waits until init has returned.  *arg is
 * copied and kept for restarts.  0; init's error; -ESHUTDOWN, -EDQUOT,
 * -ENOMEM, -ECANCELED (the actor is then stopped again).
 */
AMBIT_API int ambit_actor_start(ambit_cx *cx, ambit_region *region,
                                const struct ambit_actor_type *type,
                                const void *arg, size_t arg_size,
                                ambit_actor_ref *ret_actor);

/*
 * Reserves room for a message of size bytes.  Waits, in order of arrival,
 * while the mailbox is full.  0; -ECANCELED; -EPIPE when the actor has ended;
 * -ESTALE for a ref whose actor is long gone; -E2BIG above 1 MiB; -ENOMEM.
 * The permit must be committed or aborted, exactly once, by any thread.
 */
AMBIT_API int ambit_reserve(ambit_cx *cx, ambit_actor_ref actor, size_t size,
                            struct ambit_permit *ret_permit);
/* The same but never waits: -EAGAIN when full.  Any thread. */
AMBIT_API int ambit_try_reserve(ambit_actor_ref actor, size_t size,
                                struct ambit_permit *ret_permit);
/* Publishes.  0; -EPIPE when the actor ended in between: the message is
 * disposed.  The permit is used up either way.  Any thread. */
AMBIT_API int ambit_commit(struct ambit_permit *permit);
AMBIT_API void ambit_abort(struct ambit_permit *permit);

/*
 * Puts a permit on record with the region (see ambit/obligation.h): when it is
 * left, by an early return or a panic, the region's close aborts it.  Whoever
 * finishes it takes it off the record first:
 *
 *     if (ambit_fulfil(&record) == 0)
 *         ambit_commit(&permit);
 *
 * The results of ambit_oblige(); after a refusal the permit is as before.
 * permit stays where it is, as the record does.
 */
#define ambit_oblige_permit(region, obligation, permit) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_oblige_permit_((region), (obligation), (permit), \
                             &ambit_site_); \
    }))
AMBIT_API int ambit_oblige_permit_(ambit_region *region,
                                   struct ambit_obligation *obligation,
                                   struct ambit_permit *permit,
                                   const struct ambit_site *site);

/* reserve, copy, commit.  After -EPIPE the message may or may not have been
 * given to dispose: what owns something is better reserved and committed. */
AMBIT_API int ambit_send(ambit_cx *cx, ambit_actor_ref actor,
                         const void *message, size_t size);
AMBIT_API int ambit_try_send(ambit_actor_ref actor, const void *message,
                             size_t size);

/* Asks the actor to stop once what is queued now has been handled; needs no
 * room, is never lost, never waits.  Under a supervisor that is a normal exit.
 * 0 or -ESTALE, -EPIPE.  Any thread. */
AMBIT_API int ambit_actor_stop(ambit_actor_ref actor);

/* Ends the incarnation as if it had panicked: at once when it is between
 * messages, at its next suspending call when it is not. */
AMBIT_API int ambit_actor_kill(ambit_actor_ref actor, const char *text);

/* Credits taken now: queued or reserved.  Any thread.  0, -ESTALE, -EPIPE. */
AMBIT_API int ambit_actor_depth(ambit_actor_ref actor, uint32_t *ret_taken);

/* The actor the task is a handler of; zeroed for other tasks. */
AMBIT_API ambit_actor_ref ambit_self(ambit_cx *cx);

#ifndef AMBIT_NO_SITES
#define ambit_actor_start(cx, ...) \
    ambit_actor_start(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_reserve(cx, ...) ambit_reserve(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_send(cx, ...) ambit_send(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
