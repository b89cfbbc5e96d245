/* SPDX-License-Identifier: MIT */
/*
 * await.h -- a wait that lies in the state of a poll task.
 *
 *   idle --await_begin()--> under way --over, call_off()--> idle
 *
 * Where a task with a stack parks, a poll task returns AMBIT_PENDING and asks
 * again in its next step.  Whoever ends the wait says so with await_say(), which
 * wakes the task and lets go of the wait last: until then the task stays in the
 * step that wants to know, so the state, the task and its runtime are there for
 * as long as they are touched.
 *
 * A call for tasks with a stack and its await share what begins the wait and
 * what comes of it; between the two one parks and the other returns.  Whatever
 * ends a wait of either calls who_wake().
 *
 *   AWAIT-ONCE-1    A wait has its effect once, however often it is looked at.
 *   AWAIT-CANCEL-1  A wait that is called off has none, and a grant stands.
 *   AWAIT-DROP-1    One that is dropped is called off, or still to be looked at.
 *   AWAIT-END-1     No wait outlives its task.
 *
 * Zeroed memory is idle.  Owner: the worker of the step; `over` is any thread's.
 */
#ifndef AMBIT_SRC_AWAIT_H
#define AMBIT_SRC_AWAIT_H

#include "src/sync/line.h"
#include "src/task.h"

#include <ambit/await.h>

struct await;

enum await_off {
    AWAIT_OFF,    /* as if it had never begun */
    AWAIT_OVER,   /* it has ended, and has said what with */
    AWAIT_COMING, /* it will end by itself, soon: to be asked again then */
};

struct await_kind {
    /* NULL: it is over when await_say() has said so. */
    bool (*is_over)(struct await *await);
    /* May spin for whoever is about to say that it is over.  May be called
     * again after AWAIT_COMING. */
    enum await_off (*call_off)(struct await *await);
    /* It has ended, with something, and its task does so too.  NULL: nothing. */
    void (*forget)(struct await *await);
};

#define AWAIT_ROOM 72

struct await {
    union {
        struct line_waiter waiter;
        struct timed *timed;           /* of a sleep */
        uint64_t room[AWAIT_ROOM / 8]; /* of its kind */
    } __attribute__((may_alias));
    const struct await_kind *kind; /* NULL: idle */
    struct await *next;            /* of task.awaits */
    void *record;                  /* of its kind, besides the room */
    struct task *task;
    uint64_t generation;           /* of the task, as in its waker */
    int64_t value;                 /* what it has ended with */
    _Atomic uint32_t over;         /* any thread: ORDER(await-over) */
    bool asked;                    /* of its kind: to be called off */
};

_Static_assert(sizeof(struct line_waiter) <= AWAIT_ROOM, "one of the kinds");

static inline struct await *await_of(struct ambit_await *wait)
{
    return (struct await *)(void *)wait;
}

/* What a kind keeps in the wait; still there in the step that ends it. */
#define AWAIT_KEPT(type, await) \
    (__extension__({ \
        _Static_assert(sizeof(type) <= AWAIT_ROOM, "the room of a wait"); \
        (type *)(void *)(await)->room; \
    }))

enum await_look {
    AWAIT_IDLE,   /* to be begun */
    AWAIT_SAID,   /* ended just now; *ret_said: what with */
    AWAIT_ANSWER, /* *ret_said: what to answer: AMBIT_PENDING, or a refusal */
};

enum await_look await_look(struct task *task, struct await *await,
                           int64_t *ret_said);
/* Zeroes the room, too. */
void await_begin(struct await *await, struct task *task,
                 const struct await_kind *kind);
void await_end(struct await *await);

/* Said by who was asked to call it off, after AWAIT_COMING: it never began. */
#define AWAIT_CALLED_OFF INT64_MIN

/* The wait is over.  The last touch of it; any thread, once. */
void await_say(struct await *await, int64_t value);
bool await_has_said(struct await *await);
/* By who knows that somebody is about to. */
void await_until_said(struct await *await);

/* Whoever waits: a task that parks, or a wait of a poll task. */
struct who;

static inline struct who *who_parks(struct task *task)
{
    return (struct who *)(void *)task;
}

static inline struct who *who_awaits(struct await *await)
{
    return (struct who *)((uintptr_t)await | 1);
}

/* One that parks. */
static inline struct task *who_task(struct who *who)
{
    return (struct task *)(void *)who;
}

ALWAYS_INLINE static void who_wake(struct who *who, int64_t value)
{
    if (UNLIKELY(((uintptr_t)who & 1) != 0)) {
        await_say((struct await *)((uintptr_t)who - 1), value);
    } else {
        task_wake(who_task(who), value);
    }
}

/*
 * With the wait idle: begins one, and gives its waiter, for a call that ends
 * with line_wait(); then await_leave().  Else NULL and in *ret_rc what to
 * answer: AMBIT_PENDING, what the wait has ended with, or what a cancel says.
 */
struct line_waiter *await_enter(ambit_cx *cx, struct ambit_await *wait,
                                int *ret_rc);
/* The same with a kind of its own: what is granted is to be passed on when the
 * task panics before it has seen it. */
struct line_waiter *await_enter_as(ambit_cx *cx, struct ambit_await *wait,
                                   const struct await_kind *kind, int *ret_rc);
/* The call has answered: idle again, but for AMBIT_PENDING. */
int await_leave(struct line_waiter *waiter, int rc);

/* For a kind that waits in a line, with waiter.polled. */
enum await_off await_line_call_off(struct await *await);
/* By line_unlock(): a waiter of ours has been granted. */
void await_granted(struct line_waiter *waiter);

/* By a forget(): there is no memory for what its task was given by such an
 * object, and did not look at. */
void await_tell_lost(struct await *await, const char *what);

/* A poll task ends: by a return, or by a panic, which may wait. */
void await_require_none(struct task *task);
void await_abandon_all(struct task *task);

#endif
