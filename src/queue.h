/* SPDX-License-Identifier: MIT */
/*
 * queue.h -- a first-in first-out chain of tasks, linked through wake_note.
 *
 * Owner: a worker's thread.
 */
#ifndef AMBIT_SRC_QUEUE_H
#define AMBIT_SRC_QUEUE_H

#include "src/note.h"

struct task_queue {
    struct note *first;
    struct note *last;
};

static inline void queue_push(struct task_queue *queue, struct note *note)
{
    note->next = NULL;
    if (queue->last == NULL) {
        queue->first = note;
    } else {
        queue->last->next = note;
    }
    queue->last = note;
}

static inline struct note *queue_pop(struct task_queue *queue)
{
    struct note *note = queue->first;
    if (note != NULL) {
        queue->first = note->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
    }
    return note;
}

#ifdef AMBIT_LAB
/* In the lab any of the ready tasks may be the next one. */
static inline void queue_pick(struct task_queue *queue)
{
    unsigned n = 0;
    for (struct note *at = queue->first; at != NULL && n < 8; at = at->next) {
        n++;
    }
    struct note *before = NULL;
    struct note *picked = queue->first;
    for (unsigned i = lab_pick_ready(n); i > 0; i--) {
        before = picked;
        picked = picked->next;
    }
    if (before != NULL) {
        before->next = picked->next;
        queue->last = queue->last == picked ? before : queue->last;
        picked->next = queue->first;
        queue->first = picked;
    }
}
#else
#define queue_pick(queue) ((void)0)
#endif

#endif
