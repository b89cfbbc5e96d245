/* SPDX-License-Identifier: MIT */
/*
 * await.c -- begin, look, call off; and the waits of time.
 *
 * A timer belongs to the worker it was armed on, and the task may be stepping on
 * another one by now.  So it lies in a record of its own, and one word decides
 * between its firing and its task:
 *
 *   ARMED --timed_fired()--> FIRED      the task frees the record
 *     '-----timed_call_off()--> ORPHAN  its worker does, asked by a note
 */
#include "src/await.h"

#include "src/poll.h"
#include "src/runtime.h"
#include "src/worker.h"

_Static_assert(sizeof(struct await) <= sizeof(struct ambit_await),
               "what a user makes room for");

static struct await *await_of(struct ambit_await *wait)
{
    return (struct await *)(void *)wait;
}

/* --- in the line of an object ---------------------------------------------- */

static bool has_said(struct await *await)
{
    /* ORDER(await-over): acquire.  Pairs with await_granted(): what was handed
     * over is seen, and nobody touches the wait any more. */
    return atomic_load_explicit(&await->over, memory_order_acquire) != 0;
}

void await_granted(struct line_waiter *waiter)
{
    struct await *await = CONTAINER_OF(waiter, struct await, waiter);
    (void)ambit_wake((ambit_waker){waiter->task, await->generation});
    /* ORDER(await-over): release.  The last touch; pairs with has_said(). */
    atomic_store_explicit(&await->over, 1, memory_order_release);
}

static void wait_until_said(struct await *await)
{
    unsigned tries = 0;
    while (!has_said(await)) {
        spin_pause(&tries);
    }
}

static bool in_line_is_over(struct await *await)
{
    if (!has_said(await)) {
        struct line *guard = await->waiter.guard;
        line_lock(guard);
        bool waiting = await->waiter.waiting;
        spin_unlock(&guard->lock);
        if (waiting) {
            return false;
        }
        wait_until_said(await);
    }
    return true;
}

static bool in_line_call_off(struct await *await)
{
    if (line_call_off(&await->waiter)) {
        return true;
    }
    wait_until_said(await);
    return false;
}

static const struct await_kind in_line = {in_line_is_over, in_line_call_off};

/* --- begin and end --------------------------------------------------------- */

static void await_begin(struct await *await, struct task *task,
                        const struct await_kind *kind)
{
    memset(await, 0, sizeof *await);
    await->waiter.polled = true;
    await->waiter.task = task;
    await->kind = kind;
    await->generation = ambit_cx_waker(&task->cx).generation;
    await->next = task->awaits;
    task->awaits = await;
}

static void await_end(struct await *await)
{
    struct await **at = &await->waiter.task->awaits;
    while (*at != await) {
        at = &(*at)->next;
    }
    *at = await->next;
    await->kind = NULL;
}

/* True when the wait is idle: the caller begins one.  Else as await_enter(). */
static bool is_idle(struct task *task, struct await *await, int *ret_rc)
{
    if (await->kind == NULL) {
        return true;
    }
    REQUIRE(await->waiter.task == task,
            "a wait was looked at by a task that did not begin it");
    int refusal = 0;
    if (!await->kind->is_over(await)) {
        refusal = park_check(task);
        if (refusal == 0) {
            *ret_rc = AMBIT_PENDING;
            return false;
        }
        RULE(AWAIT_CANCEL_1);
        refusal = await->kind->call_off(await) ? refusal : 0;
    }
    RULE(AWAIT_ONCE_1);
    *ret_rc = refusal != 0 ? refusal : (int)await->waiter.value;
    await_end(await);
    return false;
}

struct line_waiter *await_enter(ambit_cx *cx, struct ambit_await *wait,
                                int *ret_rc)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    if (!is_idle(task, await, ret_rc)) {
        return NULL;
    }
    await_begin(await, task, &in_line);
    return &await->waiter;
}

int await_leave(struct line_waiter *waiter, int rc)
{
    if (rc != AMBIT_PENDING) {
        await_end(CONTAINER_OF(waiter, struct await, waiter));
    }
    return rc;
}

int ambit_await_drop(struct ambit_await *wait)
{
    struct await *await = await_of(wait);
    if (await->kind == NULL) {
        return 0;
    }
    RULE(AWAIT_DROP_1);
    if (await->kind->is_over(await) || !await->kind->call_off(await)) {
        return -EBUSY;
    }
    await_end(await);
    return 0;
}

void await_require_none(struct task *task)
{
    RULE(AWAIT_END_1);
    REQUIRE(task->awaits == NULL,
            "a poll task ended while a wait of its own is under way");
}

