/* SPDX-License-Identifier: MIT */
/*
 * region.h -- the record of a region.
 *
 *   Open --region_join(): the last child left--> Closed to all
 *        --finalizers_run()--> --region_detach()--> gone        (see word.h)
 *
 * A region stays open to its own tasks while its opener waits for them: they
 * may still spawn.  It closes in the same atomic step in which its last child
 * is seen to have left, so nobody is admitted afterwards.
 *
 * The record lives in the frame of the task that opened it (its host), and
 * everything but the word, the cancel flag and what the lock guards is touched
 * by that task only.
 *
 * Locks: a region's lock is taken after its parent's, never before.
 */
#ifndef AMBIT_REGIONS_REGION_H
#define AMBIT_REGIONS_REGION_H

#include "regions/word.h"

#include "src/list.h"
#include "src/runtime.h"
#include "src/task.h"
#include "src/timer.h"

#include <ambit/region.h>

#define REGION_CLEANUP_NS INT64_C(5000000000) /* where nothing else is asked */

struct heap;
struct signal_watch;

/* One origin of a cancel.  The texts live as long as the region it is of. */
struct region_cause {
    enum ambit_cancel_kind kind;
    int code;
    const char *text;
    const char *region;
    const char *task;
    const struct ambit_cancel_chain *because; /* that region's root.chain */
};

/* The first failure that a region keeps. */
struct region_root {
    const char *task;
    int code;
    struct cause *cause; /* ours; NULL: the task has not said */
};

/* What made a scope fail, until its host ends: see chain.c. */
struct cause {
    struct cause *next; /* region.causes */
    const void *host;
    struct ambit_cancel_chain chain;
};

struct finalizer {
    struct finalizer *next; /* region.finalizers */
    void (*run)(void *arg);
    int (*run_async)(ambit_cx *cx, void *arg);
    void *arg;
    const struct ambit_site *site; /* where it was registered */
    const char *name;              /* of the function, as written there */
    bool lent;                     /* its memory is another's */
};

struct region {
    struct task_owner owner;    /* its lock guards the fields marked lock */
    _Atomic uint64_t word;      /* any thread: ORDER(region-word), word.h */
    _Atomic uint32_t owed;      /* open obligations; any thread: ORDER(owed) */

    /* once */
    struct region *parent;      /* NULL: the root */
    struct task_owner *outer;   /* the host's scope before this one */
    struct task *host;
    const char *name;
    uint32_t tasks_max;
    uint8_t policy;
    ambit_decide_fn *decide;    /* NULL: by policy */
    void *decide_user;
    struct ambit_outcome *outcome; /* the user's, or NULL */
    bool linked;                /* in parent.children */
    int64_t cleanup_ns;
    int64_t close_warn_ns;
    struct quota *charged;      /* counts this region; NULL: nobody does */
    uint64_t cleanup_polls;     /* of its reserve; 0: no limit */
    uint64_t cleanup_cost;
    _Atomic int64_t deadline_ns; /* host; any thread reads: ORDER(deadline) */

    /* lock */
    struct list_node sibling;   /* parent.children; the parent's lock */
    uint32_t visitors;          /* cancels that are below; the parent's lock */
    struct list_node children;
    struct region_cause own;    /* it started here */
    struct region_cause outer_cause;
    struct finalizer *finalizers; /* newest first */
    struct list_node obligations; /* newest last */
    struct quota *reserve;      /* of the finalizers */
    int failure;                /* the first error of a child; 0: none */
    struct region_root root;
    struct cause *causes;       /* of tasks that have not ended */
    struct heap *heap;          /* NULL: not used yet */
    bool panicked;

    /* host */
    int final_failure;          /* the first one of a finalizer */
    unsigned warned;
    unsigned overruns;          /* finalizers that were stopped */
    struct timer deadline_timer;
    struct timer close_timer;   /* warns while joining */
    struct signal_watch *signal;
};

static inline struct region *region_of(ambit_region *region)
{
    return (struct region *)(void *)region;
}

static inline struct region *region_of_owner(struct task_owner *owner)
{
    return CONTAINER_OF(owner, struct region, owner);
}

/* own.c -- the task is in no region of its own yet. */
static inline bool region_is_owed(const struct task *task)
{
    return UNLIKELY(task->hooks != NULL) && task->scope == task->owner &&
           task->hooks->own_scope != NULL;
}

/* 0: it is in one now; -ENOMEM. */
static inline int region_need(struct task *task)
{
    return region_is_owed(task) ? task->hooks->own_scope(task) : 0;
}

/* The same, but panics where there is no memory. */
void region_must(struct task *task);

static inline struct region *region_current(struct task *task)
{
    if (region_is_owed(task)) {
        region_must(task);
    }
    return region_of_owner(task->scope);
}

/* region.c */
/* 0; -EINVAL; -ECANCELED; -ENOSPC.  parent NULL: the root of a run. */
int region_open(struct region *region, struct region *parent,
                struct task *host, const struct ambit_scope_options *options);
