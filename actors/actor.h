/* SPDX-License-Identifier: MIT */
/*
 * actor.h -- a mailbox that lasts, and the lives that receive from it.
 *
 *   actor_make() --> actor_begin_life() --> turns ... --> life over
 *                          ^                                  |
 *                          +---- the keeper restarts it ------+
 *                                                             |
 *                                            actor_close(): for good
 *
 * A life is one incarnation: a state, what it holds for callers, and a region
 * from when its handlers need one.
 * Turns of the actor's task receive messages; between two turns the actor has
 * no stack and no worker.
 *
 * Who may touch what: the life is the running turn's; between two lives it is
 * the keeper's.  Other threads use the gate, and the lock for `life`.
 */
#ifndef AMBIT_ACTORS_ACTOR_H
#define AMBIT_ACTORS_ACTOR_H

#include "actors/mailbox.h"
#include "actors/reply.h"
#include "regions/region.h"
#include "src/worker.h"

#include <ambit/actor.h>
#include <ambit/server.h>

struct actor;

/* What a kind of actor does; one for plain actors, one for servers. */
struct behaviour {
    int (*init)(struct actor *actor, ambit_cx *cx, void *state);
    int (*handle)(struct actor *actor, ambit_cx *cx, struct message *message);
    int (*idle)(struct actor *actor, ambit_cx *cx);
    void (*terminate)(struct actor *actor, ambit_cx *cx, int reason);
    /* A message that will never be handled. */
    void (*dispose)(struct actor *actor, struct message *message);
    /* Bytes of a life: its state, and what the handlers need behind it. */
    size_t (*life_size)(const void *type);
};

struct actor_plan {
    const struct behaviour *behaviour;
    const void *type;       /* struct ambit_actor_type or ambit_server_type */
    const char *name;
    uint32_t mailbox_max;
    uint32_t batch_max;
    const void *arg;
    size_t arg_size;
    bool has_idle; /* its handlers want to know of an empty mailbox */
};

/* Who is told, on the actor's worker, that a life is over; the last use of the
 * actor by that life.  Also how start reports: started(0) after init. */
struct keeper {
    void (*started)(struct keeper *keeper, struct actor *actor);
    void (*ended)(struct keeper *keeper, struct actor *actor, int reason);
};

/* A reply that was taken for later, and where. */
struct kept_reply {
    ambit_reply reply;
    const struct ambit_site *at;
};

/* Answered ones are swept. */
struct kept_replies {
    uint32_t len;
    uint32_t room;
    struct kept_reply at[];
};

/* The region of a life, from when it is needed. */
struct life_region {
    struct region region;
    struct finalizer terminate; /* the first one: it runs last */
};

struct life {
    struct life_region *own;    /* mailbox.lock; NULL: the life is bare */
    const char *cancel_text;    /* mailbox.lock: of a bare one's cancel */
    struct kept_replies *kept;  /* NULL: none was taken yet */
    int reason;                 /* why it ends; a panic until told otherwise */
    bool cancelled;             /* mailbox.lock: when it was bare, by name */
    bool news;                  /* handled something since the last idle */
    bool inited : 1;
    bool panicked : 1;
    bool brief : 1;             /* its region is in a frame of its end */
    unsigned char state[] __attribute__((aligned(16)));
};

struct actor {
    struct mailbox mailbox;      /* first: the slab keeps it */
    struct message *current;     /* being handled */
    uint32_t credits_due;        /* handled, not yet given back */
    bool current_kept;           /* its reply was taken for later */
    bool abandoned;              /* mailbox.lock: its starter was cancelled */
    bool was_started;            /* a life: init has succeeded once */
    bool has_idle;               /* once */
    struct life *life;           /* mailbox.lock for other threads */
    const struct behaviour *behaviour; /* once */
    const void *type;            /* once: of the behaviour */
    struct keeper *keeper;       /* once */
    uint32_t batch_max;          /* once */
    _Atomic bool killed;         /* ORDER(actor-kill) */
    _Atomic uint8_t stop_state;  /* ORDER(actor-stop), enum stop_state */
    struct task task;            /* on lines of its own */
    struct task_owner self;      /* owner of the task */
    struct message stub;
    struct message stop;         /* and what few ask of: name, runtime */
};

