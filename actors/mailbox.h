/* SPDX-License-Identifier: MIT */
/*
 * mailbox.h -- a bounded queue of messages from many senders to one receiver.
 *
 * One word, the gate, decides everything that two sides could disagree about:
 *
 *   63 ........ 32   generation: which actor a ref means
 *   31 30            turn: does the receiver know that there is work?
 *   29               closed: takes no reservation any more
 *   28               detached: nobody receives any more
 *   27               queued: senders are waiting for a credit
 *   26 ......... 0   credits left
 *
 *   turn:  IDLE --enter, notify, nudge--> BUSY --turn ends--> IDLE
 *                                         |  ^
 *                                   nudge v  | looks again
 *                                        AGAIN
 *
 * BUSY is from the moment that the turn is queued, or that somebody has
 * undertaken to queue it, until it is over.  Who pushes then need not say so: a
 * receiver that has gone idle looks at the tail once more, and takes up its
 * turn again if somebody was quicker than that.
 *
 * A credit is taken by reserve and comes back when the message has been
 * handled or disposed, or by abort.  With all credits home and the gate
 * detached nothing refers to the mailbox any more, and it is given back.
 *
 * The queue is a chain from head (the receiver's) to tail (the senders').  A
 * sender swaps the tail for its message and then links the one before to it.
 *
 * The record's first 64 bytes outlive it (see slab.h), so a stale ref may look
 * at the gate, take the lock and find out.
 */
#ifndef AMBIT_ACTORS_MAILBOX_H
#define AMBIT_ACTORS_MAILBOX_H

#include "src/list.h"
#include "src/runtime.h"
#include "src/spin.h"
#include "src/task.h"

#include <ambit/actor.h>

struct region;

#define GATE_GENERATION(word) ((uint32_t)((word) >> 32))
#define GATE_CLOSED (UINT64_C(1) << 29)
#define GATE_DETACHED (UINT64_C(1) << 28)
#define GATE_QUEUED (UINT64_C(1) << 27)
#define GATE_CREDITS ((UINT64_C(1) << 27) - 1)
#define MAILBOX_MAX 1048576
#define MESSAGE_MAX (1 << 20)

enum turn {
    TURN_IDLE,
    TURN_BUSY,
    TURN_AGAIN, /* busy; and there is news that is no message */
};

enum message_kind {
    MESSAGE_INFO,
    MESSAGE_CALL,
    MESSAGE_CAST,
    MESSAGE_STOP, /* part of the actor; holds no credit */
};

struct message {
    _Atomic(struct message *) next; /* ORDER(mailbox-link) */
    uint32_t size;
    uint8_t kind;        /* enum message_kind */
    uint8_t class_;      /* of its memory; SLAB_CLASSES: malloc */
    union {
        void *reply_slot;  /* of a call */
        struct runtime *runtime; /* of an actor's stop: that actor's */
        const void *ahead; /* else: likely a later message; only to be fetched */
    };
    union {
        uint64_t reply_generation; /* of a call */
        const char *name;          /* of an actor's stop: that actor's */
    };
} __attribute__((aligned(16)));

static inline void *message_body(struct message *message)
{
    return message + 1;
}

struct mailbox {
    _Atomic uint64_t gate; /* ORDER(gate) */
    struct spin lock;      /* guards waiters, and receiving when detached */
    uint32_t credits_max;
    struct list_node waiters;
    _Atomic(struct message *) tail; /* ORDER(mailbox-link) */

    /* the actor's, which nobody needs for a message: so that the line of the
     * senders ends here */
    struct region *parent;       /* of the life */
    void *arg;                   /* of its start; once: our own copy */
    struct task *starter;        /* lock: waits for init */

    /* the receiver: written for each message */
    struct message *head;
};

_Static_assert(offsetof(struct mailbox, head) == 64, "what a slab keeps");

/* One who waits for a credit; in its frame, or in its wait. */
struct mailbox_waiter {
    struct list_node node; /* mailbox.waiters */
    struct mailbox *mailbox;
    struct who *who;
    bool waiting;          /* the lock */
};