/* The same, but no cancel from outside reaches it, and it has no deadline. */
int region_open_apart(struct region *region, struct region *parent,
                      struct task *host,
                      const struct ambit_scope_options *options);
/* One for a task that has joined bare.  `own`: why it was cancelled meanwhile,
 * or NULL. */
void region_open_late(struct region *region, struct region *parent,
                      struct task *host, const char *name,
                      const struct region_cause *own);
/* The host: cancels when `early`, joins, finalizes, detaches.  The result. */
int region_close(struct region *region, bool early);
/* Room for one more child of that unit.  0, -ESHUTDOWN, -EDQUOT, or -EPERM for
 * a task where the region is without AMBIT_CAP_SPAWN. */
int region_admit(struct region *region, uint64_t unit);
void region_leave(struct region *region, uint64_t unit);
/* The owner is a region, and no actor or run. */
bool region_is_owner(const struct task_owner *owner);

/* own.c */
/* Whether a task may do without a region in this one for a while. */
bool region_is_plain(struct region *parent);
/* The task joins the plain parent without one: its cancel nudges the task.  0,
 * -ECANCELED. */
int region_join_bare(struct region *parent, struct task *task);
/* The region takes the task's place there, and over what was cancelled. */
void region_take_place(struct region *region, struct task *host);
void region_move_masks(struct task *task, struct task_owner *from,
                       struct task_owner *to);

/* seats.c -- on a worker, places in hand: see src/seats.h, too. */
/* Its limits are known; it is not open yet. */
void seats_open(struct region *region);
/* Takes some, for the second spawn in one go; true: the caller has one. */
bool seats_take(struct region *region);
/* The running task ends, and its place stays in hand; false: give it back. */
bool seats_come(struct region *region, const void *who);
void seats_go_home(struct region *region);
/* No task is left; true means so. */
bool seats_no_tasks(struct region *region);
/* Live tasks: those in hand are none.  While others are at work it may be too
 * many, by what they hold. */
uint32_t seats_tasks(struct region *region);

/* spawn.c */
/* A SEND task of a part of ours, with its hooks; what its function gets is the
 * address of a copy of the pointer arg.  0 or as ambit_spawn(). */
int region_spawn_hooked(struct region *region, ambit_task_fn *fn,
                        const char *name, const struct task_hooks *hooks,
                        void *arg);

/* cancel.c */
void region_cancel(struct region *region, enum ambit_cancel_kind kind,
                   const char *text);
void region_cancel_for(struct region *region,
                       const struct region_cause *cause);
bool owner_is_cancelled(struct task_owner *owner);
static inline bool region_is_cancelled(struct region *region)
{
    return owner_is_cancelled(&region->owner);
}
/* Its tasks see a cancel from now on; who waits has to be told. */
void owner_mark(struct task_owner *owner);

/* capability.c */
void capability_open(struct region *region, unsigned without);
/* 0, or -EPERM where the owner's tasks are without one of these. */
int capability_needs(struct task_owner *owner, unsigned needs);

/* outcome.c */
void outcome_open(struct region *region,
                  const struct ambit_scope_options *options);
void outcome_judge(struct region *region, struct task_exit *exit);

/* The end of a child, or its part: src/task.h. */
static inline void outcome_child(struct region *region, struct task_exit *exit)
{
    /* ORDER(cancel): relaxed.  Set before the first child, or by the task that
     * now ends. */
    uint32_t flags =
        atomic_load_explicit(&region->owner.flags, memory_order_relaxed);
    if (UNLIKELY((flags & OWNER_WATCHED) != 0 || exit->result < 0 ||
                 exit->end != TASK_RETURNED)) {
        outcome_judge(region, exit);
    }
}

/* All but the detachment is done: the result, for the host. */
int outcome_result(struct region *region);

/* chain.c -- because of whom. */
/* The host is about to get that result of a region, which is still there. */
void chain_of_result(struct region *region, int result);
/* A task has ended: what is known of its failure, to be freed, or NULL. */
struct cause *chain_of_exit(struct region *region,
                            const struct task_exit *exit);
void chain_free_all(struct region *region);

/* finalizer.c */
/* The memory is the caller's, until the region has closed.  0, -ENOMEM,
 * -ESHUTDOWN. */
int finalizer_lend(struct region *region, struct finalizer *finalizer);
void finalizers_run(struct region *region);

/* obligation.c -- the host: aborts what is left. */
void ledger_settle(struct region *region);

/* heap.c -- the host: the memory goes. */
void heap_close(struct region *region);

/* deadline.c */
void deadline_open(struct region *region, int64_t deadline_ns);
void deadline_close(struct region *region);
/* The earliest that reaches the region; 0: none. */
ambit_time deadline_in_force(struct region *region);

/* lane.c -- once the region is linked, before it has tasks. */
void lane_open(struct region *region, enum ambit_priority own);
void lane_deadline(struct region *region, int64_t deadline_ns);
enum ambit_priority lane_priority(const struct region *region);

/* report.c -- a close that takes long says for whom and where. */
void report_fired(struct timer *timer);

#endif
