/* SPDX-License-Identifier: MIT */
/*
 * turn_test.c -- one schedule, down to the point: an actor's turn is taken up
 * again after the actor had another turn on the other worker.
 *
 *   worker 0                          worker 1
 *     first letter; goes to rest
 *                                       second letter: a whole turn here
 *                                       third letter is queued, not yet told of
 *     sees it, and takes the turn up
 *     parks in it
 */
#include "tests/spec/common.h"

#include "actors/actor.h"
#include "spec/lab/lab.h"

/* Others run (spec/lab/os.h). */
void lab_relax(void);

enum scene {
    BEFORE,   /* up to the rest */
    OTHERS,   /* worker 1 only, while it can */
    AFTERWARDS,
};

struct director {
    struct lab_picker picker;
    enum scene scene;
    ambit_actor_ref court;
    int at_gate;  /* the sender of worker 1 */
    int handled;
    int parked;   /* handled, and parked in between */
};

static struct director *director;

/* actors/mailbox.c; all runs on one thread. */
static bool is_idle(struct actor *actor)
{
    /* ORDER(gate): relaxed.  As it is; pairs with gate_move(). */
    uint64_t gate =
        atomic_load_explicit(&actor->mailbox.gate, memory_order_relaxed);
    return (gate >> 30 & 3) == TURN_IDLE;
}

/* Between the actor's move to idle and its last look. */
static bool is_at_rest(struct actor *actor)
{
    return worker_self != NULL && worker_self->index == 0 &&
           director->handled == 1 && is_idle(actor);
}

/* A letter lies there, and nobody was told. */
static bool is_untold(struct actor *actor)
{
    /* ORDER(mailbox-link): relaxed.  One thread; pairs with chain(). */
    return worker_self != NULL && worker_self->index == 1 &&
           director->handled == 2 && is_idle(actor) &&
           atomic_load_explicit(&actor->mailbox.head->next,
                                memory_order_relaxed) != NULL;
}

/* The candidate that runs worker i; the kernel; or the first one. */
static unsigned prefer(unsigned index, unsigned n, const uint32_t *ids)
{
    unsigned kernel = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct lab_thread *thread =
            ids[i] != 0 ? lab_self->threads[ids[i] - 1] : NULL;
        const struct worker *worker =
            thread == NULL ? NULL
            : thread == lab_self->current ? worker_self : thread->worker;
        kernel = thread == NULL ? i : kernel;
        if (worker != NULL && worker->index == index) {
            return i;
        }
    }
    return kernel;
}

static unsigned direct(struct lab_picker *picker, enum lab_choice what,
                       unsigned n, const uint32_t *ids)
{
    (void)picker;
    struct actor *actor = director->court.slot;
    if (ids == NULL || actor == NULL) {
        return 0;
    }
    if (director->scene == BEFORE && is_at_rest(actor) && what == LAB_SWITCH) {
        director->scene = OTHERS;
    }
    if (director->scene == OTHERS && is_untold(actor)) {
        director->scene = AFTERWARDS;
        return prefer(0, n, ids);
    }
    return director->scene == OTHERS ? prefer(1, n, ids) : 0;
}

/* --- the program ------------------------------------------------------------- */

static int court_handle(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    int number = *(const int *)message;
    unsigned here = ambit_cx_worker(cx);
    (void)state;
    WANT_EQ(size, sizeof number);
    WANT_EQ(number, director->handled);
    if (number == 2) {
        WANT_EQ(here, 0);
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(ambit_cx_worker(cx), here);
        director->parked++;
    }
    director->handled++;
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type court_type = {
    .size_ = sizeof court_type,
    .name = "court",
    .handle = court_handle,
};

static void reserve(struct ambit_permit *ret_permit, int number)
{
    int rc = ambit_try_reserve(director->court, sizeof number, ret_permit);
    WANT_EQ(rc, 0);
    if (rc == 0) {
        memcpy(ret_permit->message, &number, sizeof number);
    }
}

/* On worker 0. */
static int sends_first(ambit_cx *cx, void *arg)
{
    struct ambit_permit first;
    (void)cx;
    (void)arg;
    reserve(&first, 0);
    while (director->at_gate == 0) {
        lab_relax();
    }
    WANT_EQ(ambit_commit(&first), 0);
    return 0;
}

static int gives_way(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_yield(cx);
}

/* On worker 1, which it keeps until the other one rests.  The third letter is
 * reserved before the first one's memory is free, and then looks like it. */
static int sends_others(ambit_cx *cx, void *arg)
{
    struct ambit_permit second, third;
    (void)arg;
    reserve(&second, 1);
    reserve(&third, 2);
    director->at_gate = 1;
    while (director->scene == BEFORE) {
        lab_relax();
    }
    WANT_EQ(ambit_commit(&second), 0);
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(director->handled, 2);
    WANT_EQ(ambit_commit(&third), 0);
    /* Stacks of this worker are lent anew meanwhile. */
    return ambit_spawn_(ambit_cx_region(cx), gives_way, NULL, 0, NULL);
}

static int rests_and_goes_on(ambit_cx *cx, void *arg)
{
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_actor_start(cx, s, &court_type, NULL, 0,
                                  &director->court), 0);
        ambit_scope (cx, senders, &inner_rc) {
            WANT_EQ(ambit_spawn_with(senders, sends_first, (char *)"",
                                     .placement = AMBIT_PINNED, .worker = 0),
                    0);
            WANT_EQ(ambit_spawn_with(senders, sends_others, (char *)"",
                                     .placement = AMBIT_PINNED, .worker = 1),
                    0);
        }
        WANT_EQ(ambit_actor_stop(director->court), 0);
    }
    return rc < 0 ? rc : inner_rc;
}

/* Goal: a turn goes on with its own stack, whatever the actor did meanwhile.
 * Method: a picker that leads both workers there. */
Spec(MBX_ACTOR_1, a_turn_taken_up_again_parks_on_its_own_stack)
{
    struct director d = {.picker = {direct, NULL}};
    struct lab lab;
    director = &d;
    lab_begin(&lab, &(struct lab_options){.picker = &d.picker});
    WANT_EQ(ambit_run(rests_and_goes_on, NULL, .workers = 2,
                      .log = spec_log_line),
            0);
    lab_end(&lab);
    WANT_EQ(d.scene, AFTERWARDS);
    WANT_EQ(d.handled, 3);
    WANT_EQ(d.parked, 1);
    spec_end("MBX_ACTOR_1");
}
