/* SPDX-License-Identifier: MIT */
/*
 * task.h -- the record of a task, from spawn to exit.
 *
 *   made --task_start()--> queued --worker--> running <--> parked
 *                            |                   |
 *                            |                   +--task_exit()--> ended
 *                            +-- owner cancelled: never runs ----> ended
 *
 * A record has no stack while it is queued.  An unstarted SEND task is any
 * worker's; from its first instruction on, a task belongs to its worker.
 *
 * A dormant task (an idle actor) is one whose function returned TASK_DORMANT:
 * it lies in no queue until task_start() is called for it again.
 *
 * Who may touch what: fields marked /worker/ only the task's worker, /once/
 * are written before the task is first queued.
 */
#ifndef AMBIT_SRC_TASK_H
#define AMBIT_SRC_TASK_H

#include "src/blocking.h"
#include "src/list.h"
#include "src/note.h"
#include "src/mask.h"
#include "src/park.h"
#include "src/quota.h"
#include "src/spin.h"
#include "src/stack.h"

#include <ambit/capability.h>
#include <ambit/task.h>

struct await;
struct task;
struct who;
struct worker;
struct runtime;

enum task_end {
    TASK_RETURNED,
    TASK_NEVER_RAN,
    TASK_PANICKED,
};

/* The owner hears of an end once, or, of a failure that can be joined, before
 * who joins it does and after: what that one then does must not come first. */
enum exit_part {
    EXIT_WHOLE,
    EXIT_BEFORE,
    EXIT_AFTER,
};

/* What is left of a task when it has ended. */
struct task_exit {
    const void *who; /* tells it from others; not to be read */
    const char *name;
    enum task_end end;
    int result;
    enum exit_part part;
    /* the owner's: set by the first of these, read by the last */
    bool cancels, failed, first;
};

/*   NONE --post--> POSTED --delivery begins--> BUSY --delivery ends--> NONE
 *                    ^                           | post
 *                    +------ delivery ends ------+ AGAIN
 * and, from wherever the note is still needed, --free--> DEAD: delivery then
 * frees the record. */
enum abort_state {
    ABORT_NONE,
    ABORT_POSTED, /* the note is on its way to the worker */
    ABORT_BUSY,   /* being delivered: the record must stay */
    ABORT_AGAIN,  /* the same, and asked for once more */
    ABORT_DEAD,   /* the task has ended meanwhile */
};

/* The flags of an owner: whether its tasks are cancelled, and which kinds of
 * calls they may not make.  In one word, so that a call looks once. */
#define OWNER_CANCELLED UINT32_C(1)
/* More is wanted of an end than that no failure is lost. */
#define OWNER_WATCHED (UINT32_C(1) << 1)
/* Workers may have places of its tasks in hand: src/seats.h. */
#define OWNER_SEATED (UINT32_C(1) << 2)
/* What its tasks use up is counted: it has a quota. */
#define OWNER_QUOTED (UINT32_C(1) << 3) /* bits 4 to 7 are free */
#define OWNER_WITHOUT(caps) ((uint32_t)(caps) << 8)
/* What says which lane its ready tasks take: src/lane.h. */
#define OWNER_TIMED (UINT32_C(1) << 16)
#define OWNER_PRIORITY (UINT32_C(3) << 17)
#define OWNER_WITH_PRIORITY(priority) ((uint32_t)(priority) << 17)
#define OWNER_PRIORITY_OF(flags) (((flags) & OWNER_PRIORITY) >> 17)
#define OWNER_LANED (OWNER_CANCELLED | OWNER_TIMED | OWNER_PRIORITY)

/* Who is told when a task ends, and who can cancel it.  Filled in by the rooms
 * above; the machine knows no more of them than this. */
struct task_owner {
    _Atomic uint32_t flags;     /* any thread: ORDER(cancel) */
    struct spin lock;           /* guards tasks, and what the owner adds */
    _Atomic int64_t due_ns;     /* with OWNER_TIMED; any thread: ORDER(due) */
    struct quota *quota;        /* once; NULL: nothing is limited */
    struct list_node tasks;     /* those that have suspended at least once */
    struct list_node ended;     /* joinable ones that nobody joined yet */
    /* The last the owner hears of a task; but for EXIT_BEFORE its record may be
     * gone already. */
    void (*task_exited)(struct task_owner *owner, struct task_exit *exit);
};

