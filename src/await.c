/* SPDX-License-Identifier: MIT */
/*
 * await.c -- begin, look, call off.
 *
 * One word tells the task from whoever ends its wait:
 *
 *   QUIET --await_say()--> SAYING: the task is woken --> SAID, the last touch
 *     '--a panic, which has to wait--> PARKED --await_say()--> SAID, and wakes
 */
#include "src/await.h"

#include "src/poll.h"
#include "src/runtime.h"
#include "src/worker.h"

_Static_assert(sizeof(struct await) <= sizeof(struct ambit_await),
               "what a user makes room for");

enum { QUIET, SAYING, SAID, PARKED };

/* --- over ------------------------------------------------------------------ */

static uint32_t over_load(struct await *await)
{
    /* ORDER(await-over): acquire.  Pairs with await_say(): what was handed over
     * is seen, and once it is SAID nobody touches the wait any more. */
    return atomic_load_explicit(&await->over, memory_order_acquire);
}

void await_say(struct await *await, int64_t value)
{
    struct task *task = await->task;
    await->value = value;
    /* ORDER(await-over): acq_rel.  Before the wake: the step it leads to knows.
     * Pairs with over_load() and park_until_said(). */
    bool parked = atomic_exchange_explicit(&await->over, SAYING,
                                           memory_order_acq_rel) == PARKED;
    if (!parked) {
        (void)ambit_wake((ambit_waker){task, await->generation});
    }
    /* ORDER(await-over): release.  The last touch; pairs with over_load(). */
    atomic_store_explicit(&await->over, SAID, memory_order_release);
    if (UNLIKELY(parked)) {
        task_wake(task, 0);
    }
}

void await_granted(struct line_waiter *waiter)
{
    await_say(CONTAINER_OF(waiter, struct await, waiter), waiter->value);
}

void await_until_said(struct await *await)
{
    unsigned tries = 0;
    while (over_load(await) != SAID) {
        spin_pause(&tries);
    }
}

bool await_has_said(struct await *await)
{
    if (over_load(await) == QUIET) {
        return false;
    }
    await_until_said(await);
    return true;
}

static bool is_over(struct await *await)
{
    return await->kind->is_over != NULL ? await->kind->is_over(await)
                                        : await_has_said(await);
}

/* --- begin and end --------------------------------------------------------- */

void await_begin(struct await *await, struct task *task,
                 const struct await_kind *kind)
{
    memset(await, 0, sizeof *await);
    await->task = task;
    await->kind = kind;
    await->generation = ambit_cx_waker(&task->cx).generation;
    await->next = task->awaits;
    task->awaits = await;
}

void await_end(struct await *await)
{
    struct await **at = &await->task->awaits;
    while (*at != await) {
        at = &(*at)->next;
    }
    *at = await->next;
    await->kind = NULL;
}

/* Others have called it off for us, or the kind does now. */
static enum await_off call_off(struct await *await)
{
    if (over_load(await) != QUIET) {
        await_until_said(await);
        if (await->value == AWAIT_CALLED_OFF) {
            return AWAIT_OFF;
        }
    }
    enum await_off off = await->kind->call_off(await);
    /* It may have been said between the two looks. */
    return off == AWAIT_OVER && await->value == AWAIT_CALLED_OFF ? AWAIT_OFF
                                                                 : off;
}

enum await_look await_look(struct task *task, struct await *await,
                           int64_t *ret_said)
{
    if (await->kind == NULL) {
        return AWAIT_IDLE;
    }
    REQUIRE(await->task == task,
            "a wait was looked at by a task that did not begin it");
    *ret_said = AMBIT_PENDING;
    bool over = is_over(await);
    if (!over || await->value == AWAIT_CALLED_OFF) {
        int refusal = park_check(task);
        if (refusal == 0 && !over) {
            return AWAIT_ANSWER;
        }
        RULE(AWAIT_CANCEL_1);
        enum await_off off = call_off(await);
        if (off == AWAIT_OFF) {
            *ret_said = refusal != 0 ? refusal : -ECANCELED;
            await_end(await);
        }
        if (off != AWAIT_OVER) {
            return AWAIT_ANSWER;
        }
    }
    RULE(AWAIT_ONCE_1);
    *ret_said = await->value;
    await_end(await);
    return AWAIT_SAID;
}

