/* SPDX-License-Identifier: MIT */
/*
 * enter.c -- the loop enters a task; a task that waits hands over to the next.
 *
 *      loop --worker_go_on()--> ready task --waits--+--> the next ready one
 *        |  --worker_begin()--> stack_body() -------+--> an unstarted one
 *        '<---- batches spent, a note, a lane ------'
 *
 * To go by way of the loop costs a switch more.  So who gives up its thread
 * looks for the next one by itself, as long as the batches of this turn last and
 * the loop would do nothing else.
 *
 *   WRK-STEAL-2  A task that has begun stays on its worker.
 *
 * Owner: the worker's thread.
 */
#include "src/enter.h"

#include "src/pick.h"
#include "src/runtime.h"
#include "src/seam.h"
#include "src/seats.h"
#include "src/task.h"

/* --- what comes next ------------------------------------------------------- */

static inline struct stack_wait *wait_of(const struct link *link)
{
    return CONTAINER_OF(link, const struct task, link)->wait;
}

NOINLINE void fetch_crowd(const struct link *first)
{
    const struct link *second = first->next;
    const struct link *third = second->next;
    fetch_lines(wait_of(first)->stack->fiber.sp, 6);
    fetch_lines(wait_of(second)->stack, 1);
    fetch_lines(wait_of(third), 1);
    fetch_lines(third->next, 2);
}

static inline void make_current(struct worker *worker, struct task *task)
{
    task->parked = false;
    worker->current = task;
}

/* --- what was taken in advance --------------------------------------------- */

static inline bool has_seats(struct worker *worker)
{
    return seats_left(&worker->seats) > 0;
}

/* Between two tasks, places of the region that both are of may stay. */
static inline void seats_settle(struct worker *worker, struct task *next)
{
    struct worker_seats *seats = &worker->seats;
    if (has_seats(worker) && seats_owner(seats) != next->owner) {
        seats->go_home(seats);
    }
}

static inline bool holds_lots(struct worker *worker)
{
    return (worker->lot.left | seats_left(&worker->seats)) != 0;
}

static NOINLINE void return_lots(struct worker *worker)
{
    if (worker->lot.left > 0) {
        worker->lot.go_home(&worker->lot);
    }
    if (has_seats(worker)) {
        worker->seats.go_home(&worker->seats);
    }
}

static inline void lots_go_home(struct worker *worker)
{
    if (UNLIKELY(holds_lots(worker))) {
        return_lots(worker);
    }
    worker->lot.owner = NULL;
}

/* --- stacks ---------------------------------------------------------------- */

static void stack_body(void *arg);

static NOINLINE void begin_anew(struct stack *stack)
{
    fiber_fini(&stack->fiber);
    fiber_init(&stack->fiber, stack->fiber.stack_low, stack->fiber.stack_size,
               stack_body, stack);
}

/* Takes back the stack that was left for good; one whose frames were abandoned
 * starts anew. */
static NOINLINE void take_back(struct worker *worker)
{
    struct stack *stack = worker->back;
    worker->back = NULL;
    if (UNLIKELY(worker->back_dropped)) {
        worker->back_dropped = false;
        begin_anew(stack);
    }
    stack_return(&worker->stacks, stack);
}

/* Nobody looks for it after each switch: it lies there until the loop comes round,
 * the next one is left, or a stack is wanted. */
static inline void see_to_back(struct worker *worker)
{
    if (UNLIKELY(worker->back != NULL)) {
        take_back(worker);
    }
}

static bool task_has_turns(const struct task *task)
{
    return task->hooks != NULL && task->hooks->nudge != NULL;
}

/* No stack to lend: the task ends with that as its result. */
static void refuse_stack(struct worker *worker, struct task *task)
{
    if (task_has_turns(task)) {
        task_start_later(task); /* memory is short: it has to wait */
        return;
    }
    log_line(worker->runtime, AMBIT_LOG_ERROR,
             "task \"%s\" cannot start: all %zu stacks of worker %u are in use "
             "(option .stacks_max)",
             task_name(task), stack_lent(&worker->stacks), worker->index);
    task_enter_worker(task, worker);
    task_refuse(task, -ENOMEM);
}