/* What is special about the task of a larger object. */
struct task_hooks {
    /* A turn of it; NULL: a call of its function. */
    int (*turn)(struct task *task);
    /* Of an embedded one: for reports. */
    const char *(*name)(const struct task *task);
    /* Its cancellation has changed: see to it that it runs and looks. */
    void (*nudge)(struct task *task);
    /* It is to have a scope of its own from now on.  0, -ENOMEM.  NULL: what it
     * is a task of is one. */
    int (*own_scope)(struct task *task);
    /* A panic begins: before any scope is closed. */
    void (*panic_begins)(struct task *task);
    /* All scopes are closed: instead of the usual end; the stack is dropped. */
    void (*panic_ends)(struct task *task);
    /* It has ended, in whatever way: the record is still there. */
    void (*ended)(struct task *task);
    /* The last use of an embedded record is over; may free it. */
    void (*gone)(struct task *task);
};

/* What a task function returns to go dormant; never seen by an owner. */
#define TASK_DORMANT INT32_MAX

/* A record is two cache lines, and its argument lies behind it: a small one takes a
 * third, one of the size of a poll task's state with an await in it three.  A
 * larger one is allocated by itself, and its address lies there. */
#define TASK_ARG_SMALL 64
#define TASK_ARG_BEHIND 192
#define TASK_ARG_MAX 4096

/* What few tasks have; between the record and the argument. */
struct task_extras {
    const char *name;           /* or NULL */
    void (*dispose)(void *arg); /* of an argument that was never used; or NULL */
};

#define TASK_ARG_FITS (TASK_ARG_BEHIND - sizeof(struct task_extras))

#define TASK_AT_LARGE ((uintptr_t)1)

struct task {
    /* For who waits or is waited for.  A task that ends at its first turn and that
     * nobody joins does not touch this line. */
    union {
        struct {
            uint64_t only_of_job; /* a brief record begins behind it */
            struct link link;  /* queues: ready, new, notes */
            struct stack_wait *wait; /* worker: of the stack it is parked on */
        };
        struct blocking_job job; /* a BLOCKING task waits in the pool's */
    };
    _Atomic uint64_t join_word; /* any thread: ORDER(join), see join.c */
    struct list_node sibling;   /* owner.tasks or owner.ended; owner.lock */
    union {
        struct who *joiner;    /* any thread; see join.c */
        struct await *awaits;  /* of a poll task, those under way */
    };
    struct link abort_link;    /* of the note about a cancel: abort_state */

    struct ambit_cx cx;         /* what the user's functions get */

    union {
        ambit_task_fn *fn; /* once; a poll task keeps it for its next step */
        int64_t wake_value; /* by the one waker, read after the wake */
    };

    /* once */
    struct task_owner *owner;
    const struct task_hooks *hooks; /* NULL: an ordinary task */

    /* worker */
    struct task_owner *scope;  /* innermost open scope */
    /* The worker it runs or is parked on; or its runtime and TASK_AT_LARGE: until
     * it starts, on a pool thread, and while it is dormant.  Written by the
     * worker, read by any thread: ORDER(task-worker) */
    _Atomic uintptr_t home;

    /* once */
    uint8_t tier : 2;
    bool joinable : 1;
    bool embedded : 1;  /* part of a larger record: never freed by the machine */
    bool pinned : 1;    /* runs on the worker it is queued on */
    bool has_extras : 1;
    bool arg_apart : 1; /* allocated by itself */
    bool wide : 1;      /* of the largest class */
    uint8_t arg_at;     /* from the record, in bytes; 0: not behind it */

    /* worker; first what no turn writes as a rule, then what each does: who loads
     * some of both at once would have to wait for the store */
    union {
        struct {
            bool listed;        /* in owner.tasks */
            bool moves;         /* between its turns; once */
            uint16_t masked;    /* depth; > 0: cancellation is not seen */
        };
        uint8_t plain[4];       /* task_is_plain() */
    };
    uint8_t mask_spent; /* of how many regions the clean-up time is over */
    uint8_t kind;       /* enum park_kind */
    bool parked;        /* in wait(); to be called off unless aborted */
    bool aborted;       /* nothing of this park is to be called off any more */
    uint8_t end : 4;    /* enum task_end */
    bool counted : 1;   /* in runtime.unstarted */
    bool begun : 1;     /* has run at least once */
    _Atomic uint8_t abort_state; /* any thread: ORDER(abort-post), abort_state */
    int result;
};

