/* SPDX-License-Identifier: MIT */
/*
 * scenarios_async.c -- machines within machines, in a switch, in loops, and the
 * number that says where each of them is.
 *
 * Several of them stand in the same lines, step on any worker, and are cancelled.
 * Whatever happens: each part is done once, in order, and what was put into the
 * state is there after each await.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

/* --- three machines deep --------------------------------------------------- */

struct mill {
    struct ambit_semaphore wheel; /* one of it */
    struct tally on_wheel, ended;
};

typedef char word[24];

/* Turns the wheel once, and has time pass. */
AMBIT_ASYNC_STATE(turn, 2, (struct ambit_await, wait), (struct mill *, mill),
                  (int64_t, kept), (int64_t *, sum));

static int turn(ambit_cx *cx, void *arg)
{
    struct turn *s = arg;
    int rc, later;
    AMBIT_ASYNC_BEGIN(turn, 2, s);
    AMBIT_AWAIT(1, rc, ambit_await_acquire(cx, &s->wait, &s->mill->wheel, 1));
    if (rc < 0) {
        always(is_called_off(rc));
        AMBIT_ASYNC_RETURN(rc);
    }
    always(tally_up(&s->mill->on_wheel) == 0);
    s->kept = *s->sum;
    AMBIT_AWAIT(2, later, ambit_await_sleep(cx, &s->wait, ambit_us(1)));
    always(*s->sum == s->kept);
    *s->sum += 1;
    tally_down(&s->mill->on_wheel);
    always(ambit_semaphore_release(&s->mill->wheel, 1) == 0);
    AMBIT_ASYNC_END(later);
}

#define YIELD(n) AMBIT_AWAIT(n, rc, ambit_await_yield(cx, &s->wait))

/* A turn, and two awaits on a line, as often as it is told. */
AMBIT_ASYNC_STATE(spins, 3, (struct turn, turn), (struct ambit_await, wait),
                  (struct mill *, mill), (int, times), (int64_t *, sum));

static int spins(ambit_cx *cx, void *arg)
{
    struct spins *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(spins, 3, s);
    while (s->times > 0) {
        AMBIT_ASYNC_INIT(turn, &s->turn, .mill = s->mill, .sum = s->sum);
        always(s->turn.state_ == 0);
        AMBIT_AWAIT(1, rc, turn(cx, &s->turn));
        always(s->turn.state_ == UINT32_MAX);
        if (rc < 0) {
            AMBIT_ASYNC_RETURN(rc);
        }
        *s->sum += 10; YIELD(2); *s->sum += 10; YIELD(3); s->times--;
    }
    AMBIT_ASYNC_END(0);
}

AMBIT_ASYNC_STATE(grinds, 4, (struct spins, spins), (struct ambit_await, wait),
                  (struct mill *, mill), (int, round), (int64_t, sum),
                  (word, name), (double, half));

/* As the step before left it. */
static void is_kept(const struct grinds *s, int round)
{
    always(s->round == round && s->half == round + 0.5);
    always(strcmp(s->name, "what is put away") == 0);
}

/* 0: a machine that has one of its own; 1 and 2: a fall through; 3: a loop. */
static int grinds(ambit_cx *cx, void *arg)
{
    struct grinds *s = arg;
    int rc = 0;
    AMBIT_ASYNC_BEGIN(grinds, 4, s);
    memcpy(s->name, "what is put away", sizeof "what is put away");
    for (s->round = 0; s->round < 4 && rc == 0; s->round++) {
        s->half = s->round + 0.5;
        switch (s->round) {
        case 0:
            AMBIT_ASYNC_INIT(spins, &s->spins, .mill = s->mill, .times = 2,
                             .sum = &s->sum);
            AMBIT_AWAIT(1, rc, spins(cx, &s->spins));
            is_kept(s, 0);
            break;
        case 1:
            YIELD(2);
            is_kept(s, 1);
            s->sum += 100;
            /* fall through */
        case 2:
            s->sum += 1000; /* twice */
            YIELD(3);
            s->sum += 10000;
            break;
        default:
            do {
                YIELD(4);
                is_kept(s, 3);
                s->sum += 100000;
            } while (rc == 0 && s->sum < 300000);
        }
    }
    if (rc < 0) {
        always(is_called_off(rc) || (rc == -ENOMEM && disturbed));
        AMBIT_ASYNC_RETURN(rc);
    }
    always(s->sum == 42 + 100 + 2 * 11000 + 300000);
    tally_up(&s->mill->ended);
    AMBIT_ASYNC_END(0);
}

