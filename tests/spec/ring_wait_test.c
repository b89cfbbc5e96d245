/* SPDX-License-Identifier: MIT */
/*
 * ring_wait_test.c -- messages from worker to worker (spec/ring.md): who waits,
 * who is woken, and what a cancel leaves.
 */
#include "tests/spec/ring.h"

/* --- RING-WAKE-1 ----------------------------------------------------------- */

/* To and fro; the pauses move one's send about the other's wait. */
static int to_and_fro(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message;
    int rc = 0;
    for (int i = 0; i < crew->n && rc == 0; i++) {
        if (here == 0) {
            rc = send_by(cx, crew->ring, (unsigned)i, 1, 1, (uint64_t)i);
        }
        rc = rc < 0 ? rc : ambit_ring_next(cx, crew->ring, &message);
        WANT(rc < 0 || message.value == (uint64_t)i);
        for (int pause = 0; pause < i % 37; pause++) {
            cpu_relax();
        }
        if (here != 0 && rc == 0) {
            rc = send_by(cx, crew->ring, (unsigned)i, 0, 1, (uint64_t)i);
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

static int wakes(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (uint32_t capacity = 1; capacity < 4; capacity += 2) {
        struct crew crew = {.n = 10000 / SPEC_SLOWER};
        crew_run(cx, &crew, to_and_fro, .capacity = capacity);
    }
    return 0;
}

struct round {
    ambit_ring *ring;
    int n;
};

static int answer(ambit_cx *cx, void *arg)
{
    struct round *r = arg;
    struct ambit_ring_message message;
    int rc = 0;
    for (int i = 0; i < r->n && rc == 0; i++) {
        rc = ambit_ring_next(cx, r->ring, &message);
        WANT(rc < 0 || message.value == (uint64_t)i);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Two on one worker: one sends and gives way, one waits. */
static int wakes_here(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc,
                 .deadline = ambit_after(ambit_s(SPEC_PATIENCE_S))) {
        struct round r = {.n = 4000 / SPEC_SLOWER};
        WANT_EQ(ambit_ring_open(s, &r.ring, .capacity = 3), 0);
        unsigned me = ambit_ring_here(r.ring);
        WANT_EQ(ambit_spawn_with(s, answer, &r, .tier = AMBIT_FIBER), 0);
        for (int i = 0; i < r.n && rc == 0; i++) {
            rc = send_by(cx, r.ring, (unsigned)i / 2, me, 1, (uint64_t)i);
            rc = rc == 0 && i % 3 == 0 ? ambit_yield(cx) : rc;
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Of two who wait each has its message, the second one much later. */
static int two_who_wait(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message got[2] = {{0}};
    int rc = 0, rcs[2] = {1, 1};
    if (here != 0) {
        for (int i = 1; i <= 2; i++) {
            WANT(spin_until(&crew->steps, i));
            WANT_EQ(ambit_ring_try_send_direct(crew->ring, 0, 1, (uint64_t)i),
                    0);
        }
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct wanter w = {crew->ring, &rcs[i], &got[i]};
            WANT_EQ(ambit_spawn_with(s, want_next, &w, .tier = AMBIT_FIBER), 0);
            WANT_EQ(ambit_yield(cx), 0);
        }
        count_up(&crew->steps);
        while (rc == 0 && rcs[0] == 1) {
            rc = ambit_yield(cx);
        }
        let_others_run(cx);
        count_up(&crew->steps);
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i < 2; i++) {
        WANT_EQ(rcs[i], 0);
        WANT_EQ(got[i].value, i + 1);
    }
    return 0;
}

static int wakes_each(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 0};
    (void)arg;
    crew_run(cx, &crew, two_who_wait, .capacity = 2);
    return 0;
}

/* Goal: no wake is lost.
 * Method: of two who wait each has its message; each round of a to and fro waits
 * for the one before, by each call in turn, with pauses of many lengths, until a
 * deadline far away. */
Spec(RING_WAKE_1, a_message_wakes_who_waits)
{
    spec_on(2, wakes_each);
    spec_on(2, wakes);
    spec_on_1_and_2_workers(wakes_here);
    spec_end("RING_WAKE_1");
}

/* --- RING-BELL-1 ----------------------------------------------------------- */

#define MANY 1000

static int wait_for_all(ambit_cx *cx, void *arg)
{
    struct crew *crew = *(struct crew **)arg;
    struct ambit_ring_message message;
    for (int i = 0; i < 2 * MANY; i++) {
        WANT_EQ(ambit_ring_next(cx, crew->ring, &message), 0);
    }
    return 0;
}

static uint64_t bells(struct crew *crew)
{
    struct ambit_ring_stats stats;
    ambit_ring_stats(crew->ring, &stats);
    return stats.doorbells;
}

/* Worker 0 has a task that waits, and one that keeps it from hearing. */
static int ring_once(ambit_cx *cx, struct crew *crew, unsigned here)
{
    int rc = 0, gone = 1;
    if (here != 0) {
        WANT(spin_until(&crew->steps, 1));
        for (int i = 0; i < MANY; i++) { /* nobody waits */
            WANT_EQ(ambit_ring_try_send_direct(crew->ring, 0, 1, 1), 0);
        }
        WANT_EQ(bells(crew), 0);
        count_up(&crew->steps);
        WANT(spin_until(&crew->steps, 3));
        for (int i = 0; i < MANY; i++) {
            WANT_EQ(ambit_ring_try_send_direct(crew->ring, 0, 1, 1), 0);
        }
        WANT_EQ(bells(crew), 1);
        count_up(&crew->done);
        return 0;
    }
    ambit_scope (cx, s, &rc) { /* who was called off does not wait */
        struct wanter w = {crew->ring, &gone, NULL};
        WANT_EQ(ambit_spawn_with(s, want_next, &w, .tier = AMBIT_FIBER), 0);
        let_others_run(cx);
        ambit_cancel(s, "not wanted");
    }
    count_up(&crew->steps);
    WANT(spin_until(&crew->steps, 2));
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn_with(s, wait_for_all, &crew, .tier = AMBIT_FIBER),
                0);
        struct ambit_ring_stats stats = {0};
        while (stats.received < MANY) { /* then it waits for the others */
            WANT_EQ(ambit_yield(cx), 0);
            ambit_ring_stats(crew->ring, &stats);
        }
        let_others_run(cx);
        count_up(&crew->steps);
        WANT(spin_until(&crew->done, 1));
    }
    return rc;
}

static int one_bell(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct crew crew = {.n = 0};
        crew_run(cx, &crew, ring_once, .capacity = MANY);
    }
    return 0;
}

/* Goal: a bell is rung for somebody, and once.
 * Method: a thousand messages to a worker where nobody waits, and to one that
 * waits and does not hear; the count of bells. */
Spec(RING_BELL_1, a_bell_is_rung_once_for_who_waits)
{
    spec_on(2, one_bell);
    spec_end("RING_BELL_1");
}

/* --- RING-FLUSH-1 ---------------------------------------------------------- */

/* What worker 1 has sent worker 0 finds, while worker 1 does not give way. */
static int shown_at_once(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message = {.tag = 1};
    for (int i = 0; i < crew->n; i++) {
        int more = i % 4 == 3 ? 64 : 1;
        if (here == 0) {
            WANT(spin_until(&crew->steps, i + 1));
            for (int n = 0; n < more; n++) {
                WANT_EQ(ambit_ring_try_next(crew->ring, &message), 0);
            }
            count_up(&crew->done);
            continue;
        }
        switch (i % 4) {
        case 0:
            WANT_EQ(ambit_ring_try_send_direct(crew->ring, 0, 1, 1), 0);
            break;
        case 1:
            WANT_EQ(ambit_ring_send(cx, crew->ring, 0, 1, 1), 0);
            break;
        case 2:
            WANT_EQ(ambit_ring_try_send_many(crew->ring, 0, &message, 1), 1);
            break;
        default: /* together they are enough, or are shown */
            for (int n = 0; n < more; n++) {
                WANT_EQ(ambit_ring_try_send(crew->ring, 0, 1, 1), 0);
            }
        }
        count_up(&crew->steps);
        WANT(spin_until(&crew->done, i + 1));
    }
    if (here != 0) {
        WANT_EQ(ambit_ring_try_send(crew->ring, 0, 1, 1), 0);
        WANT_EQ(ambit_ring_try_send(crew->ring, 0, 60, 5), 0);
        ambit_ring_flush(crew->ring);
        count_up(&crew->steps);
        WANT(spin_until(&crew->done, crew->n + 1));
        WANT_EQ(ambit_ring_try_send(crew->ring, 0, 1, 1), 0);
        return ambit_yield(cx); /* its turn is over */
    }
    uint64_t sum = 0;
    WANT(spin_until(&crew->steps, crew->n + 1));
    WANT_EQ(ambit_ring_try_next(crew->ring, &message), 0);
    WANT_EQ(ambit_ring_try_next_count(crew->ring, 60, &sum), 0);
    WANT_EQ(sum, 5);
    count_up(&crew->done);
    return ambit_ring_next(cx, crew->ring, &message);
}

static int shown(ambit_cx *cx, void *arg)
{
    const uint16_t counted = 60;
    struct crew crew = {.n = 400};
    (void)arg;
    crew_run(cx, &crew, shown_at_once, .counted = &counted, .counted_len = 1);
    return 0;
}

/* Goal: what is said to be seen is seen, and the rest at the next turn.
 * Method: the target looks once, while the sender keeps its worker; then the
 * sender gives way without a word. */
Spec(RING_FLUSH_1, what_is_flushed_is_seen)
{
    spec_on(2, shown);
    spec_end("RING_FLUSH_1");
}

/* --- RING-CANCEL-1 --------------------------------------------------------- */

static int called_off(ambit_cx *cx, void *arg)
{
    struct ambit_ring_message got[2], message;
    int rc = 0, rcs[2] = {1, 1};
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        ambit_ring *ring;
        WANT_EQ(ambit_ring_open(outer, &ring, .capacity = 1), 0);
        unsigned me = ambit_ring_here(ring);
        struct wanter second = {ring, &rcs[1], &got[1]};
        ambit_scope (cx, inner, &rc) {
            struct wanter w = {ring, &rcs[0], &got[0]};
            WANT_EQ(ambit_spawn_with(inner, want_next, &w,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            WANT_EQ(ambit_spawn_with(outer, want_next, &second,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            ambit_cancel(inner, "not wanted");
        }
        WANT_EQ(rcs[0], -ECANCELED);
        WANT_EQ(ambit_ring_try_send(ring, me, 1, 7), 0);
        let_others_run(cx);
        WANT_EQ(rcs[1], 0);
        WANT_EQ(got[1].value, 7);
        /* Handed over, then cancelled. */
        ambit_scope (cx, inner, &rc) {
            struct wanter w = {ring, &rcs[0], &got[0]};
            WANT_EQ(ambit_spawn_with(inner, want_next, &w,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            WANT_EQ(ambit_ring_try_send(ring, me, 1, 8), 0);
            ambit_cancel(inner, "too late");
        }
        WANT_EQ(rcs[0], 0);
        WANT_EQ(got[0].value, 8);
        /* A wait for room. */
        WANT_EQ(ambit_ring_try_send(ring, me, 1, 9), 0);
        ambit_scope (cx, inner, &rc) {
            struct wanter w = {ring, &rcs[0], NULL};
            WANT_EQ(ambit_spawn_with(inner, want_room, &w,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            ambit_cancel(inner, "no room");
        }
        WANT_EQ(rcs[0], -ECANCELED);
        WANT_EQ(ambit_ring_try_next(ring, &message), 0);
        WANT_EQ(message.value, 9);
        let_others_run(cx);
        WANT_EQ(ambit_ring_try_next(ring, &message), -EAGAIN);
        WANT_EQ(ambit_ring_try_send(ring, me, 1, 10), 0);
    }
    return rc;
}

/* The cancel meets the message from the other worker. */
static int cancel_race(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message, got;
    int rc = 0;
    for (int i = 0; i < crew->n && rc == 0; i++) {
        if (here != 0) {
            WANT(spin_until(&crew->steps, i + 1));
            for (int pause = 0; pause < i % 50; pause++) {
                cpu_relax();
            }
            WANT_EQ(ambit_ring_try_send_direct(crew->ring, 0, 1, (uint64_t)i),
                    0);
            count_up(&crew->done);
            continue;
        }
        int taken = 1;
        ambit_scope (cx, s, &rc) {
            struct wanter w = {crew->ring, &taken, &got};
            WANT_EQ(ambit_spawn_with(s, want_next, &w, .tier = AMBIT_FIBER), 0);
            WANT_EQ(ambit_yield(cx), 0);
            count_up(&crew->steps);
            WANT_EQ(i % 2 == 0 ? ambit_yield(cx) : 0, 0);
            ambit_cancel(s, "now");
        }
        WANT(spin_until(&crew->done, i + 1));
        if (taken == 0) {
            WANT_EQ(got.value, i);
        } else {
            WANT_EQ(taken, -ECANCELED);
            WANT_EQ(ambit_ring_try_next(crew->ring, &message), 0);
            WANT_EQ(message.value, i);
        }
        WANT_EQ(ambit_ring_try_next(crew->ring, &message), -EAGAIN);
    }
    return rc;
}

/* The first of two is called off: the other one hears all the same. */
static int second_hears(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message got[2];
    int rc = 0, rcs[2] = {1, 1};
    if (here != 0) {
        WANT(spin_until(&crew->steps, 1));
        return ambit_ring_try_send_direct(crew->ring, 0, 1, 5);
    }
    ambit_scope (cx, outer, &rc) {
        struct wanter second = {crew->ring, &rcs[1], &got[1]};
        ambit_scope (cx, inner, &rc) {
            struct wanter first = {crew->ring, &rcs[0], &got[0]};
            WANT_EQ(ambit_spawn_with(inner, want_next, &first,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            WANT_EQ(ambit_spawn_with(outer, want_next, &second,
                                     .tier = AMBIT_FIBER), 0);
            let_others_run(cx);
            ambit_cancel(inner, "not wanted");
        }
        count_up(&crew->steps);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(rcs[0], -ECANCELED);
    WANT_EQ(rcs[1], 0);
    return 0;
}

static int called_off_across(ambit_cx *cx, void *arg)
{
    struct crew crew = {.n = 4000 / SPEC_SLOWER}, other = {.n = 0};
    (void)arg;
    crew_run(cx, &other, second_hears, .capacity = 1);
    crew_run(cx, &crew, cancel_race, .capacity = 2);
    return 0;
}

/* Goal: a cancel loses nothing.
 * Method: of two who wait the first is cancelled; a message just before the
 * cancel; a wait for room; a message that comes from the other worker at the
 * moment of the cancel. */
Spec(RING_CANCEL_1, a_wait_that_is_called_off_takes_nothing)
{
    spec_on_1_and_2_workers(called_off);
    spec_on(2, called_off_across);
    spec_end("RING_CANCEL_1");
}