_Static_assert(offsetof(struct actor, task) == 128, "whole cache lines");
_Static_assert(sizeof(struct actor) == 384, "six of them, a slab class");

/* Not by its task, whose lines each turn writes. */
static inline struct runtime *actor_runtime(const struct actor *actor)
{
    return actor->stop.runtime;
}

static inline struct actor *task_actor(struct task *task)
{
    return CONTAINER_OF(task, struct actor, task);
}

/* Where the stop message is.  As the head of the queue it is still part of the
 * chain though it was taken, so it cannot be pushed again before the next
 * message has been taken; a stop that comes meanwhile is pushed then. */
enum stop_state {
    STOP_NONE,
    STOP_QUEUED,
    STOP_HEAD,
    STOP_AGAIN, /* the head, and wanted once more */
};

/* True when the caller has to push the stop message. */
bool actor_ask_stop(struct actor *actor);

/* A new actor without a life.  0, -EINVAL, -ENOMEM. */
int actor_make(struct runtime *runtime, const struct actor_plan *plan,
               struct keeper *keeper, struct actor **ret_actor);
/* A life under the region.  0, -ESHUTDOWN, -EDQUOT, -ECANCELED, -ENOMEM. */
int actor_begin_life(struct actor *actor, struct region *parent);
/* Between lives: ends it for good; what is queued is disposed. */
void actor_close(struct actor *actor);
/* Cancels the life, if there is one; orderly or as a kill.  Any thread that
 * knows that the actor is there. */
void actor_cancel_life(struct actor *actor, const char *text);

/* The turn; behind the task. */
int actor_turn(struct task *task);

ambit_actor_ref actor_ref(struct actor *actor);
struct actor *actor_of_task(struct task *task); /* NULL: not a handler's */

/* The receiver. */
/* The node of a message that was handled; NULL is fine. */
void actor_spend(struct actor *actor, struct message *spent);
void actor_flush_credits(struct actor *actor);

static inline ambit_reply message_reply(const struct message *message)
{
    return (ambit_reply){message->reply_slot, message->reply_generation};
}

/* A message nobody will handle: its caller is told, its content disposed. */
void actor_drop(struct actor *actor, struct message *message, int result);

/* life.c */
int life_begin(struct actor *actor, struct region *parent);
/* With the mailbox's lock: asks it to end, if there is one. */
void life_cancel(struct actor *actor, const char *text);
/* On the turn: closes the region. */
void life_end(struct actor *actor, int reason);
/* The region is closed; the last use of the actor by this life. */
void life_over(struct actor *actor);
int life_keep_reply(struct life *life, struct kept_reply reply);
void life_drop_replies(struct actor *actor);
extern const struct task_hooks life_hooks;

/* A refusal of a region that is ours and was cancelled meanwhile is that
 * cancel: the caller hears of it as from every other suspending call. */
static inline int refusal_or_cancel(struct task *task, int rc)
{
    int cancelled = rc == -ESHUTDOWN ? park_check(task) : 0;
    return cancelled < 0 ? cancelled : rc;
}

/* start.c -- unsupervised: a failure is the region's. */
int actor_start(ambit_cx *cx, ambit_region *region,
                const struct actor_plan *plan, ambit_actor_ref *ret_actor);

struct actor_plan actor_plan_of(const struct ambit_actor_type *type,
                                const void *arg, size_t arg_size);
struct actor_plan server_plan_of(const struct ambit_server_type *type,
                                 const void *arg, size_t arg_size);

