/* SPDX-License-Identifier: MIT */
/*
 * ring.h -- the record of a ring: doors, and a stream from each source to each.
 *
 *      source's thread                              target's thread
 *      tail, written        tail_pub                head_own, tail_seen
 *      ------------------>  what may be taken  ---> ------------------>
 *      head_seen         <---------------  head     what was taken
 *                            door.bell
 *      CAS ARMED to RUNG  <-------------------      QUIET to ARMED: waits
 *      posts door.note   ------------------->       serves who waits
 *
 * A worker has a door for each thing that can be waited for: messages, hot ones,
 * and each counted tag.  A door has one stream from each worker, and a last one
 * that all foreign threads share, under a lock.  The stream of a counted tag is
 * the same without cells: its tail is the sum of what was added, its head of
 * what was taken.
 *
 * Each field is touched by one thread only, but for the three that are marked.
 * Who wants something of the other thread asks by a note: room (stream.note
 * goes there, rests until something is taken, and comes back), the end of the
 * ring (source.seal).
 */
#ifndef AMBIT_SRC_SYNC_RING_H
#define AMBIT_SRC_SYNC_RING_H

#include "src/runtime.h"
#include "src/sync/line.h"

#include <ambit/ring.h>

#define RING_MESSAGES 0 /* the doors of a worker */
#define RING_HOT 1
#define RING_COUNTED 2  /* the first of them */
/* Unseen by their target, at most. */
#define RING_BATCH 64
/* From one source, while others have some. */
#define RING_TURN 16
/* In tail_pub: nothing will follow.  Sums wrap below it. */
#define RING_FINAL (UINT64_C(1) << 63)
#define RING_PLACE(n) ((n) & ~RING_FINAL)

struct ring;
struct ring_door;
struct ring_source;

/* From one source to one door. */
struct ring_stream {
    /* once */
    struct ring_door *door;
    struct ring_source *source;
    struct ambit_ring_message *cells; /* NULL: counted */
    uint64_t room;                    /* messages, or units */
    bool own;                         /* the source is the target */

    /* source */
    _Alignas(CACHE_LINE) uint64_t tail;
    uint64_t shown;     /* of it, in tail_pub */
    uint32_t unshown;   /* calls since */
    uint64_t head_seen;
    struct ring_stream *next_dirty; /* source.dirty */
    bool dirty;
    bool asked;         /* the note is under way, or with the target */
    struct line senders; /* who waits for room */
    /* any thread: ORDER(ring-tail) */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail_pub;

    /* target */
    _Alignas(CACHE_LINE) uint64_t tail_seen;
    bool wanted;        /* the note is here: room has been asked for */
    /* any thread: ORDER(ring-head) */
    _Atomic uint64_t head;
    struct note note;   /* whoever has it */
};

enum ring_bell {
    RING_QUIET, /* nobody waits */
    RING_ARMED, /* somebody does: the next who sends rings */
    RING_RUNG,  /* the note is under way */
};

/* What a poll task was given and did not look at, on its way back. */
struct ring_back {
    struct note note; /* to the door's worker */
    struct ring_back *next;
    struct ring_door *door;
    struct ambit_ring_message message;
    uint32_t number;  /* of those that poll tasks were given there */
};

_Static_assert(sizeof(struct ring_back) <= 64, "SLAB_64");

/* One thing to wait for, on one worker. */
struct ring_door {
    /* once */
    struct ring *ring;
    struct worker *worker;
    struct ring_stream *streams; /* by source; the last: foreign threads */
    struct ambit_ring_message *cells;

    /* target */
    _Alignas(CACHE_LINE) struct line waiting;
    unsigned at;        /* the stream whose turn it is */
    unsigned taken;     /* in its turn */
    uint32_t handed;    /* to poll tasks */
    struct ring_back *back; /* in front of all streams */
    struct note note;   /* whoever has made it RUNG */

    /* any thread: ORDER(ring-bell) */
    _Alignas(CACHE_LINE) _Atomic uint32_t bell;
    _Atomic uint64_t rung; /* whoever has made it RUNG; ORDER(stats) */
    /* Messages, or a sum, that have come back.  The target; ORDER(stats) */
    _Atomic uint64_t came_back;
};

/* One who sends: a worker, or all foreign threads. */
struct ring_source {
    struct ring *ring;
    uint16_t from;
    /* its thread */
    bool posted;                /* flush is under way */
    struct ring_stream *dirty;  /* what some targets cannot see yet */
    struct note flush;
    struct note seal, rest;     /* the two rounds of an end */
    _Atomic uint64_t refused;   /* ORDER(stats) */
    struct spin lock;           /* of foreign threads: guards their streams */
} __attribute__((aligned(CACHE_LINE)));

