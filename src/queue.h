/* SPDX-License-Identifier: MIT */
/*
 * queue.h -- a first-in first-out chain of tasks, linked through task.link.
 *
 * Owner: a worker's thread.
 */
#ifndef AMBIT_SRC_QUEUE_H
#define AMBIT_SRC_QUEUE_H

#include "src/note.h"

struct task_queue {
    struct link *first;
    struct link *last;
};

static inline void queue_push(struct task_queue *queue, struct link *link)
{
    link->next = NULL;
    if (queue->last == NULL) {
        queue->first = link;
    } else {
        queue->last->next = link;
    }
    queue->last = link;
}

static inline struct link *queue_pop(struct task_queue *queue)
{
    struct link *link = queue->first;
    if (link != NULL) {
        queue->first = link->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
    }
    return link;
}

#ifdef AMBIT_LAB
/* In the lab any of the ready tasks may be the next one. */
static inline void queue_pick(struct task_queue *queue)
{
    unsigned n = 0;
    for (struct link *at = queue->first; at != NULL && n < 8; at = at->next) {
        n++;
    }
    struct link *before = NULL;
    struct link *picked = queue->first;
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

/* A pop and a push of one that is not empty: never the one that is pushed. */
static inline struct link *queue_turn(struct task_queue *queue,
                                      struct link *link)
{
    queue_pick(queue);
    link->next = NULL;
    queue->last->next = link;
    queue->last = link;
    struct link *first = queue->first;
    queue->first = first->next;
    return first;
}

#endif
