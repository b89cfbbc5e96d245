/* SPDX-License-Identifier: MIT */
/*
 * boundary.h -- the places of a boundary, and who may touch them.
 *
 * Everything is under the lock of the receivers' line, but for the bytes: those
 * of a request are its client's until it is queued and the holder's after, those
 * of an answer the holder's until it is answered and the client's after.  Who
 * copies them holds no lock.
 *
 * A place has two sides, `wanted` by a client and `held` by a server, and is
 * free when neither is set.
 */
#ifndef AMBIT_REGIONS_BOUNDARY_H
#define AMBIT_REGIONS_BOUNDARY_H

#include "regions/obligation.h"

#include "src/bell.h"
#include "src/list.h"
#include "src/sync/line.h"

#include <ambit/boundary.h>

struct slot {
    struct list_node entry; /* free, queued, answered */
    struct ambit_boundary *boundary;
    uint32_t index, generation;
    bool wanted;    /* a client will look at the answer */
    bool awaited;   /* and a thread of it sleeps: answer it by its bell */
    bool answered;  /* result is set */
    bool held;      /* received, not resolved */
    bool answering; /* somebody is about to resolve it */
    bool aborted;   /* the close came meanwhile: his to drop */
    bool spent;     /* the client is gone: late is what result says */
    int result;
    int64_t deadline_ns;
    size_t size;
    char *request, *reply;
    struct bell bell;
    struct obligation duty;
};

/* A client that waits for a place, in its frame. */
struct room_wait {
    struct list_node entry;
    struct slot *slot; /* NULL when rung: closed */
    struct bell bell;
};

struct ambit_boundary {
    /* once */
    uint32_t capacity;
    uint32_t request_max, reply_max;
    struct slot *slots;
    char *bytes;

    struct line receivers; /* its lock guards the rest */
    struct list_node free, queued, answered, room_waits;
    uint32_t clients;
    uint32_t users;   /* clients, the region, what is held */
    uint32_t leaving; /* threads that wake others, after the lock */
    int buzzer;       /* -1: not asked for */
    bool served, closed;
    struct ambit_boundary_stats stats;
};

/* To be done once the lock is free. */
struct after {
    struct line_woken woken;
    struct bell *bells;
    bool buzz;
};

static inline void boundary_lock(struct ambit_boundary *boundary)
{
    line_lock(&boundary->receivers);
}

/* Unlocks, then wakes; frees it after its last user. */
void boundary_unlock(struct ambit_boundary *boundary, struct after *after);

/* Lock held.  The client's side: tells it, if that was not done before. */
bool slot_answer(struct slot *slot, int result, struct after *after);
/* One side has let go. */
void slot_release(struct slot *slot, struct after *after);
/* The client will not look. */
void slot_give_up(struct slot *slot, int why, struct after *after);
/* To a receiver that waits, or the end of the queue. */
void slot_submit(struct slot *slot, struct after *after);

/* The server's side has it from now on. */
void slot_hold(struct slot *slot);
/* It will not answer: the close of the scope, or who resolves, on its behalf. */
void slot_drop(struct slot *slot);

static inline bool is_past(int64_t deadline_ns)
{
    return deadline_ns != INT64_MAX && deadline_ns <= ambit_now().ns;
}

static inline void after_bell(struct after *after, struct bell *bell)
{
    bell->next = after->bells;
    after->bells = bell;
}

#endif
