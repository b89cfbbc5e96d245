/* SPDX-License-Identifier: MIT */
/*
 * worker.h -- one thread, its queues, its ring.
 *
 * A turn of the loop:
 *
 *     notes -> fresh tasks -> ready tasks -> timers -> submit and reap
 *
 * and, when all of them had nothing: steal, spin a little, sleep in the kernel.
 * Each step takes a bounded batch, so none starves another:
 *
 *   WRK-FAIR-1  A ready task waits for at most one batch of every other step.
 */
#ifndef AMBIT_SRC_WORKER_H
#define AMBIT_SRC_WORKER_H

#include "src/deque.h"
#include "src/driver/driver.h"
#include "src/fiber.h"
#include "src/lane.h"
#include "src/note.h"
#include "src/queue.h"
#include "src/slab.h"
#include "src/stack.h"
#include "src/timer.h"

#include <pthread.h>

#define WORKERS_MAX 64
/* Unstarted tasks, and ready ones, before the others have their turn; and both
 * together before the loop looks at work from outside. */
#define WORKER_BATCH 30
#define WORKER_TURN 60
#define WORKER_FAIR_TICK 61   /* every so often the oldest fresh task first */

struct task;
struct task_exit;
struct task_owner;
struct runtime;

/* Counters of one worker; summed by the runtime.  Written by the worker only,
 * read by any thread: ORDER(stats). */
struct worker_stats {
    _Atomic uint64_t spawned;
    _Atomic uint64_t completed;
    _Atomic uint64_t cancelled;
    _Atomic uint64_t panicked;
    _Atomic uint64_t spawns_refused;
    _Atomic uint64_t stolen;
    _Atomic uint64_t steal_searches;
    _Atomic uint64_t steal_probes;
    _Atomic uint64_t steal_pauses;
    _Atomic uint64_t wakes_sent;
    _Atomic uint64_t sleeps;
    _Atomic uint64_t ops_submitted;
    _Atomic uint64_t ops_completed;
};

/* What lies in the worker's own queues but for `ready`: set with each push, and
 * taken back by who looks in vain, or by the loop.  A hint that there may be
 * something; where it is not set, there is nothing.  And, exactly, whether a pass of
 * ready ones is under way. */
#define QUEUED_NEW UINT32_C(1)          /* pinned, fresh */
#define QUEUED_WOKEN (UINT32_C(1) << 1) /* woken */
#define QUEUED_NOTES (UINT32_C(1) << 2) /* notes_local */
#define QUEUED_LANES (UINT32_C(1) << 3) /* lanes: they are not quiet */
#define QUEUED_PASS (UINT32_C(1) << 4)  /* pass_left > 0 */

/* What the tasks that run now will need of something shared, taken in advance;
 * the rest goes home when the worker is back in its loop. */
struct worker_lot {
    void *owner; /* or NULL */
    uint32_t generation;
    uint32_t left;
    void (*go_home)(struct worker_lot *lot);
};

/* The same of places in a region: regions/seats.c. */
struct worker_seats {
    /* any thread reads: ORDER(seats) */
    _Atomic(struct task_owner *) owner; /* or NULL */
    _Atomic uint32_t left;
    void (*go_home)(struct worker_seats *seats);
};

struct worker {
    /* once; as old as the runtime: a thread that is no worker may still be
     * about to ring the bell when the run it meant is over */
    struct runtime *runtime;
    unsigned index;
    int bell; /* an eventfd */

    /* a run */
    pthread_t thread;

    /* the worker's thread */
    struct task *current;
    struct stack *current_stack;
    int *error;                   /* its &errno; where it has begun */
    uint32_t queued;              /* bits of QUEUED_ */
    struct fiber loop;            /* the thread's own stack */
    struct task_queue ready;      /* started tasks that can go on: the normal */
    struct lanes lanes;           /* lane; and those of the others */
    struct task_queue pinned;     /* unstarted ones that must stay here */
    struct link *notes_local;     /* posted to ourselves, marked, newest first */
    struct stack_arena stacks;
    int64_t cool_at; /* when free stacks are looked at next: src/cool.c */
    int64_t cool_queues_at; /* the same of large queues; 0: there are none */
    struct timer_heap timers;
    struct slab_cache slab;
    struct worker_lot lot;
    struct worker_seats seats;
    struct driver *driver;
    unsigned turn_left;           /* tasks until the loop's next step */
    unsigned fresh_left;          /* unstarted ones until the next pass */
    unsigned pass_left;           /* ready ones in this pass; 0: none begun */
    struct link *pass_last;       /* its last one */
    unsigned tick;                /* turns since that of the oldest new one */
    uint32_t woken_owes;          /* see owes_above */
    int64_t from_outside;         /* so many on top of `fresh` go before all */
    int64_t woken_at;             /* so high were new tasks when the last of
                                     `woken` began its turn */
    int64_t owes_above;           /* of those above, woken_owes go before the
                                     next one */
    uint64_t ticks_seen;          /* of the cpu, when the clock was last read */
    uint32_t random;              /* for the choice of a victim */
    unsigned steal_misses;        /* in a row, up to a few: steal.c */
    int64_t steal_after_ns;       /* it pauses until then */
    int64_t spin_ns;              /* how long the next spin lasts: idle.c */
    uint64_t numbers;             /* for users: random.c */
    struct stack *back;           /* left for good */
    bool back_dropped;            /* its task exited deep in it */
    bool searching;
    bool alone;                   /* the run has no other worker */
    bool woken_runs;              /* one of `woken` has its turn, and has not
                                     waited in it */
    bool new_next;                /* a new task has its turn before the next */
    const struct task_exit *ending; /* of the current one, whose record may be
                                       gone; or NULL */

