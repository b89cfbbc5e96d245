/* SPDX-License-Identifier: MIT */
/*
 * park.h -- the narrow waist: the only way a task suspends.
 *
 * A primitive registers its task with whatever will wake it, then parks.  For
 * each park there is exactly one wake.  It comes from the thing waited for, or
 * from a cancel whose abort function could still call the wait off:
 *
 *     running --park()--> parked --task_wake()--> ready --worker--> running
 *                            |
 *                            +-- park_abort() asks abort_fn:
 *                                  PARK_ABORTED  nobody else will wake it:
 *                                                park returns -ECANCELED
 *                                  PARK_BUSY     the wake is on its way
 *
 * Everything here runs on the task's own worker, so a park and its abort never
 * race; only the wake may come from another thread, as a note.
 *
 *   TASK-PARK-1  Each park is ended by exactly one wake.
 *   TASK-PARK-2  An abort function is called at most once for each park.
 */
#ifndef AMBIT_SRC_PARK_H
#define AMBIT_SRC_PARK_H

#include "src/base.h"

struct task;

/* The closed list of what a task can wait for. */
enum park_kind {
    PARK_NONE,      /* nothing: its turn comes */
    PARK_SLEEP,     /* a timer */
    PARK_JOIN,      /* the end of a task */
    PARK_CLOSE,     /* the end of a region's children; not interruptible */
    PARK_OP,        /* an operation in the kernel */
    PARK_BLOCKING,  /* a call on the blocking pool */
    PARK_RESERVE,   /* a credit of a mailbox */
    PARK_REPLY,     /* the answer to a call */
    PARK_START,     /* the init of an actor */
    PARK_CHILD,     /* a supervisor: the end of a child */
    PARK_BRANCH,    /* a combinator: one of its branches to end */
    PARK_TOKEN,     /* the cancel of a token */
    PARK_SEMAPHORE, /* permits */
    PARK_MUTEX,     /* a mutex */
    PARK_READ,      /* a rwlock without a writer */
    PARK_WRITE,     /* a rwlock without anybody */
    PARK_NOTIFY,    /* a notification */
    PARK_BARRIER,   /* the others at a barrier */
    PARK_ONCE,      /* what another task does once */
    PARK_SEND,      /* room in a channel */
    PARK_RECEIVE,   /* an item of a channel */
    PARK_ONESHOT,   /* the value of a oneshot */
    PARK_WATCH,     /* a newer value of a watch */
    PARK_RING,      /* a message of a ring */
    PARK_RING_ROOM, /* room in a ring */
    PARK_RING_END,  /* the workers to let go of a ring; not interruptible */
    PARK_SHUT,      /* the last use of a socket or file; not interruptible */
    PARK_KINDS,
};

enum park_answer {
    PARK_ABORTED,
    PARK_BUSY,
};

typedef enum park_answer park_abort_fn(struct task *task, void *arg);

/* 0 when a primitive may begin; -ECANCELED, -ETIMEDOUT (clean-up time spent)
 * or -EPERM (this thread cannot suspend) when it must not. */
int park_check_slow(struct task *task); /* park_check(): src/task.h */
/* The same for a primitive that needs something the task's region may be
 * without: OWNER_WITHOUT(caps).  -EPERM then, before all else. */
int park_check_with(struct task *task, uint32_t needs);

/* Suspends; abort NULL: not interruptible.  Returns what the wake said. */
int64_t park(struct task *task, enum park_kind kind, park_abort_fn *abort,
             void *arg);
/* The same for its next turn, which is not interruptible. */
void park_yield(struct task *task);

/* Calls off the wait of a task of this worker, if it is one that can be and
 * the task's cancellation asks for it.  Harmless otherwise. */
void park_abort(struct task *task);

const char *park_kind_name(enum park_kind kind);

#endif
