/* SPDX-License-Identifier: MIT */
/*
 * supervisor.h -- a supervisor, its children, and what they tell it.
 *
 *   child:   idle --child_start()--> starting --event STARTED--> running
 *              ^                        |                           |
 *              +----- event ENDED ------+---------------------------+
 *
 * Children report by events, from whatever thread; the supervisor's task takes
 * them one by one, so all decisions are made in one place and in order.
 */
#ifndef AMBIT_ACTORS_SUPERVISOR_H
#define AMBIT_ACTORS_SUPERVISOR_H

#include "actors/actor.h"

#include <ambit/supervisor.h>

struct supervisor;

enum event_kind {
    EVENT_NONE,
    EVENT_STARTED,
    EVENT_ENDED,
};

struct child {
    struct keeper keeper;         /* of its actor */
    struct supervisor *supervisor;
    struct ambit_child spec;      /* arg is our own copy */
    struct actor *actor;          /* NULL: a task, or never made */
    bool live;                    /* the supervisor's view */
    uint64_t restarts;

    /* supervisor.lock */
    struct list_node event_node;  /* supervisor.events */
    bool started;
    bool ended;
    int reason;
    struct region *region;        /* of a running task child */
    bool to_end;                  /* a task child, asked to end */
};

struct supervisor {
    struct ambit_supervisor_options options;
    struct task *task;
    struct region region;         /* the children's */
    struct child *children;
    size_t count;

    struct spin lock;             /* guards what follows */
    struct list_node events;      /* of children that have something to tell */
    bool waiting;                 /* the task is parked for an event */
    bool abandoned;               /* whoever started it was cancelled */
    struct task *starter;
    unsigned refs;                /* the task, and whoever started it */

    /* the task's */
    int64_t *restart_times;       /* the last `intensity` of them, a ring */
    uint32_t restart_at;
    uint32_t restart_len;
    uint64_t total;
};

/* child.c */
int child_init(struct child *child, struct supervisor *supervisor,
               const struct ambit_child *spec);
void child_fini(struct child *child);
/* A new life.  0 or why there is none. */
int child_start(struct child *child);
/* Asks it to end; its event follows. */
void child_cancel(struct child *child);

/* supervisor.c */
void supervisor_post(struct child *child, enum event_kind kind, int reason);
void supervisor_unref(struct supervisor *supervisor);
int supervisor_main(ambit_cx *cx, void *arg);

/* intensity.c -- true when one more restart now is one too many. */
bool intensity_spent(struct supervisor *supervisor, int64_t now_ns);

#endif