    /* any thread */
    _Alignas(CACHE_LINE) struct note_queue inject;
    _Alignas(CACHE_LINE) struct note_queue offered; /* unstarted tasks; thieves */
                                                    /* take them, too */
    struct deque fresh;           /* unstarted SEND tasks: the newest first */
    struct deque woken;           /* those that have had turns, between two: the
                                     oldest first */
    _Alignas(CACHE_LINE) struct worker_stats stats;
};

/* The worker this thread is, or NULL.  Fibers never change threads, so the
 * compiler may keep the address of it across a switch. */
extern __thread struct worker *worker_self
    __attribute__((tls_model("initial-exec")));

/* The record, and a run's use of it. */
int worker_create(struct worker **ret_worker, struct runtime *runtime,
                  unsigned index);
void worker_destroy(struct worker *worker);
int worker_init(struct worker *worker);
void worker_fini(struct worker *worker);

/* Runs until the runtime stops.  The thread's body. */
void worker_loop(struct worker *worker);

/* Delivers a note on that worker: from this thread at its next turn, from
 * another by waking it if it sleeps.  Any thread. */
void worker_post(struct worker *worker, struct note *note);
/* The same of a task, by one of its links. */
void worker_post_task(struct worker *worker, struct link *link,
                      enum note_kind kind);

/* Has an unstarted task queued there, or taken over by who is idle sooner.  Any
 * thread. */
void worker_offer(struct worker *worker, struct task *task);

/* What was taken from a queue of notes; may free it. */
void worker_deliver(struct worker *worker, struct link *marked);

/* A started task of this worker can go on. */
void worker_ready(struct worker *worker, struct task *task);
/* The running one can, but lets others of its priority go first. */
void worker_yields(struct worker *worker, struct task *task);
/* The same, and they have gone; false: there is more to do than that. */
bool worker_turns(struct worker *worker, struct task *task);
/* A task that asks for its first run, or its next turn, queued here. */
void worker_fresh(struct worker *worker, struct task *task, bool alert);

/* The same of one that has not begun, is not pinned, and has no priority. */
void worker_spawns(struct worker *worker, struct task *task);
/* The same without an alert, quick for one that has begun. */
void worker_wakes(struct worker *worker, struct task *task);

/* enter.c -- from a fiber: on to the next one, or back to the loop. */
void worker_switch_out(struct worker *worker);
/* The same, for a stack whose frames will never be continued. */
_Noreturn void worker_drop_stack(struct worker *worker);

void worker_timer_arm(struct timer *timer, int64_t when_ns);
bool worker_timer_disarm(struct timer *timer);

/* One more, of a counter that only this thread writes. */
static inline void count_own(_Atomic uint64_t *counter)
{
    /* ORDER(stats): relaxed.  The one writer; a snapshot for the readers.
     * Pairs with the loads in read_counter(). */
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);
    /* ORDER(stats): relaxed.  As above. */
    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

/* One more, of a counter that any thread writes. */
static inline void count_shared(_Atomic uint64_t *counter)
{
    /* ORDER(stats): relaxed.  A statistic; pairs with read_counter(). */
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* One more, of this worker's, or of the runtime's on a foreign thread. */
#define COUNT(runtime_, field) \
    do { \
        struct worker *self_ = worker_self; \
        struct runtime *of_ = (runtime_); \
        if (self_ != NULL && self_->runtime == of_) { \
            count_own(&self_->stats.field); \
        } else { \
            count_shared(&of_->foreign.field); \
        } \
    } while (0)

/* idle.c -- what a worker does that has nothing to do. */
bool idle_steal(struct worker *worker);
void idle_wait(struct worker *worker);
/* Wakes one sleeper to look for work, unless one is looking already. */
void idle_alert(struct runtime *runtime);
/* Wakes the worker if it sleeps; false: it does not. */
bool idle_wake(struct worker *worker);

#endif
