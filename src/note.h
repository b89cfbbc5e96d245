/* SPDX-License-Identifier: MIT */
/*
 * note.h -- a message to a worker, and the queue it waits in.
 *
 * Whatever one thread wants of another worker's tasks, it asks by a note: wake
 * this task, cancel its wait, start it.  The worker delivers its notes between
 * tasks, so everything that belongs to a worker is touched by its own thread
 * only.  Notes are embedded in what they are about and never allocated.
 *
 *   WRK-INJECT-1  A note is delivered exactly once, in order of posting.
 *
 * Owner: note_take() by the worker; note_put() by any thread, also from a
 * signal handler.
 */
#ifndef AMBIT_SRC_NOTE_H
#define AMBIT_SRC_NOTE_H

#include "src/base.h"

struct worker;

/* What one waits by, in a queue of notes or of tasks. */
struct link {
    struct link *next;
};

/* What comes of a note at its worker.  A task has links only, and the two lowest
 * bits of what leads to one in a queue of notes say what is wanted of it. */
enum note_kind {
    NOTE_CALLS,  /* a struct note, with a function of its own */
    NOTE_WAKES,  /* task.link: it can go on */
    NOTE_STARTS, /* task.link: it begins, or has its next turn */
    NOTE_ABORTS, /* task.abort_link: its wait may be called off */
};

struct note {
    struct link link;
    void (*deliver)(struct worker *worker, struct note *note);
};

#define NOTE_KINDS 4

static inline struct link *note_mark(struct link *link, enum note_kind kind)
{
    return (struct link *)((uintptr_t)link | kind);
}

static inline enum note_kind note_kind(const struct link *marked)
{
    return (enum note_kind)((uintptr_t)marked % NOTE_KINDS);
}

static inline struct link *note_link(struct link *marked)
{
    return (struct link *)((uintptr_t)marked / NOTE_KINDS * NOTE_KINDS);
}

struct note_queue {
    _Atomic(struct link *) top; /* marked; any thread: ORDER(note-publish) */
};

static inline void note_queue_init(struct note_queue *queue)
{
    atomic_init(&queue->top, NULL);
}

/* True when the queue was empty: the caller then sees to the wake. */
static inline bool note_put(struct note_queue *queue, struct link *link,
                            enum note_kind kind)
{
    /* ORDER(note-publish): relaxed.  Only a first guess for the CAS below. */
    struct link *top = atomic_load_explicit(&queue->top, memory_order_relaxed);
    do {
        link->next = top;
        /* ORDER(note-publish): seq_cst.  Publishes the note to note_take().
         * Also one half of the sleep protocol: the load of the sleeping mask
         * that follows must not overtake it (see worker_post, idle_sleep). */
    } while (!atomic_compare_exchange_weak_explicit(
        &queue->top, &top, note_mark(link, kind), memory_order_seq_cst,
        memory_order_relaxed));
    return top == NULL;
}

static inline bool note_queue_is_empty(struct note_queue *queue)
{
    /* ORDER(note-publish): seq_cst.  The other half of the sleep protocol:
     * after the sleeping bit was set, a note put before it was seen is found. */
    return atomic_load_explicit(&queue->top, memory_order_seq_cst) == NULL;
}

/* From newest first to oldest first. */
static inline struct link *note_reverse(struct link *newest)
{
    struct link *oldest = NULL;
    while (newest != NULL) {
        struct link *next = note_link(newest)->next;
        note_link(newest)->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* The worker, between tasks: a guess that costs nothing. */
static inline bool note_queue_seems_empty(struct note_queue *queue)
{
    /* ORDER(note-publish): relaxed.  What is missed now is found next turn. */
    return atomic_load_explicit(&queue->top, memory_order_relaxed) == NULL;
}

/* Everything that is there, marked, oldest first. */
static inline struct link *note_take(struct note_queue *queue)
{
    /* ORDER(note-publish): relaxed.  An empty queue is the common case; what
     * is missed now is found in the next turn. */
    if (atomic_load_explicit(&queue->top, memory_order_relaxed) == NULL) {
        return NULL;
    }
    /* ORDER(note-publish): acquire.  Pairs with the CAS in note_put(). */
    return note_reverse(
        atomic_exchange_explicit(&queue->top, NULL, memory_order_acquire));
}

#endif