/* A turn of a task that has many cannot be refused: somebody may wait for what
 * it does, and those who wait hold the stacks.  The limit on tasks has admitted
 * it. */
static NOINLINE struct stack *lend_made(struct worker *worker,
                                        struct task *task)
{
    struct stack_arena *arena = &worker->stacks;
    size_t max = arena->lent_max;
    if (task_has_turns(task) && stack_lent(arena) >= max) {
        arena->lent_max = stack_lent(arena) + 1;
    }
    struct stack *stack = stack_lend(arena, stack_body);
    arena->lent_max = max;
    return stack;
}

static inline struct stack *lend_stack(struct worker *worker, struct task *task)
{
    struct stack_arena *arena = &worker->stacks;
    struct stack *stack = worker->back;
    if (stack != NULL && LIKELY(!worker->back_dropped &&
                                stack_lent(arena) <= arena->lent_max)) {
        worker->back = NULL; /* from hand to hand */
        return stack;
    }
    see_to_back(worker);
    stack = stack_lend_free(arena);
    return LIKELY(stack != NULL) ? stack : lend_made(worker, task);
}

/* --- from one to the next -------------------------------------------------- */

/* A stack on which an unstarted task begins, or NULL.  Where there is none to
 * lend the loop says so; on a task's stack it waits for that. */
static struct stack *next_fresh(struct worker *worker)
{
    struct task *task = next_fresh_task(worker);
    if (task == NULL) {
        return NULL;
    }
    struct stack *stack = lend_stack(worker, task);
    if (LIKELY(stack != NULL)) {
        stack->task = task;
        return stack;
    }
    worker->woken_runs = false; /* it has no turn */
    if (worker->current == NULL) {
        refuse_stack(worker, task);
    } else {
        queue_push(&worker->pinned, &task->link);
        worker->queued |= QUEUED_NEW;
    }
    return NULL;
}

/* The stack of the next ready one; there is one, and it is their turn. */
static inline struct stack *next_ready(struct worker *worker)
{
    struct task *task = next_ready_task(worker);
    make_current(worker, task);
    return task->wait->stack;
}

/* Ready ones are all there is: they come one after the other, without passes. */
static inline bool is_only_ready(struct worker *worker)
{
    return worker->queued == 0 && worker->turn_left > 0 &&
           worker->ready.first != NULL && !is_asked_from_outside(worker);
}

ALWAYS_INLINE static struct stack *go_on_with(struct worker *worker,
                                              struct link *ready)
{
    struct task *task = CONTAINER_OF(ready, struct task, link);
    worker->turn_left--;
    worker->fresh_left = WORKER_BATCH; /* for new ones that come now */
    fetch_ready(worker->ready.first);
    make_current(worker, task);
    return task->wait->stack;
}

static inline struct stack *only_ready(struct worker *worker)
{
    queue_pick(&worker->ready);
    return go_on_with(worker, queue_pop(&worker->ready));
}

/* Between two passes: the stack of the next one, or NULL: the batches are spent,
 * or there is none.  Unstarted ones and passes of ready ones take turns. */
ALWAYS_INLINE static struct stack *choose(struct worker *worker)
{
    struct stack *stack = is_fresh_turn(worker) && has_fresh(worker)
                              ? next_fresh(worker)
                              : NULL;
    if (stack != NULL || worker->turn_left == 0) {
        return stack;
    }
    if (worker->ready.first == NULL) {
        bool was_spent = worker->pass_left > 0 || worker->fresh_left == 0;
        pass_end(worker); /* nobody waits behind the unstarted ones */
        return was_spent ? next_fresh(worker) : NULL;
    }
    if (worker->pass_left == 0) {
        if (worker->queued == 0) {
            return only_ready(worker);
        }
        pass_begin(worker);
    }
    return next_ready(worker);
}

/* This thread goes on there; comes back when `from` is entered again. */
static inline void hand_over(struct worker *worker, struct stack *from,
                             struct stack *next)
{
    if (next == NULL) {
        worker->current = NULL;
        fiber_switch_with(&from->fiber, &worker->loop, worker->error);
    } else if (next != from) {
        lots_go_home(worker);
        worker->current_stack = next;
        fiber_switch_with(&from->fiber, &next->fiber, worker->error);
    } else {
        lots_go_home(worker);
    }
}

