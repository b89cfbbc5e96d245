/* SPDX-License-Identifier: MIT */
/*
 * line.h -- who waits for an object, in order of arrival.
 *
 * Under every lock and channel lies one line.  Its lock guards the object's
 * state, too.  Whoever changes that state serves the line before letting go of
 * the lock: takes out those who now have what they want, and wakes them after.
 *
 *     waiting --line_grant()--> granted --line_unlock()--> woken
 *        |
 *        +--- cancel: takes itself out, and `left` serves who is behind
 *
 * A waiter lies in the frame of its task.  One that is granted stays there
 * until it is woken, so the chain of those to be woken needs no memory; and a
 * cancel that finds it granted lets the grant stand: its call has succeeded.
 *
 *   SYNC-FIFO-1    Served in order of arrival.
 *   SYNC-CANCEL-1  A wait that is called off passes on what it held up.
 *   SYNC-CANCEL-2  A grant is not undone by a cancel.
 *   SYNC-END-1     An object does not end while somebody waits for it.
 *
 * Zeroed memory is an empty line.  No user code runs under its lock, and no
 * other lock is taken under it.
 */
#ifndef AMBIT_SRC_SYNC_LINE_H
#define AMBIT_SRC_SYNC_LINE_H

#include "src/base.h"
#include "src/park.h"
#include "src/spin.h"

struct task;
struct line_waiter;

struct line {
    struct spin lock; /* guards the rest, and the object around it */
    uint32_t len;
    struct line_waiter *first, *last;
};

/* Those to be woken once the lock is free. */
struct line_woken {
    struct line_waiter *first, *last;
};

struct line_waiter {
    struct line_waiter *next, *prev; /* in the line, or among the woken */
    struct line *line;
    struct line *guard; /* whose lock it is: line, or another of the object */
    /* It has left: the object's turn to serve who is behind.  Lock held; may
     * be NULL. */
    void (*left)(struct line *line, struct line_woken *woken);
    struct task *task;
    void *item;      /* these two mean what the object likes */
    uint32_t wanted;
    bool waiting;    /* the lock */
    bool polled;     /* lies in a struct await, not in a frame */
    int64_t value;   /* what the wait will return */
};

static inline void line_lock(struct line *line)
{
    spin_lock(&line->lock);
}

/* Wakes those who were granted what they want; no lock is held. */
void line_wake(struct line_waiter *first);

/* Unlocks, then wakes.  From here on the object may be gone. */
static inline void line_unlock(struct line *line, struct line_woken *woken)
{
    struct line_waiter *first = woken->first;
    spin_unlock(&line->lock);
    if (first != NULL) {
        line_wake(first);
    }
}

/* Lock held; gives it up, and waits at the end of the line.  What the grant
 * says, or -ECANCELED and the like, after which nothing was granted. */
int64_t line_wait(struct line *line, struct line_waiter *waiter,
                  struct task *task, enum park_kind kind);
/* The same for an object with two lines, under the lock of `guard`.  With a
 * polled waiter both return AMBIT_PENDING at once: src/await.h. */
int64_t line_wait_under(struct line *guard, struct line *line,
                        struct line_waiter *waiter, struct task *task,
                        enum park_kind kind);

/* The one in a machine's state, or the one in the caller's frame, which is
 * begun only here, where there is something to wait for. */
static inline struct line_waiter *line_waiter_or(struct line_waiter *given,
                                                 struct line_waiter *own)
{
    if (given != NULL) {
        return given;
    }
    *own = (struct line_waiter){0};
    return own;
}

/* Takes a waiter out, and serves who is behind.  False: it was granted. */
bool line_call_off(struct line_waiter *waiter);

/* Lock held.  Takes a waiter out; its wait will return `value`. */
void line_grant(struct line *line, struct line_waiter *waiter, int64_t value,
                struct line_woken *woken);
/* All of them. */
void line_grant_all(struct line *line, int64_t value,
                    struct line_woken *woken);

/* Who calls: the task, or this thread where no task of ours runs. */
const void *line_caller(void);

void line_log_left(const char *object, uint64_t left, const char *what);

/* A task ends an object in which so many were left: a line in its runtime's
 * log.  No lock is held. */
static inline void line_tell_left(const char *object, uint64_t left,
                                  const char *what)
{
    if (UNLIKELY(left > 0)) {
        line_log_left(object, left, what);
    }
}

/* The object's end.  Waits until nobody is about to let go of the lock; a
 * waiter that is left is a bug of the caller's, told in that sentence. */
#define line_fini(line_, sentence) \
    do { \
        line_lock(line_); \
        RULE(SYNC_END_1); \
        REQUIRE((line_)->first == NULL, sentence); \
        spin_unlock(&(line_)->lock); \
    } while (0)

#endif