int ambit_await_drop(struct ambit_await *wait)
{
    struct await *await = await_of(wait);
    if (await->kind == NULL) {
        return 0;
    }
    REQUIRE(worker_self != NULL && await->task == worker_self->current,
            "a wait was dropped by a task that did not begin it");
    RULE(AWAIT_DROP_1);
    switch (call_off(await)) {
    case AWAIT_COMING:
        return AMBIT_PENDING;
    case AWAIT_OVER:
        return -EBUSY;
    case AWAIT_OFF:
        break;
    }
    await_end(await);
    return 0;
}

/* --- in the line of an object ---------------------------------------------- */

enum await_off await_line_call_off(struct await *await)
{
    /* Once it is said, what was waited for may be gone. */
    if (!await_has_said(await) && line_call_off(&await->waiter)) {
        return AWAIT_OFF;
    }
    await_until_said(await);
    return AWAIT_OVER;
}

static const struct await_kind in_line = {.call_off = await_line_call_off};

struct line_waiter *await_enter(ambit_cx *cx, struct ambit_await *wait,
                                int *ret_rc)
{
    return await_enter_as(cx, wait, &in_line, ret_rc);
}

struct line_waiter *await_enter_as(ambit_cx *cx, struct ambit_await *wait,
                                   const struct await_kind *kind, int *ret_rc)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    if (await_look(task, await, &said) != AWAIT_IDLE) {
        *ret_rc = (int)said;
        return NULL;
    }
    await_begin(await, task, kind);
    await->waiter.polled = true;
    return &await->waiter;
}

int await_leave(struct line_waiter *waiter, int rc)
{
    if (rc != AMBIT_PENDING) {
        await_end(CONTAINER_OF(waiter, struct await, waiter));
    }
    return rc;
}

/* --- the end of the task --------------------------------------------------- */

void await_require_none(struct task *task)
{
    RULE(AWAIT_END_1);
    REQUIRE(task->awaits == NULL,
            "a poll task ended while a wait of its own is under way");
}

/* Others use what lies in the state. */
static void park_until_said(struct await *await)
{
    uint32_t quiet = QUIET;
    /* ORDER(await-over): acq_rel.  Pairs with the exchange in await_say(): it
     * wakes who is parked, and nobody else. */
    if (atomic_compare_exchange_strong_explicit(&await->over, &quiet, PARKED,
                                                memory_order_acq_rel,
                                                memory_order_acquire)) {
        park(await->task, PARK_SHUT, NULL, NULL);
    }
    await_until_said(await);
}

/* False: others have to let go of it first. */
static bool abandon(struct await *await)
{
    enum await_off off = call_off(await);
    RULE(AWAIT_END_1);
    if (off == AWAIT_COMING) {
        return false;
    }
    if (off == AWAIT_OVER && await->kind->forget != NULL) {
        await->kind->forget(await);
    }
    await_end(await);
    return true;
}

void await_tell_lost(struct await *await, const char *what)
{
    struct runtime *runtime = task_runtime(await->task);
    RULE(AWAIT_END_5);
    count_shared(&runtime->lost_items);
    log_line(runtime, AMBIT_LOG_ERROR,
             "task \"%s\" panicked before it looked at what it was given by "
             "%s, which is lost: there is no memory to keep it for others",
             task_name(await->task), what);
}

/* All are asked before one is waited for: a close may wait for a read that is
 * behind it here. */
void await_abandon_all(struct task *task)
{
    struct await *next;
    for (struct await *await = task->awaits; await != NULL; await = next) {
        next = await->next;
        (void)abandon(await);
    }
    while (task->awaits != NULL) {
        RULE(AWAIT_END_2);
        park_until_said(task->awaits);
        (void)abandon(task->awaits);
    }
}
