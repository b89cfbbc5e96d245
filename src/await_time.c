/* SPDX-License-Identifier: MIT */
/*
 * await_time.c -- poll tasks that sleep, or give way.
 *
 * A timer belongs to the worker it was armed on, and the task may be stepping on
 * another one by now.  So it lies in a record of its own, and one word decides
 * between its firing and its task:
 *
 *   ARMED --timed_fired()--> FIRED      the task frees the record
 *     '-----timed_call_off()--> ORPHAN  its worker does, asked by a note
 */
#include "src/await.h"
#include "src/runtime.h"
#include "src/worker.h"

enum { ARMED, FIRED, ORPHAN };

struct timed {
    struct timer_about timer; /* about the task */
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
    struct timed *timed = CONTAINER_OF(timer, struct timed, timer.timer);
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
    worker_timer_disarm(&timed->timer.timer);
    timed_free(timed);
}

static bool timed_is_over(struct await *await)
{
    return await->timed != NULL && timed_state(await->timed) == FIRED;
}

static void timed_forget(struct await *await)
{
    timed_free(await->timed);
}

static enum await_off timed_call_off(struct await *await)
{
    struct timed *timed = await->timed;
    if (timed == NULL) {
        return AWAIT_OFF;
    }
    if (!timed_move(timed, ORPHAN)) {
        return AWAIT_OVER;
    }
    if (timed->worker == worker_self) {
        timed_disarm(worker_self, &timed->note);
    } else {
        worker_post(timed->worker, &timed->note);
    }
    return AWAIT_OFF;
}

static const struct await_kind in_time = {timed_is_over, timed_call_off,
                                          timed_forget};

/* A record with an armed timer, or NULL. */
static struct timed *timed_make(struct task *task, ambit_waker waker,
                                int64_t when_ns)
{
    struct timed *timed = runtime_alloc(task_runtime(task), SLAB_128);
    if (timed != NULL) {
        timer_init_about(&timed->timer, timed_fired, task);
        timed->note.deliver = timed_disarm;
        timed->worker = worker_self;
        timed->runtime = task_runtime(task);
        timed->waker = waker;
        atomic_init(&timed->state, ARMED);
        worker_timer_arm(&timed->timer.timer, when_ns);
    }
    return timed;
}

int ambit_await_sleep_until(ambit_cx *cx, struct ambit_await *wait,
                            ambit_time when)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    enum await_look look = await_look(task, await, &said);
    if (look == AWAIT_SAID) {
        timed_forget(await);
    }
    if (look != AWAIT_IDLE) {
        return (int)said;
    }
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_TIME));
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

static enum await_off turn_call_off(struct await *await)
{
    (void)await;
    return AWAIT_OVER;
}

static const struct await_kind in_turn = {turn_is_over, turn_call_off, NULL};

int ambit_await_yield(ambit_cx *cx, struct ambit_await *wait)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    if (await_look(task, await, &said) != AWAIT_IDLE) {
        return (int)said;
    }
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    await_begin(await, task, &in_turn);
    (void)ambit_wake(ambit_cx_waker(cx));
    return AMBIT_PENDING;
}
