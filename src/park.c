/* SPDX-License-Identifier: MIT */
/*
 * park.c -- suspend, and be called off.
 *
 * Owner: the task's worker.  No atomics but the owner's cancel word.
 */
#include "src/park.h"

#include "src/seam.h"
#include "src/task.h"
#include "src/worker.h"

/* What a suspending call has to answer instead of waiting; 0: nothing. */
static int park_refusal(struct task *task, uint32_t without)
{
    /* ORDER(cancel): seq_cst.  Pairs with the change in mark(): who sees the
     * flag also sees the reason.  In park() after the task can be found. */
    uint32_t flags =
        atomic_load_explicit(&task->scope->flags, memory_order_seq_cst);
    if (UNLIKELY((flags & without) != 0)) {
        RULE(CAP_1);
        return -EPERM;
    }
    if (task->masked > 0) {
        RULE(REG_FIN_4);
        return task->mask_spent > 0 ? -ETIMEDOUT : 0;
    }
    if ((flags & OWNER_CANCELLED) != 0) {
        RULE(CAN_2);
        RULE(CAN_13);
        return -ECANCELED;
    }
    return 0;
}

int task_pay_from(struct task *task, struct quota *quota)
{
    if (quota_take(quota, AMBIT_LIMIT_POLLS, 1) == 0) {
        return 0;
    }
    if (task->masked > 0) {
        task->wait->stack->mask->overdrawn = true;
        return -EDQUOT;
    }
    RULE(REG_BUDGET_4);
    int refusal = park_refusal(task, 0); /* the cancel that this has brought */
    return refusal != 0 ? refusal : -EDQUOT;
}

/* A cx is used by its own task. */
static void check_runs(struct task *task)
{
#ifdef AMBIT_CHECKED
    RULE(LOCAL_CX_1);
    REQUIRE(worker_self != NULL && worker_self->current == task,
            "a cx was used by another task than its own, or on another thread");
#else
    (void)task;
#endif
}

int park_check_with(struct task *task, uint32_t needs)
{
    if (UNLIKELY(task_is_at_large(task))) {
        return -EPERM;
    }
    check_runs(task);
    return park_refusal(task, needs);
}

int park_check_slow(struct task *task)
{
    return park_check_with(task, 0);
}

static enum park_answer call_off(struct task *task)
{
    return task->wait->abort(task, task->wait->abort_arg);
}

void park_abort(struct task *task)
{
    if (!task->parked || task->aborted) {
        return;
    }
    int refusal = park_refusal(task, 0);
    if (refusal == 0) {
        return;
    }
    task->aborted = true;
    RULE(CAN_3);
    if (call_off(task) == PARK_ABORTED) {
        task_wake(task, refusal);
    }
}

/* A call that hands something out pays before it does, all others here. */
static int park_price(struct task *task, enum park_kind kind)
{
    return kind == PARK_OP || kind == PARK_BLOCKING ? 0 : task_pay(task);
}

/* A cancel finds the task from now on, on this worker. */
static NOINLINE void park_be_found(struct task *task)
{
    if (!task->listed) {
        task_list(task); /* and with a lock */
    } else {
        /* ORDER(task-worker): seq_cst.  It moves between its turns.  Before the
         * look at the cancel flag that follows; pairs with task_keeper(), which
         * comes after the flag was set. */
        atomic_store_explicit(&task->home, (uintptr_t)task_worker(task),
                              memory_order_seq_cst);
    }
}

/* Nothing to look at or to pay. */
static inline bool park_is_free(struct task *task)
{
    /* ORDER(cancel): seq_cst.  As in park_refusal(). */
    uint32_t flags =
        atomic_load_explicit(&task->scope->flags, memory_order_seq_cst);
    return (flags & (OWNER_CANCELLED | OWNER_QUOTED)) == 0 && task->masked == 0;
}

/* What the call answers instead of waiting, or 0: it waits.  It was registered
 * with whoever will wake it, and may have to be taken back. */
static NOINLINE int park_called_off(struct task *task)
{
    int refusal = park_refusal(task, 0);
    if (LIKELY(refusal == 0)) {
        refusal = park_price(task, task->kind);
    }
    if (refusal == 0) {
        return 0;
    }
    task->aborted = true;
    if (call_off(task) != PARK_ABORTED) {
        return 0;
    }
    task->kind = PARK_NONE;
    return refusal;
}

ALWAYS_INLINE static int64_t wait(struct task *task, enum park_kind kind,
                                  park_abort_fn *abort, void *arg)
{
    struct worker *worker = task_worker(task);
    ASSERT(!task_is_at_large(task));
    ASSERT(!task->parked);
    if (UNLIKELY(!task_is_plain(task)) && (!task->listed || task->moves)) {
        park_be_found(task);
    }
    task->kind = (uint8_t)kind;
    struct stack_wait *at = worker->current_stack->wait;
    task->wait = at;
    task->aborted = abort == NULL;
    if (abort != NULL) {
        at->abort = abort;
        at->abort_arg = arg;
    }
    /* Registered, listed, and only now looked at: a cancel between the check
     * of the primitive and here is not missed. */
    if (abort != NULL && UNLIKELY(!park_is_free(task))) {
        int refusal = park_called_off(task);
        if (refusal != 0) {
            return refusal;
        }
    }
    seam_suspends(task);
    task->parked = true;
    RULE(TASK_PARK_1);
    TELL(TASK_PARKS, task, NULL, kind);
    worker_switch_out(worker);
    TELL(TASK_RUNS, task, NULL, 0);
    ASSERT(!task->parked);
    task->kind = PARK_NONE;
    return task->wake_value;
}

int64_t park(struct task *task, enum park_kind kind, park_abort_fn *abort,
             void *arg)
{
    return wait(task, kind, abort, arg);
}

void park_yield(struct task *task)
{
    (void)wait(task, PARK_NONE, NULL, NULL);
}

const char *park_kind_name(enum park_kind kind)
{
    static const char *const names[PARK_KINDS] = {
        [PARK_NONE] = "its turn",
        [PARK_SLEEP] = "a timer",
        [PARK_JOIN] = "a task",
        [PARK_CLOSE] = "the children of a region",
        [PARK_OP] = "the kernel",
        [PARK_BLOCKING] = "the blocking pool",
        [PARK_RESERVE] = "room in a mailbox",
        [PARK_REPLY] = "a reply",
        [PARK_START] = "the init of an actor",
        [PARK_CHILD] = "a child to end",
        [PARK_BRANCH] = "a branch",
        [PARK_TOKEN] = "a token",
        [PARK_SEMAPHORE] = "permits of a semaphore",
        [PARK_MUTEX] = "a mutex",
        [PARK_READ] = "a rwlock, to read",
        [PARK_WRITE] = "a rwlock, to write",
        [PARK_NOTIFY] = "a notification",
        [PARK_BARRIER] = "the others at a barrier",
        [PARK_ONCE] = "what is done once",
        [PARK_SEND] = "room in a channel",
        [PARK_RECEIVE] = "an item of a channel",
        [PARK_ONESHOT] = "the value of a oneshot",
        [PARK_WATCH] = "a newer value of a watch",
        [PARK_RING] = "a message of a ring",
        [PARK_RING_ROOM] = "room in a ring",
        [PARK_RING_END] = "the workers to let go of a ring",
        [PARK_SHUT] = "the last use of a file",
    };
    ASSERT((unsigned)kind < PARK_KINDS);
    return names[kind];
}