_Static_assert(sizeof(struct task) == 128, "two cache lines, a slab class");
_Static_assert(offsetof(struct task, cx) == 64, "the second");
/* A poll task with nothing behind its record has a brief one, which begins with
 * its link: there may be a million of them. */
_Static_assert(sizeof(struct task) - offsetof(struct task, link) == 120,
               "a slab class");

static inline struct task *task_of(ambit_cx *cx)
{
    return CONTAINER_OF(cx, struct task, cx);
}

static inline struct task_extras *task_extras(const struct task *task)
{
    return (struct task_extras *)(uintptr_t)(task + 1);
}

/* Where the address of an argument is that was allocated by itself. */
static inline void **task_arg_apart(const struct task *task)
{
    struct task_extras *tail = task_extras(task);
    return (void **)(void *)(tail + task->has_extras);
}

/* The argument of its function; NULL: none was given. */
static inline void *task_arg(const struct task *task)
{
    if (LIKELY(task->arg_at != 0)) {
        return (char *)(uintptr_t)task + task->arg_at;
    }
    return task->arg_apart ? *task_arg_apart(task) : NULL;
}

const char *task_name(const struct task *task);

static inline uintptr_t task_home(const struct task *task)
{
    /* ORDER(task-worker): relaxed.  Of who needs the worker: written by this very
     * thread, or before the note that brought us here.  Of who needs the runtime:
     * whatever it says, that is the same. */
    return atomic_load_explicit(&task->home, memory_order_relaxed);
}

/* On no worker; its own thread asks. */
static inline bool task_is_at_large(const struct task *task)
{
    return (task_home(task) & TASK_AT_LARGE) != 0;
}

/* The worker of a task that runs on one, or is parked there. */
static inline struct worker *task_worker(const struct task *task)
{
    CHECK(!task_is_at_large(task));
    return (struct worker *)task_home(task);
}

/* worker may be NULL: then it is not there. */
static inline bool task_is_at(const struct task *task,
                              const struct worker *worker)
{
    return task_home(task) == (uintptr_t)worker;
}

/* It runs there from now on. */
static inline void task_enter_worker(struct task *task, struct worker *worker)
{
    /* ORDER(task-worker): relaxed.  Who looks for it in vain has nothing to call
     * off: before it waits, park() makes sure that it is found. */
    atomic_store_explicit(&task->home, (uintptr_t)worker, memory_order_relaxed);
}

/* Listed, where it will stay, and without a mask: one look at four bytes. */
static inline bool task_is_plain(const struct task *task)
{
    static const uint8_t plain[sizeof task->plain] = {[0] = true};
    _Static_assert(offsetof(struct task, listed) ==
                   offsetof(struct task, plain), "the first of them");
    return memcmp(task->plain, plain, sizeof plain) == 0;
}

/* What the task's waits and operations draw on; NULL: nothing is limited. */
static inline struct quota *task_quota(const struct task *task)
{
    return UNLIKELY(task->masked > 0) ? task->wait->stack->mask->reserve
                                      : task->scope->quota;
}

/* In line where there is nothing to say; checked builds look at more. */
ALWAYS_INLINE static int park_check(struct task *task)
{
#ifndef AMBIT_CHECKED
    /* ORDER(cancel): seq_cst.  As in park_refusal(). */
    bool cancelled = (atomic_load_explicit(&task->scope->flags,
                                           memory_order_seq_cst) &
                      OWNER_CANCELLED) != 0;
    if (LIKELY(!cancelled && task->masked == 0 && !task_is_at_large(task))) {
        return 0;
    }
#endif
    return park_check_slow(task);
}

/* Pays for one wait before it begins.  0, or what the call answers instead. */
int task_pay_from(struct task *task, struct quota *quota);
static inline int task_pay(struct task *task)
{
    struct quota *quota = task_quota(task);
    return LIKELY(quota == NULL) ? 0 : task_pay_from(task, quota);
}