/* dead.c -- the last of an actor, and messages that come after it. */
void actor_drain_dead(struct actor *actor, uint32_t generation);
void actor_give_credits(struct actor *actor, uint32_t count);

/* lot.c -- what this thread's worker has taken in advance. */
static inline bool lot_is_of(const struct worker_lot *lot,
                             const struct actor *actor, uint32_t generation)
{
    return lot->owner == actor && lot->generation == generation;
}

/* The second time in one go: it may be the first of many. */
int lot_take_more(struct actor *actor, struct worker_lot *lot);
/* Those of another actor go home. */
void lot_give_back(struct worker_lot *lot);

static inline int lot_take_one(struct actor *actor, uint32_t generation,
                               bool *ret_start)
{
    return ret_start != NULL
               ? mailbox_enter(&actor->mailbox, generation, ret_start)
               : mailbox_try_credits(&actor->mailbox, generation, 1);
}

/* The first time in one go: the worker remembers whose it was.  Not of another
 * runtime's actor, which may be gone with it before this worker is back in its
 * loop. */
ALWAYS_INLINE static int lot_take_first(struct worker *worker, struct actor *actor,
                                 uint32_t generation, bool *ret_start)
{
    struct worker_lot *lot = &worker->lot;
    if (UNLIKELY(lot->left > 0)) {
        lot_give_back(lot);
    }
    int rc = lot_take_one(actor, generation, ret_start);
    bool remember = rc > 0 && actor_runtime(actor) == worker->runtime;
    lot->owner = LIKELY(remember) ? actor : NULL;
    lot->generation = generation;
    return rc;
}

/* A credit for one message, last: before the sender waits.  > 0, or as
 * mailbox_try_credits().  worker: this thread's, or NULL.  ret_start, false
 * before: as mailbox_enter() where it is pushed at once, NULL where it may take a
 * while. */
ALWAYS_INLINE static int lot_take(struct worker *worker, struct actor *actor,
                           uint32_t generation, bool last, bool *ret_start)
{
    if (UNLIKELY(worker == NULL)) {
        return lot_take_one(actor, generation, ret_start);
    }
    struct worker_lot *lot = &worker->lot;
    if (!lot_is_of(lot, actor, generation)) {
        return last ? lot_take_one(actor, generation, ret_start)
                    : lot_take_first(worker, actor, generation, ret_start);
    }
    if (lot->left == 0) {
        return last ? lot_take_one(actor, generation, ret_start)
                    : lot_take_more(actor, lot);
    }
    RULE(MBX_END_1); /* a credit in hand is of no use once it has ended */
    int rc = mailbox_refusal(&actor->mailbox, generation);
    if (UNLIKELY(rc < 0)) {
        return rc;
    }
    lot->left--;
    return 1;
}

/* Gives back what is left of them. */
void lot_go_home(struct actor *actor);

/* send.c -- a message between its credit and its place in the queue. */
struct sending {
    struct worker *here; /* this thread's, of the actor's runtime; or NULL */
    struct actor *actor;
    uint32_t generation;
    bool start; /* the receiver is ours to start */
    struct message *message;
};

/* worker: this thread's, or NULL.  wait_as NULL: -EAGAIN in place of a wait for
 * a credit; last: the sender is about to wait.  0: it ends with one of the two
 * below, soon; or as ambit_send(). */
int sending_begin(struct worker *worker, ambit_actor_ref ref, size_t size,
                  struct task *wait_as, bool last,
                  struct sending *ret_sending);
/* 0, or -EPIPE: nobody receives, and it was disposed of. */
int sending_end(struct sending *sending);
void sending_drop(struct sending *sending);
struct sending sending_of(struct ambit_permit *permit);

/* The same for a poll task: a wait of it, idle or begun by this. */
int actor_await_reserve(struct task *task, struct await *await,
                        ambit_actor_ref ref, size_t size, bool last,
                        struct ambit_permit *ret_permit);

#endif