static inline void see_to_woken(struct worker *worker)
{
    if (worker->woken_runs) {
        woken_has_run(worker);
    }
}

/* The body of every lent stack: one task after the other. */
static void stack_body(void *arg)
{
    struct stack *stack = arg;
    for (;;) {
        struct worker *worker = worker_self;
        struct task *task = stack->task;
        worker->current = task;
        task_enter_worker(task, worker);
        RULE(WRK_STEAL_2);
        task_run(worker, task);
        see_to_woken(worker);
        stack->task = next_fresh_task(worker);
        if (stack->task != NULL) {
            seats_settle(worker, stack->task);
            continue;
        }
        struct stack *next = is_only_ready(worker) ? only_ready(worker)
                             : is_quiet(worker)    ? choose(worker)
                                                   : NULL;
        see_to_back(worker);
        worker->back = stack;
        hand_over(worker, stack, next);
    }
}

/* To make a stack takes many frames.  On the stack of one that waits they would
 * cost a crowd a page for each, so that is left to the loop. */
static inline bool has_stack_for_fresh(struct worker *worker)
{
    return worker->stacks.free_len > 0 || worker->back != NULL ||
           !has_fresh(worker);
}

static inline bool is_in_pass(struct worker *worker)
{
    return worker->pass_left > 0 && worker->turn_left > 0 &&
           worker->ready.first != NULL;
}

HOT_PATH void worker_switch_out(struct worker *worker)
{
    struct stack *next = NULL;
    see_to_woken(worker);
    if (LIKELY(is_only_ready(worker))) {
        next = only_ready(worker);
    } else if (is_quiet(worker)) {
        if (is_in_pass(worker)) {
            next = next_ready(worker);
        } else if (has_stack_for_fresh(worker)) {
            next = choose(worker);
        }
    }
    hand_over(worker, worker->current_stack, next);
}

ALWAYS_INLINE bool worker_turns(struct worker *worker, struct task *task)
{
    if (UNLIKELY(!is_only_ready(worker) || holds_lots(worker))) {
        return false;
    }
    struct stack *from = worker->current_stack;
    seam_suspends(task);
    task->wait = from->wait;
    TELL(TASK_PARKS, task, NULL, PARK_NONE);
    struct stack *next =
        go_on_with(worker, queue_turn(&worker->ready, &task->link));
    worker->lot.owner = NULL;
    worker->current_stack = next;
    fiber_switch_with(&from->fiber, &next->fiber, worker->error);
    TELL(TASK_RUNS, task, NULL, 0);
    return true;
}

_Noreturn void worker_drop_stack(struct worker *worker)
{
    struct stack *stack = worker->current_stack;
    stack->task = NULL;
    worker->current = NULL;
    see_to_woken(worker);
    see_to_back(worker);
    worker->back = stack;
    worker->back_dropped = true;
    fiber_switch_with(&stack->fiber, &worker->loop, worker->error);
    base_die(__FILE__, __LINE__, "a dropped stack was continued");
}

static void enter(struct worker *worker, struct stack *stack)
{
    worker->current_stack = stack;
    fiber_switch_with(&worker->loop, &stack->fiber, worker->error);
    lots_go_home(worker);
    see_to_back(worker);
}

void worker_go_on(struct worker *worker, struct task *task)
{
    pass_end(worker); /* it may have been the last of one */
    make_current(worker, task);
    enter(worker, task->wait->stack);
}

void worker_begin(struct worker *worker, struct task *task)
{
    struct stack *stack = lend_stack(worker, task);
    if (stack == NULL) {
        refuse_stack(worker, task);
        return;
    }
    stack->task = task;
    enter(worker, stack);
}

void worker_run_batches(struct worker *worker, bool fresh_first)
{
    struct stack *stack;
    worker->turn_left = WORKER_TURN;
    if (fresh_first) {
        pass_end(worker);
    }
    while (lanes_are_quiet(&worker->lanes) && !turn_is_over(worker) &&
           (stack = choose(worker)) != NULL) {
        enter(worker, stack);
    }
    if (UNLIKELY(!lanes_are_quiet(&worker->lanes))) {
        pass_end(worker);
        while ((stack = next_fresh(worker)) != NULL) {
            enter(worker, stack);
        }
    }
}