static inline void task_owner_init(struct task_owner *owner,
                                   void (*task_exited)(struct task_owner *,
                                                       struct task_exit *))
{
    atomic_init(&owner->flags, 0);
    atomic_init(&owner->due_ns, INT64_MAX);
    owner->quota = NULL;
    spin_init(&owner->lock);
    list_init(&owner->tasks);
    list_init(&owner->ended);
    owner->task_exited = task_exited;
}

/* record.c -- a record with a copy of the argument, and of the extras, if it has
 * some; not yet queued.  `moves`: of a poll task.  0, -E2BIG, -ENOMEM. */
int task_make(struct runtime *runtime, struct task_owner *owner,
              ambit_task_fn *fn, const void *arg, size_t arg_size,
              const struct task_extras *extras, bool moves,
              struct task **ret_task);
/* The same on a worker of the runtime, for an argument of TASK_ARG_FITS at
 * most.  NULL: there is no memory. */
struct task *task_make_here(struct worker *worker, struct task_owner *owner,
                            ambit_task_fn *fn, const void *arg,
                            size_t arg_size, const struct task_extras *extras,
                            bool moves);
/* The same for a record that is part of a larger one, and for a function that
 * finds its argument from there. */
void task_init(struct task *task, struct runtime *runtime,
               struct task_owner *owner, ambit_task_fn *fn);
/* Gives back a record that was never queued. */
void task_unmake(struct task *task);
/* Gives back the record of an ended task, as soon as no note is about it. */
void task_free(struct task *task);
/* The same on its worker, for a record that is not part of another one. */
void task_free_here(struct worker *worker, struct task *task);
/* The last use of a record is over. */
void task_let_go(struct task *task);

/* From now on a cancel of the owner finds the task; and no more. */
static inline void task_list(struct task *task)
{
    spin_lock(&task->owner->lock);
    list_push_back(&task->owner->tasks, &task->sibling);
    spin_unlock(&task->owner->lock);
    task->listed = true;
}

static inline void task_unlist(struct task *task)
{
    spin_lock(&task->owner->lock);
    list_remove(&task->sibling);
    spin_unlock(&task->owner->lock);
    task->listed = false;
}

/* Queues an unstarted or dormant task: on this worker, or on another one when
 * the thread is no worker of the runtime.  `alert` wakes a sleeping worker to
 * share the load.  FIBER tasks stay on this worker. */
void task_start(struct task *task, bool alert);

/* On that worker; one that is not pinned may be taken over by another. */
void task_start_on(struct task *task, struct worker *worker);
/* Before its start, where there is a ceiling on those that wait for it: 0, or
 * -EAGAIN. */
int task_count(struct task *task);

/* On the borrowed stack: runs the task until it ends or goes dormant. */
void task_run(struct worker *worker, struct task *task);
/* The same on a thread of the blocking pool. */
void task_run_blocking(struct task *task);

/* In the loop: ends a task that could not be given a stack. */
void task_refuse(struct task *task, int result);

/* The last thing a task does with itself before it returns TASK_DORMANT and
 * may be started elsewhere. */
void task_leave_worker(struct task *task);
/* task_start() on this worker, behind what is queued now. */
void task_start_later(struct task *task);

/* On a pool thread: ends the running task as panicked. */
_Noreturn void task_jump_out(struct task *task);

/* Ends the running task from wherever it is; its stack is dropped. */
_Noreturn void task_exit_now(struct task *task, enum task_end end, int result);

/* Makes a parked task ready.  Any thread; exactly once for each park. */
void task_wake(struct task *task, int64_t value);

/* By the worker: a cancel has posted task.abort_link.  May free the task. */
void task_abort(struct worker *worker, struct task *task);
/* Asks the task's worker to call off its wait.  Owner's lock held, or by one
 * who otherwise knows that the task has not ended.  Any thread. */
void task_post_abort(struct task *task);

/* offload.c -- ambit_blocking() for whoever has asked for leave already. */
int offload(struct task *task, int (*fn)(void *arg), void *arg);

/* join.c -- the hand-over of a result. */
ambit_task join_handle(struct task *task);
/* Takes the handle of a task back that could not be started. */
void join_void(struct task *task);
/* Called by the exiting task.  True: the record must be kept for a joiner. */
bool join_ended(struct task *task);
/* The region closes: true when the caller now owns the record. */
bool join_reap(struct task *task);

#endif