static int run_mill(ambit_cx *cx, bool is_cancelled)
{
    struct mill mill = {.wheel = AMBIT_SEMAPHORE_INIT(1, 1)};
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            struct grinds state = {.mill = &mill};
            want(ambit_spawn_poll(s, grinds, &state) == 0);
        }
        if (is_cancelled) {
            for (unsigned n = ambit_choose(20); n > 0; n--) {
                (void)ambit_yield(cx);
            }
            (void)(ambit_choose(2) && ambit_sleep(cx, ambit_us(2)));
            ambit_cancel(s, "no more grain");
        }
    }
    want(rc == 0 && (is_cancelled || tally_get(&mill.ended) == 3));
    always(tally_get(&mill.on_wheel) == 0);
    always(ambit_semaphore_free(&mill.wheel) == 1);
    ambit_semaphore_fini(&mill.wheel);
    return rc;
}

static int async_nested(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_mill(cx, false);
}

static int async_nested_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_mill(cx, true);
}

/* --- where a parked machine is --------------------------------------------- */

struct stops;

struct station {
    struct ambit_semaphore signal; /* red */
    struct stops *train;
    struct tally ended;
};

AMBIT_ASYNC_STATE(leg, 2, (struct ambit_await, wait), (struct station *, at));

#define RED(n) \
    do { \
        AMBIT_AWAIT(n, rc, ambit_await_acquire(cx, &s->wait, &s->at->signal, \
                                               1)); \
        if (rc < 0) { \
            always(is_called_off(rc)); \
            AMBIT_ASYNC_RETURN(rc); \
        } \
    } while (0)

static int leg(ambit_cx *cx, void *arg)
{
    struct leg *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(leg, 2, s);
    RED(1);
    RED(2);
    AMBIT_ASYNC_END(0);
}

AMBIT_ASYNC_STATE(stops, 3, (struct ambit_await, wait), (struct station *, at),
                  (struct leg, first), (struct leg, second));

static int stops(ambit_cx *cx, void *arg)
{
    struct stops *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(stops, 3, s);
    s->at->train = s;
    AMBIT_ASYNC_INIT(leg, &s->first, .at = s->at);
    AMBIT_ASYNC_INIT(leg, &s->second, .at = s->at);
    RED(1);
    AMBIT_AWAIT(2, rc, leg(cx, &s->first));
    if (rc < 0) {
        AMBIT_ASYNC_RETURN(rc);
    }
    RED(3);
    tally_up(&s->at->ended);
    AMBIT_ASYNC_END(0);
}

static void is_at(uint32_t state, enum ambit_async_where where, uint32_t point)
{
    struct ambit_async_at at = ambit_async_decode(state);
    uint32_t again = ~state;
    always(at.where == where && at.point == point);
    always(ambit_async_encode(at, &again) == 0 && again == state);
}

static void look_at(const struct stops *train, unsigned halt)
{
    static const uint32_t points[] = {1, 2, 2, 3};
    is_at(train->state_, AMBIT_ASYNC_POINT, points[halt]);
    is_at(train->first.state_,
          halt == 0 ? AMBIT_ASYNC_START
                    : halt == 3 ? AMBIT_ASYNC_COMPLETE : AMBIT_ASYNC_POINT,
          halt % 3);
    is_at(train->second.state_, AMBIT_ASYNC_START, 0);
}

/* It is parked when it stands in the line: nobody writes to its state then. */
static int async_states(ambit_cx *cx, void *arg)
{
    struct station station = {.signal = AMBIT_SEMAPHORE_INIT(0, 1)};
    int rc = 0, yielded = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        struct stops state = {.at = &station};
        if (ambit_spawn_poll(s, stops, &state) < 0) {
            want(false);
            break;
        }
        for (unsigned halt = 0; halt < 4 && yielded == 0; halt++) {
            while (ambit_semaphore_waiters(&station.signal) == 0 &&
                   yielded == 0) {
                yielded = ambit_yield(cx);
            }
            if (yielded == 0) {
                look_at(station.train, halt);
                always(ambit_semaphore_release(&station.signal, 1) == 0);
            }
        }
    }
    want(rc == 0 && tally_get(&station.ended) == 1);
    always(ambit_semaphore_waiters(&station.signal) == 0);
    ambit_semaphore_fini(&station.signal);
    return rc;
}

SCENARIOS(async,
          {"async_nested", async_nested, 2, TIMED,
           "ASYNC-RUN-1"},
          {"async_nested_against_cancel", async_nested_against_cancel, 2, TIMED,
           "ASYNC-RUN-1 AWAIT-CANCEL-1"},
          {"async_states", async_states, 2, CORE,
           "ASYNC-RUN-1 ASYNC-STATE-1"});