struct ring {
    /* once */
    struct runtime *runtime;
    const char *name;
    unsigned workers, kinds;    /* doors of a worker */
    uint32_t capacity, mask;    /* cells of a stream - 1 */
    bool hot;                   /* some tags are */
    uint8_t *kind_of;           /* by tag; NULL: all are messages */
    struct ring_door *doors;    /* workers * kinds */
    struct ring_source *sources; /* workers + 1 */
    struct task *closer;        /* waits for the two rounds */

    /* any thread */
    _Alignas(CACHE_LINE) _Atomic bool closed; /* ORDER(ring-closed) */
    /* Workers, and the closer, that have not yet: ORDER(ring-round) */
    _Atomic uint32_t to_seal, to_rest;
};

static inline struct ring *ring_of(ambit_ring *public)
{
    return (struct ring *)(void *)public;
}

static inline unsigned ring_kind(const struct ring *ring, uint16_t tag)
{
    return LIKELY(ring->kind_of == NULL) ? RING_MESSAGES : ring->kind_of[tag];
}

static inline struct ring_door *ring_door(struct ring *ring, unsigned worker,
                                          unsigned kind)
{
    return &ring->doors[worker * ring->kinds + kind];
}

/* What goes by it is added up. */
static inline bool ring_counts(const struct ring_door *door)
{
    unsigned number = (unsigned)(door - door->ring->doors);
    return number % door->ring->kinds >= RING_COUNTED;
}

/* This thread's. */
static inline struct ring_source *ring_here(struct ring *ring)
{
    struct worker *self = worker_self;
    return self != NULL && self->runtime == ring->runtime
               ? &ring->sources[self->index]
               : &ring->sources[ring->workers];
}

static inline uint64_t ring_tail(struct ring_stream *stream)
{
    /* ORDER(ring-tail): seq_cst.  What lies in the cells before it was written
     * before.  Also the second half of a wait: whoever armed the bell before
     * sees what was shown by those who did not see it armed. */
    return atomic_load_explicit(&stream->tail_pub, memory_order_seq_cst);
}

static inline uint64_t ring_head(struct ring_stream *stream)
{
    /* ORDER(ring-head): acquire.  Pairs with taken_up_to(): the cells before
     * it have been read. */
    return atomic_load_explicit(&stream->head, memory_order_acquire);
}

static inline uint64_t ring_came(struct ring_door *door)
{
    /* ORDER(ring-came): acquire.  Pairs with set_came().  Exact for the target, and
     * when nobody receives. */
    return atomic_load_explicit(&door->came_back, memory_order_acquire);
}

static inline bool ring_is_closed(struct ring *ring)
{
    /* ORDER(ring-closed): relaxed.  Who sends after the close knows of it by
     * other means; a send that meets it is over before its source is sealed. */
    return atomic_load_explicit(&ring->closed, memory_order_relaxed);
}

/* ring.c -- without its region: whoever makes one, ends it. */
/* 0, -EINVAL, -ENOMEM. */
int ring_create(struct ring **ret_ring, struct runtime *runtime,
                const struct ambit_ring_options *options);
/* Never used yet, or after ring_retire(). */
void ring_destroy(struct ring *ring);
/* The last user: waits until no worker has anything to do with it, which cannot
 * be called off.  How many messages nobody received. */
uint64_t ring_retire(struct ring *ring, struct task *task);

/* What a waiter for room wants to send: its item. */
struct ring_wish {
    uint64_t value;
    uint16_t tag;
};

/* ring_send.c -- the source's thread. */
/* As ambit_ring_send(); with a waiter, which needs a wish, as a call for a poll
 * task: AMBIT_PENDING. */
int ring_send(struct task *task, struct ring *ring, unsigned to,
              struct ring_wish *wish, struct line_waiter *given);
void ring_flush(struct ring_source *source);
/* No more from here. */
void ring_seal(struct ring_source *source);
/* stream.note is back: there is room. */
void ring_room_told(struct worker *worker, struct note *note);

/* ring_receive.c -- the target's thread. */
/* Without a task: -EAGAIN in place of a wait; with a waiter, AMBIT_PENDING. */
int ring_receive(struct ring *ring, unsigned kind, struct task *task,
                 struct line_waiter *given, void *ret_item);
/* Gives those who wait, if any, what there is. */
void ring_serve(struct ring_door *door);
/* A ring_back has come, which is the door's from then on. */
void ring_came_back(struct worker *worker, struct note *note);
/* The bell was rung. */
void ring_heard(struct worker *worker, struct note *note);
/* stream.note has come: room is wanted. */
void ring_room_asked(struct worker *worker, struct note *note);

#endif