void await_abandon_all(struct task *task)
{
    while (task->awaits != NULL) {
        struct await *await = task->awaits;
        RULE(AWAIT_END_1);
        (void)await->kind->call_off(await);
        await_end(await);
    }
}

/* --- time ------------------------------------------------------------------ */

enum { ARMED, FIRED, ORPHAN };

struct timed {
    struct timer timer;
    struct note note;
    struct worker *worker; /* whose timer it is */
    struct runtime *runtime;
    ambit_waker waker;
    _Atomic uint32_t state; /* any thread: ORDER(timed) */
};

_Static_assert(sizeof(struct timed) <= 128, "SLAB_128");

static bool timed_move(struct timed *timed, uint32_t to)
{
    uint32_t from = ARMED;
    /* ORDER(timed): acq_rel.  Between the worker of the timer and the task;
     * pairs with itself and with timed_state(). */
    return atomic_compare_exchange_strong_explicit(
        &timed->state, &from, to, memory_order_acq_rel, memory_order_acquire);
}

static uint32_t timed_state(struct timed *timed)
{
    /* ORDER(timed): acquire.  Pairs with timed_move(): once it has fired, its
     * worker is done with it. */
    return atomic_load_explicit(&timed->state, memory_order_acquire);
}

static void timed_free(struct timed *timed)
{
    runtime_free(timed->runtime, SLAB_128, timed);
}

static void timed_fired(struct timer *timer)
{
    struct timed *timed = CONTAINER_OF(timer, struct timed, timer);
    ambit_waker waker = timed->waker;
    if (timed_move(timed, FIRED)) {
        RULE(TIME_1);
        (void)ambit_wake(waker); /* -ESTALE: it has seen so, and ended */
    }
}

static void timed_disarm(struct worker *worker, struct note *note)
{
    struct timed *timed = CONTAINER_OF(note, struct timed, note);
    (void)worker;
    worker_timer_disarm(&timed->timer);
    timed_free(timed);
}

static bool timed_is_over(struct await *await)
{
    if (has_said(await)) {
        return true;
    }
    if (await->timed == NULL || timed_state(await->timed) != FIRED) {
        return false;
    }
    timed_free(await->timed);
    await->timed = NULL;
    /* ORDER(await-over): relaxed.  By the one who reads it. */
    atomic_store_explicit(&await->over, 1, memory_order_relaxed);
    return true;
}

static bool timed_call_off(struct await *await)
{
    struct timed *timed = await->timed;
    if (timed == NULL) {
        return true;
    }
    if (!timed_move(timed, ORPHAN)) {
        return !timed_is_over(await);
    }
    if (timed->worker == worker_self) {
        timed_disarm(worker_self, &timed->note);
    } else {
        worker_post(timed->worker, &timed->note);
    }
    return true;
}

static const struct await_kind in_time = {timed_is_over, timed_call_off};

/* A record with an armed timer, or NULL. */
static struct timed *timed_make(struct task *task, ambit_waker waker,
                                int64_t when_ns)
{
    struct timed *timed = runtime_alloc(task->runtime, SLAB_128);
    if (timed != NULL) {
        timer_init(&timed->timer, timed_fired);
        timed->note.deliver = timed_disarm;
        timed->worker = worker_self;
        timed->runtime = task->runtime;
        timed->waker = waker;
        atomic_init(&timed->state, ARMED);
        worker_timer_arm(&timed->timer, when_ns);
    }
    return timed;
}

int ambit_await_sleep_until(ambit_cx *cx, struct ambit_await *wait,
                            ambit_time when)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int rc;
    if (!is_idle(task, await, &rc)) {
        return rc;
    }
    rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_TIME));
    if (rc < 0 || when.ns <= clock_now_ns()) {
        return rc;
    }
    struct timed *timed = NULL;
    if (when.ns != INT64_MAX) {
        timed = timed_make(task, ambit_cx_waker(cx), when.ns);
        if (timed == NULL) {
            return -ENOMEM;
        }
    }
    await_begin(await, task, &in_time);
    await->timed = timed;
    return AMBIT_PENDING;
}

int ambit_await_sleep(ambit_cx *cx, struct ambit_await *wait, ambit_duration d)
{
    return ambit_await_sleep_until(cx, wait, ambit_after(d));
}

/* --- a turn for others ----------------------------------------------------- */

static bool turn_is_over(struct await *await)
{
    (void)await;
    return true;
}

static const struct await_kind in_turn = {turn_is_over, turn_is_over};

int ambit_await_yield(ambit_cx *cx, struct ambit_await *wait)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int rc;
    if (!is_idle(task, await, &rc)) {
        return rc;
    }
    rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    await_begin(await, task, &in_turn);
    (void)ambit_wake(ambit_cx_waker(cx));
    return AMBIT_PENDING;
}