/* New, with all credits home; its generation goes on from the last user's. */
void mailbox_open(struct mailbox *mailbox, uint32_t credits_max,
                  struct message *stub);
uint32_t mailbox_generation(struct mailbox *mailbox);

/* 0, -ESTALE, or -EPIPE when it takes nothing any more. */
int mailbox_refusal(struct mailbox *mailbox, uint32_t generation);

/* Credits: how many it took, -EAGAIN (none left), -EPIPE (closed), -ESTALE.
 * One, or up to lot, but at most a quarter of what is left. */
int mailbox_try_credits(struct mailbox *mailbox, uint32_t generation,
                        uint32_t lot);
/* One, for a message that is pushed at once.  *ret_start: the receiver was
 * idle; it is busy from now on, and the caller's to start, after the push or
 * without it. */
int mailbox_enter(struct mailbox *mailbox, uint32_t generation,
                  bool *ret_start);
/* The same, but waits.  0, -EPIPE, -ESTALE, -ECANCELED. */
int mailbox_wait_credit(struct mailbox *mailbox, uint32_t generation,
                        struct task *task);
/* It in two steps.  0; -EAGAIN: the waiter is in the queue, and will be woken
 * with 0 or -EPIPE; -EPIPE, -ESTALE. */
int mailbox_queue_for_credit(struct mailbox *mailbox, uint32_t generation,
                             struct mailbox_waiter *waiter, struct who *who);
/* True: out of the queue; false: woken, or about to be. */
bool mailbox_leave_queue(struct mailbox_waiter *waiter);
/* True when that was the last use of a detached mailbox: give it back. */
bool mailbox_give_credits(struct mailbox *mailbox, uint32_t count);

/* Publishes.  What the sender has to see to next. */
enum mailbox_push {
    PUSH_FINE,
    PUSH_START, /* the receiver was idle: start it */
    PUSH_DEAD,  /* nobody receives: mailbox_drain_dead() */
};
enum mailbox_push mailbox_push(struct mailbox *mailbox, uint32_t generation,
                               struct message *message);
/* The same by one who has the receiver to start. */
void mailbox_push_started(struct mailbox *mailbox, struct message *message);
/* The receiver, of what is part of the actor: the stub, so that the memory of
 * the last message can go, or a stop. */
void mailbox_push_own(struct mailbox *mailbox, struct message *message);
/* News that is no message: a kill, a cancel. */
enum mailbox_push mailbox_nudge(struct mailbox *mailbox, uint32_t generation);

/* The receiver.  The next message, which stays valid until the next call, or
 * NULL; *ret_spent is the node nobody needs any more, or NULL. */
struct message *mailbox_pop(struct mailbox *mailbox,
                            struct message **ret_spent);
bool mailbox_is_empty(struct mailbox *mailbox);
/* With an empty queue; brings the credits home.  True: idle, and from now on
 * whoever starts the next turn owns the actor.  False: there is news, and the
 * turn goes on. */
bool mailbox_turn_end(struct mailbox *mailbox, uint32_t credits);

/* No reservations from now on; those who wait are told -EPIPE. */
void mailbox_close(struct mailbox *mailbox);
/* Nobody receives from now on; gives back the receiver's last credits.  True
 * when that was the last use. */
bool mailbox_detach(struct mailbox *mailbox, uint32_t credits);
/* True when generation is still the mailbox's and nobody receives: the caller
 * then holds the lock and may receive until it unlocks. */
bool mailbox_lock_dead(struct mailbox *mailbox, uint32_t generation);
/* The memory goes back: every ref is stale. */
void mailbox_retire(struct mailbox *mailbox);

/* Queued or reserved. */
uint32_t mailbox_taken(struct mailbox *mailbox);

/* A chain of messages that are in no queue any more. */
struct message *message_next(struct message *message);
void message_append(struct message **first, struct message **last,
                    struct message *message);

struct message *message_make(struct runtime *runtime, size_t size);
/* The same on a worker of the runtime. */
struct message *message_make_here(struct worker *worker, size_t size);
void message_free(struct runtime *runtime, struct message *message);

#endif
